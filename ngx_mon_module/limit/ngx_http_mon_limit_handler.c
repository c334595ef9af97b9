
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_limit.h"


/* what clients are told to wait where the zone is full, nanoseconds */
#define NGX_HTTP_MON_LIMIT_FULL_WAIT  1000000000


static ngx_int_t ngx_http_mon_limit_simple(ngx_http_request_t *r,
    ngx_http_mon_limit_t *l);
static ngx_inline ngx_int_t ngx_http_mon_limit_text(ngx_http_request_t *r,
    ngx_http_mon_limit_zone_t *zone, ngx_str_t *text);
static ngx_mon_noinline ngx_int_t ngx_http_mon_limit_long(
    ngx_http_request_t *r, ngx_http_mon_limit_ctx_t *ctx,
    ngx_http_mon_limit_t *l, ngx_str_t *text);
static ngx_mon_noinline ngx_int_t ngx_http_mon_limit_request(
    ngx_http_request_t *r, ngx_array_t *limits);
static ngx_http_mon_limit_try_t *ngx_http_mon_limit_try(
    ngx_http_mon_limit_ctx_t *ctx, ngx_http_mon_limit_t *l, ngx_str_t *text);
static ngx_inline ngx_http_mon_limit_ctx_t *ngx_http_mon_limit_create(
    ngx_http_request_t *r, ngx_uint_t n);
static void ngx_http_mon_limit_cleanup(void *data);
static ngx_mon_noinline ngx_int_t ngx_http_mon_limit_decide(
    ngx_http_request_t *r, ngx_http_mon_limit_ctx_t *ctx);
static ngx_uint_t ngx_http_mon_limit_judge(ngx_http_request_t *r,
    ngx_http_mon_limit_ctx_t *ctx);
static void ngx_http_mon_limit_full(ngx_http_request_t *r,
    ngx_http_mon_limit_try_t *t);
static ngx_uint_t ngx_http_mon_limit_refused(ngx_http_mon_limit_ctx_t *ctx);
static ngx_int_t ngx_http_mon_limit_pass(ngx_http_request_t *r,
    ngx_http_mon_limit_ctx_t *ctx);
static ngx_int_t ngx_http_mon_limit_reject(ngx_http_request_t *r,
    ngx_http_mon_limit_ctx_t *ctx);
static void ngx_http_mon_limit_unfold(ngx_http_request_t *r,
    ngx_http_mon_limit_ctx_t *ctx);
static ngx_uint_t ngx_http_mon_limit_tighter(ngx_http_mon_limit_try_t *a,
    ngx_http_mon_limit_try_t *b, ngx_uint_t rejected);
static ngx_mon_noinline void ngx_http_mon_limit_log(ngx_http_request_t *r,
    ngx_http_mon_limit_try_t *t, const char *what, ngx_uint_t level);


ngx_int_t
ngx_http_mon_limit_handler(ngx_http_request_t *r)
{
    ngx_http_mon_limit_t           **l;
    ngx_http_mon_limit_loc_conf_t   *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_mon_limit_module);

    if (lcf->limits == NULL || ngx_http_mon_limit_ctx(r->main)) {
        return NGX_DECLINED;
    }

    l = lcf->limits->elts;

    if (ngx_mon_likely(lcf->limits->nelts == 1 && l[0]->simple)) {
        return ngx_http_mon_limit_simple(r, l[0]);
    }

    return ngx_http_mon_limit_request(r, lcf->limits);
}


/*
 * The short way, of a key that is there and that nobody else changes at the
 * same time; else the long one is gone from the start.
 */

static ngx_int_t
ngx_http_mon_limit_simple(ngx_http_request_t *r, ngx_http_mon_limit_t *l)
{
    uint64_t                    hash, word, next;
    ngx_str_t                   text;
    ngx_mon_key_t              *key;
    ngx_http_mon_limit_ctx_t   *ctx;

    if (ngx_http_mon_limit_text(r, l->zone, &text) != NGX_OK) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_mon_limit_create(r, 0);

    if (ngx_mon_unlikely(ctx == NULL)) {
        return NGX_DECLINED;
    }

    hash = ngx_mon_keys_hash(&l->zone->keys, &text);
    key = ngx_mon_keys_find(&l->zone->keys, hash, &text, &word);

    /* in this order: the word, then aux */

    if (ngx_mon_likely(key && __atomic_load_n(&key->aux, __ATOMIC_ACQUIRE)
                              == l->rate.unit))
    {
        next = ngx_mon_gcra_next(&l->rate, word, ctx->now, l->cost);

        if (ngx_mon_likely(next
                           && __atomic_compare_exchange_n(&key->word, &word,
                                  next, 0, __ATOMIC_ACQ_REL,
                                  __ATOMIC_RELAXED)))
        {
            ctx->outcome = NGX_HTTP_MON_LIMIT_PASSED;
            ctx->headers = l->headers;
            ctx->brief = 1;
            ctx->limit = l;
            ctx->word = word;

            return NGX_DECLINED;
        }
    }

    return ngx_http_mon_limit_long(r, ctx, l, &text);
}


