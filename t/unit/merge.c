
/*
 * Copyright (C) The ngx_mon authors
 */


#include "recorder.h"
#include <pthread.h>


#define ROUNDS  200
#define WRITES  2000000


static const ngx_mon_bounds_t  bounds = { 3, { 500, 1000, 10000000 } };


typedef struct {
    ngx_mon_hist_map_t  map;
    uint64_t            cells[CELLS];
    ngx_uint_t          done;
} recorder_t;


static uint64_t
sum_of(const uint64_t *cells, ngx_uint_t n)
{
    uint64_t  sum;

    for (sum = 0; n; n--) {
        sum += *cells++;
    }

    return sum;
}


/* the values not above the k-th bound */

static uint64_t
up_to(const ngx_mon_hist_t *h, ngx_uint_t k)
{
    return sum_of(h->classic, k + 1);
}


static void
check_whole(const ngx_mon_hist_t *h, uint64_t count)
{
    assert_int_equal(h->count, count);
    assert_int_equal(sum_of(h->classic, h->bounds->n + 1), count);
    assert_int_equal(sum_of(h->exp, NGX_MON_EXP_BUCKETS), count);
}


static void
test_empty(void **state)
{
    ngx_mon_hist_t  h;

    memset(&h, 0xff, sizeof(h));
    ngx_mon_hist_init(&h, &bounds);

    check_whole(&h, 0);
    assert_int_equal(h.sum, 0);
    assert_ptr_equal(h.bounds, &bounds);
    assert_int_equal(ngx_mon_hist_quantile(&h, 1), 0);
    assert_int_equal(ngx_mon_hist_quantile(&h, 1000), 0);
}


static void
test_recorders(void **state)
{
    uint64_t            a[CELLS], b[CELLS];
    ngx_mon_hist_t      h;
    ngx_mon_bounds_t    same;
    ngx_mon_hist_map_t  map;

    ngx_memzero(a, sizeof(a));
    ngx_memzero(b, sizeof(b));
    ngx_mon_hist_map(&map, &bounds);

    observe(&map, a, 500);
    observe(&map, a, 501);
    observe(&map, b, 500);
    observe(&map, b, 10000001);

    same = bounds;

    ngx_mon_hist_init(&h, &bounds);
    ngx_mon_hist_merge(&h, a, &bounds);
    ngx_mon_hist_merge(&h, b, &same);

    check_whole(&h, 4);
    assert_int_equal(h.sum, 500 + 501 + 500 + 10000001);
    assert_int_equal(h.classic[0], 2);
    assert_int_equal(h.classic[1], 1);
    assert_int_equal(h.classic[2], 0);
    assert_int_equal(h.classic[3], 1);
}


/* what was true of the last look must be true of the next one */

static void
check_progress(const ngx_mon_hist_t *old, const ngx_mon_hist_t *h)
{
    ngx_uint_t  k;

    for (k = 0; k <= h->bounds->n; k++) {
        if (up_to(h, k) < up_to(old, k)) {
            fail_msg("bucket %lu went from %lu back to %lu", k,
                     up_to(old, k), up_to(h, k));
        }
    }
}


/* a bound that both sets have is exact, another lies between its neighbours */

static void
check_rebound(const ngx_mon_hist_t *h, const ngx_mon_hist_t *exact)
{
    ngx_uint_t  k, j;

    for (k = 0; k < h->bounds->n; k++) {
        for (j = 0; j < exact->bounds->n; j++) {
            if (exact->bounds->us[j] <= h->bounds->us[k]) {
                assert_true(up_to(h, k) >= up_to(exact, j));
            }

            if (exact->bounds->us[j] >= h->bounds->us[k]) {
                assert_true(up_to(h, k) <= up_to(exact, j));
            }
        }
    }
}


