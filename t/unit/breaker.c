
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include <pthread.h>
#include "ngx_mon_breaker.h"


#define CLOSED     NGX_MON_BREAKER_CLOSED
#define OPEN       NGX_MON_BREAKER_OPEN
#define HALF_OPEN  NGX_MON_BREAKER_HALF_OPEN

/* not the first rounds of the window, where zeros are of the round */
#define T          1000000000


static ngx_mon_breaker_shared_t  shared;
static ngx_mon_breaker_conf_t    conf;
static ngx_mon_breaker_t         breaker;
static ngx_mon_breaker_change_t  change;
static ngx_uint_t                dead_pid;

#define THREADS  4
#define CALLS    300000

static uint64_t                  ticks;
static uint64_t                  moves[3];
static uint64_t                  given[65536];


static int
setup(void **state)
{
    ngx_memzero(&shared, sizeof(shared));
    ngx_memzero(&change, sizeof(change));

    conf.ratio = 500000;
    conf.slow_ratio = 1000000;
    conf.min = 20;
    conf.consecutive = 0;
    conf.slow = 0;
    conf.window = 10000;
    conf.open = 10000;
    conf.max_open = 300000;
    conf.probes = 5;

    ngx_mon_breaker_init(&breaker, &shared, &conf, 1, 42, 100);

    return 0;
}


static ngx_uint_t
kind(void)
{
    return ngx_mon_breaker_kind(shared.state);
}


/* a call that begins and ends at now; what leave said */

static ngx_uint_t
call(uint64_t now, ngx_uint_t failed, ngx_uint_t slow)
{
    ngx_mon_breaker_pass_t  pass;

    assert_int_not_equal(ngx_mon_breaker_enter(&breaker, now, &pass, &change),
                         NGX_BUSY);

    return ngx_mon_breaker_leave(&breaker, now, &pass, failed, slow, &change);
}


static void
calls(ngx_uint_t n, uint64_t now, ngx_uint_t failed, ngx_uint_t slow)
{
    while (n--) {
        assert_int_equal(call(now, failed, slow), 0);
    }
}


static ngx_int_t
enter(uint64_t now, ngx_mon_breaker_pass_t *pass)
{
    return ngx_mon_breaker_enter(&breaker, now, pass, &change);
}


static void
refused(uint64_t now)
{
    ngx_mon_breaker_pass_t  pass;

    assert_int_equal(enter(now, &pass), NGX_BUSY);
    assert_true(ngx_mon_breaker_wait(&breaker, now) > 0);
}


/* opens the circuit at now; returns when it is due */

static uint64_t
trip(uint64_t now)
{
    calls(19, now, 1, 0);
    assert_int_equal(call(now, 1, 0), 1);
    assert_int_equal(kind(), OPEN);

    return now + change.ms;
}


/* opens it and enters the trial with n calls */

static uint64_t
trial(uint64_t now, ngx_mon_breaker_pass_t *pass, ngx_uint_t n)
{
    ngx_uint_t  i;

    now = trip(now);

    for (i = 0; i < n; i++) {
        assert_int_equal(enter(now, &pass[i]), NGX_AGAIN);
        assert_int_equal(change.from != change.to, i == 0);
    }

    assert_int_equal(kind(), HALF_OPEN);

    return now;
}


static ngx_uint_t
leave(uint64_t now, ngx_mon_breaker_pass_t *pass, ngx_uint_t failed)
{
    return ngx_mon_breaker_leave(&breaker, now, pass, failed, 0, &change);
}


static void
stays_closed(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 10000; i++) {
        assert_int_equal(call(T + i * 10, i % 5 > 2, 0), 0);
    }

    assert_int_equal(kind(), CLOSED);
    assert_int_equal(ngx_mon_breaker_wait(&breaker, T), 0);
}


static void
opens_at_min(void **state)
{
    calls(19, T, 1, 0);
    assert_int_equal(kind(), CLOSED);

    assert_int_equal(call(T, 1, 0), 1);
    assert_int_equal(kind(), OPEN);
    assert_int_equal(change.from, CLOSED);
    assert_int_equal(change.to, OPEN);
    assert_int_equal(change.cause, NGX_MON_BREAKER_BY_RATIO);
    assert_int_equal(change.sum.calls, 20);
    assert_int_equal(change.sum.failed, 20);
    assert_int_equal(change.sum.slow, 0);
    assert_int_equal(change.row, 1);

    refused(T);
}


