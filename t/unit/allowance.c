
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include <pthread.h>
#include "ngx_mon_allowance.h"


#define GONE     ((uint64_t) -1)
#define SEC      ((uint64_t) 1000000000)
#define NOW      (777 * SEC)

#define THREADS  4
#define CALLS    50000


static ngx_mon_allowance_shared_t  shared;
static ngx_mon_gcra_t              g;


static int
allowance_setup(void **state)
{
    ngx_memzero(&shared, sizeof(shared));

    return 0;
}


static ngx_int_t
allowance_new(ngx_mon_allowance_t *a, const char *s, uint64_t burst,
    uint64_t version, uint64_t now)
{
    ngx_str_t       str;
    ngx_mon_rate_t  rate;

    str.data = (u_char *) s;
    str.len = strlen(s);

    assert_int_equal(ngx_mon_rate_parse(&rate, &str, burst), NGX_OK);

    ngx_memzero(a, sizeof(ngx_mon_allowance_t));

    return ngx_mon_allowance_init(a, &shared, &rate, version, now, 4711);
}


static ngx_uint_t
allowance_take(ngx_mon_allowance_t *a, uint64_t now)
{
    assert_int_equal(ngx_mon_allowance_take(a, now, &g), NGX_OK);

    return g.allowed;
}


static ngx_uint_t
allowance_left(ngx_mon_allowance_t *a, uint64_t now)
{
    assert_int_equal(ngx_mon_allowance_ask(a, now, &g), NGX_OK);

    return g.allowed ? g.remaining + 1 : 0;
}


static void
allowance_takes(void **state)
{
    ngx_mon_allowance_t  a, b;

    assert_int_equal(allowance_new(&a, "10r/s", 2, 1, NOW), NGX_OK);
    assert_int_equal(allowance_new(&b, "10r/s", 2, 1, NOW), NGX_OK);

    assert_int_equal(allowance_take(&a, NOW), 1);
    assert_int_equal(allowance_take(&b, NOW), 1);
    assert_int_equal(allowance_left(&a, NOW), 1);
    assert_int_equal(allowance_take(&a, NOW), 1);
    assert_int_equal(allowance_take(&b, NOW), 0);
    assert_int_equal(g.wait, SEC / 10);
    assert_int_equal(allowance_left(&a, NOW), 0);

    /* but for what has come back by itself */

    ngx_mon_allowance_refund(&b, NOW + SEC / 10, NOW + SEC / 10);
    assert_int_equal(allowance_left(&a, NOW), 0);
    ngx_mon_allowance_refund(&b, NOW + SEC / 10, NOW + SEC / 10 - 1);
    assert_int_equal(*a.word, NOW + SEC / 10 * 3 - 1);
    ngx_mon_allowance_refund(&b, NOW + SEC / 10, NOW + 1);
    assert_int_equal(*a.word, NOW + SEC / 10 * 2);
    assert_int_equal(allowance_left(&a, NOW), 1);
    assert_int_equal(allowance_left(&a, NOW + SEC), 3);
}


/* what was used stays; older processes go by the newer rate at once */

