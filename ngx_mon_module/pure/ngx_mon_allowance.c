
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_allowance.h"


#define NGX_MON_ALLOWANCE_GONE   ((uint64_t) -1)

/* so often a rate may change while it is read */
#define NGX_MON_ALLOWANCE_TRIES  4


static ngx_uint_t ngx_mon_allowance_same(ngx_mon_allowance_state_t *s,
    const ngx_mon_rate_t *rate);
static void ngx_mon_allowance_switch(ngx_mon_allowance_shared_t *shared,
    const ngx_mon_rate_t *rate, uint64_t current, uint64_t version,
    uint64_t now);
static uint64_t ngx_mon_allowance_convert(uint64_t word, uint32_t from,
    uint32_t to, uint64_t now);
static uint64_t ngx_mon_allowance_full(uint32_t unit, uint64_t now);
static ngx_int_t ngx_mon_allowance_rate(ngx_mon_allowance_t *a,
    uint64_t current);
static ngx_int_t ngx_mon_allowance_read(ngx_mon_allowance_t *a, uint64_t *tat);


#define ngx_mon_allowance_unit(s)  ((uint32_t) ((s)->size >> 32))


ngx_int_t
ngx_mon_allowance_init(ngx_mon_allowance_t *a,
    ngx_mon_allowance_shared_t *shared, const ngx_mon_rate_t *rate,
    uint64_t version, uint64_t now, uint64_t pid)
{
    uint64_t  current, next, nobody;

    current = __atomic_load_n(&shared->current, __ATOMIC_ACQUIRE);

    while (current >> 1 < version) {

        next = version << 1 | (current & 1);

        if (ngx_mon_allowance_same(&shared->states[current & 1], rate)) {

            /* that was the one in force if it still is */

            if (__atomic_compare_exchange_n(&shared->current, &current, next,
                                            0, __ATOMIC_ACQ_REL,
                                            __ATOMIC_ACQUIRE))
            {
                break;
            }

            continue;
        }

        nobody = 0;

        if (!__atomic_compare_exchange_n(&shared->claim, &nobody, pid, 0,
                                         __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        {
            return NGX_AGAIN;
        }

        current = __atomic_load_n(&shared->current, __ATOMIC_ACQUIRE);

        if (current >> 1 < version) {
            ngx_mon_allowance_switch(shared, rate, current, version, now);
        }

        __atomic_store_n(&shared->claim, 0, __ATOMIC_RELEASE);

        break;
    }

    a->shared = shared;
    a->current = 0;
    a->word = &shared->states[0].word;

    return NGX_OK;
}


static ngx_uint_t
ngx_mon_allowance_same(ngx_mon_allowance_state_t *s,
    const ngx_mon_rate_t *rate)
{
    return s->cost == rate->cost
           && s->size == ((uint64_t) rate->unit << 32 | rate->burst);
}


/*
 * The state is there before the word of the one in force is gone, and once
 * more behind: so it is not lost whenever the process is killed.
 */

static void
ngx_mon_allowance_switch(ngx_mon_allowance_shared_t *shared,
    const ngx_mon_rate_t *rate, uint64_t current, uint64_t version,
    uint64_t now)
{
    uint32_t                    unit;
    uint64_t                    word;
    ngx_mon_allowance_state_t  *old, *new;

    old = &shared->states[current & 1];
    new = &shared->states[!(current & 1)];

    unit = ngx_mon_allowance_unit(old);
    word = __atomic_load_n(&old->word, __ATOMIC_ACQUIRE);

    if (word == NGX_MON_ALLOWANCE_GONE) {

        /* a process was killed here */

        unit = ngx_mon_allowance_unit(new);
        word = new->word;
    }

    word = ngx_mon_allowance_convert(word, unit, rate->unit, now);

    /* who sees any of it, and was late, also sees that it was not in force */

    __atomic_thread_fence(__ATOMIC_RELEASE);

    __atomic_store_n(&new->cost, rate->cost, __ATOMIC_RELAXED);
    __atomic_store_n(&new->size, (uint64_t) rate->unit << 32 | rate->burst,
                     __ATOMIC_RELAXED);
    __atomic_store_n(&new->word, word, __ATOMIC_RELEASE);

    word = __atomic_exchange_n(&old->word, NGX_MON_ALLOWANCE_GONE,
                               __ATOMIC_ACQ_REL);

    if (word != NGX_MON_ALLOWANCE_GONE) {
        word = ngx_mon_allowance_convert(word, unit, rate->unit, now);
        __atomic_store_n(&new->word, word, __ATOMIC_RELEASE);
    }

    while (!__atomic_compare_exchange_n(&shared->current, &current,
                                        version << 1 | !(current & 1), 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    {
        if (current >> 1 > version) {

            /* a newer configuration, of the rate in force, needs no claim */

            word = ngx_mon_allowance_convert(new->word, rate->unit,
                                             ngx_mon_allowance_unit(old), now);
            __atomic_store_n(&old->word, word, __ATOMIC_RELEASE);

            return;
        }
    }
}


/* a state that is none yet, or broken, has used nothing */

static uint64_t
ngx_mon_allowance_convert(uint64_t word, uint32_t from, uint32_t to,
    uint64_t now)
{
    word = (from == 0 || from > NGX_MON_GCRA_UNIT_MAX)
           ? 0 : ngx_mon_gcra_convert(word, from, to, now);

    return word ? word : ngx_mon_allowance_full(to, now);
}


/*
 * A word of the past, also to a clock that is behind.  It is never 0: a word
 * that was read must not come to be the same again in other ticks.
 */

static uint64_t
ngx_mon_allowance_full(uint32_t unit, uint64_t now)
{
    uint64_t  t;

    t = (now - NGX_MON_GCRA_LAG) * unit;

    return (t + 1 > 1) ? t : 1;
}


/* the rate of a state, which a crash may have left broken */

static ngx_int_t
ngx_mon_allowance_rate(ngx_mon_allowance_t *a, uint64_t current)
{
    uint64_t                    size;
    ngx_mon_rate_t             *rate;
    ngx_mon_allowance_state_t  *s;

    s = &a->shared->states[current & 1];
    a->word = &s->word;

    rate = &a->rate;
    rate->cost = __atomic_load_n(&s->cost, __ATOMIC_RELAXED);
    size = __atomic_load_n(&s->size, __ATOMIC_RELAXED);
    rate->unit = (uint32_t) (size >> 32);
    rate->burst = (uint32_t) size;

    if (rate->cost == 0 || rate->unit == 0
        || rate->unit > NGX_MON_GCRA_UNIT_MAX
        || (uint64_t) rate->burst + 1 > NGX_MON_GCRA_LIMIT / rate->cost)
    {
        return NGX_DECLINED;
    }

    rate->limit = ((uint64_t) rate->burst + 1) * rate->cost;

    return NGX_OK;
}


/*
 * Reads the word, and first the rate where it has changed.  What is in force
 * is looked at once more behind: versions only grow, so the word is one of
 * this rate then.
 */

static ngx_int_t
ngx_mon_allowance_read(ngx_mon_allowance_t *a, uint64_t *tat)
{
    uint64_t    current;
    ngx_int_t   rc;
    ngx_uint_t  i;

    for (i = 0; i < NGX_MON_ALLOWANCE_TRIES; i++) {
        rc = NGX_OK;
        current = __atomic_load_n(&a->shared->current, __ATOMIC_ACQUIRE);

        if (current == 0 || current != a->current) {
            a->current = 0;
            rc = ngx_mon_allowance_rate(a, current);
        }

        *tat = __atomic_load_n(a->word, __ATOMIC_ACQUIRE);

        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        if (__atomic_load_n(&a->shared->current, __ATOMIC_RELAXED) != current)
        {
            continue;
        }

        if (rc != NGX_OK) {
            return NGX_DECLINED;
        }

        a->current = current;

        if (*tat != NGX_MON_ALLOWANCE_GONE) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_inline ngx_uint_t
ngx_mon_allowance_set(ngx_mon_allowance_t *a, uint64_t tat, uint64_t next)
{
    return __atomic_compare_exchange_n(a->word, &tat, next, 0,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}


ngx_int_t
ngx_mon_allowance_take(ngx_mon_allowance_t *a, uint64_t now,
    ngx_mon_gcra_t *g)
{
    uint64_t  tat;

    do {
        if (ngx_mon_allowance_read(a, &tat) != NGX_OK) {
            return NGX_DECLINED;
        }

        ngx_mon_gcra_judge(&a->rate, tat, now, 1, g);

    } while (g->next != tat && !ngx_mon_allowance_set(a, tat, g->next));

    return NGX_OK;
}


ngx_int_t
ngx_mon_allowance_ask(ngx_mon_allowance_t *a, uint64_t now, ngx_mon_gcra_t *g)
{
    uint64_t  tat;

    if (ngx_mon_allowance_read(a, &tat) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_mon_gcra_judge(&a->rate, tat, now, 1, g);

    if (!g->allowed && g->next != tat) {

        /* too far ahead: it would be as long as nothing is taken */

        (void) ngx_mon_allowance_set(a, tat, g->next);
    }

    return NGX_OK;
}


void
ngx_mon_allowance_refund(ngx_mon_allowance_t *a, uint64_t until, uint64_t now)
{
    uint64_t  tat, left, ticks;

    left = until - now;

    if ((int64_t) left <= 0) {
        return;
    }

    do {
        if (ngx_mon_allowance_read(a, &tat) != NGX_OK) {
            return;
        }

        ticks = (left > a->rate.cost / a->rate.unit) ? a->rate.cost
                                                     : left * a->rate.unit;

    } while (!ngx_mon_allowance_set(a, tat, ngx_mon_gcra_back(tat, ticks)));
}


void
ngx_mon_allowance_sweep(ngx_mon_allowance_t *a, uint64_t now)
{
    uint64_t  tat;

    if (ngx_mon_allowance_read(a, &tat) == NGX_OK
        && ngx_mon_gcra_idle(a->rate.unit, tat, now - NGX_MON_GCRA_LAG))
    {
        (void) ngx_mon_allowance_set(a, tat,
                                   ngx_mon_allowance_full(a->rate.unit, now));
    }
}