/* min of 1: the first failure */

static void
opens_at_once(void **state)
{
    conf.min = 1;
    conf.ratio = 1000000;
    assert_int_equal(call(T, 1, 0), 1);
}


static void
ratio_exactly_met(void **state)
{
    calls(50, T, 0, 0);
    calls(49, T, 1, 0);
    assert_int_equal(call(T, 1, 0), 1);
    assert_int_equal(change.sum.calls, 100);
    assert_int_equal(change.sum.failed, 50);

    setup(state);
    conf.ratio = 333334;
    calls(20, T, 0, 0);
    calls(10, T, 1, 0);
    assert_int_equal(call(T, 1, 0), 1);

    /* a third is less */

    setup(state);
    conf.ratio = 333333;
    calls(20, T, 0, 0);
    calls(9, T, 1, 0);
    assert_int_equal(call(T, 1, 0), 1);

    /* none: never */

    setup(state);
    conf.ratio = 0;
    calls(100, T, 1, 0);

    /* all calls, and nearly all */

    setup(state);
    conf.ratio = 1000000;
    calls(1, T, 0, 0);
    calls(50, T, 1, 0);
    calls(1, T + 10000, 1, 0);

    setup(state);
    conf.ratio = 1000000;
    calls(19, T, 1, 0);
    assert_int_equal(call(T, 1, 0), 1);
}


/* the least number of calls is reached by one that is good */

static void
min_by_success(void **state)
{
    calls(10, T, 1, 0);
    calls(9, T, 0, 0);
    assert_int_equal(shared.pending, 1);
    assert_int_equal(call(T, 0, 0), 1);
    assert_int_equal(change.sum.calls, 20);
    assert_int_equal(change.sum.failed, 10);

    /* the ratio is lost on the way */

    setup(state);
    calls(9, T, 1, 0);
    calls(10, T, 0, 0);
    assert_int_equal(shared.pending, 0);
    calls(1, T, 0, 0);
    assert_int_equal(kind(), CLOSED);
}


/* the ratio is met because good calls leave the window */

static void
window_turns(void **state)
{
    calls(40, T, 0, 0);
    calls(20, T + 9000, 1, 0);
    calls(10, T + 9999, 0, 0);
    assert_int_equal(kind(), CLOSED);
    assert_int_equal(call(T + 10000, 0, 0), 1);
    assert_int_equal(change.sum.calls, 31);
    assert_int_equal(change.sum.failed, 20);

    /* failures leave it */

    setup(state);
    calls(19, T, 1, 0);
    calls(19, T + 10000, 1, 0);
    calls(1, T + 20000, 1, 0);
    assert_int_equal(kind(), CLOSED);
}


static void
consecutive(void **state)
{
    conf.consecutive = 3;

    calls(100, T, 0, 0);
    calls(2, T, 1, 0);
    calls(1, T, 0, 0);
    calls(2, T, 1, 0);

    /* slow is no failure */

    calls(1, T, 0, 1);
    calls(2, T, 1, 1);
    assert_int_equal(call(T, 1, 0), 1);
    assert_int_equal(change.cause, NGX_MON_BREAKER_BY_CONSECUTIVE);
    assert_int_equal(change.consecutive, 3);
    assert_int_equal(change.sum.calls, 109);
    assert_int_equal(change.sum.failed, 7);
    assert_int_equal(change.sum.slow, 3);
    assert_int_equal(kind(), OPEN);

    /* in a row, however long ago; and at the first */

    setup(state);
    conf.consecutive = 2;
    calls(1, T, 1, 0);
    assert_int_equal(call(T + 1000000, 1, 0), 1);

    setup(state);
    conf.consecutive = 1;
    assert_int_equal(call(T, 1, 0), 1);
}