static void
allowance_changes(void **state)
{
    ngx_mon_allowance_t  a, b, c;

    assert_int_equal(allowance_new(&a, "10r/s", 9, 1, NOW), NGX_OK);

    while (allowance_take(&a, NOW)) { /* void */ }

    assert_int_equal(allowance_new(&b, "7r/s", 9, 2, NOW), NGX_OK);
    assert_int_equal(shared.states[0].word == GONE
                     || shared.states[1].word == GONE, 1);

    /* a second of ten was used, of which 7r/s has 7 */

    assert_int_equal(allowance_left(&b, NOW), 3);
    assert_int_equal(allowance_left(&a, NOW), 3);
    assert_int_equal(a.rate.unit, 7);
    assert_int_equal(allowance_take(&a, NOW), 1);
    assert_int_equal(allowance_left(&b, NOW), 2);

    /* one that is older, and comes late */

    assert_int_equal(allowance_new(&c, "10r/s", 9, 1, NOW), NGX_OK);
    assert_int_equal(allowance_left(&c, NOW), 2);
    assert_int_equal(c.rate.unit, 7);

    /* and back */

    assert_int_equal(allowance_new(&c, "10r/s", 9, 3, NOW), NGX_OK);
    assert_int_equal(allowance_left(&c, NOW), 0);
    assert_int_equal(allowance_left(&b, NOW), 0);
    assert_int_equal(allowance_left(&a, NOW + SEC / 7), 0);
    assert_int_equal(g.wait, SEC + SEC / 7 + 1 - SEC / 10 * 9 - SEC / 7);
    assert_int_equal(allowance_left(&a, NOW + SEC), 8);

    /* a higher rate holds even if it is only asked */

    assert_int_equal(allowance_new(&c, "1r/d", 0, 4, NOW + SEC), NGX_OK);
    assert_int_equal(allowance_take(&c, NOW + 3 * SEC), 1);
    assert_int_equal(allowance_new(&c, "10r/s", 1, 5, NOW + 3 * SEC), NGX_OK);
    assert_int_equal(allowance_left(&c, NOW + 3 * SEC), 0);
    assert_int_equal(allowance_left(&c, NOW + 3 * SEC + SEC / 10), 1);
}


/* the same rate, of another configuration: nothing is to be done */

static void
allowance_stays(void **state)
{
    ngx_mon_allowance_t  a, b;

    assert_int_equal(allowance_new(&a, "10r/s", 0, 1, NOW), NGX_OK);
    assert_int_equal(allowance_take(&a, NOW), 1);

    shared.claim = 1;
    assert_int_equal(allowance_new(&b, "10r/s", 0, 2, NOW), NGX_OK);
    assert_int_equal(shared.current >> 1, 2);
    assert_int_equal(allowance_take(&b, NOW), 0);
    assert_int_equal(allowance_take(&a, NOW), 0);

    assert_int_equal(allowance_new(&a, "10r/s", 1, 3, NOW), NGX_AGAIN);
    assert_null(a.shared);
    assert_int_equal(allowance_take(&b, NOW), 0);

    shared.claim = 0;
    assert_int_equal(allowance_new(&a, "10r/s", 1, 3, NOW), NGX_OK);
    assert_int_equal(shared.claim, 0);
    assert_int_equal(allowance_take(&b, NOW), 1);
    assert_int_equal(allowance_take(&b, NOW), 0);
}


/* a process that was killed on the way: others pass, then one begins anew */

static void
allowance_killed(void **state)
{
    uint64_t             *word;
    ngx_mon_allowance_t   a, b;

    assert_int_equal(allowance_new(&a, "10r/s", 9, 1, NOW), NGX_OK);
    assert_int_equal(allowance_take(&a, NOW), 1);
    assert_int_equal(allowance_take(&a, NOW), 1);

    word = a.word;
    shared.states[!(shared.current & 1)].word = *word * 3;
    shared.states[!(shared.current & 1)].cost = SEC;
    shared.states[!(shared.current & 1)].size = (uint64_t) 3 << 32;
    *word = GONE;

    assert_int_equal(ngx_mon_allowance_take(&a, NOW, &g), NGX_DECLINED);
    assert_int_equal(ngx_mon_allowance_ask(&a, NOW, &g), NGX_DECLINED);
    ngx_mon_allowance_refund(&a, NOW + SEC, NOW);
    ngx_mon_allowance_sweep(&a, NOW + SEC);
    assert_int_equal(*word, GONE);

    assert_int_equal(allowance_new(&b, "5r/s", 9, 2, NOW), NGX_OK);
    assert_int_equal(allowance_left(&b, NOW), 9);
    assert_int_equal(allowance_left(&a, NOW), 9);
}


