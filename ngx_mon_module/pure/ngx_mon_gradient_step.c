
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_gradient_step.h"


/* so that a window's sum stays within its bits */
#define NGX_MON_GRADIENT_RTT        UINT32_MAX

/* the width of a window: latencies */
#define NGX_MON_GRADIENT_WIDE       3

/* latency may be 1.25 times the base */
#define NGX_MON_GRADIENT_TOLERANCE  1250000

/* below it the limit is no longer raised by the half */
#define NGX_MON_GRADIENT_SLOPE      900000

/* windows that raise the limit until it is raised by twice as much */
#define NGX_MON_GRADIENT_EASE       4

/* windows that shrink the limit until a probe is believed at once */
#define NGX_MON_GRADIENT_STRAIN     4

/* a logarithm: by how much one probe may raise the base */
#define NGX_MON_GRADIENT_RISE       (NGX_MON_GRADIENT_ONE / 8)

/* what is served, by Little's law, is tried with this much of it */
#define NGX_MON_GRADIENT_DEPTH      850000


/* log2(1 + f) is f + 0.34 f (1 - f), within 0.6 % of the number */

static ngx_inline ngx_int_t
ngx_mon_gradient_bend(ngx_int_t f)
{
    return (f * (NGX_MON_GRADIENT_ONE - f) * 352) >> 20;
}


ngx_uint_t
ngx_mon_gradient_log(uint64_t n)
{
    ngx_uint_t  bits, f;

    n = ngx_min(ngx_max(n, 1), NGX_MON_GRADIENT_RTT);

    bits = 63 - __builtin_clzll(n);
    f = (n << NGX_MON_GRADIENT_BITS >> bits) & (NGX_MON_GRADIENT_ONE - 1);

    return (bits << NGX_MON_GRADIENT_BITS) + f + ngx_mon_gradient_bend(f);
}


uint64_t
ngx_mon_gradient_exp(uint64_t n, ngx_int_t log)
{
    ngx_int_t  f, bits;

    log = ngx_min(ngx_max(log, -40 * NGX_MON_GRADIENT_ONE),
                  32 * NGX_MON_GRADIENT_ONE);

    f = log & (NGX_MON_GRADIENT_ONE - 1);
    bits = (log - f) / NGX_MON_GRADIENT_ONE;

    n *= NGX_MON_GRADIENT_ONE + f - ngx_mon_gradient_bend(f);

    if (bits < NGX_MON_GRADIENT_BITS) {
        return n >> (NGX_MON_GRADIENT_BITS - bits);
    }

    return n << (bits - NGX_MON_GRADIENT_BITS);
}


static uint64_t
ngx_mon_gradient_root(uint64_t n)
{
    uint64_t  r, bit;

    r = 0;

    for (bit = (uint64_t) 1 << 20; bit; bit >>= 1) {
        if ((r + bit) * (r + bit) <= n) {
            r += bit;
        }
    }

    return r;
}


static ngx_inline uint64_t
ngx_mon_gradient_share(uint64_t n, uint64_t ppm)
{
    return n * ppm / NGX_MON_GRADIENT_PPM;
}


uint64_t
ngx_mon_gradient_width(const ngx_mon_gradient_state_t *s)
{
    uint64_t  width;

    width = ngx_mon_gradient_exp(NGX_MON_GRADIENT_WIDE, s->rtt);

    return ngx_min(ngx_max(width, NGX_MON_GRADIENT_SHORT),
                   NGX_MON_GRADIENT_LONG);
}


/*
 * Probes are when a period of the clock begins, which is a number of seconds
 * that grows with the width: several hosts in front of the same backend that
 * did it one after another would see the queue of the others.
 */

static uint64_t
ngx_mon_gradient_period(const ngx_mon_gradient_state_t *s)
{
    uint64_t  period, least;

    period = NGX_MON_GRADIENT_PERIOD;
    least = NGX_MON_GRADIENT_REST * ngx_mon_gradient_width(s);

    while (period < least) {
        period *= 2;
    }

    return period;
}


static void
ngx_mon_gradient_rest(ngx_mon_gradient_state_t *s, uint64_t period)
{
    s->due = s->now + period - s->now % period;
}