static void
slow(void **state)
{
    calls(19, T, 0, 1);
    assert_int_equal(call(T, 0, 1), 1);
    assert_int_equal(change.cause, NGX_MON_BREAKER_BY_SLOW);
    assert_int_equal(change.sum.slow, 20);
    assert_int_equal(change.sum.failed, 0);

    setup(state);
    conf.slow_ratio = 250000;
    calls(15, T, 0, 0);
    calls(4, T, 0, 1);
    assert_int_equal(call(T, 0, 1), 1);
    assert_int_equal(change.sum.calls, 20);

    /* the least number of calls by one that is not slow */

    setup(state);
    conf.slow_ratio = 250000;
    calls(5, T, 0, 1);
    calls(14, T, 0, 0);
    assert_int_equal(call(T, 0, 0), 1);
}


static void
opens_and_closes(void **state)
{
    ngx_uint_t              i;
    uint64_t                due;
    ngx_mon_breaker_info_t  info;
    ngx_mon_breaker_pass_t  pass[6];

    due = trip(T);

    refused(T);
    refused(due - 1);
    assert_int_equal(ngx_mon_breaker_wait(&breaker, due - 1), 1);
    assert_int_equal(ngx_mon_breaker_wait(&breaker, due), 0);
    assert_int_equal(kind(), OPEN);

    for (i = 0; i < 5; i++) {
        assert_int_equal(enter(due, &pass[i]), NGX_AGAIN);
        assert_int_equal(kind(), HALF_OPEN);
        assert_int_equal(change.from, i ? CLOSED : OPEN);
        assert_int_equal(change.to, i ? CLOSED : HALF_OPEN);
    }

    refused(due);
    assert_int_equal(enter(due, &pass[5]), NGX_BUSY);
    assert_int_equal(change.from, change.to);

    for (i = 0; i < 4; i++) {
        assert_int_equal(leave(due + i, &pass[i], 0), 0);

        /* a permit is not given a second time */

        refused(due + i);
    }

    ngx_mon_breaker_info(&breaker, due, &info);
    assert_int_equal(info.kind, HALF_OPEN);
    assert_int_equal(info.held, 1);
    assert_int_equal(info.done, 4);
    assert_int_equal(info.row, 1);

    assert_int_equal(leave(due + 5, &pass[4], 0), 1);
    assert_int_equal(change.from, HALF_OPEN);
    assert_int_equal(change.to, CLOSED);
    assert_int_equal(change.cause, NGX_MON_BREAKER_BY_TRIAL);
    assert_int_equal(change.row, 0);

    ngx_mon_breaker_info(&breaker, due, &info);
    assert_int_equal(info.kind, CLOSED);
    assert_int_equal(info.row, 0);
    assert_int_equal(info.sum.calls, 0);

    /* what was before counts no more, and neither does the row */

    calls(19, due + 5, 1, 0);
    assert_int_equal(call(due + 5, 1, 0), 1);
    assert_int_equal(change.row, 1);
}


static void
trial_fails(void **state)
{
    uint64_t                due;
    ngx_mon_breaker_pass_t  pass[5];

    due = trial(T, pass, 5);

    assert_int_equal(leave(due, &pass[0], 0), 0);
    assert_int_equal(leave(due, &pass[1], 1), 1);
    assert_int_equal(change.from, HALF_OPEN);
    assert_int_equal(change.to, OPEN);
    assert_int_equal(change.cause, NGX_MON_BREAKER_BY_TRIAL);
    assert_int_equal(change.row, 2);
    assert_int_equal(change.sum.calls, 2);
    assert_int_equal(change.sum.failed, 1);

    /* the others change nothing any more */

    assert_int_equal(leave(due, &pass[2], 1), 0);
    assert_int_equal(leave(due, &pass[3], 0), 0);
    ngx_mon_breaker_cancel(&breaker, &pass[4]);
    assert_int_equal(kind(), OPEN);
    refused(due);

    /* a slow one is no success */

    setup(state);
    due = trial(T, pass, 1);
    assert_int_equal(ngx_mon_breaker_leave(&breaker, due, &pass[0], 0, 1,
                                           &change), 1);
    assert_int_equal(change.to, OPEN);
    assert_int_equal(change.sum.slow, 1);
}


