
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include <pthread.h>
#include "ngx_mon_outlier.h"


#define THREADS  4
#define ROUNDS   20000

/* the clock of a host that is up for a day */
#define T0  86400000


static ngx_mon_guard_t         guard;
static ngx_mon_pool_t          pool;
static ngx_mon_window_t        window;
static ngx_mon_outlier_conf_t  conf;


static int
outlier_setup(void **state)
{
    ngx_memzero(&guard, sizeof(guard));
    ngx_memzero(&pool, sizeof(pool));
    ngx_memzero(&conf, sizeof(conf));

    conf.consecutive = 5;
    conf.min = 20;
    conf.window = 10000;
    conf.eject = 30000;
    conf.max_eject = 300000;
    conf.max_ejected = NGX_MON_OUTLIER_ONE / 2;

    ngx_mon_window_init(&window, &guard.window, conf.window, 1);

    return 0;
}


static ngx_uint_t
outlier_mode(uint64_t now)
{
    return ngx_mon_guard_mode(&guard, &conf, 0, now);
}


static void
outlier_good(uint64_t now)
{
    (void) ngx_mon_window_add(&window, now);
    ngx_mon_guard_fine(&guard);
}


static ngx_uint_t
outlier_bad(uint64_t now)
{
    ngx_mon_window_sum_t  sum;

    (void) ngx_mon_window_add(&window, now);

    return ngx_mon_guard_fault(&guard, &window, &conf, now, &sum);
}


static uint64_t
outlier_eject(uint64_t now)
{
    return ngx_mon_guard_eject(&guard, &window, &conf, now);
}


static void
outlier_sizes(void **state)
{
    assert_int_equal(sizeof(ngx_mon_guard_t), 48 * sizeof(uint64_t));
    assert_int_equal(sizeof(ngx_mon_pool_t), 16 * sizeof(uint64_t));
    assert_int_equal(offsetof(ngx_mon_pool_t, retry), 8 * sizeof(uint64_t));
}


/* zeros: in, with its whole share, and time changes nothing */

static void
outlier_new(void **state)
{
    conf.slow_start = 10000;

    assert_int_equal(outlier_mode(0), NGX_MON_GUARD_IN);
    assert_int_equal(outlier_mode(T0), NGX_MON_GUARD_IN);
    assert_int_equal(ngx_mon_guard_share(&guard, &conf, 1),
                     NGX_MON_OUTLIER_ONE);
    assert_int_equal(ngx_mon_guard_row(&guard, &conf, T0), 0);
    assert_true(ngx_mon_guard_wake(&guard, &conf, T0) == (uint64_t) -1);
}


static void
outlier_consecutive(void **state)
{
    ngx_uint_t  i;

    for (i = 1; i < 5; i++) {
        assert_int_equal(outlier_bad(T0), NGX_MON_OUTLIER_NONE);
    }

    outlier_good(T0);

    for (i = 1; i < 5; i++) {
        assert_int_equal(outlier_bad(T0), NGX_MON_OUTLIER_NONE);
    }

    assert_int_equal(outlier_bad(T0), NGX_MON_OUTLIER_CONSECUTIVE);

    /* where it was not ejected, after as many again */

    for (i = 6; i < 10; i++) {
        assert_int_equal(outlier_bad(T0), NGX_MON_OUTLIER_NONE);
    }

    assert_int_equal(outlier_bad(T0), NGX_MON_OUTLIER_CONSECUTIVE);

    conf.consecutive = 0;

    for (i = 0; i < 50; i++) {
        assert_int_equal(outlier_bad(T0), NGX_MON_OUTLIER_NONE);
    }
}