static void
rebound(const ngx_mon_bounds_t *from, const ngx_mon_bounds_t *to,
    uint64_t *seed)
{
    uint64_t            i, n, cells[CELLS];
    ngx_mon_hist_t      h, old, exact;
    ngx_mon_hist_map_t  map;

    ngx_memzero(cells, sizeof(cells));
    ngx_mon_hist_map(&map, from);
    ngx_mon_hist_init(&old, to);

    for (n = 0; n < 2000; n += 100) {
        for (i = 0; i < 100; i++) {
            observe(&map, cells, random_us(seed) >> 24);
        }

        ngx_mon_hist_init(&exact, from);
        ngx_mon_hist_merge(&exact, cells, from);

        ngx_mon_hist_init(&h, to);
        ngx_mon_hist_merge(&h, cells, from);

        check_whole(&h, n + 100);
        check_progress(&old, &h);
        check_rebound(&h, &exact);

        assert_int_equal(h.sum, exact.sum);

        old = h;
    }
}


static void
test_other_bounds(void **state)
{
    uint64_t          seed;
    ngx_uint_t        n;
    ngx_mon_bounds_t  from, to;

    seed = 5;

    for (n = 0; n < ROUNDS; n++) {
        random_bounds(&from, &seed);
        random_bounds(&to, &seed);

        rebound(&from, &to, &seed);

        /* some bounds stay, as in a configuration that was edited */

        to = from;

        if (to.n) {
            to.us[unit_random(&seed) % to.n]++;
            qsort(to.us, to.n, sizeof(uint64_t), compare_us);
        }

        rebound(&from, &to, &seed);
    }
}


/* the estimate comes from the exponential buckets, not from the bounds */

static void
test_estimate(void **state)
{
    uint64_t            us, cells[CELLS];
    ngx_uint_t          n;
    ngx_mon_hist_t      h;
    ngx_mon_bounds_t    from, to;
    ngx_mon_hist_map_t  map;

    from.n = 0;
    to.n = 1;

    ngx_memzero(cells, sizeof(cells));
    ngx_mon_hist_map(&map, &from);

    for (us = 1; us <= 1000000; us += 10) {
        observe(&map, cells, us);
    }

    for (n = 0, us = 100; us < 1000000; us = us * 5 / 4, n++) {
        to.us[0] = us;

        ngx_mon_hist_init(&h, &to);
        ngx_mon_hist_merge(&h, cells, &from);

        /* one exponential bucket is at most 19 % of what lies below it */

        assert_true(h.classic[0] * 10 <= us + 10);
        assert_true(h.classic[0] * 12 >= us * 100 / 119);
    }

    assert_true(n > 30);

    /* an exponential bucket ends here: nothing is estimated */

    to.us[0] = 500000;

    ngx_mon_hist_init(&h, &to);
    ngx_mon_hist_merge(&h, cells, &from);

    assert_int_equal(h.classic[0], 50000);
}


static void *
writer(void *data)
{
    uint64_t     seed, n;
    recorder_t  *r;

    r = data;
    seed = 6;

    for (n = 0; n < WRITES; n++) {
        observe(&r->map, r->cells, random_us(&seed) >> 24);
    }

    __atomic_store_n(&r->done, 1, __ATOMIC_RELEASE);

    return NULL;
}


static void
read_along(recorder_t *r, const ngx_mon_bounds_t *to)
{
    ngx_uint_t      done;
    ngx_mon_hist_t  h, old;

    ngx_mon_hist_init(&old, to);

    do {
        done = __atomic_load_n(&r->done, __ATOMIC_ACQUIRE);

        ngx_mon_hist_init(&h, to);
        ngx_mon_hist_merge(&h, r->cells, &bounds);

        assert_int_equal(sum_of(h.classic, to->n + 1), h.count);
        check_progress(&old, &h);

        old = h;

    } while (!done);

    check_whole(&h, WRITES);
}


static void
test_while_written(void **state)
{
    pthread_t         thread;
    recorder_t       *r;
    ngx_uint_t        i;
    ngx_mon_bounds_t  to[2];

    to[0] = bounds;
    to[1] = bounds;
    to[1].us[1] = 2000;

    for (i = 0; i < 2; i++) {
        r = test_calloc(1, sizeof(recorder_t));
        ngx_mon_hist_map(&r->map, &bounds);

        assert_int_equal(pthread_create(&thread, NULL, writer, r), 0);
        read_along(r, &to[i]);
        assert_int_equal(pthread_join(thread, NULL), 0);

        test_free(r);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_recorders),
        cmocka_unit_test(test_other_bounds),
        cmocka_unit_test(test_estimate),
        cmocka_unit_test(test_while_written)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
