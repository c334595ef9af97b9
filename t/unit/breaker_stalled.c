
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Breakers: a process that is not run for a while, while the circuit goes
 * round: opened, half open, closed again, and calls are counted.
 */


#include "stall.h"
#include "ngx_mon_breaker.h"


#define NOW     1000000
#define OPEN    100
#define PROBES  2


typedef struct {
    ngx_mon_breaker_shared_t  circuit;
} memory_t;


static memory_t                *memory;
static ngx_mon_breaker_t        late, other;
static ngx_mon_breaker_pass_t   pass, passes[PROBES];
static ngx_int_t                tried[PROBES];
static ngx_mon_breaker_conf_t   conf, wider;

/* the time of others */
static uint64_t                 now;

/* transitions of others, and of who is late */
static ngx_uint_t               moves;
#define late_moves  stall_told[STALL_TOLD]


static void
breaker_init(ngx_mon_breaker_t *b, uint32_t pid)
{
    ngx_mon_breaker_init(b, &memory->circuit, &conf, 1, pid, pid);
}


static ngx_uint_t
other_call(ngx_uint_t failed)
{
    ngx_int_t                 rc;
    ngx_mon_breaker_pass_t    p;
    ngx_mon_breaker_change_t  change;

    rc = ngx_mon_breaker_enter(&other, now, &p, &change);
    moves += rc != NGX_OK && change.from != change.to;

    if (rc != NGX_BUSY
        && (failed || p.slot != -1
            || !ngx_mon_breaker_quick(&other, now, &p)))
    {
        moves += ngx_mon_breaker_leave(&other, now, &p, failed, 0, &change);
    }

    return 1;
}


static ngx_uint_t
other_good(void)
{
    return other_call(0);
}


static ngx_uint_t
other_fails(void)
{
    return other_call(1);
}


static ngx_uint_t
other_opens(void)
{
    ngx_uint_t  i;

    for (i = 0; i < conf.consecutive; i++) {
        (void) other_fails();
    }

    return 1;
}


/* it was open for long enough: a trial */

static ngx_uint_t
other_tries(void)
{
    ngx_uint_t                i;
    ngx_mon_breaker_change_t  change;

    now += 2 * OPEN;

    for (i = 0; i < PROBES; i++) {
        tried[i] = ngx_mon_breaker_enter(&other, now, &passes[i], &change);
        moves += tried[i] != NGX_OK && change.from != change.to;
    }

    return 1;
}


static ngx_uint_t
other_tried(void)
{
    ngx_uint_t                i;
    ngx_mon_breaker_change_t  change;

    for (i = 0; i < PROBES; i++) {
        if (tried[i] != NGX_BUSY) {
            moves += ngx_mon_breaker_leave(&other, now, &passes[i], 0, 0,
                                           &change);
        }
    }

    return 1;
}


static ngx_uint_t
other_tries_badly(void)
{
    now += 2 * OPEN;

    return other_fails();
}


static void
breaker_begin(void)
{
    ngx_memzero(memory, sizeof(memory_t));

    /* a call and its failure are counted one after the other */

    conf.ratio = 0;
    conf.min = 1;
    conf.consecutive = 3;
    conf.window = 100000;
    conf.open = OPEN;
    conf.max_open = OPEN;
    conf.probes = PROBES;

    now = NOW;
    moves = 0;

    breaker_init(&late, 1001);
    breaker_init(&other, 1002);

    (void) other_good();
    (void) other_good();
}


/* a call of who is late was let through, and two have failed */

static void
breaker_begin_closed(void)
{
    ngx_mon_breaker_change_t  change;

    breaker_begin();
    check(ngx_mon_breaker_enter(&late, now, &pass, &change) == NGX_OK);

    (void) other_fails();
    (void) other_fails();
}


/* the time to try has come */

static void
breaker_begin_open(void)
{
    breaker_begin();
    (void) other_opens();

    now += 2 * OPEN;
}


/* who is late is on trial */

static void
breaker_begin_trial(void)
{
    ngx_mon_breaker_change_t  change;

    breaker_begin_open();
    check(ngx_mon_breaker_enter(&late, now, &pass, &change) == NGX_AGAIN);
    moves++;
}


/* the last one of the trial */

static void
breaker_begin_last(void)
{
    breaker_begin_trial();
    (void) other_good();
}


static void
breaker_facts(uint64_t *facts)
{
    ngx_mon_breaker_info_t  info;

    ngx_mon_breaker_info(&other, now, &info);

    facts[0] = info.kind;
    facts[1] = info.forced;
    facts[2] = info.row;
    facts[3] = info.consecutive;
    facts[4] = info.held;
    facts[5] = info.done;
    facts[6] = ngx_mon_breaker_generation(memory->circuit.state);
    facts[7] = memory->circuit.window.conf;

    /* what stands in the window is of no use to anybody but while closed */

    if (info.kind == NGX_MON_BREAKER_CLOSED) {
        facts[STALL_ABOUT] = info.sum.calls;
        facts[STALL_ABOUT + 1] = info.sum.failed;
    }

    check(info.held + info.done <= PROBES);

    /* who makes a transition is told, and nobody else */

    check(moves + late_moves == facts[6]);
}


