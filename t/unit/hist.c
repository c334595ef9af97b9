
/*
 * Copyright (C) The ngx_mon authors
 */


#include "recorder.h"
#include <math.h>


#define SAMPLES  200000


static const ngx_mon_bounds_t  bounds = {
    14, { 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
          500000, 1000000, 2500000, 5000000, 10000000 }
};


/* what the header promises, in floating point */

static long double
oracle_end(int i)
{
    int          e;
    long double  part;

    e = i + 1 - 80;
    part = (e & 3) ? powl(2, (e & 3) / 4.0L) : 1;

    return ldexpl(part, e >> 2) * 1000000;
}


static ngx_uint_t
oracle_bucket(uint64_t us)
{
    ngx_uint_t  low, mid, high;

    low = 0;
    high = NGX_MON_EXP_BUCKETS - 1;

    while (low < high) {
        mid = (low + high) / 2;

        if ((long double) us <= oracle_end(mid)) {
            high = mid;

        } else {
            low = mid + 1;
        }
    }

    return low;
}


static ngx_uint_t
oracle_classic(const ngx_mon_bounds_t *b, uint64_t us)
{
    ngx_uint_t  k;

    for (k = 0; k < b->n; k++) {
        if (us <= b->us[k]) {
            break;
        }
    }

    return k;
}


static void
check_bucket(const ngx_mon_hist_map_t *map, uint64_t us)
{
    ngx_uint_t  got, expected;

    got = ngx_mon_hist_bucket(map, us);
    expected = oracle_bucket(us);

    if (got != expected) {
        fail_msg("%lu us in bucket %lu, not %lu", us, got, expected);
    }
}


static void
test_ends(void **state)
{
    int                 i;
    ngx_mon_hist_map_t  map;

    ngx_mon_hist_map(&map, &bounds);

    for (i = 0; i < NGX_MON_EXP_BUCKETS; i++) {
        assert_int_equal(map.end[i], floorl(oracle_end(i)));

        check_bucket(&map, map.end[i]);
        check_bucket(&map, (uint64_t) map.end[i] + 1);

        if (map.end[i] > 0) {
            check_bucket(&map, map.end[i] - 1);
        }
    }

    assert_int_equal(map.end[NGX_MON_EXP_BUCKETS - 1], NGX_MON_HIST_MAX);
}


static void
test_every_value(void **state)
{
    uint64_t            us;
    ngx_uint_t          i;
    ngx_mon_hist_map_t  map;

    ngx_mon_hist_map(&map, &bounds);

    for (i = 0, us = 0; us <= 2000000; us++) {

        while ((long double) us > oracle_end(i)) {
            i++;
        }

        if (ngx_mon_hist_bucket(&map, us) != i) {
            fail_msg("%lu us in bucket %lu, not %lu", us,
                     ngx_mon_hist_bucket(&map, us), i);
        }
    }
}


/* wherever a key of the lookup begins and ends */

static void
test_every_key(void **state)
{
    uint64_t            us, step;
    ngx_mon_hist_map_t  map;

    ngx_mon_hist_map(&map, &bounds);

    for (us = 0; us < (uint64_t) 1 << 32; us += step) {
        step = us < 16 ? 1 : (uint64_t) 1 << (28 - __builtin_clz(us));

        check_bucket(&map, us);
        check_bucket(&map, us + step - 1);
    }

    check_bucket(&map, NGX_MON_HIST_MAX);
    check_bucket(&map, (uint64_t) NGX_MON_HIST_MAX + 1);
    check_bucket(&map, UINT64_MAX);
}


static void
test_random_values(void **state)
{
    uint64_t            seed, n;
    ngx_mon_hist_map_t  map;

    seed = 1;
    ngx_mon_hist_map(&map, &bounds);

    for (n = 0; n < 200000; n++) {
        check_bucket(&map, random_us(&seed));
    }
}


static void
check_classic(const ngx_mon_hist_map_t *map, const ngx_mon_bounds_t *b,
    uint64_t us)
{
    ngx_uint_t  got, expected;

    got = ngx_mon_hist_classic(map, ngx_mon_hist_bucket(map, us), us);
    expected = oracle_classic(b, us);

    if (got != expected) {
        fail_msg("%lu us in classic bucket %lu of %lu, not %lu", us, got,
                 b->n, expected);
    }
}


