
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_limit.h"


/* so often others may be faster; more than any number of workers */
#define NGX_HTTP_MON_LIMIT_TRIES  256


static ngx_mon_noinline ngx_int_t ngx_http_mon_limit_beyond(
    ngx_http_mon_limit_try_t *t, uint64_t now);
static uint64_t ngx_http_mon_limit_bound(ngx_http_mon_limit_try_t *t,
    uint64_t ahead);
static ngx_mon_noinline ngx_int_t ngx_http_mon_limit_convert(
    ngx_http_mon_limit_try_t *t, uint64_t now);
static ngx_mon_noinline ngx_int_t ngx_http_mon_limit_make(
    ngx_http_mon_limit_try_t *t, uint64_t now);


/* Whether the word just read is to be understood by this rate. */
static ngx_inline ngx_uint_t
ngx_http_mon_limit_alike(ngx_http_mon_limit_try_t *t)
{
    return __atomic_load_n(&t->key->aux, __ATOMIC_ACQUIRE) == t->rate->unit;
}


/* Whether it was the same key, with that word, all the while. */
static ngx_inline ngx_uint_t
ngx_http_mon_limit_still(ngx_http_mon_limit_try_t *t)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    return __atomic_load_n(&t->key->word, __ATOMIC_RELAXED) == t->word;
}


void
ngx_http_mon_limit_check(ngx_http_mon_limit_try_t *t, uint64_t now)
{
    ngx_uint_t  i, failed;

    failed = 0;

    for (i = 0; i < NGX_HTTP_MON_LIMIT_TRIES && failed < 4; i++) {

        t->key = ngx_mon_keys_find(&t->limit->zone->keys, t->hash, &t->text,
                                   &t->word);

        if (t->key == NULL) {
            t->word = 0;

        } else if (ngx_mon_unlikely(!ngx_http_mon_limit_alike(t))) {
            failed += ngx_http_mon_limit_convert(t, now) != NGX_OK;
            continue;
        }

        ngx_mon_gcra_judge(t->rate, t->word, now, t->cost, &t->g);

        /* what is to be changed is compared then */

        if (t->g.allowed || t->key == NULL) {
            return;
        }

        if (t->g.next != t->word) {

            if (ngx_http_mon_limit_beyond(t, now) == NGX_OK) {
                return;
            }

        } else if (ngx_http_mon_limit_still(t)) {
            return;
        }
    }

    /* it can't be known: as if there was no such key */

    t->key = NULL;
    t->word = 0;

    ngx_mon_gcra_judge(t->rate, 0, now, t->cost, &t->g);
}


/*
 * The word is further ahead than the rate allows: it was a lower one before,
 * or another limit of the zone has a larger burst.  What no limit of the zone
 * can have done is taken back; but what was charged to one is not given back
 * by another that refuses, and is waited for.  NGX_DECLINED: the word has
 * changed.
 */