/* One that is not to wait for others, and so must not raise the base. */

static void
ngx_mon_gradient_hurry(ngx_mon_gradient_state_t *s, ngx_uint_t windows)
{
    uint64_t  due;

    due = s->now + windows * ngx_mon_gradient_width(s);
    due += NGX_MON_GRADIENT_SECOND - due % NGX_MON_GRADIENT_SECOND;

    s->due = ngx_min(s->due, due);
}


/*
 * Any window tells a lower base.  One tells a higher base only if there can't
 * be a queue of ours.
 */

static void
ngx_mon_gradient_learn(ngx_mon_gradient_state_t *s,
    const ngx_mon_gradient_window_t *w)
{
    if (s->base == 0) {
        s->base = w->log;

    } else if (w->log < s->base) {
        s->base -= (s->base - w->log + 3) / 4;

    } else if (w->reached == 0 && !w->near) {
        s->base += (w->log - s->base) / 8;
    }

    s->base = ngx_max(s->base, 1);
}


static void
ngx_mon_gradient_grow(ngx_mon_gradient_state_t *s, uint64_t limit)
{
    uint64_t  step;

    step = limit - s->limit;

    if (s->gradient == NGX_MON_GRADIENT_PPM) {
        step <<= s->ease / NGX_MON_GRADIENT_EASE;
        s->ease++;

    } else {
        s->ease = 0;
    }

    if (s->phase == NGX_MON_GRADIENT_START) {
        step = ngx_max(step, s->limit / 2);
    }

    s->limit += step;
}


static void
ngx_mon_gradient_adjust(ngx_mon_gradient_state_t *s,
    const ngx_mon_gradient_window_t *w)
{
    uint64_t  limit, ratio;

    ratio = ngx_mon_gradient_exp(NGX_MON_GRADIENT_TOLERANCE,
                                 (ngx_int_t) s->base - (ngx_int_t) w->log);

    s->gradient = ngx_min(ngx_max(ratio, NGX_MON_GRADIENT_PPM / 2),
                          NGX_MON_GRADIENT_PPM);

    if (s->gradient < NGX_MON_GRADIENT_SLOPE
        && s->phase == NGX_MON_GRADIENT_START)
    {
        s->phase = NGX_MON_GRADIENT_STEADY;
        ngx_mon_gradient_rest(s, ngx_mon_gradient_period(s));
        ngx_mon_gradient_hurry(s, NGX_MON_GRADIENT_REST / 2);
    }

    limit = ngx_mon_gradient_share(s->limit, s->gradient)
            + ngx_mon_gradient_root(s->limit << NGX_MON_GRADIENT_BITS);

    if (limit < s->limit - s->limit / 16) {
        s->strain++;

    } else if (s->strain < NGX_MON_GRADIENT_STRAIN
               || s->gradient == NGX_MON_GRADIENT_PPM)
    {
        s->strain = 0;
    }

    if (limit <= s->limit) {
        s->ease = 0;
        s->limit = w->near ? limit : s->limit;

    } else if (w->busy) {
        ngx_mon_gradient_grow(s, limit);
    }
}


/*
 * As many requests as would be in flight without the queue, and less: who
 * waits in the backend gets served, and nobody takes his place.
 */

static void
ngx_mon_gradient_probe(ngx_mon_gradient_state_t *s,
    const ngx_mon_gradient_window_t *w)
{
    uint64_t  limit, served;

    served = ngx_mon_gradient_exp(NGX_MON_GRADIENT_PPM,
                                  (ngx_int_t) s->base - (ngx_int_t) w->log);
    served = ngx_min(ngx_max(served, NGX_MON_GRADIENT_PPM / 2),
                     NGX_MON_GRADIENT_PPM);

    limit = ngx_mon_gradient_share((uint64_t) w->in_flight
                                   << NGX_MON_GRADIENT_BITS, served);
    limit = ngx_mon_gradient_share(limit, NGX_MON_GRADIENT_DEPTH);

    s->solo = s->due % NGX_MON_GRADIENT_PERIOD != 0;
    s->phase = NGX_MON_GRADIENT_DRAIN;

    /* until when it has to be measured */

    s->due = s->now + 2 * NGX_MON_GRADIENT_REST * ngx_mon_gradient_width(s);
    s->before = w->in_flight;
    s->back = s->limit;
    s->limit = ngx_max(ngx_min(limit, s->limit), NGX_MON_GRADIENT_ONE);
}


