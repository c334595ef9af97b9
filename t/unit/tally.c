
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include "ngx_mon_tally.h"


static ngx_mon_tally_words_t  words;
static uint64_t               now;


static ngx_uint_t
note(ngx_uint_t state, ngx_uint_t reason, ngx_uint_t fall, ngx_uint_t rise,
    ngx_uint_t mandatory)
{
    ngx_mon_probe_why_t  why = { reason, 70000 };

    return ngx_mon_tally_note(&words, state, &why, ++now, 77, fall, rise,
                              mandatory);
}


/* +: passes, -: fails; what each of them means */

static void
course(const char *checks, const char *meanings, ngx_uint_t state,
    ngx_uint_t mandatory)
{
    char        meaning;
    ngx_uint_t  i, n;

    memset(&words, 0, sizeof(words));

    for (i = 0; checks[i]; i++) {

        n = note(state, checks[i] == '+' ? NGX_MON_PROBE_PASSED
                                         : NGX_MON_PROBE_CLOSED,
                 3, 2, mandatory);

        meaning = ".frdo"[n];

        if (meaning != meanings[i]) {
            fail_msg("\"%s\": %c at %lu, not %c", checks, meaning, i,
                     meanings[i]);
        }

        if (n == NGX_MON_TALLY_ROSE) {
            state = NGX_MON_TALLY_PASSED;

        } else if (n == NGX_MON_TALLY_FELL) {
            state = NGX_MON_TALLY_FAILED;
        }
    }
}


static void
test_courses(void **state)
{
    course("+++++", "rffff", NGX_MON_TALLY_UNCHECKED, 0);
    course("---------", "..d......", NGX_MON_TALLY_UNCHECKED, 0);
    course("--+--+---", "..r..f..d", NGX_MON_TALLY_UNCHECKED, 0);
    course("---+-+-++---", "..d.....r..d", NGX_MON_TALLY_UNCHECKED, 0);
    course("++++", ".rff", NGX_MON_TALLY_FAILED, 0);
    course("---+", "..d.", NGX_MON_TALLY_PASSED, 0);

    course("-----+", "..o..r", NGX_MON_TALLY_UNCHECKED, 1);
    course("+---+", "r..d.", NGX_MON_TALLY_UNCHECKED, 1);
    course("--+---++", "..r..d.r", NGX_MON_TALLY_UNCHECKED, 1);
}


static void
test_words(void **state)
{
    ngx_uint_t       i;
    ngx_mon_tally_t  t;

    memset(&words, 0, sizeof(words));
    now = 41;

    ngx_mon_tally_read(&words, &t);
    assert_int_equal(t.why.reason, NGX_MON_PROBE_PASSED);
    assert_int_equal(t.fails + t.passes, 0);

    (void) note(NGX_MON_TALLY_UNCHECKED, NGX_MON_PROBE_STATUS, 1, 1, 0);

    ngx_mon_tally_read(&words, &t);
    assert_int_equal(t.why.reason, NGX_MON_PROBE_STATUS);
    assert_int_equal(t.why.detail, 65535);
    assert_int_equal(t.fails, 1);
    assert_int_equal(t.passes, 0);
    assert_int_equal(words.time, 42);
    assert_int_equal(words.took, 77);

    /* counts end where they no longer fit */

    for (i = 0; i < 70000; i++) {
        (void) note(NGX_MON_TALLY_FAILED, NGX_MON_PROBE_STATUS, 1, 1, 0);
    }

    ngx_mon_tally_read(&words, &t);
    assert_int_equal(t.fails, 65535);
    assert_int_equal(t.why.reason, NGX_MON_PROBE_STATUS);

    memset(&words, 0xff, sizeof(words));

    ngx_mon_tally_read(&words, &t);
    assert_true(t.why.reason < NGX_MON_PROBE_N);
}


static void
test_lease(void **state)
{
    memset(&words, 0, sizeof(words));

    assert_int_equal(ngx_mon_tally_holder(&words, 1000), 0);
    assert_int_equal(ngx_mon_tally_take(&words, 0, 4194303, 1000, 50), 1);
    assert_int_equal(ngx_mon_tally_holder(&words, 1000), 4194303);
    assert_int_equal(ngx_mon_tally_holder(&words, 1049), 4194303);
    assert_int_equal(ngx_mon_tally_holder(&words, 1050), 0);

    /* held; known to be dead; over */

    assert_int_equal(ngx_mon_tally_take(&words, 0, 7, 1010, 50), 0);
    assert_int_equal(ngx_mon_tally_take(&words, 4194303, 7, 1010, 50), 1);
    assert_int_equal(ngx_mon_tally_take(&words, 4194303, 8, 1010, 50), 0);
    assert_int_equal(ngx_mon_tally_take(&words, 0, 8, 1060, 50), 1);

    ngx_mon_tally_free(&words, 7);
    assert_int_equal(ngx_mon_tally_holder(&words, 1060), 8);
    ngx_mon_tally_free(&words, 8);
    assert_int_equal(ngx_mon_tally_holder(&words, 1060), 0);

    /* nonsense holds nothing */

    words.lease = (uint64_t) -1;
    assert_int_equal(ngx_mon_tally_holder(&words, 1060), 0);
    assert_int_equal(ngx_mon_tally_take(&words, 0, 8, 1060, 50), 1);
    assert_int_equal(ngx_mon_tally_holder(&words, 1060), 8);
}


static void
test_due(void **state)
{
    uint64_t    v, low, high, seed;
    ngx_uint_t  i;

    memset(&words, 0, sizeof(words));

    assert_int_equal(ngx_mon_tally_due(&words, 1000, 500), 0);

    words.due = 1000;
    assert_int_equal(ngx_mon_tally_due(&words, 1000, 500), 0);
    assert_int_equal(ngx_mon_tally_due(&words, 900, 500), 100);
    assert_int_equal(ngx_mon_tally_due(&words, 100, 500), 550);

    words.due = (uint64_t) -1;
    assert_int_equal(ngx_mon_tally_due(&words, 100, 500), 550);

    low = 1000000;
    high = 0;
    seed = 1;

    for (i = 0; i < 100000; i++) {
        v = ngx_mon_tally_jitter(5000, unit_random(&seed));
        low = ngx_min(low, v);
        high = ngx_max(high, v);
    }

    assert_int_equal(low, 4500);
    assert_int_equal(high, 5500);

    assert_int_equal(ngx_mon_tally_jitter(9, unit_random(&seed)), 9);
    assert_int_equal(ngx_mon_tally_jitter(0, unit_random(&seed)), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_courses),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_lease),
        cmocka_unit_test(test_due)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