static void
outlier_ratio(void **state)
{
    ngx_uint_t            i;
    ngx_mon_window_sum_t  sum;

    conf.consecutive = 0;
    conf.ratio = NGX_MON_OUTLIER_ONE / 2;

    /* all failed, but they are less than min */

    for (i = 0; i < 10; i++) {
        assert_int_equal(outlier_bad(T0), NGX_MON_OUTLIER_NONE);
    }

    for (i = 0; i < 10; i++) {
        outlier_good(T0);
    }

    /* 11 of 21 */

    assert_int_equal(outlier_bad(T0), NGX_MON_OUTLIER_RATIO);

    outlier_good(T0);
    outlier_good(T0);

    /* 12 of 24 is the ratio exactly, 13 of 27 less */

    assert_int_equal(outlier_bad(T0), NGX_MON_OUTLIER_RATIO);

    outlier_good(T0);
    outlier_good(T0);

    assert_int_equal(outlier_bad(T0), NGX_MON_OUTLIER_NONE);

    /* the window turned: one failure is all there is */

    (void) ngx_mon_window_add(&window, T0 + 20000);

    assert_int_equal(ngx_mon_guard_fault(&guard, &window, &conf, T0 + 20000,
                                         &sum),
                     NGX_MON_OUTLIER_NONE);
    assert_int_equal(sum.calls, 1);
    assert_int_equal(sum.failed, 1);
}


/* with min=0 a ratio still needs a call */

static void
outlier_min(void **state)
{
    conf.consecutive = 0;
    conf.ratio = NGX_MON_OUTLIER_ONE;
    conf.min = 0;

    assert_int_equal(outlier_bad(T0), NGX_MON_OUTLIER_RATIO);
}


static void
outlier_lapse(void **state)
{
    assert_int_equal(outlier_eject(T0), 30000);
    assert_int_equal(outlier_eject(T0 + 1), 0);

    assert_int_equal(outlier_mode(T0), NGX_MON_GUARD_EJECTED);
    assert_int_equal(ngx_mon_guard_wake(&guard, &conf, T0), 30000);
    assert_int_equal(ngx_mon_guard_again(&guard, &conf, T0 + 29999), 0);
    assert_int_equal(outlier_mode(T0 + 29999), NGX_MON_GUARD_EJECTED);
    assert_int_equal(ngx_mon_guard_wake(&guard, &conf, T0 + 29999), 1);
    assert_int_equal(outlier_mode(T0 + 30000), NGX_MON_GUARD_TRIAL);
    assert_true(ngx_mon_guard_wake(&guard, &conf, T0 + 30000)
                == (uint64_t) -1);
    assert_int_equal(ngx_mon_guard_share(&guard, &conf, T0 + 30000),
                     NGX_MON_OUTLIER_ONE);

    assert_int_equal(ngx_mon_guard_admit(&guard, T0 + 30000, 0), 1);
    assert_int_equal(ngx_mon_guard_admit(&guard, T0 + 30000, 0), 0);
    assert_int_equal(ngx_mon_guard_again(&guard, &conf, T0 + 30000), 0);
    assert_int_equal(outlier_mode(T0 + 30000), NGX_MON_GUARD_IN);
}


/* ejecting forgets what led to it */

static void
outlier_forgets(void **state)
{
    ngx_uint_t            i;
    ngx_mon_window_sum_t  sum;

    for (i = 0; i < 5; i++) {
        (void) outlier_bad(T0);
    }

    (void) outlier_eject(T0);

    ngx_mon_window_sum(&window, T0, &sum);

    assert_int_equal(sum.calls, 0);
    assert_int_equal(guard.consecutive, 0);
}


static void
outlier_grows(void **state)
{
    uint64_t    now, time;
    ngx_uint_t  i;

    now = T0;
    time = outlier_eject(now);

    for (i = 1; i < 400; i++) {
        assert_int_equal(time, ngx_min(i * 30000, 300000));
        assert_int_equal(ngx_mon_guard_row(&guard, &conf, now),
                         ngx_min(i, NGX_MON_GUARD_ROW_MAX));

        now += time;
        time = ngx_mon_guard_again(&guard, &conf, now);
    }
}


