
/*
 * Copyright (C) The ngx_mon authors
 */


#include "fuzz.h"
#include "ngx_mon_gcra.h"


#define GONE  ((uint64_t) -1)


static void
check_rate(const ngx_mon_rate_t *rate, const ngx_str_t *s, uint64_t burst)
{
    u_char             c;
    size_t             i;
    unsigned __int128  n, period;

    for (n = 0, i = 0; i < s->len - 3; i++) {
        n = n * 10 + (s->data[i] - '0');
        check(n <= 0xffffffff);
    }

    check(n > 0);

    c = s->data[s->len - 1];
    period = (c == 's') ? 1 : (c == 'm') ? 60 : (c == 'h') ? 3600 : 86400;
    period *= 1000000000;

    check(rate->unit && rate->unit <= NGX_MON_GCRA_UNIT_MAX);
    check(rate->cost * n == period * rate->unit);

    check(rate->burst == burst);
    check(rate->limit <= NGX_MON_GCRA_LIMIT);
    check(rate->limit == (burst + 1) * (unsigned __int128) rate->cost);
}


/* whoever comes again when he was told to is let in, and not before */

static void
check_wait(const ngx_mon_rate_t *rate, uint64_t now, uint64_t n,
    const ngx_mon_gcra_t *g)
{
    ngx_mon_gcra_t  again;

    ngx_mon_gcra_judge(rate, g->next, now + g->wait, n, &again);
    check(again.allowed);

    ngx_mon_gcra_judge(rate, g->next, now + g->wait - 1, n, &again);
    check(!again.allowed);
    check(again.wait == 1);
}


/* what is said to be left is, and not one more */

static void
check_left(const ngx_mon_rate_t *rate, uint64_t now, const ngx_mon_gcra_t *g)
{
    ngx_mon_gcra_t  again;

    check(g->remaining <= (uint64_t) rate->burst + 1);

    ngx_mon_gcra_judge(rate, g->next, now, g->remaining, &again);
    check(again.allowed);
    check(!again.remaining || !g->remaining);

    ngx_mon_gcra_judge(rate, g->next, now, g->remaining + 1, &again);
    check(!again.allowed);

    check(ngx_mon_gcra_idle(rate->unit, g->next, now + g->reset));
    check(!g->reset
          || !ngx_mon_gcra_idle(rate->unit, g->next, now + g->reset - 1));
}


static void
check_back(const ngx_mon_rate_t *rate, uint64_t tat, uint64_t n,
    const ngx_mon_gcra_t *g)
{
    check(ngx_mon_gcra_back(0, n) == 0);

    if (g->allowed && n && tat + 1 > 1 && tat == g->next - n * rate->cost) {
        check(ngx_mon_gcra_back(g->next, n * rate->cost) == tat);
    }
}


static void
check_convert(uint64_t tat, uint32_t from, uint32_t to, uint64_t now)
{
    uint64_t           next;
    unsigned __int128  was, is;

    next = ngx_mon_gcra_convert(tat, from, to, now);
    check(next != GONE);

    if (ngx_mon_gcra_idle(from, tat, now)) {
        check(next == 0);
        return;
    }

    check(!ngx_mon_gcra_idle(to, next, now));

    was = (unsigned __int128) (tat - now * from) * to;
    is = (unsigned __int128) (next - now * to) * from;

    check(next - now * to == NGX_MON_GCRA_LIMIT || next == 1
          || (is >= was && is - was < from));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t        burst, tat, now, n;
    ngx_str_t       s;
    ngx_mon_rate_t  rate;
    ngx_mon_gcra_t  g;

    burst = fuzz_number(&data, &size, 5);
    n = fuzz_number(&data, &size, 4);
    now = fuzz_number(&data, &size, 8);
    tat = fuzz_number(&data, &size, 8);

    s.len = size;
    s.data = malloc(size + !size);
    check(s.data);
    memcpy(s.data, data, size);

    if (ngx_mon_rate_parse(&rate, &s, burst) == NGX_OK) {
        check_rate(&rate, &s, burst);

        /* near to now, more often than not */

        if (tat >> 63) {
            tat += now * rate.unit;
        }

        ngx_mon_gcra_judge(&rate, tat, now, n, &g);

        check(g.allowed == (g.wait == 0));
        check(g.ahead <= g.reset);
        check(n == 0 || g.allowed || g.remaining < n);

        /* 1 may stand for 0 or gone, a tick or two before */

        if (!g.allowed && g.wait != (uint64_t) -1 && g.next != 1) {
            check_wait(&rate, now, n, &g);
        }

        if (g.next != 1) {
            check_left(&rate, now, &g);
        }

        check_back(&rate, tat, n, &g);
        check_convert(tat, rate.unit, 1 + n % NGX_MON_GCRA_UNIT_MAX, now);
    }

    free(s.data);

    return 0;
}