/* who leaves without a verdict gives the slot to the next */

static void
trial_cancelled(void **state)
{
    uint64_t                due;
    ngx_uint_t              i;
    ngx_mon_breaker_pass_t  pass[5];

    due = trial(T, pass, 5);

    for (i = 0; i < 20; i++) {
        refused(due);
        ngx_mon_breaker_cancel(&breaker, &pass[i % 5]);
        assert_int_equal(ngx_mon_breaker_wait(&breaker, due), 0);
        assert_int_equal(enter(due, &pass[i % 5]), NGX_AGAIN);
    }

    for (i = 0; i < 5; i++) {
        assert_int_equal(leave(due, &pass[i], 0), i == 4);
    }

    assert_int_equal(kind(), CLOSED);
}


/* another attempt of a call on trial needs another slot */

static void
trial_again(void **state)
{
    uint64_t                due;
    ngx_mon_breaker_info_t  info;
    ngx_mon_breaker_pass_t  pass[4], late;

    assert_int_equal(enter(T, &late), NGX_OK);
    assert_int_equal(ngx_mon_breaker_again(&breaker, &late), NGX_OK);

    due = trial(T, pass, 3);

    assert_int_equal(ngx_mon_breaker_again(&breaker, &pass[0]), NGX_OK);

    ngx_mon_breaker_info(&breaker, due, &info);
    assert_int_equal(info.held, 3);
    assert_int_equal(info.done, 1);

    assert_int_equal(enter(due, &pass[3]), NGX_AGAIN);
    refused(due);
    assert_int_equal(ngx_mon_breaker_again(&breaker, &pass[3]), NGX_BUSY);

    /* nor has one that was let through before */

    assert_int_equal(ngx_mon_breaker_again(&breaker, &late), NGX_BUSY);

    /* its last attempt tells */

    assert_int_equal(leave(due, &pass[0], 0), 0);
    assert_int_equal(leave(due, &pass[1], 0), 0);
    assert_int_equal(leave(due, &pass[2], 0), 0);
    assert_int_equal(leave(due, &pass[3], 0), 1);
    assert_int_equal(kind(), CLOSED);

    assert_int_equal(ngx_mon_breaker_again(&breaker, &late), NGX_OK);

    /* open in the meantime */

    setup(state);
    assert_int_equal(enter(T, &late), NGX_OK);
    trip(T);
    assert_int_equal(ngx_mon_breaker_again(&breaker, &late), NGX_BUSY);
}


static void
stale_generation(void **state)
{
    uint64_t                due;
    ngx_uint_t              i;
    ngx_mon_breaker_pass_t  old[3], pass[5];

    for (i = 0; i < 3; i++) {
        assert_int_equal(enter(T, &old[i]), NGX_OK);
    }

    due = trial(T, pass, 5);

    assert_int_equal(leave(due, &old[0], 1), 0);
    assert_int_equal(kind(), HALF_OPEN);

    for (i = 0; i < 5; i++) {
        assert_int_equal(leave(due, &pass[i], 0), i == 4);
    }

    conf.consecutive = 1;
    assert_int_equal(leave(due, &old[1], 1), 0);
    assert_int_equal(leave(due, &old[2], 0), 0);
    assert_int_equal(kind(), CLOSED);
    assert_int_equal(ngx_mon_row_count(&shared.consecutive,
                               ngx_mon_breaker_generation(shared.state)), 0);
}


/* from -10% to +10%, and all between */

static void
jitter(void **state)
{
    uint64_t    low, high, middle, ms;
    ngx_uint_t  i;

    low = UINT64_MAX;
    high = 0;
    middle = 0;

    for (i = 0; i < 20000; i++) {
        (void) ngx_mon_breaker_reset(&breaker, T, &change);
        ms = trip(T) - T;
        low = ngx_min(low, ms);
        high = ngx_max(high, ms);
        middle += ms > 9500 && ms < 10500;
    }

    assert_int_equal(low, 9000);
    assert_int_equal(high, 11000);
    assert_in_range(middle, 9500, 10500);

    conf.open = 1;

    for (i = 0; i < 100; i++) {
        (void) ngx_mon_breaker_reset(&breaker, T, &change);
        assert_int_equal(trip(T), T + 1);
    }
}