static void
outlier_shrinks(void **state)
{
    uint64_t  now;

    now = T0 + outlier_eject(T0);
    now += ngx_mon_guard_again(&guard, &conf, now);
    now += ngx_mon_guard_again(&guard, &conf, now);

    /* not while it is out */

    assert_int_equal(ngx_mon_guard_row(&guard, &conf, now + 900000), 3);

    assert_int_equal(ngx_mon_guard_admit(&guard, now, 0), 1);

    assert_int_equal(ngx_mon_guard_row(&guard, &conf, now), 3);
    assert_int_equal(ngx_mon_guard_row(&guard, &conf, now + 29999), 3);
    assert_int_equal(ngx_mon_guard_row(&guard, &conf, now + 30000), 2);
    assert_int_equal(ngx_mon_guard_row(&guard, &conf, now + 60000), 1);
    assert_int_equal(ngx_mon_guard_row(&guard, &conf, now + 90000), 0);
    assert_int_equal(ngx_mon_guard_row(&guard, &conf, now + 9999999), 0);

    assert_int_equal(outlier_eject(now + 60000), 60000);

    assert_int_equal(ngx_mon_guard_admit(&guard, now + 120000,
                                         NGX_MON_GUARD_AFRESH), 1);
    assert_int_equal(outlier_eject(now + 120000), 30000);
}


static void
outlier_ramp(void **state)
{
    conf.slow_start = 9000;

    (void) outlier_eject(T0);
    (void) ngx_mon_guard_admit(&guard, T0, 0);

    assert_int_equal(outlier_mode(T0), NGX_MON_GUARD_RAMP);
    assert_int_equal(ngx_mon_guard_share(&guard, &conf, T0), 1000);
    assert_int_equal(ngx_mon_guard_share(&guard, &conf, T0 + 1000), 2000);
    assert_int_equal(ngx_mon_guard_share(&guard, &conf, T0 + 4500), 5500);
    assert_int_equal(ngx_mon_guard_share(&guard, &conf, T0 + 8999), 9999);
    assert_int_equal(ngx_mon_guard_wake(&guard, &conf, T0 + 1), 8999);
    assert_int_equal(outlier_mode(T0 + 8999), NGX_MON_GUARD_RAMP);
    assert_int_equal(outlier_mode(T0 + 9000), NGX_MON_GUARD_IN);
    assert_int_equal(ngx_mon_guard_share(&guard, &conf, T0 + 9000), 10000);
    assert_true(ngx_mon_guard_wake(&guard, &conf, T0 + 9000)
                == (uint64_t) -1);

    /* a clock that is behind */

    assert_int_equal(ngx_mon_guard_share(&guard, &conf, T0 - 5), 1000);

    /* it begins anew */

    ngx_mon_guard_restart(&guard, T0 + 20000);
    assert_int_equal(ngx_mon_guard_share(&guard, &conf, T0 + 20000), 1000);

    conf.slow_start = 0;
    assert_int_equal(outlier_mode(T0 + 20000), NGX_MON_GUARD_IN);
}


static void
outlier_forced(void **state)
{
    guard.forced = 1;

    assert_int_equal(outlier_mode(T0), NGX_MON_GUARD_FORCED);

    (void) outlier_eject(T0);
    assert_int_equal(outlier_mode(T0 + 30000), NGX_MON_GUARD_FORCED);

    /* a check that passes does not undo it */

    assert_int_equal(ngx_mon_guard_passed(&guard, T0), 1);
    assert_int_equal(outlier_mode(T0), NGX_MON_GUARD_FORCED);

    guard.forced = 0;
    assert_int_equal(outlier_mode(T0), NGX_MON_GUARD_IN);
}


