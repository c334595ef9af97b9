
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include <pthread.h>
#include "ngx_mon_gcra.h"


#define SEC        ((uint64_t) 1000000000)
#define NOW        (12345 * SEC + 678)

#define SEQUENCES  1000000
#define STEPS      8

#define THREADS    4
#define CALLS      100000


static ngx_mon_rate_t  rate;
static ngx_mon_gcra_t  g;
static uint64_t        word;


static ngx_int_t
gcra_parse(const char *s, uint64_t burst)
{
    ngx_str_t  str;

    str.data = (u_char *) s;
    str.len = strlen(s);

    return ngx_mon_rate_parse(&rate, &str, burst);
}


static void
gcra_rate(const char *s, uint64_t burst)
{
    assert_int_equal(gcra_parse(s, burst), NGX_OK);
    word = 0;
}


static ngx_uint_t
gcra_take(uint64_t now, uint64_t n)
{
    ngx_mon_gcra_judge(&rate, word, now, n, &g);
    word = g.next;

    return g.allowed;
}


static void
gcra_found(uint64_t remaining, uint64_t reset, uint64_t wait, uint64_t ahead)
{
    assert_int_equal(g.remaining, remaining);
    assert_int_equal(g.reset, reset);
    assert_int_equal(g.wait, wait);
    assert_int_equal(g.ahead, ahead);
}


static void
gcra_rates(void **state)
{
    static const struct {
        const char  *s;
        uint64_t     cost;
        uint32_t     unit;
    } rates[] = {
        { "1r/s", SEC, 1 },
        { "10r/s", SEC / 10, 1 },
        { "7r/s", SEC, 7 },
        { "3r/m", 20 * SEC, 1 },
        { "100r/m", SEC / 10 * 6, 1 },
        { "1000r/h", SEC / 10 * 36, 1 },
        { "1r/d", 86400 * SEC, 1 },
        { "7r/d", 86400 * SEC, 7 },
        { "5000r/d", SEC / 100 * 1728, 1 },
        { "1000000r/s", 1000, 1 },
        { "1000000000r/s", 1, 1 },
        { "4000000000r/s", 1, 4 },
        { "0016777215r/s", SEC / 5, 16777215 / 5 },
        { "16777216r/s", 1953125, 32768 },
        { "86400000r/d", 1000000, 1 },
    };

    ngx_uint_t  i;

    for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        gcra_rate(rates[i].s, 0);
        assert_int_equal(rate.cost, rates[i].cost);
        assert_int_equal(rate.unit, rates[i].unit);
        assert_int_equal(rate.burst, 0);
        assert_int_equal(rate.limit, rates[i].cost);
    }
}


static void
gcra_wrong(void **state)
{
    static const char  *wrong[] = {
        "", "1", "r/s", "1r", "1r/", "0r/s", "00r/s", "-1r/s", "+1r/s",
        " 1r/s", "1r/s ", "1r/ss", "1r/S", "1R/s", "1 r/s", "1.5r/s",
        "1r\\s", "1r/w", "1rs", "4294967296r/s", "18446744073709551617r/s",
        "99999999999999999999999r/d", "1r/s\n", "0x1r/s", "1k/s",

        /* of a unit that is too large */

        "4294967295r/s", "16777259r/s", "4294967295r/d",
    };

    ngx_str_t   s;
    ngx_uint_t  i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(gcra_parse(wrong[i], 0), NGX_ERROR);
    }

    s.data = (u_char *) "1r/s";

    for (s.len = 0; s.len < 4; s.len++) {
        assert_int_equal(ngx_mon_rate_parse(&rate, &s, 0), NGX_ERROR);
    }
}


static void
gcra_bursts(void **state)
{
    assert_int_equal(gcra_parse("1r/s", 0xffffffff), NGX_OK);
    assert_int_equal(rate.burst, 0xffffffff);
    assert_int_equal(rate.limit, SEC << 32);
    assert_int_equal(gcra_parse("1r/s", 0x100000000), NGX_ERROR);
    assert_int_equal(gcra_parse("1r/s", (uint64_t) -1), NGX_ERROR);

    assert_int_equal(gcra_parse("1r/d", 53374), NGX_OK);
    assert_true(rate.limit <= NGX_MON_GCRA_LIMIT);
    assert_true(rate.limit + rate.cost > NGX_MON_GCRA_LIMIT);
    assert_int_equal(gcra_parse("1r/d", 53375), NGX_ERROR);
}