static void
allowance_broken(void **state)
{
    ngx_uint_t                  i;
    ngx_mon_allowance_t         a, b;
    ngx_mon_allowance_state_t  *s;

    static const uint64_t  bad[][2] = {
        { 0, (uint64_t) 1 << 32 },
        { SEC, 1 },
        { SEC, (uint64_t) NGX_MON_GCRA_UNIT_MAX * 2 << 32 },
        { (uint64_t) 1 << 62, (uint64_t) 1 << 32 | 1 },
        { (uint64_t) -1, (uint64_t) -1 },
    };

    ngx_memzero(&a, sizeof(a));
    a.shared = &shared;
    shared.current = 2;
    assert_int_equal(ngx_mon_allowance_take(&a, NOW, &g), NGX_DECLINED);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ngx_memzero(&shared, sizeof(shared));
        assert_int_equal(allowance_new(&a, "1r/s", 0, 1, NOW), NGX_OK);

        s = &shared.states[shared.current & 1];
        s->cost = bad[i][0];
        s->size = bad[i][1];

        assert_int_equal(ngx_mon_allowance_take(&a, NOW, &g), NGX_DECLINED);
        ngx_mon_allowance_sweep(&a, NOW);
        assert_int_equal(allowance_new(&b, "1r/s", 0, 2, NOW), NGX_OK);
        assert_int_equal(allowance_left(&a, NOW), 1);
    }
}


static void
allowance_sweeps(void **state)
{
    ngx_mon_allowance_t  a;

    assert_int_equal(allowance_new(&a, "1r/s", 0, 1, NOW), NGX_OK);
    assert_int_equal(allowance_take(&a, NOW), 1);

    /* to a clock that is behind it is full, too */

    ngx_mon_allowance_sweep(&a, NOW + 2 * SEC - 1);
    assert_int_equal(*a.word, NOW + SEC);
    ngx_mon_allowance_sweep(&a, NOW + 9 * SEC);
    assert_int_equal(*a.word, NOW + 8 * SEC);
    assert_int_equal(allowance_take(&a, NOW + 8 * SEC), 1);
    assert_int_equal(*a.word, NOW + 9 * SEC);
}


/*
 * One that is late by two configurations finds the state it knew in force
 * again, but in other ticks.  Its word is never the same, or it would be
 * changed by whoever has read it before.
 */

static void
allowance_late(void **state)
{
    uint64_t             word;
    ngx_mon_allowance_t  a, b;

    static ngx_uint_t (*quick[])(ngx_mon_allowance_t *a, uint64_t now) = {
        ngx_mon_allowance_quick, ngx_mon_allowance_sure
    };

    assert_int_equal(allowance_new(&a, "7r/s", 9, 1, NOW), NGX_OK);
    assert_int_equal(allowance_left(&a, NOW), 10);
    word = *a.word;
    assert_int_not_equal(word, 0);

    assert_int_equal(allowance_new(&b, "10r/s", 9, 2, NOW), NGX_OK);
    assert_int_equal(allowance_new(&b, "11r/s", 9, 3, NOW), NGX_OK);
    assert_int_equal(allowance_left(&b, NOW), 10);
    assert_ptr_equal(a.word, b.word);
    assert_int_not_equal(word, *b.word);
    assert_int_not_equal(0, *b.word);

    assert_int_equal(quick[0](&a, NOW), 0);
    assert_int_equal(quick[1](&a, NOW), 0);
    assert_int_equal(a.rate.unit, 7);

    while (allowance_take(&b, NOW)) { /* void */ }

    assert_int_equal(allowance_take(&a, NOW), 0);
    assert_int_equal(a.rate.unit, 11);

    ngx_mon_allowance_refund(&a, NOW + SEC, NOW);
    assert_int_equal(allowance_left(&b, NOW), 1);

    /* what is idle when the rate changes is not 0 either */

    assert_int_equal(allowance_new(&b, "13r/s", 9, 4, NOW + 9 * SEC), NGX_OK);
    assert_int_equal(allowance_left(&b, NOW + 8 * SEC), 10);
    assert_int_equal(*b.word, (NOW + 8 * SEC) * 13);
}


/* threads take while configurations come, each with a rate of its own */

static uint64_t  clock_now, version;


