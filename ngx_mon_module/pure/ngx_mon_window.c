
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_window.h"


#define NGX_MON_WINDOW_CALLS   (((uint64_t) 1 << 48) - 1)
#define NGX_MON_WINDOW_FAULTS  (((uint64_t) 1 << 24) - 1)
#define NGX_MON_WINDOW_WIDTH   (((uint64_t) 1 << 24) - 1)


_Static_assert(sizeof(ngx_mon_window_shared_t)
               == NGX_MON_WINDOW_WORDS * sizeof(uint64_t), "window");


void
ngx_mon_window_init(ngx_mon_window_t *w, ngx_mon_window_shared_t *shared,
    uint64_t ms, uint64_t version)
{
    uint64_t  conf;

    w->shared = shared;
    w->width = (ms + NGX_MON_WINDOW_BUCKETS - 1) / NGX_MON_WINDOW_BUCKETS;
    w->bucket = shared->buckets;
    w->tag = 0;

    /* no time is within: the first call turns */
    w->begin = (uint64_t) -1 - w->width;

    conf = __atomic_load_n(&shared->conf, __ATOMIC_ACQUIRE);

    do {
        if (conf >> 24 > version) {
            return;
        }

        /* before any process of this configuration counts */

        if ((conf & NGX_MON_WINDOW_WIDTH) != w->width) {
            ngx_mon_window_clear(shared, &shared->conf, conf);
        }

    } while (!__atomic_compare_exchange_n(&shared->conf, &conf,
                                          version << 24 | w->width, 0,
                                          __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
}


/* how many rounds the tag of a word is ahead of another, -32768 to 32767 */

static ngx_inline ngx_int_t
ngx_mon_window_ahead(uint64_t word, uint64_t tag)
{
    return (int16_t) ((word >> 48) - (tag >> 48));
}


static ngx_inline ngx_uint_t
ngx_mon_window_past(uint64_t word, uint64_t tag)
{
    ngx_int_t  n;

    n = ngx_mon_window_ahead(word, tag);

    return n < 0 || n > NGX_MON_WINDOW_AHEAD;
}


static ngx_inline void
ngx_mon_window_seek(ngx_mon_window_t *w, uint64_t now)
{
    uint64_t  slot;

    slot = now / w->width;

    w->begin = slot * w->width;
    w->bucket = &w->shared->buckets[slot % NGX_MON_WINDOW_BUCKETS];
    w->tag = slot / NGX_MON_WINDOW_BUCKETS << 48;
}


/* whether another configuration counts here */

static ngx_inline ngx_uint_t
ngx_mon_window_foreign(const ngx_mon_window_t *w)
{
    return (__atomic_load_n(&w->shared->conf, __ATOMIC_RELAXED)
            & NGX_MON_WINDOW_WIDTH)
           != w->width;
}


ngx_uint_t
ngx_mon_window_turn(ngx_mon_window_t *w, uint64_t now)
{
    uint64_t    word, next;
    ngx_uint_t  turned;

    turned = now - w->begin >= w->width;

    if (turned) {
        ngx_mon_window_seek(w, now);
    }

    if (ngx_mon_window_foreign(w)) {
        return 0;
    }

    word = __atomic_load_n(&w->bucket->calls, __ATOMIC_RELAXED);

    do {
        if (ngx_mon_window_past(word, w->tag)) {
            next = w->tag | 1;

        } else {
            next = word + ((word & NGX_MON_WINDOW_CALLS)
                           != NGX_MON_WINDOW_CALLS);
        }

    } while (!__atomic_compare_exchange_n(&w->bucket->calls, &word, next, 1,
                                          __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));

    return turned;
}


void
ngx_mon_window_fault(ngx_mon_window_t *w, uint64_t now, ngx_uint_t failed,
    ngx_uint_t slow)
{
    uint64_t  word, next;

    if (now - w->begin >= w->width) {
        ngx_mon_window_seek(w, now);
    }

    if (ngx_mon_window_foreign(w)) {
        return;
    }

    word = __atomic_load_n(&w->bucket->faults, __ATOMIC_RELAXED);

    do {
        next = ngx_mon_window_past(word, w->tag) ? w->tag : word;

        if (failed && (next >> 24 & NGX_MON_WINDOW_FAULTS)
                      != NGX_MON_WINDOW_FAULTS)
        {
            next += (uint64_t) 1 << 24;
        }

        if (slow && (next & NGX_MON_WINDOW_FAULTS) != NGX_MON_WINDOW_FAULTS) {
            next++;
        }

    } while (!__atomic_compare_exchange_n(&w->bucket->faults, &word, next, 1,
                                          __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
}


/* a bucket after that of now was last used one round before, or is newer */

static ngx_uint_t
ngx_mon_window_within(uint64_t word, uint64_t tag, ngx_uint_t after)
{
    ngx_int_t  n;

    n = ngx_mon_window_ahead(word, tag);

    return n >= (after ? -1 : 0) && n <= NGX_MON_WINDOW_AHEAD;
}


void
ngx_mon_window_sum(const ngx_mon_window_t *w, uint64_t now,
    ngx_mon_window_sum_t *sum)
{
    uint64_t                        slot, tag, word;
    ngx_uint_t                      i, last;
    const ngx_mon_window_bucket_t  *b;

    slot = now / w->width;
    last = slot % NGX_MON_WINDOW_BUCKETS;
    tag = slot / NGX_MON_WINDOW_BUCKETS << 48;

    ngx_memzero(sum, sizeof(ngx_mon_window_sum_t));

    for (i = 0; i < NGX_MON_WINDOW_BUCKETS; i++) {
        b = &w->shared->buckets[i];

        word = __atomic_load_n(&b->faults, __ATOMIC_RELAXED);

        if (ngx_mon_window_within(word, tag, i > last)) {
            sum->failed += word >> 24 & NGX_MON_WINDOW_FAULTS;
            sum->slow += word & NGX_MON_WINDOW_FAULTS;
        }

        word = __atomic_load_n(&b->calls, __ATOMIC_RELAXED);

        if (ngx_mon_window_within(word, tag, i > last)) {
            sum->calls += word & NGX_MON_WINDOW_CALLS;
        }
    }

    sum->failed = ngx_min(sum->failed, sum->calls);
    sum->slow = ngx_min(sum->slow, sum->calls);
}


void
ngx_mon_window_reset(ngx_mon_window_t *w)
{
    ngx_uint_t                i;
    ngx_mon_window_bucket_t  *b;

    for (i = 0; i < NGX_MON_WINDOW_BUCKETS; i++) {
        b = &w->shared->buckets[i];

        __atomic_store_n(&b->faults, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&b->calls, 0, __ATOMIC_RELAXED);
    }
}


void
ngx_mon_window_clear(ngx_mon_window_shared_t *shared,
    const uint64_t *word, uint64_t value)
{
    uint64_t    old, *count;
    ngx_uint_t  i;

    count = (uint64_t *) shared->buckets;

    for (i = 0; i < 2 * NGX_MON_WINDOW_BUCKETS; i++, count++) {

        old = __atomic_load_n(count, __ATOMIC_ACQUIRE);

        do {
            __atomic_thread_fence(__ATOMIC_ACQUIRE);

            if (__atomic_load_n(word, __ATOMIC_RELAXED) != value) {
                return;
            }

        } while (old && !__atomic_compare_exchange_n(count, &old, 0, 0,
                                                     __ATOMIC_ACQ_REL,
                                                     __ATOMIC_ACQUIRE));
    }
}