static void
gcra_single(void **state)
{
    gcra_rate("10r/s", 0);

    assert_int_equal(gcra_take(NOW, 1), 1);
    gcra_found(0, SEC / 10, 0, 0);

    assert_int_equal(gcra_take(NOW, 1), 0);
    gcra_found(0, SEC / 10, SEC / 10, SEC / 10);

    assert_int_equal(gcra_take(NOW + SEC / 10 - 1, 1), 0);
    gcra_found(0, 1, 1, 1);

    assert_int_equal(gcra_take(NOW + SEC / 10, 1), 1);
    gcra_found(0, SEC / 10, 0, 0);
}


static void
gcra_burst(void **state)
{
    ngx_uint_t  i;

    gcra_rate("10r/s", 5);

    for (i = 0; i <= 5; i++) {
        assert_int_equal(gcra_take(NOW, 1), 1);
        gcra_found(5 - i, (i + 1) * SEC / 10, 0, i * SEC / 10);
    }

    assert_int_equal(gcra_take(NOW, 1), 0);
    gcra_found(0, 6 * SEC / 10, SEC / 10, 6 * SEC / 10);

    assert_int_equal(gcra_take(NOW + 2 * SEC / 10, 3), 0);
    gcra_found(2, 4 * SEC / 10, SEC / 10, 4 * SEC / 10);

    assert_int_equal(gcra_take(NOW + 2 * SEC / 10, 2), 1);
    assert_int_equal(gcra_take(NOW + 2 * SEC, 6), 1);
    assert_int_equal(gcra_take(NOW + 2 * SEC, 1), 0);
}


/* a seventh of a second: what is rounded up is enough, a nanosecond less is not */

static void
gcra_rounded(void **state)
{
    gcra_rate("7r/s", 0);

    assert_int_equal(gcra_take(NOW, 1), 1);
    gcra_found(0, 142857143, 0, 0);

    assert_int_equal(gcra_take(NOW, 1), 0);
    gcra_found(0, 142857143, 142857143, 142857143);

    assert_int_equal(gcra_take(NOW + 142857142, 1), 0);
    gcra_found(0, 1, 1, 1);

    assert_int_equal(gcra_take(NOW + 142857143, 1), 1);
}


/* of a second, and of many, to the request */

static void
gcra_exact(void **state)
{
    uint64_t  t, admitted;

    gcra_rate("7r/s", 3);

    for (t = 0, admitted = 0; t < 1000 * SEC; t += 1000000) {
        admitted += gcra_take(NOW + t, 1);
    }

    assert_int_equal(admitted, 4 + 6999);

    gcra_rate("1r/d", 0);

    assert_int_equal(gcra_take(NOW, 1), 1);
    assert_int_equal(gcra_take(NOW + 86400 * SEC - 1, 1), 0);
    assert_int_equal(gcra_take(NOW + 86400 * SEC, 1), 1);

    gcra_rate("1000000r/s", 0);

    for (t = 0, admitted = 0; t < SEC / 100; t += 100) {
        admitted += gcra_take(NOW + t, 1);
    }

    assert_int_equal(admitted, 10000);
}


/* 0 asks only, and of more than the burst there is never enough */

static void
gcra_costs(void **state)
{
    uint64_t  before;

    gcra_rate("10r/s", 4);

    assert_int_equal(gcra_take(NOW, 0), 1);
    gcra_found(5, 0, 0, 0);
    assert_int_equal(word, 0);

    assert_int_equal(gcra_take(NOW, 6), 0);
    gcra_found(5, 0, (uint64_t) -1, 0);
    assert_int_equal(word, 0);

    assert_int_equal(gcra_take(NOW, 0xffffffff), 0);
    gcra_found(5, 0, (uint64_t) -1, 0);

    assert_int_equal(gcra_take(NOW, 5), 1);
    gcra_found(0, SEC / 2, 0, 0);

    before = word;
    assert_int_equal(gcra_take(NOW, 0), 1);
    gcra_found(0, SEC / 2, 0, SEC / 2);
    assert_int_equal(word, before);

    gcra_rate("1r/s", 0xffffffff);
    assert_int_equal(gcra_take(NOW, 0xffffffff), 1);
    gcra_found(1, 0xffffffff * SEC, 0, 0);
}


