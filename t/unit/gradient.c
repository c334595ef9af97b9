
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include <pthread.h>
#include "ngx_mon_gradient.h"


#define THREADS  4
#define ROUNDS   20000

/* the clock of a host that is up for a second */
#define T0  1000000


static ngx_mon_gradient_t       g;
static ngx_mon_gradient_conf_t  conf;
static uint64_t                 now;


static int
gradient_setup(void **state)
{
    ngx_mon_gradient_init(&g);

    conf.min = NGX_MON_GRADIENT_MIN;
    conf.max = NGX_MON_GRADIENT_MAX;
    now = T0;

    return 0;
}


static ngx_uint_t
limit(void)
{
    return ngx_mon_gradient_limit(&g, &conf);
}


static ngx_mon_gradient_facts_t
facts(void)
{
    ngx_mon_gradient_facts_t  f;

    ngx_mon_gradient_facts(&g, &conf, &f);

    return f;
}


static ngx_uint_t
one(uint64_t rtt, ngx_uint_t in_flight)
{
    return ngx_mon_gradient_sample(&g, &conf, now, rtt, in_flight, 0);
}


/* a window of so many samples, for sure past its end */

static void
feed(ngx_uint_t n, uint64_t rtt, ngx_uint_t in_flight)
{
    now += 2 * rtt + 100000;

    while (n--) {
        now += rtt;
        one(rtt, in_flight ? in_flight : limit());
    }
}


static void
new_words(void **state)
{
    assert_int_equal(limit(), NGX_MON_GRADIENT_INITIAL);
    assert_int_equal(facts().limit, NGX_MON_GRADIENT_INITIAL);
    assert_int_equal(facts().base, 0);
    assert_int_equal(facts().rtt, 0);
    assert_int_equal(facts().gradient, NGX_MON_GRADIENT_PPM);
    assert_int_equal(facts().probing, 0);
}


static void
limit_within_its_configuration(void **state)
{
    conf.min = 30;
    assert_int_equal(limit(), 30);

    conf.min = 1;
    conf.max = 5;
    assert_int_equal(limit(), 5);

    conf.max = 1;
    assert_int_equal(limit(), 1);

    conf.min = conf.max = NGX_MON_GRADIENT_MOST;
    assert_int_equal(limit(), NGX_MON_GRADIENT_MOST);
}


static void
base_is_what_was_measured(void **state)
{
    uint64_t  rtt, base;

    for (rtt = 50; rtt < 100000000; rtt += rtt / 3) {
        gradient_setup(state);

        feed(100, rtt, 1);
        feed(100, rtt, 1);
        feed(100, rtt, 1);

        base = facts().base;

        assert_in_range(base, rtt - rtt / 40, rtt + rtt / 40);
        assert_int_equal(facts().rtt, base);
    }
}


static void
few_samples_change_nothing(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 49; i++) {
        now += 60000000;
        assert_int_equal(one(10000 * (i + 1), 20), NGX_MON_GRADIENT_SAME);
    }

    assert_int_equal(limit(), NGX_MON_GRADIENT_INITIAL);
    assert_int_equal(facts().base, 0);
}


static void
nothing_within_a_window(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 100000; i++) {
        assert_int_equal(one(i % 1000, 1000), NGX_MON_GRADIENT_SAME);
    }

    assert_int_equal(limit(), NGX_MON_GRADIENT_INITIAL);
}


static void
grows_where_it_is_reached(void **state)
{
    ngx_uint_t  i, before;

    for (i = 0; i < 40; i++) {
        before = limit();
        feed(60, 10000, 0);
        assert_true(limit() >= before);
    }

    assert_int_equal(limit(), NGX_MON_GRADIENT_MAX);
    assert_int_equal(facts().gradient, NGX_MON_GRADIENT_PPM);
}


static void
grows_not_where_it_is_not(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 40; i++) {
        feed(60, 10000, NGX_MON_GRADIENT_INITIAL - 1);
        assert_int_equal(limit(), NGX_MON_GRADIENT_INITIAL);
    }
}


static void
says_that_it_grew_or_shrank(void **state)
{
    ngx_uint_t  i, before, grew, shrank;

    grew = shrank = 0;

    for (i = 0; i < 20000; i++) {
        before = limit();
        now += 10000;

        switch (one(i < 10000 ? 10000 : 100000, before)) {

        case NGX_MON_GRADIENT_GREW:
            assert_true(limit() > before);
            grew++;
            break;

        case NGX_MON_GRADIENT_SHRANK:
            assert_true(limit() < before);
            shrank++;
            break;

        default:
            assert_int_equal(limit(), before);
        }
    }

    assert_true(grew > 10);
    assert_true(shrank > 1);
}


