
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Allowances: a process that is not run for a while, while others take and
 * give back, and configurations come that change the rate, its unit too.
 */


#include "stall.h"
#include "ngx_mon_allowance.h"


#define SEC  ((uint64_t) 1000000000)
#define NOW  (777 * SEC)

/* a state is rounded up to a tick at each change */
#define TICKS  4


static ngx_mon_allowance_shared_t  *shared;
static ngx_mon_allowance_t          late, other;
static ngx_uint_t                   version, used;
static ngx_uint_t                   admitted;

/* of configurations, from version 1 on */
static const char                 **rates;


static ngx_int_t
allowance_init(ngx_mon_allowance_t *a, ngx_uint_t v, const char *s,
    uint64_t pid)
{
    ngx_str_t       str;
    ngx_mon_rate_t  rate;

    str.data = (u_char *) s;
    str.len = strlen(s);

    if (ngx_mon_rate_parse(&rate, &str, 9) != NGX_OK) {
        _exit(71);
    }

    return ngx_mon_allowance_init(a, shared, &rate, v, NOW, pid);
}


static ngx_uint_t
allowance_take(ngx_mon_allowance_t *a, ngx_uint_t *n)
{
    ngx_mon_gcra_t  g;

    if (ngx_mon_allowance_take(a, NOW, &g) != NGX_OK) {

        /* the rate changes just now, by who is late */

        return 0;
    }

    *n += g.allowed;

    return 1;
}


static void
allowance_begin(void)
{
    ngx_uint_t      i, n;
    ngx_mon_gcra_t  g;

    ngx_memzero(shared, sizeof(ngx_mon_allowance_shared_t));
    ngx_memzero(&late, sizeof(late));
    ngx_memzero(&other, sizeof(other));

    version = 1;
    admitted = 0;

    check(allowance_init(&late, 1, rates[0], 1001) == NGX_OK);
    check(allowance_init(&other, 1, rates[0], 1002) == NGX_OK);

    for (n = 0, i = 0; i < used; i++) {
        check(allowance_take(&other, &n));
    }

    check(n == used);
    check(ngx_mon_allowance_ask(&late, NOW, &g) == NGX_OK);
}


static void
allowance_facts(uint64_t *facts)
{
    ngx_mon_gcra_t       g;
    ngx_mon_allowance_t  a;

    ngx_memzero(&a, sizeof(a));
    a.shared = shared;

    check(ngx_mon_allowance_ask(&a, NOW, &g) == NGX_OK);

    facts[0] = shared->current >> 1;
    facts[1] = a.rate.cost;
    facts[2] = a.rate.unit;
    facts[STALL_ABOUT] = shared->states[shared->current & 1].word;
    facts[3] = shared->claim;
    facts[4] = admitted;
}


/* what may be late */

static void
late_take(void)
{
    ngx_mon_gcra_t  g;

    if (ngx_mon_allowance_quick(&late, NOW)) {
        stall_told[0] = 1;
        return;
    }

    stall_told[0] = ngx_mon_allowance_take(&late, NOW, &g) == NGX_OK
                    ? g.allowed : STALL_FAILED;
}


static void
late_ask(void)
{
    ngx_mon_gcra_t  g;

    if (ngx_mon_allowance_sure(&late, NOW)) {
        stall_told[0] = 1;
        return;
    }

    stall_told[0] = ngx_mon_allowance_ask(&late, NOW, &g) == NGX_OK
                    ? g.allowed : STALL_FAILED;
}


static void
late_refund(void)
{
    ngx_mon_allowance_refund(&late, NOW + SEC, NOW);
}


static void
late_sweep(void)
{
    ngx_mon_allowance_sweep(&late, NOW);
}


/* the second configuration, when there is a third one already */

static void
late_init(void)
{
    ngx_int_t  rc;

    rc = allowance_init(&late, 2, rates[1], 1001);

    stall_told[0] = (rc == NGX_OK) ? 1 : STALL_FAILED;
}


/* what others do */

static ngx_uint_t
other_take(void)
{
    return allowance_take(&other, &admitted);
}


static ngx_uint_t
other_refund(void)
{
    ngx_mon_allowance_refund(&other, NOW + SEC, NOW);

    return 1;
}


static ngx_uint_t
other_init(void)
{
    /* of a worker of its own */

    version++;
    ngx_memzero(&other, sizeof(other));
    other.shared = shared;

    return allowance_init(&other, version, rates[version - 1], 1002 + version)
           == NGX_OK;
}


static ngx_uint_t
other_init_third(void)
{
    version = 2;

    return other_init();
}


static void
allowance_stall(void (*op)(void), ngx_uint_t least)
{
    ngx_uint_t  i, k;

    /* up to three changes; the second one leads to the state of before */

    static const char  *units[] = {
        "7r/s", "10r/s", "11r/s", "13r/s"
    };

    static const char  *same[] = {
        "10r/s", "10r/s", "30r/m", "10r/s"
    };

    static stall_op_pt  others[][6] = {
        { other_take, other_take, other_refund },
        { other_take, other_init, other_take },
        { other_init, other_take, other_init, other_take },
        { other_init, other_init, other_init, other_take, other_refund },
    };

    stall_t  s;

    ngx_memzero(&s, sizeof(s));

    s.memory = shared;
    s.size = 4096;
    s.begin = allowance_begin;
    s.late = op;
    s.facts = allowance_facts;
    s.slack = TICKS;

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        ngx_memcpy(s.others, others[i], sizeof(others[i]));

        for (k = 0; k < 4; k++) {
            rates = (k & 1) ? same : units;
            used = (k & 2) ? 9 : 0;

            if (op == late_refund && used == 0) {
                used = 3;
            }

            stall(&s, least, k < 2);
        }
    }
}


static void
allowance_late_take(void **state)
{
    allowance_stall(late_take, 3);
}


static void
allowance_late_ask(void **state)
{
    allowance_stall(late_ask, 2);
}


static void
allowance_late_refund(void **state)
{
    allowance_stall(late_refund, 3);
}


static void
allowance_late_sweep(void **state)
{
    allowance_stall(late_sweep, 3);
}


/*
 * A worker of the second configuration is late: the rate of the third one,
 * which may be that of the first, stays in force.
 */

static void
allowance_late_init(void **state)
{
    ngx_uint_t  i;

    static const char  *third[][3] = {
        { "7r/s", "10r/s", "7r/s" },
        { "7r/s", "10r/s", "11r/s" },
        { "7r/s", "7r/s", "11r/s" },
        { "7r/s", "10r/s", "10r/s" },
    };

    stall_t  s;

    ngx_memzero(&s, sizeof(s));

    s.memory = shared;
    s.size = 4096;
    s.begin = allowance_begin;
    s.late = late_init;
    s.facts = allowance_facts;
    s.slack = TICKS;

    s.others[0] = other_take;
    s.others[1] = other_init_third;
    s.others[2] = other_take;

    for (i = 0; i < sizeof(third) / sizeof(third[0]); i++) {
        rates = third[i];
        used = 3;

        stall(&s, 4, 1);
    }
}


static int
allowance_setup(void **state)
{
    shared = stall_memory(4096);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(allowance_late_take),
        cmocka_unit_test(allowance_late_ask),
        cmocka_unit_test(allowance_late_refund),
        cmocka_unit_test(allowance_late_sweep),
        cmocka_unit_test(allowance_late_init),
    };

    return cmocka_run_group_tests(tests, allowance_setup, NULL);
}
