
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The adaptive limit against the best fixed one, in a simulation: in each part
 * goodput is at least 90 % of it, and the 99th percentile of latency at most 3
 * times that of a request that is alone.
 *
 *     TRACE=1 build/unit/adaptive      prints figures, TRACE=2 each window
 */


#include "queue.h"


static void
conf_init(queue_conf_t *conf, const char *name, ngx_uint_t shared,
    queue_dist_e dist)
{
    ngx_memzero(conf, sizeof(queue_conf_t));

    conf->name = name;
    conf->shared = shared;
    conf->dist = dist;
    conf->workers = 1;
    conf->queue = 200;
    conf->patience = 1e6;
    conf->trace = getenv("TRACE") ? atoi(getenv("TRACE")) : 0;
}


/* load is what is asked for, of what servers can do */

static queue_part_t *
conf_part(queue_conf_t *conf, double seconds, double servers, double service,
    double load)
{
    ngx_uint_t     i;
    queue_part_t  *part;

    for (i = 0; conf->parts[i].seconds; i++) { /* void */ }

    part = &conf->parts[i];

    part->seconds = seconds;
    part->servers = servers;
    part->service = service;
    part->rate = load * servers / service * 1e6;

    return part;
}


static void
conf_closed(queue_conf_t *conf, double seconds, double servers,
    double service, double clients)
{
    conf_part(conf, seconds, servers, service, 0)->clients = clients;
}


/* of the fixed limits that keep the latency within its bound the best */

static void
best_fixed(const queue_conf_t *conf, queue_result_t *alone,
    queue_result_t *best)
{
    ngx_uint_t           i, n, j;
    queue_conf_t         c;
    queue_result_t       r[QUEUE_PARTS];
    static const double  factors[] = { 0.8, 1, 1.25, 1.6, 2 };

    ngx_memzero(best, sizeof(queue_result_t) * QUEUE_PARTS);

    c = *conf;
    c.trace = 0;

    c.fixed = 1;
    c.queue = 1;

    for (i = 0; i < QUEUE_PARTS; i++) {
        c.parts[i].others = 0;
    }

    queue_run(&c, alone);

    for (n = 0; n < QUEUE_PARTS && conf->parts[n].seconds; n++) {

        for (j = 0; j < sizeof(factors) / sizeof(double); j++) {
            c = *conf;
            c.trace = 0;
            c.fixed = conf->parts[n].servers * factors[j];

            queue_run(&c, r);

            for (i = 0; i < QUEUE_PARTS && conf->parts[i].seconds; i++) {
                if (r[i].p99 <= 3 * alone[i].p99 && r[i].rate > best[i].rate) {
                    best[i] = r[i];
                }
            }
        }

        if (n == 1) {
            break;
        }
    }
}


static void
compare(queue_conf_t *conf, double goodput, double latency)
{
    ngx_uint_t      i;
    queue_result_t  alone[QUEUE_PARTS], best[QUEUE_PARTS], found[QUEUE_PARTS];

    best_fixed(conf, alone, best);
    queue_run(conf, found);

    for (i = 0; i < QUEUE_PARTS && conf->parts[i].seconds; i++) {

        if (conf->trace) {
            printf("# %s, part %u: goodput %.1f%% of %.1f (limit %.0f), "
                   "p99 %.2f times\n", conf->name, (unsigned) i,
                   100 * found[i].rate / best[i].rate, best[i].rate,
                   best[i].limit, found[i].p99 / alone[i].p99);
        }

        assert_true(found[i].rate >= goodput * best[i].rate);
        assert_true(found[i].p99 <= latency * alone[i].p99);
    }
}


