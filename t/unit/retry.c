
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include "ngx_mon_retry.h"


#define PERCENT  (NGX_MON_RETRY_WHOLE / 100)


static void
limit_is_a_share_of_the_others(void **state)
{
    assert_int_equal(ngx_mon_retry_limit(120, 20 * PERCENT, 0), 20);
    assert_int_equal(ngx_mon_retry_limit(1000, 100 * PERCENT, 0), 500);
    assert_int_equal(ngx_mon_retry_limit(2010, PERCENT / 2, 0), 10);
    assert_int_equal(ngx_mon_retry_limit(1000, 0, 0), 0);
    assert_int_equal(ngx_mon_retry_limit(0, 20 * PERCENT, 0), 0);
}


static void
limit_is_rounded_down(void **state)
{
    ngx_uint_t  active, budget;

    assert_int_equal(ngx_mon_retry_limit(5, 20 * PERCENT, 0), 0);
    assert_int_equal(ngx_mon_retry_limit(6, 20 * PERCENT, 0), 1);
    assert_int_equal(ngx_mon_retry_limit(11, 20 * PERCENT, 0), 1);
    assert_int_equal(ngx_mon_retry_limit(12, 20 * PERCENT, 0), 2);

    /* it is the largest that fits */

    for (budget = 0; budget <= NGX_MON_RETRY_WHOLE; budget += 37) {
        for (active = 0; active < 100; active++) {
            uint64_t  n = ngx_mon_retry_limit(active, budget, 0);

            assert_true(n * NGX_MON_RETRY_WHOLE <= budget * (active - n));
            assert_true((n + 1) * NGX_MON_RETRY_WHOLE + budget * (n + 1)
                        > budget * active);
        }
    }
}


static void
limit_has_a_floor(void **state)
{
    assert_int_equal(ngx_mon_retry_limit(0, 20 * PERCENT, 3), 3);
    assert_int_equal(ngx_mon_retry_limit(18, 20 * PERCENT, 3), 3);
    assert_int_equal(ngx_mon_retry_limit(23, 20 * PERCENT, 3), 3);
    assert_int_equal(ngx_mon_retry_limit(24, 20 * PERCENT, 3), 4);
    assert_int_equal(ngx_mon_retry_limit(1000, 0, 3), 3);
}


static void
limit_of_nonsense(void **state)
{
    assert_int_equal(ngx_mon_retry_limit(-1, 100 * PERCENT, 3), 3);
    assert_int_equal(ngx_mon_retry_limit(INT64_MIN, 100 * PERCENT, 3), 3);
    assert_int_equal(ngx_mon_retry_limit(INT64_MAX, 100 * PERCENT, 3), 3);
}


static void
allowed_up_to_the_limit(void **state)
{
    assert_true(ngx_mon_retry_allowed(3, 10, 20 * PERCENT, 3));
    assert_false(ngx_mon_retry_allowed(4, 10, 20 * PERCENT, 3));
    assert_true(ngx_mon_retry_allowed(20, 120, 20 * PERCENT, 3));
    assert_false(ngx_mon_retry_allowed(21, 120, 20 * PERCENT, 3));
    assert_false(ngx_mon_retry_allowed(1, 100, 0, 0));
    assert_true(ngx_mon_retry_allowed(-5, 0, 0, 0));
}


static uint64_t
most(ngx_uint_t n, uint64_t base, uint64_t cap)
{
    uint64_t  i, ms, max;

    max = 0;

    for (i = 0; i < 4096; i++) {
        ms = ngx_mon_retry_backoff(i, n, base, cap);
        max = ngx_max(max, ms);
    }

    return max;
}


static void
backoff_doubles_to_its_cap(void **state)
{
    assert_int_equal(most(0, 25, 250), 25);
    assert_int_equal(most(1, 25, 250), 50);
    assert_int_equal(most(2, 25, 250), 100);
    assert_int_equal(most(3, 25, 250), 200);
    assert_int_equal(most(4, 25, 250), 250);
    assert_int_equal(most(5, 25, 250), 250);
    assert_int_equal(most(1000000000, 25, 250), 250);

    /* 250 is 10 times 25, 256 a power of 2 times 1 */

    assert_int_equal(most(8, 1, 256), 256);
    assert_int_equal(most(9, 1, 256), 256);
}


static void
backoff_is_spread_evenly(void **state)
{
    uint64_t    i;
    ngx_uint_t  count[26];

    ngx_memzero(count, sizeof(count));

    for (i = 0; i < 2600; i++) {
        count[ngx_mon_retry_backoff(i, 0, 25, 250)]++;
    }

    for (i = 0; i < 26; i++) {
        assert_int_equal(count[i], 100);
    }
}


static void
backoff_of_nothing(void **state)
{
    assert_int_equal(most(0, 0, 250), 0);
    assert_int_equal(most(7, 0, 250), 0);
    assert_int_equal(most(0, 0, 0), 0);
    assert_int_equal(most(0, 25, 0), 0);
}


static void
backoff_overflows_never(void **state)
{
    assert_int_equal(ngx_mon_retry_backoff(UINT64_MAX, 100, 1, INT64_MAX),
                     UINT64_MAX % ((uint64_t) INT64_MAX + 1));
    assert_int_equal(ngx_mon_retry_backoff((uint64_t) 1 << 62, 63, 1,
                                           INT64_MAX), (uint64_t) 1 << 62);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(limit_is_a_share_of_the_others),
        cmocka_unit_test(limit_is_rounded_down),
        cmocka_unit_test(limit_has_a_floor),
        cmocka_unit_test(limit_of_nonsense),
        cmocka_unit_test(allowed_up_to_the_limit),
        cmocka_unit_test(backoff_doubles_to_its_cap),
        cmocka_unit_test(backoff_is_spread_evenly),
        cmocka_unit_test(backoff_of_nothing),
        cmocka_unit_test(backoff_overflows_never),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
