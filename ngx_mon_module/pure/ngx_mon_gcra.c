
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_gcra.h"


static uint64_t
ngx_mon_gcra_gcd(uint64_t a, uint64_t b)
{
    uint64_t  c;

    while (b) {
        c = a % b;
        a = b;
        b = c;
    }

    return a;
}


/* in nanoseconds; 0 for what is none */

static uint64_t
ngx_mon_gcra_period(u_char c)
{
    switch (c) {

    case 's':
        return (uint64_t) 1000000000;

    case 'm':
        return (uint64_t) 60 * 1000000000;

    case 'h':
        return (uint64_t) 3600 * 1000000000;

    case 'd':
        return (uint64_t) 86400 * 1000000000;
    }

    return 0;
}


static ngx_int_t
ngx_mon_gcra_set(ngx_mon_rate_t *rate, uint64_t n, uint64_t period,
    uint64_t burst)
{
    uint64_t  gcd;

    gcd = ngx_mon_gcra_gcd(period, n);

    if (n / gcd > NGX_MON_GCRA_UNIT_MAX) {
        return NGX_ERROR;
    }

    rate->cost = period / gcd;
    rate->unit = (uint32_t) (n / gcd);

    if (burst > 0xffffffff || burst + 1 > NGX_MON_GCRA_LIMIT / rate->cost) {
        return NGX_ERROR;
    }

    rate->burst = (uint32_t) burst;
    rate->limit = (burst + 1) * rate->cost;

    return NGX_OK;
}


ngx_int_t
ngx_mon_rate_parse(ngx_mon_rate_t *rate, const ngx_str_t *s, uint64_t burst)
{
    size_t    i;
    uint64_t  n, period;

    for (n = 0, i = 0; i < s->len; i++) {

        if (s->data[i] < '0' || s->data[i] > '9') {
            break;
        }

        n = n * 10 + (s->data[i] - '0');

        if (n > 0xffffffff) {
            return NGX_ERROR;
        }
    }

    if (n == 0
        || s->len - i != 3
        || s->data[i] != 'r'
        || s->data[i + 1] != '/')
    {
        return NGX_ERROR;
    }

    period = ngx_mon_gcra_period(s->data[i + 2]);

    if (period == 0) {
        return NGX_ERROR;
    }

    return ngx_mon_gcra_set(rate, n, period, burst);
}


/* neither 0 nor (uint64_t) -1 */

static ngx_inline uint64_t
ngx_mon_gcra_state(uint64_t t)
{
    return (t + 1 > 1) ? t : 1;
}


/* ticks; 0 where the allowance is full */

static ngx_inline uint64_t
ngx_mon_gcra_ahead(uint64_t tat, uint64_t t)
{
    uint64_t  ahead;

    ahead = tat - t;

    return (tat == 0 || (int64_t) ahead <= 0) ? 0 : ahead;
}


/* rounded up; most rates need no division */

static ngx_inline uint64_t
ngx_mon_gcra_ns(uint64_t ticks, uint32_t unit)
{
    if (unit == 1 || ticks == 0) {
        return ticks;
    }

    return (ticks - 1) / unit + 1;
}


void
ngx_mon_gcra_judge(const ngx_mon_rate_t *rate, uint64_t tat, uint64_t now,
    uint64_t n, ngx_mon_gcra_t *g)
{
    uint64_t  t, ahead, used;

    t = now * rate->unit;
    ahead = ngx_mon_gcra_ahead(tat, t);

    g->next = tat;

    /* not at once: what seems too far ahead may be a clock that is behind */

    if (ahead > rate->limit + NGX_MON_GCRA_LAG * rate->unit) {
        ahead = rate->limit;
        g->next = ngx_mon_gcra_state(t + ahead);
    }

    g->allowed = 1;
    g->wait = 0;
    g->ahead = ngx_mon_gcra_ns(ahead, rate->unit);

    if (n > (uint64_t) rate->burst + 1) {
        g->allowed = 0;
        g->wait = (uint64_t) -1;

    } else if (n) {
        used = n * rate->cost;

        if (ahead + used <= rate->limit) {
            ahead += used;
            g->next = ngx_mon_gcra_state(t + ahead);

        } else {
            g->allowed = 0;
            g->wait = ngx_mon_gcra_ns(ahead + used - rate->limit, rate->unit);
        }
    }

    g->remaining = (ahead < rate->limit) ? (rate->limit - ahead) / rate->cost
                                         : 0;
    g->reset = ngx_mon_gcra_ns(ahead, rate->unit);
}


uint64_t
ngx_mon_gcra_back(uint64_t tat, uint64_t ticks)
{
    return tat ? ngx_mon_gcra_state(tat - ticks) : 0;
}


ngx_uint_t
ngx_mon_gcra_idle(uint32_t unit, uint64_t tat, uint64_t now)
{
    return ngx_mon_gcra_ahead(tat, now * unit) == 0;
}


uint64_t
ngx_mon_gcra_convert(uint64_t tat, uint32_t from, uint32_t to, uint64_t now)
{
    unsigned __int128  ahead;

    ahead = ngx_mon_gcra_ahead(tat, now * from);

    if (ahead == 0) {
        return 0;
    }

    ahead = (ahead * to + (from - 1)) / from;

    if (ahead > NGX_MON_GCRA_LIMIT) {
        ahead = NGX_MON_GCRA_LIMIT;
    }

    return ngx_mon_gcra_state(now * to + (uint64_t) ahead);
}
