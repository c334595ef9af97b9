
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_gradient_step.h"


/*
 *   - turn:   when the window ends, microseconds; 0: none has begun;
 *   - logs:   samples 24 | sum of the logarithms of their latency 40;
 *   - load:   samples that found the limit reached 24 | sum of in_flight 40;
 *   - limit:  with 10 bits of fraction; 0: the initial one;
 *   - base:   the logarithm of the latency without queueing, 1 or more;
 *   - rtt:    gradient 32 | logarithm of the latency of the last window 32;
 *   - phase:  phase 6 | solo 1 | doubt 1 | windows in a row that shrank the
 *             limit 4, or grew it 4 | in_flight before the probe 16 | the limit
 *             to come back to 32;
 *   - due:    when the next probe is, microseconds.
 */

#define NGX_MON_GRADIENT_SAMPLES  (((uint64_t) 1 << 24) - 1)
#define NGX_MON_GRADIENT_SUM      (((uint64_t) 1 << 40) - 1)
#define NGX_MON_GRADIENT_PHASE    0x3f


static ngx_inline uint64_t
ngx_mon_gradient_load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}


static ngx_inline void
ngx_mon_gradient_store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}


/* within the configuration, with the bits of fraction */

static uint64_t
ngx_mon_gradient_clamp(const ngx_mon_gradient_conf_t *conf, uint64_t limit)
{
    if (limit == 0) {
        limit = (uint64_t) NGX_MON_GRADIENT_INITIAL << NGX_MON_GRADIENT_BITS;
    }

    limit = ngx_min(limit, (uint64_t) conf->max << NGX_MON_GRADIENT_BITS);

    return ngx_max(limit, (uint64_t) conf->min << NGX_MON_GRADIENT_BITS);
}


void
ngx_mon_gradient_init(ngx_mon_gradient_t *g)
{
    ngx_mon_gradient_store(&g->turn, 0);
    ngx_mon_gradient_store(&g->logs, 0);
    ngx_mon_gradient_store(&g->load, 0);
    ngx_mon_gradient_store(&g->limit, 0);
    ngx_mon_gradient_store(&g->base, 0);
    ngx_mon_gradient_store(&g->rtt, 0);
    ngx_mon_gradient_store(&g->phase, 0);
    ngx_mon_gradient_store(&g->due, 0);
}


ngx_uint_t
ngx_mon_gradient_limit(const ngx_mon_gradient_t *g,
    const ngx_mon_gradient_conf_t *conf)
{
    return ngx_mon_gradient_clamp(conf, ngx_mon_gradient_load(&g->limit))
           >> NGX_MON_GRADIENT_BITS;
}


void
ngx_mon_gradient_facts(const ngx_mon_gradient_t *g,
    const ngx_mon_gradient_conf_t *conf, ngx_mon_gradient_facts_t *f)
{
    uint64_t  base, rtt, phase;

    base = ngx_mon_gradient_load(&g->base);
    rtt = ngx_mon_gradient_load(&g->rtt);
    phase = ngx_mon_gradient_load(&g->phase) & NGX_MON_GRADIENT_PHASE;

    f->limit = ngx_mon_gradient_limit(g, conf);
    f->base = base ? ngx_mon_gradient_exp(1, base & 0xffff) : 0;
    f->rtt = base ? ngx_mon_gradient_exp(1, rtt & 0xffff) : 0;
    f->gradient = base ? rtt >> 32 : NGX_MON_GRADIENT_PPM;
    f->probing = phase == NGX_MON_GRADIENT_DRAIN
                 || phase == NGX_MON_GRADIENT_MEASURE;
}


static void
ngx_mon_gradient_unpack(const ngx_mon_gradient_t *g,
    const ngx_mon_gradient_conf_t *conf, ngx_mon_gradient_state_t *s)
{
    uint64_t  word;

    s->limit = ngx_mon_gradient_clamp(conf, ngx_mon_gradient_load(&g->limit));
    s->base = ngx_mon_gradient_load(&g->base) & 0xffff;

    word = ngx_mon_gradient_load(&g->rtt);

    s->rtt = word & 0xffff;
    s->gradient = word >> 32;

    word = ngx_mon_gradient_load(&g->phase);

    s->phase = word & NGX_MON_GRADIENT_PHASE;
    s->phase = ngx_min(s->phase, NGX_MON_GRADIENT_MEASURE);
    s->solo = word >> 6 & 1;
    s->doubt = word >> 7 & 1;
    s->strain = word >> 8 & 0xf;
    s->ease = word >> 12 & 0xf;
    s->before = word >> 16 & 0xffff;
    s->back = word >> 32;

    s->due = ngx_mon_gradient_load(&g->due);

    if (s->due > s->now + 4 * NGX_MON_GRADIENT_REST * NGX_MON_GRADIENT_LONG) {

        /* the clock has stepped */

        s->due = s->now;
    }
}


static void
ngx_mon_gradient_pack(ngx_mon_gradient_t *g,
    const ngx_mon_gradient_conf_t *conf, const ngx_mon_gradient_state_t *s)
{
    ngx_mon_gradient_store(&g->limit, ngx_mon_gradient_clamp(conf, s->limit));
    ngx_mon_gradient_store(&g->base, s->base);
    ngx_mon_gradient_store(&g->rtt, (uint64_t) s->gradient << 32 | s->rtt);
    ngx_mon_gradient_store(&g->phase, s->back << 32 | s->before << 16
                                      | ngx_min(s->ease, 15) << 12
                                      | ngx_min(s->strain, 15) << 8
                                      | s->doubt << 7 | s->solo << 6
                                      | s->phase);
    ngx_mon_gradient_store(&g->due, s->due);
}