static void
doubles(void **state)
{
    uint64_t                due, want;
    ngx_uint_t              i;
    ngx_mon_breaker_pass_t  pass;

    due = trip(T);
    want = 10000;

    for (i = 2; i < 60; i++) {
        assert_int_equal(enter(due, &pass), NGX_AGAIN);
        assert_int_equal(leave(due, &pass, 1), 1);

        want = ngx_min(2 * want, 300000);

        assert_int_equal(change.row, ngx_min(i, 31));
        assert_in_range(change.ms, want - want / 10, want + want / 10);

        due += change.ms;
        refused(due - 1);
    }

    /* a success ends it */

    conf.probes = 1;
    assert_int_equal(enter(due, &pass), NGX_AGAIN);
    assert_int_equal(leave(due, &pass, 0), 1);

    trip(due);
    assert_in_range(change.ms, 9000, 11000);
}


static void
never_above_max(void **state)
{
    conf.open = (uint64_t) 1 << 32;
    conf.max_open = (uint64_t) 1 << 32;
    shared.state = (uint64_t) 30 << 56;

    trip(T);

    assert_in_range(change.ms, conf.max_open / 10 * 9,
                    conf.max_open / 10 * 11 + 1);
}


static void
clock_forward(void **state)
{
    uint64_t                far;
    ngx_mon_breaker_pass_t  pass;

    trip(T);
    far = T + (uint64_t) 30 * 86400000;
    assert_int_equal(enter(far, &pass), NGX_AGAIN);
    assert_int_equal(kind(), HALF_OPEN);

    /* nothing of before counts */

    setup(state);
    calls(19, T, 1, 0);
    calls(1, far, 1, 0);
    assert_int_equal(kind(), CLOSED);
}


/* never longer than max_open from now on */

static void
clock_backward(void **state)
{
    uint64_t                left;
    ngx_mon_breaker_pass_t  pass;

    trip(T);
    refused(1000);
    left = ngx_mon_breaker_wait(&breaker, 1000);
    assert_in_range(left, 1, 330000);
    refused(1000 + left - 1);
    assert_int_equal(enter(1000 + left, &pass), NGX_AGAIN);

    /* the same for who only looks, and with a shorter time than it was */

    setup(state);
    trip(T);
    assert_in_range(ngx_mon_breaker_wait(&breaker, T), 9000, 11000);
    conf.open = conf.max_open = 100;
    left = ngx_mon_breaker_wait(&breaker, T);
    assert_int_equal(left, 110);
    assert_int_equal(ngx_mon_breaker_wait(&breaker, T + 109), 1);
    assert_int_equal(ngx_mon_breaker_wait(&breaker, T + 110), 0);

    setup(state);
    calls(19, T, 1, 0);
    calls(1, 5000, 1, 0);
    assert_int_equal(kind(), CLOSED);
    calls(18, 5000, 1, 0);
    assert_int_equal(call(5000, 1, 0), 1);

    /* a little behind */

    refused(4000);
}


static ngx_uint_t
dead(uint32_t pid)
{
    return pid == dead_pid;
}


static void
dead_worker(void **state)
{
    uint64_t                due;
    ngx_uint_t              i;
    ngx_mon_breaker_t       other;
    ngx_mon_breaker_pass_t  pass[5], lost;

    ngx_mon_breaker_init(&other, &shared, &conf, 1, 7, 200);
    dead_pid = 200;

    due = trial(T, pass, 3);

    for (i = 0; i < 2; i++) {
        assert_int_equal(ngx_mon_breaker_enter(&other, due, &lost, &change),
                         NGX_AGAIN);
    }

    refused(due + 100000);

    assert_int_equal(ngx_mon_breaker_sweep(&breaker, due, dead, &change), 0);
    assert_int_equal(enter(due, &pass[3]), NGX_AGAIN);
    assert_int_equal(enter(due, &pass[4]), NGX_AGAIN);
    refused(due);

    /* what it holds is no more its own, should it live after all */

    ngx_mon_breaker_cancel(&other, &lost);
    assert_int_equal(ngx_mon_breaker_leave(&other, due, &lost, 0, 0, &change),
                     0);
    refused(due);

    for (i = 0; i < 5; i++) {
        assert_int_equal(leave(due, &pass[i], 0), i == 4);
    }

    assert_int_equal(ngx_mon_breaker_sweep(&breaker, due, dead, &change), 0);
}