static void
halves(const char *name, ngx_uint_t shared, queue_dist_e dist,
    ngx_uint_t workers, double servers, double service)
{
    queue_conf_t  conf;

    conf_init(&conf, name, shared, dist);
    conf.workers = workers;

    conf_part(&conf, 10, servers, service, 1.5);
    conf_part(&conf, 10, servers / 2, service, 3);
    conf_part(&conf, 10, servers, service, 1.5);

    /* outliers are so few that their number differs from run to run */

    compare(&conf, dist == OUTLIERS ? 0.85 : 0.9, 3);
}


static void
a_pool_halves(void **state)
{
    halves("pool", 0, EVEN, 1, 32, 20000);
    halves("pool, exponential", 0, EXPONENTIAL, 8, 32, 20000);
    halves("pool, two kinds", 0, TWO_KINDS, 1, 32, 20000);
    halves("pool, outliers", 0, OUTLIERS, 1, 32, 20000);
    halves("pool, small", 0, EXPONENTIAL, 1, 20, 10000);
}


static void
cpus_halve(void **state)
{
    halves("cpu", 1, EVEN, 1, 32, 20000);
    halves("cpu, exponential", 1, EXPONENTIAL, 8, 32, 20000);
    halves("cpu, two kinds", 1, TWO_KINDS, 1, 32, 20000);
    halves("cpu, outliers", 1, OUTLIERS, 1, 32, 20000);
}


/* the time to learn is a number of requests' times */

static void
what_is_slow_takes_longer(void **state)
{
    queue_conf_t  conf;

    conf_init(&conf, "slow", 0, EXPONENTIAL);

    conf_part(&conf, 40, 40, 200000, 1.5);
    conf_part(&conf, 40, 20, 200000, 3);
    conf_part(&conf, 40, 40, 200000, 1.5);

    compare(&conf, 0.85, 3);
}


static void
what_is_fast(void **state)
{
    queue_conf_t  conf;

    conf_init(&conf, "fast", 0, EXPONENTIAL);

    conf_part(&conf, 2, 20, 500, 1.5);
    conf_part(&conf, 2, 10, 500, 3);
    conf_part(&conf, 2, 20, 500, 1.5);

    compare(&conf, 0.85, 3);
}


static void
clients_that_wait(void **state)
{
    queue_conf_t  conf;

    conf_init(&conf, "closed", 0, EXPONENTIAL);

    conf_closed(&conf, 10, 32, 20000, 150);
    conf_closed(&conf, 10, 16, 20000, 150);
    conf_closed(&conf, 10, 32, 20000, 150);

    compare(&conf, 0.9, 3);

    /* fewer than there is room for; many; few, where there is no room */

    conf_init(&conf, "few and many", 0, EXPONENTIAL);

    conf_closed(&conf, 10, 64, 20000, 30);
    conf_closed(&conf, 10, 64, 20000, 300);
    conf_closed(&conf, 10, 12, 20000, 30);

    compare(&conf, 0.9, 3);
}


static void
latency_doubles_for_good(void **state)
{
    queue_conf_t  conf;

    conf_init(&conf, "doubles", 0, EXPONENTIAL);

    conf_part(&conf, 10, 32, 10000, 1.5);
    conf_part(&conf, 20, 32, 20000, 1.5);
    conf_part(&conf, 10, 32, 10000, 1.5);

    compare(&conf, 0.85, 3);

    conf_init(&conf, "doubles, cpu", 1, EVEN);

    conf_part(&conf, 10, 32, 10000, 1.5);
    conf_part(&conf, 20, 32, 20000, 1.5);
    conf_part(&conf, 10, 32, 10000, 1.5);

    compare(&conf, 0.85, 3);
}


static void
latency_drifts_for_good(void **state)
{
    queue_conf_t    conf;
    queue_result_t  r[QUEUE_PARTS];

    conf_init(&conf, "drifts", 0, EVEN);

    conf_part(&conf, 10, 32, 20000, 1.5);
    conf_part(&conf, 40, 32, 20000, 1.5)->drift = 1.5;
    conf_part(&conf, 10, 32, 30000, 1.5);

    compare(&conf, 0.9, 3);

    queue_run(&conf, r);
    assert_in_range(r[0].base, 18000, 21000);
    assert_in_range(r[2].base, 25000, 32000);
}