/* whether the window has what its end needs */

static ngx_uint_t
ngx_mon_gradient_ready(const ngx_mon_gradient_t *g, uint64_t now)
{
    uint64_t  samples;

    samples = ngx_mon_gradient_load(&g->logs) >> 40;

    switch (ngx_mon_gradient_load(&g->phase) & NGX_MON_GRADIENT_PHASE) {

    case NGX_MON_GRADIENT_DRAIN:
        return 1;

    case NGX_MON_GRADIENT_MEASURE:
        return samples >= NGX_MON_GRADIENT_PLENTY
               || now >= ngx_mon_gradient_load(&g->due);

    default:
        return samples >= NGX_MON_GRADIENT_ENOUGH;
    }
}


/* of the window that begins: when the probe is due, if that is near */

static uint64_t
ngx_mon_gradient_end(const ngx_mon_gradient_state_t *s)
{
    uint64_t  width;

    width = ngx_mon_gradient_width(s);

    if (s->phase <= NGX_MON_GRADIENT_STEADY && s->due > s->now
        && s->due < s->now + width + width / 2)
    {
        return s->due;
    }

    return s->now + width;
}


static ngx_uint_t
ngx_mon_gradient_turn(ngx_mon_gradient_t *g,
    const ngx_mon_gradient_conf_t *conf, uint64_t now)
{
    uint64_t                   logs, load;
    ngx_uint_t                 before, after;
    ngx_mon_gradient_state_t   s;
    ngx_mon_gradient_window_t  w;

    before = ngx_mon_gradient_limit(g, conf);

    /* what others add from here on is of the next window */

    logs = __atomic_exchange_n(&g->logs, 0, __ATOMIC_ACQ_REL);
    load = __atomic_exchange_n(&g->load, 0, __ATOMIC_ACQ_REL);

    s.now = now;
    ngx_mon_gradient_unpack(g, conf, &s);

    w.samples = logs >> 40;
    w.log = w.samples ? (logs & NGX_MON_GRADIENT_SUM) / w.samples : 0;
    w.in_flight = w.samples ? (load & NGX_MON_GRADIENT_SUM) / w.samples : 0;
    w.in_flight = ngx_min(ngx_max(w.in_flight, 1), NGX_MON_GRADIENT_MOST);
    w.reached = load >> 40;
    w.busy = w.reached * 16 >= w.samples;
    w.near = w.busy || (w.in_flight << (NGX_MON_GRADIENT_BITS + 1)) >= s.limit;

    ngx_mon_gradient_step(&s, &w);
    ngx_mon_gradient_pack(g, conf, &s);
    ngx_mon_gradient_store(&g->turn, ngx_mon_gradient_end(&s));

    after = ngx_mon_gradient_limit(g, conf);

    return after > before ? NGX_MON_GRADIENT_GREW
           : after < before ? NGX_MON_GRADIENT_SHRANK : NGX_MON_GRADIENT_SAME;
}


static void
ngx_mon_gradient_add(ngx_mon_gradient_t *g,
    const ngx_mon_gradient_conf_t *conf, ngx_uint_t log, ngx_uint_t in_flight)
{
    uint64_t  one, load;

    one = (uint64_t) 1 << 40;

    if (ngx_mon_gradient_load(&g->logs) >> 40 >= NGX_MON_GRADIENT_SAMPLES / 2)
    {
        return;
    }

    load = ngx_min(in_flight, NGX_MON_GRADIENT_MOST);

    if (in_flight >= ngx_mon_gradient_limit(g, conf)) {
        load |= one;
    }

    (void) __atomic_fetch_add(&g->logs, one | log, __ATOMIC_RELAXED);
    (void) __atomic_fetch_add(&g->load, load, __ATOMIC_RELAXED);
}


ngx_uint_t
ngx_mon_gradient_sample(ngx_mon_gradient_t *g,
    const ngx_mon_gradient_conf_t *conf, uint64_t now, uint64_t rtt,
    ngx_uint_t in_flight, ngx_uint_t failed)
{
    uint64_t    turn;
    ngx_uint_t  log, known;

    log = ngx_mon_gradient_log(rtt);
    known = ngx_mon_gradient_load(&g->rtt) & 0xffff;

    if (!failed || (known && log > known)) {
        ngx_mon_gradient_add(g, conf, log, in_flight);
    }

    turn = ngx_mon_gradient_load(&g->turn);

    if (now < turn && turn - now <= 2 * NGX_MON_GRADIENT_LONG) {
        return NGX_MON_GRADIENT_SAME;
    }

    if (turn == 0 || now < turn) {

        /* the first one, or the clock has stepped */

        (void) __atomic_compare_exchange_n(&g->turn, &turn,
                                           now + NGX_MON_GRADIENT_SHORT, 0,
                                           __ATOMIC_ACQ_REL,
                                           __ATOMIC_RELAXED);
        return NGX_MON_GRADIENT_SAME;
    }

    if (!ngx_mon_gradient_ready(g, now)
        || !__atomic_compare_exchange_n(&g->turn, &turn,
                                        now + NGX_MON_GRADIENT_SHORT, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
    {
        return NGX_MON_GRADIENT_SAME;
    }

    return ngx_mon_gradient_turn(g, conf, now);
}