/* it was about to begin the trial, which others do then */

static void
dead_before_trial(void **state)
{
    uint64_t                due;
    ngx_mon_breaker_pass_t  pass;

    conf.probes = 1;
    dead_pid = 200;

    due = trip(T);

    assert_int_equal(ngx_mon_trial_take(shared.slots, 1,
                         ngx_mon_breaker_generation(shared.state) + 1, 200),
                     0);
    assert_int_equal(enter(due, &pass), NGX_BUSY);

    assert_int_equal(ngx_mon_breaker_sweep(&breaker, due, dead, &change), 0);
    assert_int_equal(enter(due, &pass), NGX_AGAIN);
    assert_int_equal(leave(due, &pass, 0), 1);
    assert_int_equal(kind(), CLOSED);
}


/* a download that goes on for hours does not keep the others out */

static void
long_answer(void **state)
{
    uint64_t                due;
    ngx_uint_t              i;
    ngx_mon_breaker_pass_t  pass[5];

    dead_pid = 0;
    due = trial(T, pass, 5);

    for (i = 0; i < 4; i++) {
        assert_int_equal(leave(due, &pass[i], 0), 0);
    }

    assert_int_equal(ngx_mon_breaker_sweep(&breaker, due + 5000, dead,
                                           &change), 0);

    ngx_mon_breaker_began(&breaker, due + 5000, &pass[4]);

    assert_int_equal(ngx_mon_breaker_sweep(&breaker, due + 5900, dead,
                                           &change), 0);

    /* a clock that is behind */

    assert_int_equal(ngx_mon_breaker_sweep(&breaker, due, dead, &change), 0);
    assert_int_equal(ngx_mon_breaker_sweep(&breaker, due + 6600, dead,
                                           &change), 1);
    assert_int_equal(change.from, HALF_OPEN);
    assert_int_equal(change.to, CLOSED);

    assert_int_equal(leave(due, &pass[4], 1), 0);
    assert_int_equal(kind(), CLOSED);

    /* one that fails before */

    setup(state);
    due = trial(T, pass, 1);
    ngx_mon_breaker_began(&breaker, due, &pass[0]);
    assert_int_equal(leave(due + 100, &pass[0], 1), 1);
    assert_int_equal(kind(), OPEN);
}


static void
forced(void **state)
{
    ngx_uint_t              i;
    ngx_mon_breaker_info_t  info;
    ngx_mon_breaker_pass_t  pass;

    assert_int_equal(ngx_mon_breaker_force(&breaker, T, OPEN, &change), 1);
    assert_int_equal(change.from, CLOSED);
    assert_int_equal(change.to, OPEN);
    assert_int_equal(change.cause, NGX_MON_BREAKER_BY_FORCE);
    assert_int_equal(ngx_mon_breaker_force(&breaker, T, OPEN, &change), 0);
    assert_int_equal(change.from, change.to);

    refused(T);
    refused(T + 1000000000);
    assert_int_equal(ngx_mon_breaker_wait(&breaker, T), conf.open);

    ngx_mon_breaker_info(&breaker, T, &info);
    assert_int_equal(info.kind, OPEN);
    assert_int_equal(info.forced, 1);
    assert_int_equal(info.left, 0);

    assert_int_equal(ngx_mon_breaker_force(&breaker, T, CLOSED, &change), 1);
    assert_int_equal(change.from, OPEN);
    assert_int_equal(change.to, CLOSED);

    conf.consecutive = 5;
    calls(100, T, 1, 1);
    assert_int_equal(enter(T, &pass), NGX_OK);

    ngx_mon_breaker_info(&breaker, T, &info);
    assert_int_equal(info.kind, CLOSED);
    assert_int_equal(info.forced, 1);
    assert_int_equal(info.sum.failed, 100);
    assert_int_equal(info.consecutive, 100);

    /* over a reload */

    ngx_mon_breaker_init(&breaker, &shared, &conf, 2, 43, 101);
    ngx_mon_breaker_info(&breaker, T, &info);
    assert_int_equal(info.forced, 1);

    assert_int_equal(ngx_mon_breaker_reset(&breaker, T, &change), 1);
    assert_int_equal(change.from, change.to);
    ngx_mon_breaker_info(&breaker, T, &info);
    assert_int_equal(info.forced, 0);
    assert_int_equal(info.sum.calls, 0);
    assert_int_equal(info.consecutive, 0);

    /* the verdict of before */

    assert_int_equal(leave(T, &pass, 1), 0);

    for (i = 0; i < 4; i++) {
        assert_int_equal(call(T, 1, 0), 0);
    }

    assert_int_equal(call(T, 1, 0), 1);
    assert_int_equal(kind(), OPEN);

    /* an open one is closed, and its row is over */

    assert_int_equal(ngx_mon_breaker_reset(&breaker, T, &change), 1);
    assert_int_equal(change.from, OPEN);
    assert_int_equal(change.to, CLOSED);
    assert_int_equal(change.row, 0);
}