/* what is too far ahead is set back to the limit, at once */

static void
gcra_lowered(void **state)
{
    uint64_t  lag;

    lag = NGX_MON_GCRA_LAG;

    gcra_rate("10r/s", 99);

    assert_int_equal(gcra_take(NOW, 100), 1);

    assert_int_equal(gcra_parse("10r/s", 4), NGX_OK);
    assert_int_equal(gcra_take(NOW, 1), 0);
    gcra_found(0, SEC / 2, SEC / 10, SEC / 2);
    assert_int_equal(word, NOW + SEC / 2);

    assert_int_equal(gcra_take(NOW + SEC / 10, 1), 1);
    assert_int_equal(gcra_take(NOW + SEC / 10, 1), 0);

    /* one that asks only, and one that could never pass, are no exception */

    word = NOW + SEC / 2 + lag + 1;
    assert_int_equal(gcra_take(NOW, 0), 1);
    gcra_found(0, SEC / 2, 0, SEC / 2);
    assert_int_equal(word, NOW + SEC / 2);

    word = NOW + SEC / 2 + lag + 1;
    assert_int_equal(gcra_take(NOW, 1000), 0);
    assert_int_equal(word, NOW + SEC / 2);

    word = NOW - 1 + ((uint64_t) 1 << 63);
    assert_int_equal(gcra_take(NOW, 1), 0);
    assert_int_equal(word, NOW + SEC / 2);

    /* a rate raised from one a day */

    word = NOW + 86400 * SEC;
    assert_int_equal(gcra_take(NOW, 1), 0);
    gcra_found(0, SEC / 2, SEC / 10, SEC / 2);
}


/* a clock that is behind, by as much as that, takes nothing back */

static void
gcra_behind(void **state)
{
    uint64_t  lag, before;

    lag = NGX_MON_GCRA_LAG;

    gcra_rate("10r/s", 4);
    assert_int_equal(gcra_take(NOW, 5), 1);

    before = word;
    assert_int_equal(gcra_take(NOW - lag, 1), 0);
    gcra_found(0, SEC / 2 + lag, SEC / 10 + lag, SEC / 2 + lag);
    assert_int_equal(word, before);

    assert_int_equal(gcra_take(NOW - lag, 0), 1);
    gcra_found(0, SEC / 2 + lag, 0, SEC / 2 + lag);
    assert_int_equal(word, before);
}


/* no state is 0 or gone, and none of the two is charged */

static void
gcra_reserved(void **state)
{
    gcra_rate("1r/s", 0);

    assert_int_equal(gcra_take(-SEC, 1), 1);
    assert_int_equal(word, 1);

    word = 0;
    assert_int_equal(gcra_take(-SEC - 1, 1), 1);
    assert_int_equal(word, 1);

    word = 0;
    assert_int_equal(gcra_take(-SEC - 2, 1), 1);
    assert_int_equal(word, (uint64_t) -2);

    word = ngx_mon_gcra_back(word, 1 * rate.cost);
    assert_int_equal(word, -SEC - 2);

    word = SEC;
    word = ngx_mon_gcra_back(word, 1 * rate.cost);
    assert_int_equal(word, 1);

    word = SEC - 1;
    word = ngx_mon_gcra_back(word, 1 * rate.cost);
    assert_int_equal(word, 1);
}


static void
gcra_refunds(void **state)
{
    gcra_rate("7r/s", 9);

    assert_int_equal(gcra_take(NOW, 10), 1);
    word = ngx_mon_gcra_back(word, 3 * rate.cost);
    assert_int_equal(gcra_take(NOW, 0), 1);
    assert_int_equal(g.remaining, 3);

    word = ngx_mon_gcra_back(word, 0 * rate.cost);
    word = ngx_mon_gcra_back(word, 7 * rate.cost);
    assert_int_equal(gcra_take(NOW, 0), 1);
    gcra_found(10, 0, 0, 0);

    /* of a key that was set to 0 meanwhile, and of more than there can be */

    word = 0;
    word = ngx_mon_gcra_back(word, 1 * rate.cost);
    assert_int_equal(word, 0);

    word = NOW * 7;
    word = ngx_mon_gcra_back(word, rate.limit);
    assert_int_equal(word, NOW * 7 - rate.limit);
}