/* with the probe that may come at the same time */

static void
shrinks_not_by_much_more_than_half(void **state)
{
    ngx_uint_t  i, before;

    for (i = 0; i < 40; i++) {
        feed(60, 10000, 0);
    }

    for (i = 0; i < 1000; i++) {
        before = limit();
        now += 100000;
        one(100000000, before);

        assert_true(limit() * 5 >= before * 2 || limit() == conf.min);
    }
}


/* noise at low traffic is no reason, nor is what is really slower */

static void
low_traffic_shrinks_nothing(void **state)
{
    ngx_uint_t  i, before;

    for (i = 0; i < 20; i++) {
        feed(60, 10000, 0);
    }

    before = limit();
    assert_true(before > 100);

    for (i = 0; i < 200; i++) {
        feed(60, i % 3 ? 9000 : 40000, before / 4);
        assert_true(limit() >= before || facts().probing);
    }

    for (i = 0; i < 200; i++) {
        feed(60, 30000, before / 4);
        assert_true(limit() >= before || facts().probing);
    }

    assert_in_range(facts().base, 28000, 32000);
}


/* latency that does not follow the limit is the base */

static void
slower_for_good_is_learned(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 10; i++) {
        feed(60, 10000, 50);
    }

    assert_in_range(facts().base, 9800, 10200);

    for (i = 0; i < 60; i++) {
        feed(120, 20000, 0);
    }

    assert_in_range(facts().base, 19600, 20400);
    assert_true(limit() > 100);
}


static void
never_far_below_while_measuring(void **state)
{
    ngx_uint_t  i, before, n, probes;

    for (i = 0; i < 20; i++) {
        feed(60, 10000, 0);
    }

    probes = 0;

    for (i = 0; i < 100000; i++) {
        before = limit();

        /* 100 are served, and more wait */

        n = before > 100 ? before : 100;
        now += 1000;
        one(100 * n, before);

        if (limit() != before && facts().probing) {
            probes++;
            assert_true(limit() * 5 >= before * 2);
        }
    }

    assert_true(probes > 5);
    assert_in_range(facts().base, 9000, 11000);
    assert_in_range(limit(), 80, 200);
}


static void
failures_that_were_fast_do_not_count(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 10000; i++) {
        now += 1000;
        ngx_mon_gradient_sample(&g, &conf, now, 10000, 20, 1);
    }

    assert_int_equal(facts().base, 0);

    feed(60, 10000, 5);
    feed(60, 10000, 5);
    feed(60, 10000, 5);

    for (i = 0; i < 10000; i++) {
        now += 1000;
        assert_int_equal(ngx_mon_gradient_sample(&g, &conf, now, 10, 20, 1),
                         NGX_MON_GRADIENT_SAME);
    }

    assert_in_range(facts().base, 9800, 10200);
    assert_in_range(facts().rtt, 9800, 10200);
}


static void
failures_that_were_slow_count(void **state)
{
    ngx_uint_t  i;

    feed(60, 10000, 20);
    feed(60, 10000, 20);
    feed(60, 10000, 20);

    for (i = 0; i < 1000; i++) {
        now += 1000;
        ngx_mon_gradient_sample(&g, &conf, now, 1000000, limit(), 1);
    }

    assert_true(facts().rtt > 500000);
    assert_true(limit() < 20);
}


static void
a_few_that_are_slow_matter_little(void **state)
{
    ngx_uint_t  i, j;

    for (i = 0; i < 60; i++) {
        now += 200000;

        for (j = 0; j < 100; j++) {
            now += 1000;
            one(j ? 10000 : 1000000, limit());
        }
    }

    assert_in_range(facts().base, 9000, 12000);
    assert_true(limit() > 300);
}


static void
the_clock_may_step(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 10; i++) {
        feed(60, 10000, 20);
    }

    now = 100;

    for (i = 0; i < 20; i++) {
        feed(120, 20000, 20);
    }

    assert_in_range(facts().rtt, 19500, 20500);

    now = (uint64_t) 1 << 62;

    for (i = 0; i < 20; i++) {
        feed(60, 5000, 20);
    }

    assert_in_range(facts().rtt, 4900, 5100);
    assert_in_range(facts().base, 4900, 5500);

    now = 100;

    for (i = 0; i < 60; i++) {
        feed(120, 20000, 0);
    }

    assert_in_range(facts().base, 19500, 20500);
    assert_true(limit() > 100);
}


