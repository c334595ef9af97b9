
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_limit.h"


/* so often others may be faster; more than any number of workers */
#define NGX_HTTP_MON_LIMIT_TRIES  256


static ngx_mon_noinline ngx_int_t ngx_http_mon_limit_convert(
    ngx_http_mon_limit_try_t *t, uint64_t now);
static ngx_mon_noinline ngx_int_t ngx_http_mon_limit_make(
    ngx_http_mon_limit_try_t *t, uint64_t now);
static void ngx_http_mon_limit_again(ngx_http_mon_limit_try_t *t,
    uint64_t now);


/* Whether the word just read is to be understood by this rate. */
static ngx_inline ngx_uint_t
ngx_http_mon_limit_alike(ngx_http_mon_limit_try_t *t)
{
    return __atomic_load_n(&t->key->aux, __ATOMIC_ACQUIRE) == t->rate->unit;
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

        if (t->g.next == t->word) {

            if (__atomic_load_n(&t->key->word, __ATOMIC_ACQUIRE) == t->word) {
                return;
            }

            continue;
        }

        /* too far ahead for the rate, that was a lower one */

        if (__atomic_compare_exchange_n(&t->key->word, &t->word, t->g.next, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        {
            return;
        }
    }

    /* it can't be known: as if there was no such key */

    t->key = NULL;
    t->word = 0;

    ngx_mon_gcra_judge(t->rate, 0, now, t->cost, &t->g);
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

        ngx_http_mon_limit_again(t, now);

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


/* the word has just been read */

static void
ngx_http_mon_limit_again(ngx_http_mon_limit_try_t *t, uint64_t now)
{
    if (t->word == NGX_MON_KEY_GONE || !ngx_http_mon_limit_alike(t)) {
        ngx_http_mon_limit_check(t, now);
        return;
    }

    ngx_mon_gcra_judge(t->rate, t->word, now, t->cost, &t->g);
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

        next = word - t->cost * t->rate->cost;

        if (next + 1 <= 1) {
            next = 1;
        }

        if (__atomic_compare_exchange_n(&key->word, &word, next, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        {
            return;
        }
    }
}