static void
gcra_idles(void **state)
{
    assert_int_equal(ngx_mon_gcra_idle(1, 0, NOW), 1);
    assert_int_equal(ngx_mon_gcra_idle(1, NOW, NOW), 1);
    assert_int_equal(ngx_mon_gcra_idle(1, NOW + 1, NOW), 0);
    assert_int_equal(ngx_mon_gcra_idle(7, NOW * 7 + 1, NOW), 0);
    assert_int_equal(ngx_mon_gcra_idle(7, NOW * 7 + 7, NOW + 1), 1);
    assert_int_equal(ngx_mon_gcra_idle(1, 5, (uint64_t) -5), 0);
    assert_int_equal(ngx_mon_gcra_idle(1, (uint64_t) -5, 5), 1);

    /* as long as a sweep may take, twice, of the largest unit */

    assert_int_equal(ngx_mon_gcra_idle(NGX_MON_GCRA_UNIT_MAX,
                             NOW * NGX_MON_GCRA_UNIT_MAX,
                             NOW + 2 * (uint64_t) NGX_MON_GCRA_SWEEP * 1000000),
                     1);
}


static void
gcra_converts(void **state)
{
    assert_int_equal(ngx_mon_gcra_convert(0, 1, 7, NOW), 0);
    assert_int_equal(ngx_mon_gcra_convert(NOW, 1, 7, NOW), 0);
    assert_int_equal(ngx_mon_gcra_convert(NOW + 5, 1, 7, NOW), NOW * 7 + 35);
    assert_int_equal(ngx_mon_gcra_convert(NOW * 7 + 35, 7, 1, NOW), NOW + 5);
    assert_int_equal(ngx_mon_gcra_convert(NOW * 7 + 36, 7, 1, NOW), NOW + 6);
    assert_int_equal(ngx_mon_gcra_convert(NOW * 7 + 1, 7, 7, NOW),
                     NOW * 7 + 1);

    /* as much as there can be, in ticks of the smallest and largest unit */

    assert_int_equal(ngx_mon_gcra_convert(NOW + NGX_MON_GCRA_LIMIT, 1,
                                          NGX_MON_GCRA_UNIT_MAX, NOW),
                     NOW * NGX_MON_GCRA_UNIT_MAX + NGX_MON_GCRA_LIMIT);

    assert_int_equal(ngx_mon_gcra_convert(NOW - 1 + ((uint64_t) 1 << 63), 1,
                                          1, NOW),
                     NOW + NGX_MON_GCRA_LIMIT);

    assert_int_equal(ngx_mon_gcra_convert((uint64_t) -2, 1, 1, 0), 0);
    assert_int_equal(ngx_mon_gcra_convert(1, 1, 2, (uint64_t) -1), 2);
    assert_int_equal(ngx_mon_gcra_convert(-SEC, 1, 1, -2 * SEC), -SEC);
}


/*
 * The model: a leaky bucket.  Its level, in requests, leaks n / period a
 * nanosecond; a request is let in where it still holds it.  It is exact since
 * level is counted in fractions of 1 / period.  Neither is anything reduced,
 * nor is there an arrival time, nor anything modulo.
 */

typedef struct {
    unsigned __int128  level;
    uint64_t           n, period, burst;
    uint64_t           last;
} model_t;


static const uint64_t  periods[] = {
    SEC, 60 * SEC, 3600 * SEC, 86400 * SEC
};


static unsigned __int128
model_up(unsigned __int128 a, unsigned __int128 b)
{
    return (a + b - 1) / b;
}


static unsigned __int128
model_size(model_t *m)
{
    return (unsigned __int128) (m->burst + 1) * m->period;
}


static void
model_leak(model_t *m, uint64_t now)
{
    unsigned __int128  leaked;

    leaked = (unsigned __int128) (now - m->last) * m->n;
    m->level = (m->level > leaked) ? m->level - leaked : 0;

    if (m->level > model_size(m)
                   + (unsigned __int128) NGX_MON_GCRA_LAG * m->n)
    {
        m->level = model_size(m);
    }

    m->last = now;
}