static void
ngx_mon_gradient_return(ngx_mon_gradient_state_t *s)
{
    s->phase = NGX_MON_GRADIENT_STEADY;
    s->strain = 0;
    s->limit = s->back;

    ngx_mon_gradient_rest(s, ngx_mon_gradient_period(s));
}


/*
 * How much of a base that was measured to be higher is to be believed: there
 * is no queue where latency did not follow the requests in flight, and there
 * is one, of others too, where it did.
 */

static ngx_uint_t
ngx_mon_gradient_belief(const ngx_mon_gradient_state_t *s,
    const ngx_mon_gradient_window_t *w)
{
    ngx_int_t  fewer, faster;

    fewer = (ngx_int_t) ngx_mon_gradient_log(s->before)
            - (ngx_int_t) ngx_mon_gradient_log(w->in_flight);
    faster = (ngx_int_t) s->rtt - (ngx_int_t) w->log;

    if (faster * 5 < fewer || fewer <= 0) {
        return 2;
    }

    return faster * 5 < fewer * 2 ? 1 : 0;
}


/*
 * A base that is much higher has to be measured twice, or the limit to have
 * shrunk for it: by the noise of single measurements the base would come to
 * rise under overload.
 */

static ngx_uint_t
ngx_mon_gradient_rise(ngx_mon_gradient_state_t *s,
    const ngx_mon_gradient_window_t *w)
{
    ngx_uint_t  rise;

    rise = (w->log - s->base) * ngx_mon_gradient_belief(s, w) / 2;

    if (s->solo) {
        return 0;
    }

    if (rise <= NGX_MON_GRADIENT_RISE
        || s->strain >= NGX_MON_GRADIENT_STRAIN)
    {
        s->doubt = 0;
        return rise;
    }

    s->doubt = !s->doubt;

    return s->doubt ? NGX_MON_GRADIENT_RISE : rise;
}


static void
ngx_mon_gradient_measured(ngx_mon_gradient_state_t *s,
    const ngx_mon_gradient_window_t *w)
{
    ngx_uint_t  old;

    old = s->base;

    if (w->log > old) {
        s->base += ngx_mon_gradient_rise(s, w);

    } else {
        s->doubt = 0;
        s->base -= (old - w->log)
                   / (old - w->log > NGX_MON_GRADIENT_ONE / 5 ? 1 : 2);
    }

    ngx_mon_gradient_return(s);

    if (s->base + NGX_MON_GRADIENT_ONE / 5 < old) {
        ngx_mon_gradient_hurry(s, NGX_MON_GRADIENT_REST / 2);
    }
}


void
ngx_mon_gradient_step(ngx_mon_gradient_state_t *s,
    const ngx_mon_gradient_window_t *w)
{
    switch (s->phase) {

    case NGX_MON_GRADIENT_DRAIN:
        s->phase = NGX_MON_GRADIENT_MEASURE;
        return;

    case NGX_MON_GRADIENT_MEASURE:

        if (w->samples >= NGX_MON_GRADIENT_ENOUGH) {
            ngx_mon_gradient_measured(s, w);

        } else {
            ngx_mon_gradient_return(s);
        }

        return;
    }

    if (s->rtt == 0) {

        /* of the first requests the fast ones are seen first */

        s->rtt = ngx_max(w->log, 1);
        return;
    }

    ngx_mon_gradient_learn(s, w);
    ngx_mon_gradient_adjust(s, w);

    s->rtt = ngx_max(w->log, 1);

    if (w->near && s->gradient < NGX_MON_GRADIENT_PPM
        && s->phase == NGX_MON_GRADIENT_STEADY && s->now >= s->due)
    {
        ngx_mon_gradient_probe(s, w);
    }
}