/* what is learned while the limit is not at work is there when it is */

static void
latency_grows_at_low_traffic(void **state)
{
    queue_conf_t    conf;
    queue_result_t  r[QUEUE_PARTS];

    conf_init(&conf, "quietly slower", 0, EVEN);

    conf_part(&conf, 10, 64, 10000, 1.5);
    conf_part(&conf, 10, 64, 10000, 0.1);
    conf_part(&conf, 20, 64, 40000, 0.4);
    conf_part(&conf, 10, 64, 40000, 1.5);

    queue_run(&conf, r);
    assert_in_range(r[1].base, 9000, 11000);
    assert_in_range(r[2].base, 36000, 44000);
    assert_true(r[2].refused == 0);
    assert_true(r[3].rate >= 0.95 * 1600);
    assert_true(r[3].p99 <= 3 * 48000);
}


static void
calm_is_left_alone(void **state)
{
    queue_conf_t    conf;
    queue_result_t  r[QUEUE_PARTS];

    conf_init(&conf, "calm", 0, EXPONENTIAL);

    conf_part(&conf, 10, 64, 10000, 1.5);
    conf_part(&conf, 60, 64, 10000, 0.2);
    conf_part(&conf, 10, 64, 10000, 0.5);

    queue_run(&conf, r);
    assert_true(r[1].refused <= 200);
    assert_true(r[1].most <= r[0].most);
    assert_true(r[1].limit >= 0.9 * r[0].limit);
    assert_true(r[2].refused == 0);
}


static void
pauses_change_nothing(void **state)
{
    queue_conf_t    conf;
    queue_result_t  r[QUEUE_PARTS];

    conf_init(&conf, "pauses", 0, EXPONENTIAL);

    conf_part(&conf, 10, 32, 20000, 1.5);
    conf_part(&conf, 600, 32, 20000, 0.001);
    conf_part(&conf, 10, 32, 20000, 1.5);
    conf_part(&conf, 3600, 32, 20000, 0);
    conf_part(&conf, 10, 32, 20000, 1.5);

    queue_run(&conf, r);
    assert_true(r[2].rate >= 0.9 * 1600);
    assert_true(r[4].rate >= 0.9 * 1600);
    assert_true(r[2].p99 <= 1.5 * r[0].p99);
    assert_true(r[4].p99 <= 1.5 * r[0].p99);
}


/* five times as much as there is room for, for minutes */

static void
overload_does_not_drift(void **state)
{
    ngx_uint_t      i, shared;
    queue_conf_t    conf;
    queue_result_t  r[QUEUE_PARTS];

    for (shared = 0; shared < 2; shared++) {
        conf_init(&conf, shared ? "overload, cpu" : "overload", shared,
                  EXPONENTIAL);

        for (i = 0; i < 5; i++) {
            conf_part(&conf, 60, 32, 20000, 5);
        }

        queue_run(&conf, r);

        for (i = 0; i < 5; i++) {
            assert_true(r[i].rate >= 0.9 * 1600);
            assert_true(i == 0 || r[i].most <= 80);
            assert_true(r[i].base <= 20000);
            assert_true(r[i].p99 <= 3 * 20000 * 4.6);
        }
    }
}


/* requests of others, that no limit holds back, are as many as the servers */

static void
others_do_not_raise_the_base(void **state)
{
    queue_conf_t    conf;
    queue_result_t  r[QUEUE_PARTS];

    conf_init(&conf, "others", 1, EXPONENTIAL);

    conf_part(&conf, 10, 64, 20000, 1.2);
    conf_part(&conf, 60, 64, 20000, 1.2)->others = 64;
    conf_part(&conf, 60, 64, 20000, 1.2)->others = 64;
    conf_part(&conf, 20, 64, 20000, 1.2);

    queue_run(&conf, r);

    assert_true(r[1].rate >= 0.4 * 3200);
    assert_true(r[2].rate >= 0.4 * 3200);
    assert_true(r[2].base <= 3 * r[0].base);
    assert_true(r[3].rate >= 0.9 * 3200);
    assert_true(r[3].base <= 1.5 * r[0].base);
}


