
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include <pthread.h>
#include "ngx_mon_window.h"


#define THREADS  4
#define CALLS    200000

/* a bucket is 1000 ms */
#define WINDOW   10000


static ngx_mon_window_shared_t  shared;
static ngx_mon_window_t         window;


static void
window_new(ngx_mon_window_t *w, uint64_t ms, uint64_t version)
{
    ngx_mon_window_init(w, &shared, ms, version);
}


static int
window_setup(void **state)
{
    ngx_memzero(&shared, sizeof(shared));
    window_new(&window, WINDOW, 1);

    return 0;
}


static void
window_call(uint64_t now, ngx_uint_t failed, ngx_uint_t slow)
{
    (void) ngx_mon_window_add(&window, now);

    if (failed || slow) {
        ngx_mon_window_fault(&window, now, failed, slow);
    }
}


static void
window_is(uint64_t now, uint64_t calls, uint64_t failed, uint64_t slow)
{
    ngx_mon_window_sum_t  sum;

    ngx_mon_window_sum(&window, now, &sum);

    assert_int_equal(sum.calls, calls);
    assert_int_equal(sum.failed, failed);
    assert_int_equal(sum.slow, slow);
}


static void
window_counts(void **state)
{
    window_is(0, 0, 0, 0);
    window_call(0, 0, 0);
    window_call(999, 1, 0);
    window_call(1000, 0, 1);
    window_call(9999, 1, 1);
    window_is(9999, 4, 2, 2);
}


/* what was counted leaves with its bucket, at the window's end */

static void
window_turns(void **state)
{
    uint64_t  t;

    for (t = 0; t < WINDOW; t += 100) {
        window_call(t, t % 200 == 0, 0);
    }

    window_is(9999, 100, 50, 0);
    window_is(10000, 90, 45, 0);
    window_is(10999, 90, 45, 0);
    window_is(15000, 40, 20, 0);
    window_is(18999, 10, 5, 0);
    window_is(19000, 0, 0, 0);
    window_is(20000, 0, 0, 0);

    window_call(10000, 0, 0);
    window_is(10000, 91, 45, 0);
    window_call(25000, 0, 1);
    window_is(25000, 1, 0, 1);
}


/* each call, for rounds and rounds, and at each number of the tag */

static void
window_rounds(void **state)
{
    uint64_t  t;

    for (t = 0; t < 3000; t++) {
        window_call(t * 1000, 1, 0);
        window_is(t * 1000, ngx_min(t + 1, 10), ngx_min(t + 1, 10), 0);
    }

    for (t = 65536 * 10 - 300; t < 65536 * 10 + 300; t++) {
        window_call(t * 1000, 0, 1);
    }

    window_is(t * 1000 - 1, 10, 0, 10);
}


static void
window_turned(void **state)
{
    ngx_mon_window_t  other;

    window_new(&other, WINDOW, 1);

    assert_int_equal(ngx_mon_window_add(&window, 5000), 1);
    assert_int_equal(ngx_mon_window_add(&window, 5001), 0);
    assert_int_equal(ngx_mon_window_add(&window, 6000), 1);
    assert_int_equal(ngx_mon_window_add(&other, 6000), 1);
    assert_int_equal(ngx_mon_window_add(&other, 6000), 0);
    assert_int_equal(ngx_mon_window_add(&window, 16500), 1);
    assert_int_equal(ngx_mon_window_add(&other, 6999), 0);

    window_is(16500, 2, 0, 0);
}


/* a clock that is behind adds to the newer bucket, and sees it */

static void
window_behind(void **state)
{
    ngx_uint_t        i;
    ngx_mon_window_t  other;

    window_new(&other, WINDOW, 1);

    for (i = 0; i < 7; i++) {
        window_call(1000000, 1, 0);
    }

    for (i = 0; i < 3; i++) {
        (void) ngx_mon_window_add(&other, 990000);
        ngx_mon_window_fault(&other, 990000, 0, 1);
    }

    window_is(1000000, 10, 7, 3);
    window_is(999999, 10, 7, 3);
    window_is(990000, 10, 7, 3);

    (void) ngx_mon_window_add(&other, 1000000 - 8 * WINDOW);
    window_is(1000000, 11, 7, 3);
}


/* what no clock could have written yet is of the past */

static void
window_jump(void **state)
{
    window_call(1000000, 1, 0);
    window_call(1000000, 1, 0);
    window_is(1000000 - 9 * WINDOW, 0, 0, 0);

    window_call(1000000 - 9 * WINDOW, 0, 0);
    window_is(1000000 - 9 * WINDOW, 1, 0, 0);

    window_call(5, 0, 1);
    window_is(5, 1, 0, 1);

    window_call((uint64_t) 1 << 45, 1, 0);
    window_is((uint64_t) 1 << 45, 1, 1, 0);
}