static void
outlier_checks(void **state)
{
    ngx_uint_t  both;

    both = NGX_MON_GUARD_CHECKED|NGX_MON_GUARD_MANDATORY;
    conf.slow_start = 1000;

    assert_int_equal(ngx_mon_guard_mode(&guard, &conf, both, T0),
                     NGX_MON_GUARD_UNHEALTHY);
    assert_int_equal(ngx_mon_guard_mode(&guard, &conf, NGX_MON_GUARD_CHECKED,
                                        T0),
                     NGX_MON_GUARD_IN);

    /* no slow start at boot */

    assert_int_equal(ngx_mon_guard_passed(&guard, T0), 1);
    assert_int_equal(ngx_mon_guard_passed(&guard, T0), 0);
    assert_int_equal(ngx_mon_guard_mode(&guard, &conf, both, T0),
                     NGX_MON_GUARD_IN);

    assert_int_equal(ngx_mon_guard_failed(&guard), 1);
    assert_int_equal(ngx_mon_guard_failed(&guard), 0);
    assert_int_equal(ngx_mon_guard_mode(&guard, &conf, NGX_MON_GUARD_CHECKED,
                                        T0),
                     NGX_MON_GUARD_UNHEALTHY);

    /* nobody checks any more */

    assert_int_equal(outlier_mode(T0), NGX_MON_GUARD_IN);

    assert_int_equal(ngx_mon_guard_passed(&guard, T0 + 5), 1);
    assert_int_equal(ngx_mon_guard_mode(&guard, &conf, both, T0 + 5),
                     NGX_MON_GUARD_RAMP);

    /* un-ejects */

    (void) outlier_eject(T0 + 10);
    assert_int_equal(ngx_mon_guard_passed(&guard, T0 + 20), 1);
    assert_int_equal(ngx_mon_guard_mode(&guard, &conf, both, T0 + 20),
                     NGX_MON_GUARD_RAMP);
    assert_int_equal(ngx_mon_guard_row(&guard, &conf, T0 + 20), 1);
}


/* a configuration without mon_outlier, after one with it */

static void
outlier_off(void **state)
{
    (void) outlier_eject(T0);

    conf.eject = 0;
    conf.max_eject = 0;

    assert_int_equal(outlier_mode(T0), NGX_MON_GUARD_IN);
    assert_int_equal(outlier_mode(T0 + 90000), NGX_MON_GUARD_IN);
    assert_int_equal(ngx_mon_guard_row(&guard, &conf, T0), 1);
}


/* what a crash or a bug may have left */

static void
outlier_garbage(void **state)
{
    uint64_t    x;
    ngx_uint_t  i, mode;

    x = 12345;
    conf.slow_start = 60000;

    for (i = 0; i < 100000; i++) {
        guard.admission = unit_random(&x);
        guard.check = unit_random(&x);
        guard.consecutive = unit_random(&x);

        mode = outlier_mode(T0);

        assert_true(mode == NGX_MON_GUARD_IN || mode == NGX_MON_GUARD_RAMP
                    || mode == NGX_MON_GUARD_TRIAL
                    || mode == NGX_MON_GUARD_EJECTED);
        assert_true(ngx_mon_guard_wake(&guard, &conf, T0) == (uint64_t) -1
                    || ngx_mon_guard_wake(&guard, &conf, T0)
                       <= conf.max_eject + 10000);
        assert_in_range(ngx_mon_guard_share(&guard, &conf, T0), 1000, 10000);
        assert_in_range(ngx_mon_guard_row(&guard, &conf, T0), 0, 255);

        assert_true(outlier_eject(T0) <= conf.max_eject);
        assert_true(ngx_mon_guard_again(&guard, &conf, T0)
                    <= conf.max_eject);
    }

    /* a time beyond all reason is over at once */

    guard.admission = (uint64_t) -1;
    assert_int_equal(outlier_mode(T0), NGX_MON_GUARD_TRIAL);
}


static void
outlier_limit(void **state)
{
    static const struct {
        ngx_uint_t  n, max, limit;
    } tests[] = {
        { 0, 5000, 0 }, { 1, 5000, 0 }, { 1, 10000, 0 }, { 2, 5000, 1 },
        { 2, 1000, 1 }, { 3, 5000, 1 }, { 4, 5000, 2 }, { 5, 5000, 2 },
        { 10, 1000, 1 }, { 19, 1000, 1 }, { 20, 1000, 2 }, { 3, 10000, 3 },
        { 7, 0, 0 }, { 3, 6666, 1 }, { 3, 6667, 2 }
    };

    ngx_uint_t  i;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        conf.max_ejected = tests[i].max;
        assert_int_equal(ngx_mon_outlier_limit(&conf, tests[i].n),
                         tests[i].limit);
    }
}