static void *
allowance_thread(void *data)
{
    uint64_t             i, now, *admitted;
    ngx_mon_gcra_t       r;
    ngx_mon_allowance_t  a;

    admitted = data;

    ngx_memzero(&a, sizeof(a));
    a.shared = &shared;

    for (i = 0; i < CALLS; i++) {
        now = __atomic_add_fetch(&clock_now, 1000, __ATOMIC_RELAXED);

        if (ngx_mon_allowance_take(&a, now, &r) == NGX_OK) {
            *admitted += r.allowed;
        }
    }

    __atomic_add_fetch(&version, 1 << 20, __ATOMIC_RELAXED);

    return NULL;
}


static void
allowance_threads(void **state)
{
    uint64_t             i, sum, admitted[THREADS];
    pthread_t            tid[THREADS];
    ngx_mon_allowance_t  a;

    static const char  *rates[] = { "70000r/s", "70001r/s", "4200013r/m" };

    version = 1;
    clock_now = NOW;
    ngx_memzero(admitted, sizeof(admitted));

    assert_int_equal(allowance_new(&a, rates[0], 99, 1, NOW), NGX_OK);

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&tid[i], NULL, allowance_thread,
                                        &admitted[i]),
                         0);
    }

    for (i = 2; __atomic_load_n(&version, __ATOMIC_RELAXED) < THREADS << 20;
         i++)
    {
        assert_int_equal(allowance_new(&a, rates[i % 3], 99, i,
                             __atomic_load_n(&clock_now, __ATOMIC_RELAXED)),
                         NGX_OK);
        usleep(100);
    }

    for (sum = 0, i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(tid[i], NULL), 0);
        sum += admitted[i];
    }

    while (allowance_take(&a, clock_now)) {
        sum++;
    }

    /* 0.2 s; a state rounded up in each change costs a tick at most */

    assert_in_range(sum, 14099, 14101);
}


/* the quick ones do as the others, or nothing */

static void
allowance_quick(void **state)
{
    uint64_t             seed, now;
    ngx_uint_t           i, n, quick, sure;
    ngx_mon_allowance_t  a;

    seed = 7;
    now = 0;
    n = 0;

    for (i = 0; i < 200000; i++) {

        if (i % 50 == 0) {
            ngx_memzero(&shared, sizeof(shared));
            now = (i % 100) ? (uint64_t) -1 / 7 - SEC : NOW;

            assert_int_equal(allowance_new(&a, "7r/s", 3, 1, now), NGX_OK);
            assert_int_equal(ngx_mon_allowance_quick(&a, now), 0);
            assert_int_equal(ngx_mon_allowance_sure(&a, now), 0);
        }

        now += unit_random(&seed) % (SEC / 4);

        sure = ngx_mon_allowance_sure(&a, now);
        assert_int_equal(ngx_mon_allowance_ask(&a, now, &g), NGX_OK);
        assert_true(!sure || g.allowed);

        quick = ngx_mon_allowance_quick(&a, now);
        assert_true(!quick || g.allowed);

        if (quick) {
            assert_int_equal(*a.word, g.next);
            n++;

        } else if (i % 50) {
            assert_int_equal(g.allowed, 0);
            assert_int_equal(sure, 0);
        }

        if (i % 7 == 0) {
            ngx_mon_allowance_sweep(&a, now);
        }
    }

    assert_in_range(n, 100000, 200000);

    *a.word = GONE;
    assert_int_equal(ngx_mon_allowance_quick(&a, now), 0);
    assert_int_equal(ngx_mon_allowance_sure(&a, now), 0);
}


#define allowance_test(f)  cmocka_unit_test_setup(f, allowance_setup)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        allowance_test(allowance_takes),
        allowance_test(allowance_changes),
        allowance_test(allowance_stays),
        allowance_test(allowance_killed),
        allowance_test(allowance_broken),
        allowance_test(allowance_sweeps),
        allowance_test(allowance_late),
        allowance_test(allowance_threads),
        allowance_test(allowance_quick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