static void
late_leave(ngx_uint_t failed)
{
    ngx_mon_breaker_change_t  change;

    if (!failed && pass.slot == -1
        && ngx_mon_breaker_quick(&late, NOW, &pass))
    {
        return;
    }

    late_moves += ngx_mon_breaker_leave(&late, NOW, &pass, failed, 0, &change);
}


static void
late_good(void)
{
    late_leave(0);
}


static void
late_fails(void)
{
    late_leave(1);
}


static void
late_enter(void)
{
    ngx_mon_breaker_change_t  change;

    stall_told[0] = ngx_mon_breaker_enter(&late, NOW + 2 * OPEN, &pass,
                                          &change);
    late_moves += stall_told[0] != NGX_OK && change.from != change.to;
}


static void
late_cancel(void)
{
    ngx_mon_breaker_cancel(&late, &pass);
}


static void
late_again(void)
{
    stall_told[0] = ngx_mon_breaker_again(&late, &pass);
}


static ngx_uint_t
breaker_dead(uint32_t pid)
{
    return pid == 1001;
}


static void
late_sweep(void)
{
    ngx_mon_breaker_change_t  change;

    late_moves += ngx_mon_breaker_sweep(&late, NOW, breaker_dead, &change);
}


static void
breaker_stall(void (*begin)(void), void (*op)(void), ngx_uint_t least)
{
    ngx_uint_t  i;

    static stall_op_pt  others[][9] = {
        { other_good, other_fails, other_good },
        { other_opens, other_tries, other_tried, other_fails, other_fails,
          other_good },
        { other_opens, other_tries_badly, other_tries, other_tried,
          other_fails, other_fails },
        { other_tries, other_tried, other_fails, other_fails, other_good,
          other_fails },
        { other_tries, other_tried, other_opens, other_tries, other_tried,
          other_opens }
    };

    stall_t  s;

    ngx_memzero(&s, sizeof(s));

    s.memory = memory;
    s.size = 4096;
    s.begin = begin;
    s.late = op;
    s.facts = breaker_facts;

    /* a call that was being counted when it opened */
    s.slack = 1;

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        ngx_memcpy(s.others, others[i], sizeof(others[i]));
        stall(&s, least, 0);
    }
}


static void
breaker_late_calls(void **state)
{
    breaker_stall(breaker_begin_closed, late_good, 4);
    breaker_stall(breaker_begin_closed, late_fails, 4);
}


static void
breaker_late_trial(void **state)
{
    breaker_stall(breaker_begin_open, late_enter, 4);
    breaker_stall(breaker_begin_trial, late_again, 4);
    breaker_stall(breaker_begin_trial, late_cancel, 1);
    breaker_stall(breaker_begin_trial, late_sweep, 4);
}


static void
breaker_late_verdicts(void **state)
{
    breaker_stall(breaker_begin_trial, late_good, 4);
    breaker_stall(breaker_begin_trial, late_fails, 4);
    breaker_stall(breaker_begin_last, late_good, 6);
    breaker_stall(breaker_begin_last, late_fails, 4);
    breaker_stall(breaker_begin_last, late_sweep, 4);
}


/* windows: a worker of an older configuration is late */

static void
late_init(void)
{
    ngx_mon_breaker_init(&late, &memory->circuit, &wider, 2, 1001, 1001);
}


static ngx_uint_t
other_init(void)
{
    ngx_mon_breaker_init(&other, &memory->circuit, &conf, 3, 1002, 1002);

    return 1;
}


static void
breaker_late_init(void **state)
{
    ngx_uint_t  i;

    stall_t  s;

    ngx_memzero(&s, sizeof(s));

    s.memory = memory;
    s.size = 4096;
    s.begin = breaker_begin;
    s.late = late_init;
    s.facts = breaker_facts;

    s.others[0] = other_init;
    s.others[1] = other_good;
    s.others[2] = other_fails;

    for (i = 0; i < 2; i++) {
        wider = conf;
        wider.window = conf.window * (i ? 2 : 1);

        stall(&s, 2, 1);
    }
}


static int
breaker_setup(void **state)
{
    memory = stall_memory(4096);
    breaker_begin();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(breaker_late_calls),
        cmocka_unit_test(breaker_late_trial),
        cmocka_unit_test(breaker_late_verdicts),
        cmocka_unit_test(breaker_late_init),
    };

    return cmocka_run_group_tests(tests, breaker_setup, NULL);
}