/* a trial in another generation after the number came around */

static void
generations(void **state)
{
    uint64_t                now;
    ngx_uint_t              i, k;
    ngx_mon_breaker_pass_t  pass[5], stale;

    conf.open = 1;
    conf.max_open = 1;
    conf.min = 1;

    for (now = T, i = 0; i < 70000; i++) {
        assert_int_equal(call(now, 1, 0), 1);
        now += 10;

        for (k = 0; k < 5; k++) {
            assert_int_equal(enter(now, &pass[k]), NGX_AGAIN);
            assert_int_equal(pass[k].slot, k);
        }

        for (k = 0; k < 5; k++) {
            assert_int_equal(leave(now, &pass[k], 0), k == 4);
        }
    }

    /* who is late does not take what is of a newer generation */

    assert_int_equal(call(now, 1, 0), 1);
    assert_int_equal(enter(now + 10, &stale), NGX_AGAIN);
    ngx_mon_breaker_cancel(&breaker, &stale);
    assert_int_equal(ngx_mon_trial_take(shared.slots, 5,
                                        (stale.generation - 2) & 0xffff, 1),
                     -1);
    assert_int_equal(ngx_mon_trial_take(shared.slots, 5, stale.generation, 1),
                     0);
}


/* what a crash may leave behind: any words */

static void
garbage(void **state)
{
    uint64_t                 seed, *words;
    ngx_uint_t               i, k, n;
    ngx_mon_breaker_info_t   info;
    ngx_mon_breaker_pass_t   pass;

    seed = 11;
    dead_pid = 1;
    words = (uint64_t *) &shared;

    for (n = 0; n < 2000; n++) {

        for (i = 0; i < sizeof(shared) / sizeof(uint64_t); i++) {
            words[i] = unit_random(&seed);
        }

        ngx_mon_breaker_init(&breaker, &shared, &conf, 1, n, 100);

        /* not forced, and the pids are gone */

        shared.state &= ~((uint64_t) 1 << 61);

        for (i = 0; i < NGX_MON_BREAKER_PROBES; i++) {
            shared.slots[i] = (shared.slots[i] & ~(uint64_t) UINT32_MAX) | 1;
        }

        for (k = 0, i = 0; i < 1000 && k < 3; i++) {
            (void) ngx_mon_breaker_sweep(&breaker, T + i * 400000, dead,
                                         &change);

            if (enter(T + i * 400000, &pass) != NGX_BUSY) {
                (void) leave(T + i * 400000, &pass, 0);
                k++;
            }

            ngx_mon_breaker_info(&breaker, T, &info);
            assert_in_range(info.kind, 0, 2);
        }

        assert_int_equal(k, 3);
    }
}


static void
count(const ngx_mon_breaker_change_t *c)
{
    (void) __atomic_fetch_add(&moves[c->to], 1, __ATOMIC_RELAXED);
}


/* an attempt more of the trial */