static void
test_classic(void **state)
{
    uint64_t            seed, i, n;
    ngx_mon_bounds_t    b;
    ngx_mon_hist_map_t  map;

    seed = 2;

    for (n = 0; n < 500; n++) {
        random_bounds(&b, &seed);
        ngx_mon_hist_map(&map, &b);

        assert_int_equal(map.nbounds, b.n);

        for (i = 0; i < b.n; i++) {
            check_classic(&map, &b, b.us[i] - 1);
            check_classic(&map, &b, b.us[i]);
            check_classic(&map, &b, b.us[i] + 1);
        }

        for (i = 0; i < NGX_MON_EXP_BUCKETS; i++) {
            check_classic(&map, &b, map.end[i]);
            check_classic(&map, &b, (uint64_t) map.end[i] + 1);
        }

        for (i = 0; i < 500; i++) {
            check_classic(&map, &b, random_us(&seed));
        }

        check_classic(&map, &b, 0);
        check_classic(&map, &b, UINT64_MAX);
    }
}


/* the index of a native histogram: the least k with v <= 2^(k / 2^schema) */

static long
native_index(uint64_t us, int schema)
{
    long         k;
    long double  seconds, steps;

    seconds = us / 1000000.0L;
    steps = 1 << schema;

    k = lroundl(log2l(seconds) * steps) - 1;

    /* powl() is exact where the power is a whole number */

    while (powl(2, k / steps) < seconds) {
        k++;
    }

    return k;
}


static void
test_native(void **state)
{
    long                i, k;
    uint64_t            seed, us, n;
    ngx_mon_hist_map_t  map;

    seed = 3;
    ngx_mon_hist_map(&map, &bounds);

    for (n = 0; n < 200000; n++) {
        us = 1 + random_us(&seed) % NGX_MON_HIST_MAX;
        i = ngx_mon_hist_bucket(&map, us);
        k = i - 79;

        assert_int_equal(k, native_index(us, 2));

        /* a coarser schema is a sum of neighbours: the index, rounded up */

        assert_int_equal((k + 1) >> 1, native_index(us, 1));
        assert_int_equal((k + 3) >> 2, native_index(us, 0));
    }
}


/* samples of several kinds, microseconds */

static double
normal(uint64_t *seed)
{
    return sqrt(-2 * log(unit_fraction(seed)))
           * cos(2 * M_PI * unit_fraction(seed));
}


static double
uniform(uint64_t *seed)
{
    return 1 + 1000000 * unit_fraction(seed);
}


static double
log_normal(uint64_t *seed)
{
    return exp(8 + 1.5 * normal(seed));
}


static double
pareto(uint64_t *seed)
{
    return 300 / pow(unit_fraction(seed), 1 / 1.1);
}


static double
bimodal(uint64_t *seed)
{
    return unit_random(seed) % 10 ? 800 + fabs(50 * normal(seed))
                                  : 900000 + fabs(90000 * normal(seed));
}


static double
exponential(uint64_t *seed)
{
    return -20000 * log(unit_fraction(seed));
}


static double
tiny(uint64_t *seed)
{
    return 1 + unit_random(seed) % 40;
}


static double
constant(uint64_t *seed)
{
    return 12345;
}


static void
check_quantiles(const char *name, double (*sample)(uint64_t *seed))
{
    double              error, limit;
    uint64_t            seed, *exact, got, want, cells[CELLS];
    ngx_uint_t          i;
    ngx_mon_hist_t      h;
    ngx_mon_hist_map_t  map;
    static ngx_uint_t   quantiles[] = { 1, 100, 500, 900, 990, 999, 1000 };

    seed = 4;
    ngx_mon_hist_map(&map, &bounds);
    ngx_memzero(cells, sizeof(cells));

    exact = test_malloc(SAMPLES * sizeof(uint64_t));

    for (i = 0; i < SAMPLES; i++) {
        exact[i] = fmin(fmax(sample(&seed), 1), NGX_MON_HIST_MAX);
        observe(&map, cells, exact[i]);
    }

    qsort(exact, SAMPLES, sizeof(uint64_t), compare_us);

    ngx_mon_hist_init(&h, &bounds);
    ngx_mon_hist_merge(&h, cells, &bounds);

    assert_int_equal(h.count, SAMPLES);

    for (i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        want = exact[(quantiles[i] * SAMPLES + 999) / 1000 - 1];
        got = ngx_mon_hist_quantile(&h, quantiles[i]);

        error = fabs((double) got - (double) want);
        limit = want * (pow(2, 0.125) - 1) + 0.5;

        if (error > limit) {
            fail_msg("%s: q %lu is %lu, not %lu", name, quantiles[i], got,
                     want);
        }
    }

    test_free(exact);
}


static void
test_quantiles(void **state)
{
    check_quantiles("uniform", uniform);
    check_quantiles("log-normal", log_normal);
    check_quantiles("pareto", pareto);
    check_quantiles("bimodal", bimodal);
    check_quantiles("exponential", exponential);
    check_quantiles("tiny", tiny);
    check_quantiles("constant", constant);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_every_value),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_random_values),
        cmocka_unit_test(test_classic),
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_quantiles)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
