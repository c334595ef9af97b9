
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_limit.h"


/* what clients are told to wait where the zone is full, nanoseconds */
#define NGX_HTTP_MON_LIMIT_FULL_WAIT  1000000000


static ngx_http_mon_limit_ctx_t *ngx_http_mon_limit_tries(
    ngx_http_request_t *r, ngx_array_t *limits);
static ngx_http_mon_limit_ctx_t *ngx_http_mon_limit_create(
    ngx_http_request_t *r, ngx_uint_t n);
static void ngx_http_mon_limit_cleanup(void *data);
static ngx_uint_t ngx_http_mon_limit_judge(ngx_http_request_t *r,
    ngx_http_mon_limit_ctx_t *ctx);
static void ngx_http_mon_limit_full(ngx_http_request_t *r,
    ngx_http_mon_limit_try_t *t);
static ngx_uint_t ngx_http_mon_limit_refused(ngx_http_mon_limit_ctx_t *ctx);
static ngx_int_t ngx_http_mon_limit_pass(ngx_http_request_t *r,
    ngx_http_mon_limit_ctx_t *ctx);
static ngx_int_t ngx_http_mon_limit_reject(ngx_http_request_t *r,
    ngx_http_mon_limit_ctx_t *ctx);
static ngx_http_mon_limit_try_t *ngx_http_mon_limit_tightest(
    ngx_http_mon_limit_ctx_t *ctx, ngx_uint_t shown);
static ngx_uint_t ngx_http_mon_limit_tighter(ngx_http_mon_limit_try_t *a,
    ngx_http_mon_limit_try_t *b, ngx_uint_t rejected);
static ngx_mon_noinline void ngx_http_mon_limit_log(ngx_http_request_t *r,
    ngx_http_mon_limit_try_t *t, const char *what, ngx_uint_t level);


ngx_int_t
ngx_http_mon_limit_handler(ngx_http_request_t *r)
{
    ngx_http_mon_limit_ctx_t       *ctx;
    ngx_http_mon_limit_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_mon_limit_module);

    if (lcf->limits == NULL || ngx_http_mon_limit_ctx(r->main)) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_mon_limit_tries(r, lcf->limits);

    if (ctx == NULL) {
        return NGX_DECLINED;
    }

    return ngx_http_mon_limit_judge(r, ctx)
           ? ngx_http_mon_limit_pass(r, ctx)
           : ngx_http_mon_limit_reject(r, ctx);
}


/* NULL: there is nothing that limits it, or no memory */

static ngx_http_mon_limit_ctx_t *
ngx_http_mon_limit_tries(ngx_http_request_t *r, ngx_array_t *limits)
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
                return NULL;
            }
        }

        t = &ctx->tries[ctx->ntries++];

        t->limit = l[i];
        t->rate = &l[i]->rate;
        t->cost = l[i]->cost;
        t->text = text;
        t->hash = ngx_mon_keys_hash(&l[i]->zone->keys, &text);
        t->charged = 0;
        t->refused = 0;
        t->full = 0;

        if ((l[i]->rate_value || l[i]->burst_value || l[i]->cost_value)
            && ngx_http_mon_limit_rates(r, t) != NGX_OK)
        {
            ctx->ntries--;
            continue;
        }

        ngx_http_mon_limit_check(t, ctx->now);
    }

    return ctx;
}


static ngx_http_mon_limit_ctx_t *
ngx_http_mon_limit_create(ngx_http_request_t *r, ngx_uint_t n)
{
    ngx_http_mon_limit_ctx_t  *ctx;

    ctx = ngx_palloc(r->pool, sizeof(ngx_http_mon_limit_ctx_t)
                              + (n - 1) * sizeof(ngx_http_mon_limit_try_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->now = ngx_http_mon_limit_now();
    ctx->outcome = 0;
    ctx->shown = NULL;
    ctx->told = NULL;
    ctx->ntries = 0;

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

        if (ngx_mon_unlikely(rc != NGX_OK)) {

            if (rc == NGX_DECLINED) {
                t->refused = 1;

            } else {
                ngx_http_mon_limit_full(r, t);
            }
        }
    }

    if (ngx_mon_likely(!ngx_http_mon_limit_refused(ctx))) {
        return 1;
    }

    for (i = 0; i < ctx->ntries; i++) {
        ngx_http_mon_limit_refund(&ctx->tries[i], ctx->now);
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

    ctx->shown = ngx_http_mon_limit_tightest(ctx, 1);
    ctx->told = ngx_http_mon_limit_tightest(ctx, 0);

    if (ngx_mon_likely(slow == NULL)) {
        return NGX_DECLINED;
    }

    ctx->outcome = NGX_HTTP_MON_LIMIT_DELAYED;

    ngx_http_mon_limit_log(r, slow, "delaying request", NGX_LOG_NOTICE);

    return ngx_http_mon_limit_delay(r, max);
}


static ngx_int_t
ngx_http_mon_limit_reject(ngx_http_request_t *r, ngx_http_mon_limit_ctx_t *ctx)
{
    ctx->outcome = NGX_HTTP_MON_LIMIT_REJECTED;

    ctx->shown = ngx_http_mon_limit_tightest(ctx, 1);
    ctx->told = ngx_http_mon_limit_tightest(ctx, 0);

    ngx_http_mon_limit_log(r, ctx->told, "limiting requests", NGX_LOG_WARN);

    return ctx->told->limit->status;
}


/* of those that clients are shown; of a refusal only those that refused */

static ngx_http_mon_limit_try_t *
ngx_http_mon_limit_tightest(ngx_http_mon_limit_ctx_t *ctx, ngx_uint_t shown)
{
    ngx_uint_t                 i, rejected;
    ngx_http_mon_limit_try_t  *t, *tightest;

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