static void
model_take(model_t *m, uint64_t n, ngx_mon_gcra_t *e)
{
    unsigned __int128  level;

    e->ahead = model_up(m->level, m->n);

    level = m->level + (unsigned __int128) n * m->period;
    e->allowed = (n == 0 || level <= model_size(m));

    if (e->allowed) {
        m->level = level;
        e->wait = 0;

    } else if (n > m->burst + 1) {
        e->wait = (uint64_t) -1;

    } else {
        e->wait = model_up(level - model_size(m), m->n);
    }

    e->remaining = (m->level < model_size(m))
                   ? (model_size(m) - m->level) / m->period : 0;
    e->reset = model_up(m->level, m->n);
}


/* a rate that there may be; of all sizes */

static void
model_rate(model_t *m, uint64_t *seed)
{
    char        s[32];
    uint64_t    r;
    ngx_uint_t  i;

    do {
        r = unit_random(seed);
        i = r % 4;

        m->period = periods[i];
        m->n = (r >> 2 & 0xffffffff) >> (r >> 34) % 32;
        m->burst = (unit_random(seed) & 0xffffffff) >> (r >> 40) % 33;

        sprintf(s, "%llur/%c", (unsigned long long) m->n, "smhd"[i]);

    } while (gcra_parse(s, m->burst) != NGX_OK);
}


/* times between requests, most of them about those of the rate */

static uint64_t
model_pause(model_t *m, uint64_t *seed)
{
    uint64_t  r, t;

    r = unit_random(seed);
    t = m->period / m->n;

    switch (r % 8) {

    case 0:
    case 1:
        return 0;

    case 2:
        return 1;

    case 3:
        return t;

    case 4:
        return t + 1;

    case 5:
        return (r >> 3) % (t * 2 + 1);

    case 6:
        return (r >> 3) % (ngx_min(t * m->burst, SEC << 20) + 1);

    default:
        return (r >> 3) % (ngx_min(t * 10, SEC * 3600) + 1);
    }
}


static uint64_t
model_cost(model_t *m, uint64_t *seed)
{
    uint64_t  r;

    r = unit_random(seed);

    switch (r % 8) {

    case 0:
        return 0;

    case 1:
        return ngx_min(m->burst + 1, 0xffffffff);

    case 2:
        return (r >> 3) % (ngx_min(m->burst, 0xfffffffd) + 3);

    default:
        return 1 + (r >> 3) % 3 / 2;
    }
}


/* what the word has to be; but for the states that are none */

static void
model_word(model_t *m, uint64_t now)
{
    uint64_t  next, gcd;

    gcd = m->n / rate.unit;
    next = now * rate.unit + (uint64_t) (m->level / gcd);

    if (m->level == 0) {
        assert_true(ngx_mon_gcra_idle(rate.unit, word, now));
        return;
    }

    if (next + 1 <= 1) {
        m->level += (unsigned __int128) (1 - next) * gcd;
        next = 1;
    }

    assert_int_equal(word, next);
}


/* what happens to keys: sweeps, refunds, other bursts, other rates */

static void
model_event(model_t *m, uint64_t now, uint64_t *seed)
{
    model_t             old;
    uint64_t            n, used;
    uint32_t            unit;
    unsigned __int128   ticks;

    switch (unit_random(seed) % 16) {

    case 0:
        if (ngx_mon_gcra_idle(rate.unit, word, now)) {
            word = 0;
        }

        return;

    case 1:
        n = unit_random(seed) % 4;
        used = ngx_min(n, m->burst + 1);

        if (m->level >= (unsigned __int128) used * m->period) {
            word = ngx_mon_gcra_back(word, used * rate.cost);
            m->level -= (unsigned __int128) used * m->period;
        }

        return;

    case 2:
        m->burst /= 2;
        rate.burst = m->burst;
        rate.limit = (m->burst + 1) * rate.cost;
        return;

    case 3:
        old = *m;
        unit = rate.unit;

        model_rate(m, seed);
        word = ngx_mon_gcra_convert(word, unit, rate.unit, now);

        /* level / n is the time it takes to be empty */

        ticks = model_up(old.level * rate.unit, old.n);
        ticks = ngx_min(ticks, NGX_MON_GCRA_LIMIT);
        m->level = ticks * (m->n / rate.unit);
        return;
    }
}