static void
outlier_stdev(void **state)
{
    uint64_t  bad[] = { 1000000, 1000000, 1000000, 1000000, 500000 };
    uint64_t  same[] = { 700000, 700000, 700000, 700000, 700000 };
    uint64_t  zero[] = { 0, 0, 0, 0, 1000000 };

    assert_int_equal(ngx_mon_outlier_threshold(&conf, bad, 5), 0);

    conf.stdev = 1900;

    /* mean 900000, deviation 200000 */

    assert_int_equal(ngx_mon_outlier_threshold(&conf, bad, 5), 520000);
    assert_int_equal(ngx_mon_outlier_threshold(&conf, bad, 4), 0);
    assert_int_equal(ngx_mon_outlier_threshold(&conf, bad, 0), 0);

    /* none is below the mean */

    assert_int_equal(ngx_mon_outlier_threshold(&conf, same, 5), 700000);
    assert_int_equal(ngx_mon_outlier_threshold(&conf, zero, 5), 0);

    conf.stdev = 500;
    assert_int_equal(ngx_mon_outlier_threshold(&conf, bad, 5), 800000);
}


static void
outlier_take(void **state)
{
    assert_int_equal(ngx_mon_guard_take(&guard.permit, 11), 1);
    assert_int_equal(ngx_mon_guard_take(&guard.permit, 12), 0);
    assert_int_equal(ngx_mon_guard_take(&guard.permit, 11), 0);
    ngx_mon_guard_free(&guard.permit, 12);
    assert_int_equal(ngx_mon_guard_take(&guard.permit, 12), 0);
    ngx_mon_guard_free(&guard.permit, 11);
    assert_int_equal(ngx_mon_guard_take(&guard.permit, 12), 1);
}


static void
outlier_due(void **state)
{
    /* a machine that has run for less than the window */

    assert_int_equal(ngx_mon_pool_due(&pool, 5, 1000), 1);
    assert_int_equal(ngx_mon_pool_due(&pool, T0, 1000), 1);

    pool.swept = T0;
    assert_int_equal(ngx_mon_pool_due(&pool, T0, 1000), 0);
    assert_int_equal(ngx_mon_pool_due(&pool, T0 + 999, 1000), 0);
    assert_int_equal(ngx_mon_pool_due(&pool, T0 + 1000, 1000), 1);
    assert_int_equal(ngx_mon_pool_due(&pool, T0 - 1, 1000), 1);
}


static void
outlier_panic(void **state)
{
    assert_int_equal(ngx_mon_pool_panic(&pool, T0, 1000), 0);
    assert_int_equal(ngx_mon_pool_panic_end(&pool, T0, 1000), 0);

    assert_int_equal(ngx_mon_pool_panic_begin(&pool, T0, 1000), 1);
    assert_int_equal(ngx_mon_pool_panic_begin(&pool, T0 + 500, 1000), 0);
    assert_int_equal(pool.panics, 1);

    assert_int_equal(ngx_mon_pool_panic(&pool, T0 + 1499, 1000), 1);
    assert_int_equal(ngx_mon_pool_panic(&pool, T0 + 1500, 1000), 0);
    assert_int_equal(ngx_mon_pool_panic_end(&pool, T0 + 2499, 1000), 0);

    /* renewed before its end */

    assert_int_equal(ngx_mon_pool_panic_begin(&pool, T0 + 2499, 1000), 0);
    assert_int_equal(ngx_mon_pool_panic(&pool, T0 + 2500, 1000), 1);

    assert_int_equal(ngx_mon_pool_panic_end(&pool, T0 + 4499, 1000), 1);
    assert_int_equal(ngx_mon_pool_panic_end(&pool, T0 + 4499, 1000), 0);
    assert_int_equal(ngx_mon_pool_panic_begin(&pool, T0 + 4500, 1000), 1);
    assert_int_equal(pool.panics, 2);

    /* stopped, it is over after as long again, unless it is renewed */

    ngx_mon_pool_panic_stop(&pool, T0 + 4600);
    assert_int_equal(ngx_mon_pool_panic(&pool, T0 + 4600, 1000), 0);
    assert_int_equal(ngx_mon_pool_panic_end(&pool, T0 + 5599, 1000), 0);
    assert_int_equal(ngx_mon_pool_panic_begin(&pool, T0 + 5599, 1000), 0);
    assert_int_equal(ngx_mon_pool_panic(&pool, T0 + 5600, 1000), 1);
    ngx_mon_pool_panic_stop(&pool, T0 + 9999);
    assert_int_equal(ngx_mon_pool_panic_end(&pool, T0 + 9999, 1000), 1);
    ngx_mon_pool_panic_stop(&pool, T0 + 9999);
    assert_int_equal(ngx_mon_pool_panic_end(&pool, T0 + 99999, 1000), 0);

    pool.panic = (uint64_t) -5;
    assert_int_equal(ngx_mon_pool_panic(&pool, T0, 1000), 0);
    assert_int_equal(ngx_mon_pool_panic_end(&pool, T0, 1000), 1);
}