static ngx_mon_noinline ngx_int_t
ngx_http_mon_limit_beyond(ngx_http_mon_limit_try_t *t, uint64_t now)
{
    uint64_t  at, ahead, bound, next, more;

    at = now * t->rate->unit;
    ahead = t->word - at;
    bound = ngx_http_mon_limit_bound(t, ahead);

    if (ahead > bound) {
        next = at + bound;

        if (next + 1 <= 1) {
            next = 1;
        }

        if (!__atomic_compare_exchange_n(&t->key->word, &t->word, next, 0,
                                         __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        {
            return NGX_DECLINED;
        }

        t->word = next;
        ahead = bound;

    } else if (!ngx_http_mon_limit_still(t)) {
        return NGX_DECLINED;
    }

    more = (ahead - t->rate->limit + t->rate->unit - 1) / t->rate->unit;

    t->g.ahead += more;
    t->g.reset += more;

    if (t->g.wait != (uint64_t) -1) {
        t->g.wait += more;
    }

    return NGX_OK;
}


/* ticks, not below the limit of this rate, and those of the zone's constants */

static uint64_t
ngx_http_mon_limit_bound(ngx_http_mon_limit_try_t *t, uint64_t ahead)
{
    ngx_http_mon_limit_t  *l;
    unsigned __int128      most;

    l = t->limit;

    if (l->zone->varies && !l->rate_value && !l->burst_value) {
        return ahead;
    }

    most = (unsigned __int128) l->zone->most * t->rate->unit;

    if (most > ahead) {
        return ahead;
    }

    return ngx_max((uint64_t) most, t->rate->limit);
}


/*
 * The rate has changed, or is that of another plan.  It fails where the word
 * was changed meanwhile, or the lock was not to be had.
 */

static ngx_mon_noinline ngx_int_t
ngx_http_mon_limit_convert(ngx_http_mon_limit_try_t *t, uint64_t now)
{
    uint32_t  unit;
    uint64_t  from, word;

    unit = t->rate->unit;
    from = __atomic_load_n(&t->key->aux, __ATOMIC_ACQUIRE);

    word = (from == 0 || from > NGX_MON_GCRA_UNIT_MAX)
           ? 0 : ngx_mon_gcra_convert(t->word, (uint32_t) from, unit, now);

    if (word == 0) {
        /* its allowance is full: that is, up to now */
        word = now * unit;
    }

    if (word == t->word) {
        word++;
    }

    if (word + 1 <= 1) {
        word = 1;
    }

    return ngx_mon_keys_change(&t->limit->zone->keys, t->hash, t->key,
                               t->word, word, unit);
}


ngx_int_t
ngx_http_mon_limit_charge(ngx_http_mon_limit_try_t *t, uint64_t now)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    if (t->cost == 0) {
        return NGX_OK;
    }

    for (i = 0; i < NGX_HTTP_MON_LIMIT_TRIES; i++) {

        if (ngx_mon_unlikely(t->key == NULL)) {
            rc = ngx_http_mon_limit_make(t, now);

            if (rc != NGX_AGAIN) {
                return rc;
            }

        } else if (ngx_mon_likely(__atomic_compare_exchange_n(&t->key->word,
                                      &t->word, t->g.next, 0,
                                      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)))
        {
            t->charged = 1;
            return NGX_OK;
        }

        /* it may be another key by now, whose word this is */

        ngx_http_mon_limit_check(t, now);

        if (!t->g.allowed) {
            return NGX_DECLINED;
        }
    }

    return NGX_BUSY;
}


/* NGX_AGAIN: somebody else did */

static ngx_mon_noinline ngx_int_t
ngx_http_mon_limit_make(ngx_http_mon_limit_try_t *t, uint64_t now)
{
    ngx_uint_t  made;

    t->word = t->g.next;

    t->key = ngx_mon_keys_make(&t->limit->zone->keys, t->hash, &t->text, now,
                               t->rate->unit, &t->word, &made);

    if (t->key == NULL) {
        return NGX_BUSY;
    }

    if (!made) {
        return NGX_AGAIN;
    }

    t->charged = 1;

    return NGX_OK;
}


void
ngx_http_mon_limit_refund(ngx_http_mon_limit_try_t *t, uint64_t now)
{
    uint64_t        word, next;
    ngx_uint_t      i;
    ngx_mon_key_t  *key;

    if (!t->charged) {
        return;
    }

    t->charged = 0;

    /* it has come back by itself, and may have been used since */

    if (ngx_mon_gcra_idle(t->rate->unit, t->g.next, now)) {
        return;
    }

    key = t->key;
    word = __atomic_load_n(&key->word, __ATOMIC_ACQUIRE);

    for (i = 0; i < NGX_HTTP_MON_LIMIT_TRIES; i++) {

        /* another key by now, or nothing left to be given back */

        if (word == NGX_MON_KEY_GONE
            || !ngx_http_mon_limit_alike(t)
            || key->hash != (uint32_t) t->hash
            || ngx_mon_gcra_idle(t->rate->unit, word, now))
        {
            return;
        }

        next = ngx_mon_gcra_back(word, t->cost * t->rate->cost);

        if (__atomic_compare_exchange_n(&key->word, &word, next, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        {
            return;
        }
    }
}