static void
window_saturates(void **state)
{
    window_call(0, 1, 1);

    shared.buckets[0].calls = ((uint64_t) 1 << 48) - 2;
    shared.buckets[0].faults = ((uint64_t) 1 << 48) - 2;

    ngx_mon_window_fault(&window, 0, 1, 1);
    ngx_mon_window_fault(&window, 0, 1, 1);

    assert_int_equal(shared.buckets[0].faults, ((uint64_t) 1 << 48) - 1);
    window_is(0, ((uint64_t) 1 << 48) - 2, 0xffffff, 0xffffff);

    /* the bucket of one round later */

    window_call(WINDOW, 0, 0);
    window_is(WINDOW, 1, 0, 0);
}


static void
window_clamps(void **state)
{
    window_call(0, 0, 0);
    shared.buckets[3].faults = 5 << 24 | 7;
    window_is(5000, 1, 1, 1);
}


/* another width empties it, and drops what the older configuration adds */

static void
window_width(void **state)
{
    ngx_mon_window_t  old;

    old = window;

    (void) ngx_mon_window_add(&old, 1001000);
    window_new(&window, WINDOW, 2);
    window_is(1001000, 1, 0, 0);

    window_new(&window, 2 * WINDOW, 3);
    window_is(1001000, 0, 0, 0);

    (void) ngx_mon_window_add(&old, 1001000);
    (void) ngx_mon_window_add(&old, 1002000);
    ngx_mon_window_fault(&old, 1002000, 1, 1);
    window_call(1001000, 0, 0);
    window_is(1002000, 1, 0, 0);

    /* a worker of the older one that comes late */

    ngx_mon_window_init(&old, &shared, WINDOW, 2);
    assert_int_equal(shared.conf & 0xffffff, 2 * WINDOW / 10);
}


static void
window_empties(void **state)
{
    uint64_t  t;

    for (t = 1000000; t < 1000000 + WINDOW; t += 500) {
        window_call(t, 1, 1);
    }

    window_is(t - 1, 20, 20, 20);
    ngx_mon_window_reset(&window);
    window_is(t - 1, 0, 0, 0);
    window_call(t - 1, 1, 0);
    window_is(t - 1, 1, 1, 0);
}


/* the widths that there may be */

static void
window_widths(void **state)
{
    window_new(&window, 10, 1);
    window_call(7, 1, 0);
    window_is(16, 1, 1, 0);
    window_is(17, 0, 0, 0);

    window_new(&window, 15, 2);
    assert_int_equal(shared.conf & 0xffffff, 2);

    window_new(&window, 160000000, 3);
    window_call(7, 1, 0);
    window_is(159999999, 1, 1, 0);
    window_is(160000000, 0, 0, 0);
}


/* against a list of all calls, at random times that may step back a little */

static void
window_oracle(void **state)
{
    uint64_t           seed, t, last[20000];
    ngx_uint_t         i, k, n;

    seed = 42;

    for (t = 5000000, n = 0; n < 20000; n++) {
        t += unit_random(&seed) % 50;
        last[n] = t;
        window_call(t, 1, n % 2);

        if (n % 100) {
            continue;
        }

        for (k = 0, i = 0; i <= n; i++) {
            k += last[i] / 1000 + 10 > t / 1000;
        }

        window_is(t, k, k, k / 2);
    }
}


static void *
window_thread(void *data)
{
    uint64_t          now;
    ngx_uint_t        i;
    ngx_mon_window_t  w;

    ngx_mon_window_init(&w, &shared, WINDOW, 1);

    for (i = 0; i < CALLS; i++) {
        now = 3000000 + i / (CALLS / 10) * 1000;
        (void) ngx_mon_window_add(&w, now);

        if (i % 4 == 0) {
            ngx_mon_window_fault(&w, now, 1, i % 8 == 0);
        }
    }

    return NULL;
}


/* many at once: nothing is lost */

static void
window_threads(void **state)
{
    pthread_t   tid[THREADS];
    ngx_uint_t  i;

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&tid[i], NULL, window_thread, NULL),
                         0);
    }

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(tid[i], NULL), 0);
    }

    window_is(3009999, THREADS * CALLS, THREADS * CALLS / 4,
              THREADS * CALLS / 8);
}


#define window_test(f)  cmocka_unit_test_setup(f, window_setup)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        window_test(window_counts),
        window_test(window_turns),
        window_test(window_rounds),
        window_test(window_turned),
        window_test(window_behind),
        window_test(window_jump),
        window_test(window_saturates),
        window_test(window_clamps),
        window_test(window_width),
        window_test(window_empties),
        window_test(window_widths),
        window_test(window_oracle),
        window_test(window_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