static void
model_sequence(uint64_t *seed)
{
    model_t         m;
    uint64_t        now, n;
    ngx_uint_t      i;
    ngx_mon_gcra_t  e;

    model_rate(&m, seed);

    word = 0;
    m.level = 0;

    /* half of them so that the time wraps soon */

    now = unit_random(seed) >> 4;

    if (unit_random(seed) % 2) {
        now = (uint64_t) (((unsigned __int128) 1 << 64) / rate.unit)
              - unit_random(seed) % (rate.cost / rate.unit * 3 + 3);
    }

    m.last = now;

    for (i = 0; i < STEPS; i++) {
        now += model_pause(&m, seed);
        n = model_cost(&m, seed);

        model_leak(&m, now);

        ngx_mon_gcra_judge(&rate, word, now, n, &g);
        model_take(&m, n, &e);

        if (n) {
            assert_int_equal(ngx_mon_gcra_next(&rate, word, now, n),
                             g.allowed ? g.next : 0);
        }

        assert_memory_equal(&g.remaining, &e.remaining,
                            sizeof(g) - offsetof(ngx_mon_gcra_t, remaining));
        assert_int_equal(gcra_take(now, n), e.allowed);
        gcra_found(e.remaining, e.reset, e.wait, e.ahead);

        model_word(&m, now);
        model_event(&m, now, seed);
    }
}


static void
gcra_model(void **state)
{
    uint64_t    seed;
    ngx_uint_t  i;

    seed = 42;

    for (i = 0; i < SEQUENCES; i++) {
        model_sequence(&seed);
    }
}


/* all threads with a clock of their own, that may be behind others */

static uint64_t  clock_now;


static ngx_uint_t
gcra_put(uint64_t *tat, uint64_t next)
{
    return __atomic_compare_exchange_n(&word, tat, next, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}


static void *
gcra_thread(void *data)
{
    uint64_t        i, tat, now, *admitted;
    ngx_mon_gcra_t  r;

    admitted = data;

    for (i = 0; i < CALLS; i++) {
        now = __atomic_add_fetch(&clock_now, 1000, __ATOMIC_RELAXED);

        tat = __atomic_load_n(&word, __ATOMIC_ACQUIRE);

        do {
            ngx_mon_gcra_judge(&rate, tat, now, 1, &r);
        } while (!gcra_put(&tat, r.next));

        *admitted += r.allowed;

        if (r.allowed && i % 3 == 0) {
            while (!gcra_put(&tat, ngx_mon_gcra_back(tat, 1 * rate.cost))) {
                /* void */
            }

            *admitted -= 1;
        }
    }

    return NULL;
}


static uint64_t
gcra_run(void)
{
    uint64_t    sum, admitted[THREADS];
    pthread_t   tid[THREADS];
    ngx_uint_t  i;

    ngx_memzero(admitted, sizeof(admitted));

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&tid[i], NULL, gcra_thread,
                                        &admitted[i]),
                         0);
    }

    for (sum = 0, i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(tid[i], NULL), 0);
        sum += admitted[i];
    }

    return sum;
}


/* many at once: what was admitted is burst + 1 and rate * time, exactly */

static void
gcra_threads(void **state)
{
    uint64_t  sum, time;

    gcra_rate("70001r/s", 999);

    clock_now = NOW;
    sum = gcra_run();
    time = (uint64_t) THREADS * CALLS * 1000;
    assert_int_equal(clock_now, NOW + time);

    while (gcra_take(clock_now, 1)) {
        sum++;
    }

    assert_int_equal(sum, 1000 + time * 70001 / SEC);
    assert_int_equal((word - (NOW + 1000) * rate.unit) / rate.cost, sum);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(gcra_rates),
        cmocka_unit_test(gcra_wrong),
        cmocka_unit_test(gcra_bursts),
        cmocka_unit_test(gcra_single),
        cmocka_unit_test(gcra_burst),
        cmocka_unit_test(gcra_rounded),
        cmocka_unit_test(gcra_exact),
        cmocka_unit_test(gcra_costs),
        cmocka_unit_test(gcra_lowered),
        cmocka_unit_test(gcra_behind),
        cmocka_unit_test(gcra_reserved),
        cmocka_unit_test(gcra_refunds),
        cmocka_unit_test(gcra_idles),
        cmocka_unit_test(gcra_converts),
        cmocka_unit_test(gcra_model),
        cmocka_unit_test(gcra_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