static void
nonsense_is_survived(void **state)
{
    static const uint64_t  rtts[] = { 0, 1, UINT32_MAX, UINT64_MAX };

    ngx_uint_t  i;

    for (i = 0; i < 100000; i++) {
        now += 50000;
        one(rtts[i % 4], i % 3 ? (ngx_uint_t) -1 : 0);
        assert_in_range(limit(), conf.min, conf.max);
    }
}


/* whatever a process that was killed, or another one, has left */

static void
any_words_are_survived(void **state)
{
    uint64_t    random = 4711;
    ngx_uint_t  i, j, k;
    uint64_t   *words = (uint64_t *) &g;

    for (i = 0; i < 2000; i++) {
        now = T0;

        for (j = 0; j < sizeof(g) / sizeof(uint64_t); j++) {
            words[j] = unit_random(&random) >> unit_random(&random) % 64;
        }

        for (k = 0; k < 60; k++) {
            feed(120, 10000, 20);
            assert_in_range(limit(), conf.min, conf.max);
        }

        if (i % 20 == 0) {

            for (k = 0; k < 200; k++) {
                feed(120, 10000, 0);
            }

            assert_in_range(facts().base, 9700, 10300);
            assert_int_equal(limit(), NGX_MON_GRADIENT_MAX);
        }
    }
}


static void *
add_samples(void *data)
{
    ngx_uint_t  i;

    for (i = 0; i < ROUNDS; i++) {
        (void) ngx_mon_gradient_sample(&g, &conf, T0, 1024, 3, 0);
    }

    return NULL;
}


static void
no_sample_is_lost(void **state)
{
    ngx_uint_t  i;
    pthread_t   threads[THREADS];

    for (i = 0; i < THREADS; i++) {
        assert_false(pthread_create(&threads[i], NULL, add_samples, NULL));
    }

    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }

    assert_int_equal(g.logs >> 40, THREADS * ROUNDS);
    assert_int_equal(g.logs & 0xffffffffff, THREADS * ROUNDS * 10240);
    assert_int_equal(g.load, THREADS * ROUNDS * 3);
}


static uint64_t    ticks;
static ngx_uint_t  changes;


static void *
turn_windows(void *data)
{
    uint64_t    t;
    ngx_uint_t  i;

    for (i = 0; i < ROUNDS; i++) {
        t = T0 + __atomic_add_fetch(&ticks, 100, __ATOMIC_RELAXED);

        if (ngx_mon_gradient_sample(&g, &conf, t, 10000, NGX_MON_GRADIENT_MAX,
                                    0))
        {
            __atomic_add_fetch(&changes, 1, __ATOMIC_RELAXED);
        }
    }

    return NULL;
}


static void
a_window_is_turned_once(void **state)
{
    ngx_uint_t  i;
    pthread_t   threads[THREADS];

    for (i = 0; i < THREADS; i++) {
        assert_false(pthread_create(&threads[i], NULL, turn_windows, NULL));
    }

    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }

    /* of 100 ms each, while all grow the limit */

    assert_in_range(changes, 1, THREADS * ROUNDS * 100 / 100000);
    assert_true(limit() > NGX_MON_GRADIENT_INITIAL);
}


#define GRADIENT_TEST(f)  cmocka_unit_test_setup(f, gradient_setup)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        GRADIENT_TEST(new_words),
        GRADIENT_TEST(limit_within_its_configuration),
        GRADIENT_TEST(base_is_what_was_measured),
        GRADIENT_TEST(few_samples_change_nothing),
        GRADIENT_TEST(nothing_within_a_window),
        GRADIENT_TEST(grows_where_it_is_reached),
        GRADIENT_TEST(grows_not_where_it_is_not),
        GRADIENT_TEST(says_that_it_grew_or_shrank),
        GRADIENT_TEST(shrinks_not_by_much_more_than_half),
        GRADIENT_TEST(low_traffic_shrinks_nothing),
        GRADIENT_TEST(slower_for_good_is_learned),
        GRADIENT_TEST(never_far_below_while_measuring),
        GRADIENT_TEST(failures_that_were_fast_do_not_count),
        GRADIENT_TEST(failures_that_were_slow_count),
        GRADIENT_TEST(a_few_that_are_slow_matter_little),
        GRADIENT_TEST(the_clock_may_step),
        GRADIENT_TEST(nonsense_is_survived),
        GRADIENT_TEST(any_words_are_survived),
        GRADIENT_TEST(no_sample_is_lost),
        GRADIENT_TEST(a_window_is_turned_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