/* an address of IPv4, the most usual key, without asking for the variable */

static ngx_inline ngx_int_t
ngx_http_mon_limit_text(ngx_http_request_t *r,
    ngx_http_mon_limit_zone_t *zone, ngx_str_t *text)
{
    struct sockaddr_in         *sin;
    ngx_http_variable_value_t  *v;

    sin = (struct sockaddr_in *) r->connection->sockaddr;

    if (zone->address && ngx_mon_likely(sin->sin_family == AF_INET)) {
        text->len = 4;
        text->data = (u_char *) &sin->sin_addr;

        return NGX_OK;
    }

    v = ngx_http_get_flushed_variable(r, zone->index);

    if (v == NULL || v->not_found || v->len == 0) {
        return NGX_DECLINED;
    }

    text->len = v->len;
    text->data = v->data;

    return NGX_OK;
}


static ngx_mon_noinline ngx_int_t
ngx_http_mon_limit_long(ngx_http_request_t *r, ngx_http_mon_limit_ctx_t *ctx,
    ngx_http_mon_limit_t *l, ngx_str_t *text)
{
    ctx->tries = ngx_palloc(r->pool, sizeof(ngx_http_mon_limit_try_t));
    if (ctx->tries == NULL) {
        return NGX_DECLINED;
    }

    ngx_http_mon_limit_check(ngx_http_mon_limit_try(ctx, l, text), ctx->now);

    return ngx_http_mon_limit_decide(r, ctx);
}


static ngx_mon_noinline ngx_int_t
ngx_http_mon_limit_request(ngx_http_request_t *r, ngx_array_t *limits)
{
    ngx_str_t                   text;
    ngx_uint_t                  i;
    ngx_http_mon_limit_t      **l;
    ngx_http_mon_limit_ctx_t   *ctx;
    ngx_http_mon_limit_try_t   *t;

    ctx = NULL;
    l = limits->elts;

    for (i = 0; i < limits->nelts; i++) {

        if (ngx_http_complex_value(r, &l[i]->zone->key, &text) != NGX_OK
            || text.len == 0)
        {
            continue;
        }

        if (ctx == NULL) {
            ctx = ngx_http_mon_limit_create(r, limits->nelts - i);
            if (ctx == NULL) {
                return NGX_DECLINED;
            }
        }

        t = ngx_http_mon_limit_try(ctx, l[i], &text);

        if (ngx_http_mon_limit_rates(r, t) != NGX_OK) {
            ctx->ntries--;
            continue;
        }

        ngx_http_mon_limit_check(t, ctx->now);
    }

    return (ctx && ctx->ntries) ? ngx_http_mon_limit_decide(r, ctx)
                                : NGX_DECLINED;
}


static ngx_http_mon_limit_try_t *
ngx_http_mon_limit_try(ngx_http_mon_limit_ctx_t *ctx, ngx_http_mon_limit_t *l,
    ngx_str_t *text)
{
    ngx_http_mon_limit_try_t  *t;

    t = &ctx->tries[ctx->ntries++];

    t->limit = l;
    t->rate = &l->rate;
    t->cost = l->cost;
    t->text = *text;
    t->hash = ngx_mon_keys_hash(&l->zone->keys, text);
    t->charged = 0;
    t->refused = 0;
    t->full = 0;

    ctx->headers |= l->headers;

    return t;
}