/* whoever fails it, a peer is ejected once, and its trial is of one */

static ngx_uint_t  ejected, admitted, inside;


static void *
outlier_thread(void *data)
{
    uint64_t    pid;
    ngx_uint_t  i;

    pid = (uintptr_t) data;

    for (i = 0; i < ROUNDS; i++) {

        if (ngx_mon_guard_take(&guard.permit, pid)) {
            if (__atomic_fetch_add(&inside, 1, __ATOMIC_SEQ_CST) != 0) {
                return "two at once";
            }

            (void) __atomic_fetch_sub(&inside, 1, __ATOMIC_SEQ_CST);
            ngx_mon_guard_free(&guard.permit, pid);
        }

        if (ngx_mon_guard_eject(&guard, &window, &conf, T0 + i)) {
            (void) __atomic_fetch_add(&ejected, 1, __ATOMIC_SEQ_CST);
        }

        if (ngx_mon_guard_admit(&guard, T0 + i, NGX_MON_GUARD_AFRESH)) {
            (void) __atomic_fetch_add(&admitted, 1, __ATOMIC_SEQ_CST);
        }
    }

    return NULL;
}


static void
outlier_threads(void **state)
{
    void       *problem;
    pthread_t   threads[THREADS];
    ngx_uint_t  i;

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, outlier_thread,
                                        (void *) (uintptr_t) (i + 1)), 0);
    }

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &problem), 0);
        assert_null(problem);
    }

    assert_int_equal(ejected - admitted,
                     outlier_mode(T0) == NGX_MON_GUARD_EJECTED);
    assert_int_equal(guard.permit, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(outlier_sizes, outlier_setup),
        cmocka_unit_test_setup(outlier_new, outlier_setup),
        cmocka_unit_test_setup(outlier_consecutive, outlier_setup),
        cmocka_unit_test_setup(outlier_ratio, outlier_setup),
        cmocka_unit_test_setup(outlier_min, outlier_setup),
        cmocka_unit_test_setup(outlier_lapse, outlier_setup),
        cmocka_unit_test_setup(outlier_forgets, outlier_setup),
        cmocka_unit_test_setup(outlier_grows, outlier_setup),
        cmocka_unit_test_setup(outlier_shrinks, outlier_setup),
        cmocka_unit_test_setup(outlier_ramp, outlier_setup),
        cmocka_unit_test_setup(outlier_forced, outlier_setup),
        cmocka_unit_test_setup(outlier_checks, outlier_setup),
        cmocka_unit_test_setup(outlier_off, outlier_setup),
        cmocka_unit_test_setup(outlier_garbage, outlier_setup),
        cmocka_unit_test_setup(outlier_limit, outlier_setup),
        cmocka_unit_test_setup(outlier_stdev, outlier_setup),
        cmocka_unit_test_setup(outlier_take, outlier_setup),
        cmocka_unit_test_setup(outlier_due, outlier_setup),
        cmocka_unit_test_setup(outlier_panic, outlier_setup),
        cmocka_unit_test_setup(outlier_threads, outlier_setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