/*
 * Hosts that know nothing of each other, in front of the same backend: they
 * measure at the same time.
 */

static void
several_hosts_do_not_drift(void **state)
{
    ngx_uint_t      i, hosts;
    queue_conf_t    conf;
    queue_result_t  r[QUEUE_PARTS];

    for (hosts = 2; hosts <= 4; hosts++) {
        conf_init(&conf, "hosts", hosts & 1, EVEN);
        conf.hosts = hosts;

        for (i = 0; i < 3; i++) {
            conf_part(&conf, 60, 64, 40000, 3);
        }

        queue_run(&conf, r);

        for (i = 0; i < 3; i++) {
            assert_true(r[i].rate >= 0.9 * 1600);
            assert_true(r[i].p99 <= 2 * 48000);
            assert_true(r[i].base <= 42000);
        }

        /* where latencies differ much they do not share evenly */

        conf_init(&conf, "hosts, exponential", 1, EXPONENTIAL);
        conf.hosts = hosts;

        for (i = 0; i < 3; i++) {
            conf_part(&conf, 60, 64, 40000, 3);
        }

        queue_run(&conf, r);

        for (i = 0; i < 3; i++) {
            assert_true(r[i].rate >= 0.9 * 1600);
            assert_true(r[i].p99 <= 6 * 40000 * 4.6);
        }
    }
}


/* half of all fail within 100 microseconds */

static void
failures_prove_nothing(void **state)
{
    queue_conf_t    conf;
    queue_result_t  r[QUEUE_PARTS];

    conf_init(&conf, "failing", 0, EVEN);

    conf_part(&conf, 10, 32, 20000, 1.5);
    conf_part(&conf, 20, 32, 20000, 3)->failing = 0.5;
    conf_part(&conf, 10, 32, 20000, 1.5);

    queue_run(&conf, r);

    assert_in_range(r[1].base, 18000, 22000);
    assert_true(r[1].rate >= 0.9 * 1600);
    assert_true(r[2].rate >= 0.9 * 1600);
    assert_true(r[2].p99 <= 3 * 24000);
}


static void
no_end_of_capacity(void **state)
{
    queue_conf_t    conf;
    queue_result_t  r[QUEUE_PARTS];

    conf_init(&conf, "no end", 0, EXPONENTIAL);

    conf_closed(&conf, 20, 10000, 100000, 2000);
    conf_closed(&conf, 20, 10000, 100000, 2000);

    queue_run(&conf, r);

    assert_true(r[0].most == NGX_MON_GRADIENT_MAX);
    assert_true(r[1].limit >= 0.9 * NGX_MON_GRADIENT_MAX);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_pool_halves),
        cmocka_unit_test(cpus_halve),
        cmocka_unit_test(what_is_slow_takes_longer),
        cmocka_unit_test(what_is_fast),
        cmocka_unit_test(clients_that_wait),
        cmocka_unit_test(latency_doubles_for_good),
        cmocka_unit_test(latency_drifts_for_good),
        cmocka_unit_test(latency_grows_at_low_traffic),
        cmocka_unit_test(calm_is_left_alone),
        cmocka_unit_test(pauses_change_nothing),
        cmocka_unit_test(overload_does_not_drift),
        cmocka_unit_test(others_do_not_raise_the_base),
        cmocka_unit_test(several_hosts_do_not_drift),
        cmocka_unit_test(failures_prove_nothing),
        cmocka_unit_test(no_end_of_capacity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