static ngx_inline ngx_http_mon_limit_ctx_t *
ngx_http_mon_limit_create(ngx_http_request_t *r, ngx_uint_t n)
{
    ngx_http_mon_limit_ctx_t  *ctx;

    ctx = ngx_palloc(r->pool, sizeof(ngx_http_mon_limit_ctx_t)
                              + n * sizeof(ngx_http_mon_limit_try_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->now = ngx_http_mon_limit_now();
    ctx->outcome = 0;
    ctx->headers = 0;
    ctx->brief = 0;
    ctx->ntries = 0;
    ctx->tries = (ngx_http_mon_limit_try_t *) (ctx + 1);

    ctx->cleanup.handler = ngx_http_mon_limit_cleanup;
    ctx->cleanup.data = ctx;
    ctx->cleanup.next = r->pool->cleanup;
    r->pool->cleanup = &ctx->cleanup;

    ngx_http_set_ctx(r->main, ctx, ngx_http_mon_limit_module);

    return ctx;
}


/* the mark that a context is found by */

static void
ngx_http_mon_limit_cleanup(void *data)
{
}


ngx_http_mon_limit_ctx_t *
ngx_http_mon_limit_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_mon_limit_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mon_limit_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_mon_limit_cleanup) {
            ngx_http_set_ctx(r, cln->data, ngx_http_mon_limit_module);
            return cln->data;
        }
    }

    return NULL;
}


static ngx_mon_noinline ngx_int_t
ngx_http_mon_limit_decide(ngx_http_request_t *r, ngx_http_mon_limit_ctx_t *ctx)
{
    return ngx_http_mon_limit_judge(r, ctx)
           ? ngx_http_mon_limit_pass(r, ctx)
           : ngx_http_mon_limit_reject(r, ctx);
}


/* charges all of them, or none and returns 0 */

