
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Ejection of peers: a process that is not run for a while, while others count
 * calls of the peer, eject it, try it and let it in.
 */


#include "stall.h"
#include "ngx_mon_outlier.h"


#define NOW    1000000
#define EJECT  500
#define HOLD   300


typedef struct {
    ngx_mon_guard_t  guard;
    ngx_mon_pool_t   pool;
} memory_t;


static memory_t                *memory;
static ngx_mon_window_t         late, other;
static ngx_uint_t               ejected, panics;
static uint64_t                 now;
static ngx_mon_outlier_conf_t   conf = {
    .consecutive = 4,
    .window = 100000,
    .eject = EJECT,
    .max_eject = 10 * EJECT,
    .max_ejected = NGX_MON_OUTLIER_ONE
};

/* of who is late, which is not compared */
#define late_ejected  stall_told[STALL_TOLD]
#define late_panics   stall_told[STALL_TOLD + 1]


static ngx_uint_t
outlier_fails(ngx_mon_window_t *w, uint64_t when)
{
    ngx_mon_window_sum_t  sum;

    if (ngx_mon_guard_mode(&memory->guard, &conf, 0, when)
        >= NGX_MON_GUARD_TRIAL)
    {
        return 0;
    }

    (void) ngx_mon_window_add(w, when);

    return ngx_mon_guard_fault(&memory->guard, w, &conf, when, &sum)
           != NGX_MON_OUTLIER_NONE
           && ngx_mon_guard_eject(&memory->guard, w, &conf, when) != 0;
}


static ngx_uint_t
other_fails(void)
{
    ejected += outlier_fails(&other, now);

    return 1;
}


static ngx_uint_t
other_good(void)
{
    (void) ngx_mon_window_add(&other, now);
    ngx_mon_guard_fine(&memory->guard);

    return 1;
}


static ngx_uint_t
other_ejects(void)
{
    ejected += ngx_mon_guard_eject(&memory->guard, &other, &conf, now) != 0;

    return 1;
}


static ngx_uint_t
other_admits(void)
{
    (void) ngx_mon_guard_admit(&memory->guard, now, 0);

    return 1;
}


/* when its time is over */

static ngx_uint_t
other_ejects_again(void)
{
    now += 3 * EJECT;
    ejected += ngx_mon_guard_again(&memory->guard, &conf, now) != 0;

    return 1;
}


static ngx_uint_t
other_alarms(void)
{
    panics += ngx_mon_pool_panic_begin(&memory->pool, now, HOLD);

    return 1;
}


static ngx_uint_t
other_calms(void)
{
    now += 3 * HOLD;
    (void) ngx_mon_pool_panic_end(&memory->pool, now, HOLD);

    return 1;
}


static ngx_uint_t
other_tries(void)
{
    if (ngx_mon_guard_take(&memory->guard.permit, 1002)) {
        ngx_mon_guard_free(&memory->guard.permit, 1002);
    }

    return 1;
}


static void
outlier_begin(void)
{
    ngx_memzero(memory, sizeof(memory_t));

    now = NOW;
    ejected = 0;
    panics = 0;

    ngx_mon_window_init(&late, &memory->guard.window, conf.window, 1);
    ngx_mon_window_init(&other, &memory->guard.window, conf.window, 1);

    (void) other_good();
    (void) other_fails();
    (void) other_fails();
}


static void
outlier_begin_out(void)
{
    outlier_begin();
    (void) other_ejects();
    now += 3 * EJECT;
}


static void
outlier_facts(uint64_t *facts)
{
    ngx_mon_window_sum_t  sum;

    facts[0] = memory->guard.admission;

    /* of a peer that is out they are forgotten when it comes back */

    if (facts[0] >> 63 == 0) {
        facts[1] = memory->guard.consecutive;
    }

    facts[2] = memory->guard.permit;
    facts[3] = memory->pool.panic;
    facts[4] = memory->pool.panics;
    facts[5] = ejected + late_ejected;

    check(memory->pool.panics == panics + late_panics);

    ngx_mon_window_sum(&other, now, &sum);
    facts[STALL_ABOUT] = sum.calls;
    facts[STALL_ABOUT + 1] = sum.failed;
}


static void
late_fails(void)
{
    late_ejected += outlier_fails(&late, NOW);
}


static void
late_ejects(void)
{
    stall_told[0] = ngx_mon_guard_eject(&memory->guard, &late, &conf, NOW);
    late_ejected += stall_told[0] != 0;
}


static void
late_ejects_again(void)
{
    stall_told[0] = ngx_mon_guard_again(&memory->guard, &conf,
                                        NOW + 3 * EJECT);
    late_ejected += stall_told[0] != 0;
}


static void
late_admits(void)
{
    stall_told[0] = ngx_mon_guard_admit(&memory->guard, NOW + 3 * EJECT, 0);
}


static void
late_alarms(void)
{
    late_panics += ngx_mon_pool_panic_begin(&memory->pool, NOW, HOLD);
}


static void
late_tries(void)
{
    stall_told[0] = ngx_mon_guard_take(&memory->guard.permit, 1001);

    if (stall_told[0]) {
        ngx_mon_guard_free(&memory->guard.permit, 1001);
    }
}


static void
outlier_stall(void (*begin)(void), void (*op)(void), ngx_uint_t least)
{
    ngx_uint_t  i;

    static stall_op_pt  others[][6] = {
        { other_fails, other_good, other_fails },
        { other_admits, other_fails, other_fails, other_fails },
        { other_ejects_again, other_admits, other_fails, other_tries },
        { other_alarms, other_calms, other_alarms }
    };

    stall_t  s;

    ngx_memzero(&s, sizeof(s));

    s.memory = memory;
    s.size = 4096;
    s.begin = begin;
    s.late = op;
    s.facts = outlier_facts;

    /* a call that was being counted when the peer was ejected */
    s.slack = 1;

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {

        /* it is not back before who has ejected it has emptied the window */

        if (op == late_ejects && (i == 1 || i == 2)) {
            continue;
        }

        ngx_memcpy(s.others, others[i], sizeof(others[i]));
        stall(&s, least, 0);
    }
}


static void
outlier_late_calls(void **state)
{
    outlier_stall(outlier_begin, late_fails, 5);
}


static void
outlier_late_ejects(void **state)
{
    outlier_stall(outlier_begin, late_ejects, 5);
    outlier_stall(outlier_begin_out, late_ejects_again, 2);
}


static void
outlier_late_admits(void **state)
{
    outlier_stall(outlier_begin_out, late_admits, 3);
    outlier_stall(outlier_begin_out, late_tries, 3);
    outlier_stall(outlier_begin_out, late_alarms, 2);
}


static int
outlier_setup(void **state)
{
    memory = stall_memory(4096);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(outlier_late_calls),
        cmocka_unit_test(outlier_late_ejects),
        cmocka_unit_test(outlier_late_admits),
    };

    return cmocka_run_group_tests(tests, outlier_setup, NULL);
}