static void
attempt(const ngx_mon_breaker_pass_t *pass)
{
    if (pass->slot != -1
        && __atomic_fetch_add(&given[pass->generation], 1, __ATOMIC_SEQ_CST)
           >= conf.probes)
    {
        abort();
    }
}


static void *
hammer(void *data)
{
    uint64_t                  seed, now;
    ngx_int_t                 rc;
    ngx_uint_t                i, k;
    ngx_mon_breaker_t         b;
    ngx_mon_breaker_pass_t    pass;
    ngx_mon_breaker_change_t  c;

    seed = 17 + (uintptr_t) data;
    ngx_mon_breaker_init(&b, &shared, &conf, 1, seed, 1000 + seed);

    for (i = 0; i < CALLS; i++) {
        now = T + __atomic_fetch_add(&ticks, 1, __ATOMIC_RELAXED) / 32;

        rc = ngx_mon_breaker_enter(&b, now, &pass, &c);

        if (rc != NGX_OK && c.from != c.to) {
            count(&c);
        }

        if (rc == NGX_BUSY) {
            continue;
        }

        attempt(&pass);
        k = unit_random(&seed) % 16;

        if (k == 0) {

            if (pass.slot != -1) {
                (void) __atomic_fetch_sub(&given[pass.generation], 1,
                                          __ATOMIC_SEQ_CST);
            }

            ngx_mon_breaker_cancel(&b, &pass);
            continue;
        }

        if (k == 1 && ngx_mon_breaker_again(&b, &pass) == NGX_OK) {

            /* a slot of a trial that is over is not exchanged */

            if (ngx_mon_breaker_generation(shared.state) == pass.generation) {
                attempt(&pass);
            }
        }

        if (ngx_mon_breaker_leave(&b, now, &pass,
                                  k > (pass.slot == -1 ? 7 : 13), 0, &c))
        {
            count(&c);
        }
    }

    return NULL;
}


/* one transition is told to one; never more attempts than the trial has */

static void
threads(void **state)
{
    uint64_t    n;
    uintptr_t   i;
    pthread_t   tid[THREADS];

    conf.open = 5;
    conf.max_open = 5;
    conf.window = 100;

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&tid[i], NULL, hammer, (void *) i), 0);
    }

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(tid[i], NULL), 0);
    }

    n = moves[CLOSED] + moves[OPEN] + moves[HALF_OPEN];

    printf("# %u opened, %u half open, %u closed\n",
           (unsigned) moves[OPEN], (unsigned) moves[HALF_OPEN],
           (unsigned) moves[CLOSED]);

    assert_in_range(n, 100, 65535);
    assert_int_equal(ngx_mon_breaker_generation(shared.state), n);
    assert_in_range(moves[OPEN] - moves[HALF_OPEN], 0, 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(stays_closed, setup),
        cmocka_unit_test_setup(opens_at_min, setup),
        cmocka_unit_test_setup(opens_at_once, setup),
        cmocka_unit_test_setup(ratio_exactly_met, setup),
        cmocka_unit_test_setup(min_by_success, setup),
        cmocka_unit_test_setup(window_turns, setup),
        cmocka_unit_test_setup(consecutive, setup),
        cmocka_unit_test_setup(slow, setup),
        cmocka_unit_test_setup(opens_and_closes, setup),
        cmocka_unit_test_setup(trial_fails, setup),
        cmocka_unit_test_setup(trial_cancelled, setup),
        cmocka_unit_test_setup(trial_again, setup),
        cmocka_unit_test_setup(stale_generation, setup),
        cmocka_unit_test_setup(jitter, setup),
        cmocka_unit_test_setup(doubles, setup),
        cmocka_unit_test_setup(never_above_max, setup),
        cmocka_unit_test_setup(clock_forward, setup),
        cmocka_unit_test_setup(clock_backward, setup),
        cmocka_unit_test_setup(dead_worker, setup),
        cmocka_unit_test_setup(dead_before_trial, setup),
        cmocka_unit_test_setup(long_answer, setup),
        cmocka_unit_test_setup(forced, setup),
        cmocka_unit_test_setup(generations, setup),
        cmocka_unit_test_setup(garbage, setup),
        cmocka_unit_test_setup(threads, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