static ngx_uint_t
ngx_http_mon_limit_judge(ngx_http_request_t *r, ngx_http_mon_limit_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_http_mon_limit_try_t  *t;

    for (i = 0; i < ctx->ntries; i++) {
        ctx->tries[i].refused = !ctx->tries[i].g.allowed;
    }

    for (i = 0; i < ctx->ntries && !ngx_http_mon_limit_refused(ctx); i++) {
        t = &ctx->tries[i];

        if (t->refused) {
            continue;
        }

        rc = ngx_http_mon_limit_charge(t, ctx->now);

        if (rc == NGX_DECLINED) {
            t->refused = 1;

        } else if (rc == NGX_BUSY) {
            ngx_http_mon_limit_full(r, t);
        }
    }

    if (!ngx_http_mon_limit_refused(ctx)) {
        return 1;
    }

    for (i = 0; i < ctx->ntries; i++) {
        if (ctx->tries[i].charged) {
            ngx_http_mon_limit_refund(&ctx->tries[i],
                                      ngx_http_mon_limit_now());
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_mon_limit_refused(ngx_http_mon_limit_ctx_t *ctx)
{
    ngx_uint_t  i;

    for (i = 0; i < ctx->ntries; i++) {
        if (ctx->tries[i].refused && !ctx->tries[i].limit->dry_run) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_mon_limit_full(ngx_http_request_t *r, ngx_http_mon_limit_try_t *t)
{
    t->full = 1;
    t->refused = t->limit->refuse;

    t->g.remaining = 0;
    t->g.ahead = 0;
    t->g.wait = NGX_HTTP_MON_LIMIT_FULL_WAIT;
    t->g.reset = NGX_HTTP_MON_LIMIT_FULL_WAIT;

    if (ngx_mon_keys_full(&t->limit->zone->keys)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "zone \"%V\" is full of keys that are in use, requests "
                      "with other keys are %s",
                      &t->limit->zone->name,
                      t->limit->refuse && !t->limit->dry_run
                      ? "refused" : "not limited");
    }
}


static ngx_int_t
ngx_http_mon_limit_pass(ngx_http_request_t *r, ngx_http_mon_limit_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_msec_t                 ms, max;
    ngx_http_mon_limit_try_t  *t, *slow;

    max = 0;
    slow = NULL;
    ctx->outcome = NGX_HTTP_MON_LIMIT_PASSED;

    for (i = 0; i < ctx->ntries; i++) {
        t = &ctx->tries[i];

        if (t->refused) {
            ctx->outcome = NGX_HTTP_MON_LIMIT_DRY_RUN;
            ngx_http_mon_limit_log(r, t, "limiting requests, dry run",
                                   NGX_LOG_WARN);
            continue;
        }

        if (!t->limit->delay || t->g.ahead < 1000000) {
            continue;
        }

        if (t->limit->dry_run) {
            ctx->outcome = NGX_HTTP_MON_LIMIT_DRY_RUN;
            ngx_http_mon_limit_log(r, t, "delaying request, dry run",
                                   NGX_LOG_NOTICE);
            continue;
        }

        ms = t->g.ahead / 1000000;

        if (ms > max) {
            max = ms;
            slow = t;
        }
    }

    if (slow == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_http_mon_limit_delay(r, max);

    if (rc == NGX_AGAIN) {
        ctx->outcome = NGX_HTTP_MON_LIMIT_DELAYED;
        ngx_http_mon_limit_log(r, slow, "delaying request", NGX_LOG_NOTICE);
    }

    return rc;
}


static ngx_int_t
ngx_http_mon_limit_reject(ngx_http_request_t *r, ngx_http_mon_limit_ctx_t *ctx)
{
    ngx_http_mon_limit_try_t  *t;

    ctx->outcome = NGX_HTTP_MON_LIMIT_REJECTED;

    t = ngx_http_mon_limit_tightest(r, ctx, 0);

    ngx_http_mon_limit_log(r, t, "limiting requests", NGX_LOG_WARN);

    return t->limit->status;
}


/* of those that clients are shown; of a refusal only those that refused */

ngx_http_mon_limit_try_t *
ngx_http_mon_limit_tightest(ngx_http_request_t *r,
    ngx_http_mon_limit_ctx_t *ctx, ngx_uint_t shown)
{
    ngx_uint_t                 i, rejected;
    ngx_http_mon_limit_try_t  *t, *tightest;

    if (ctx->brief) {
        ngx_http_mon_limit_unfold(r, ctx);
    }

    tightest = NULL;
    rejected = (ctx->outcome == NGX_HTTP_MON_LIMIT_REJECTED);

    for (i = 0; i < ctx->ntries; i++) {
        t = &ctx->tries[i];

        if ((shown && (t->limit->dry_run || !t->limit->headers))
            || (rejected && (t->limit->dry_run || !t->refused))
            || (t->full && !t->refused))
        {
            continue;
        }

        if (tightest == NULL
            || ngx_http_mon_limit_tighter(t, tightest, rejected))
        {
            tightest = t;
        }
    }

    return tightest;
}


static void
ngx_http_mon_limit_unfold(ngx_http_request_t *r, ngx_http_mon_limit_ctx_t *ctx)
{
    ngx_http_mon_limit_t      *l;
    ngx_http_mon_limit_try_t  *t;

    t = ngx_palloc(r->pool, sizeof(ngx_http_mon_limit_try_t));
    if (t == NULL) {
        return;
    }

    l = ctx->limit;

    t->limit = l;
    t->rate = &l->rate;
    t->refused = 0;
    t->full = 0;

    ngx_mon_gcra_judge(t->rate, ctx->word, ctx->now, l->cost, &t->g);

    ctx->brief = 0;
    ctx->tries = t;
    ctx->ntries = 1;
}


static ngx_uint_t
ngx_http_mon_limit_tighter(ngx_http_mon_limit_try_t *a,
    ngx_http_mon_limit_try_t *b, ngx_uint_t rejected)
{
    if (rejected) {
        return a->g.wait > b->g.wait;
    }

    if (a->g.remaining != b->g.remaining) {
        return a->g.remaining < b->g.remaining;
    }

    return a->g.reset > b->g.reset;
}


/* as limit_req does, for those that read the log */

static ngx_mon_noinline void
ngx_http_mon_limit_log(ngx_http_request_t *r, ngx_http_mon_limit_try_t *t,
    const char *what, ngx_uint_t level)
{
    unsigned __int128  excess;

    if (t->full) {
        ngx_log_error(level, r->connection->log, 0,
                      "%s, zone \"%V\" is full", what,
                      &t->limit->zone->name);
        return;
    }

    excess = t->g.ahead;
    excess = excess * t->rate->unit * 1000 / t->rate->cost;

    ngx_log_error(level, r->connection->log, 0,
                  "%s, excess: %uL.%03uL by zone \"%V\"", what,
                  (uint64_t) (excess / 1000), (uint64_t) (excess % 1000),
                  &t->limit->zone->name);
}


ngx_uint_t
ngx_http_mon_limit_limited(ngx_http_request_t *r)
{
    ngx_http_mon_limit_ctx_t  *ctx;

    ctx = ngx_http_mon_limit_ctx(r);

    return ctx ? ctx->outcome : 0;
}


ngx_uint_t
ngx_http_mon_limit_reason(ngx_http_request_t *r, ngx_uint_t status)
{
    return ngx_http_mon_limit_limited(r) == NGX_HTTP_MON_LIMIT_REJECTED
           ? NGX_MON_ERROR_LIMITED : NGX_MON_ERROR_N;
}
