
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_concurrency.h"


static ngx_http_mon_conc_ctx_t *ngx_http_mon_conc_create(
    ngx_http_request_t *r, ngx_array_t *limits);
static ngx_int_t ngx_http_mon_conc_advance(ngx_http_mon_conc_ctx_t *ctx);
static ngx_int_t ngx_http_mon_conc_refuse(ngx_http_mon_conc_ctx_t *ctx,
    ngx_http_mon_conc_t *c, ngx_uint_t outcome);
static ngx_int_t ngx_http_mon_conc_wait(ngx_http_mon_conc_ctx_t *ctx,
    ngx_msec_t timeout);
static void ngx_http_mon_conc_write(ngx_http_request_t *r);
static void ngx_http_mon_conc_expired(ngx_event_t *ev);
static void ngx_http_mon_conc_over(ngx_event_t *ev);
static void ngx_http_mon_conc_stop(ngx_http_mon_conc_ctx_t *ctx);
static void ngx_http_mon_conc_release(ngx_http_mon_conc_ctx_t *ctx);
static void ngx_http_mon_conc_cleanup(void *data);


/* a request is judged once, where it comes to first */

ngx_int_t
ngx_http_mon_conc_handler(ngx_http_request_t *r)
{
    ngx_http_mon_conc_t           *c;
    ngx_http_mon_conc_ctx_t       *ctx;
    ngx_http_mon_conc_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_mon_concurrency_module);

    if (r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_mon_conc_find(r);

    if (ctx == NULL) {

        if (clcf->limits == NULL) {
            return NGX_DECLINED;
        }

        ctx = ngx_http_mon_conc_create(r, clcf->limits);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_mon_conc_advance(ctx);
    }

    switch (ctx->state) {

    case NGX_HTTP_MON_CONC_GRANTED:
        ctx->n++;
        return ngx_http_mon_conc_advance(ctx);

    case NGX_HTTP_MON_CONC_EXPIRED:
        c = ((ngx_http_mon_conc_t **) ctx->limits->elts)[ctx->n];
        return ngx_http_mon_conc_refuse(ctx, c, NGX_MON_LIMIT_CONC_TIMEOUT);

    case NGX_HTTP_MON_CONC_WAITS:

        /* it was redirected, as by its deadline, and waits for nothing */

        ngx_http_mon_conc_release(ctx);
        return NGX_DECLINED;

    default: /* NGX_HTTP_MON_CONC_DONE */
        return NGX_DECLINED;
    }
}


static ngx_http_mon_conc_ctx_t *
ngx_http_mon_conc_create(ngx_http_request_t *r, ngx_array_t *limits)
{
    size_t                    size;
    ngx_pool_cleanup_t       *cln;
    ngx_http_mon_conc_ctx_t  *ctx;

    size = sizeof(ngx_http_mon_conc_ctx_t)
           + limits->nelts * sizeof(ngx_http_mon_conc_permit_t);

    cln = ngx_pool_cleanup_add(r->pool, size);
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, size);

    ctx->request = r;
    ctx->limits = limits;
    ctx->outcome = NGX_MON_LIMIT_CONC;

    cln->handler = ngx_http_mon_conc_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_mon_concurrency_module);

    return ctx;
}


/* r->ctx is wiped by redirects */

ngx_http_mon_conc_ctx_t *
ngx_http_mon_conc_find(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_mon_conc_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mon_concurrency_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_mon_conc_cleanup) {
            ngx_http_set_ctx(r, cln->data, ngx_http_mon_concurrency_module);
            return cln->data;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_mon_conc_advance(ngx_http_mon_conc_ctx_t *ctx)
{
    ngx_int_t             rc;
    ngx_http_mon_conc_t  *c;

    ctx->state = NGX_HTTP_MON_CONC_BEGAN;

    while (ctx->n < ctx->limits->nelts) {

        c = ((ngx_http_mon_conc_t **) ctx->limits->elts)[ctx->n];

        rc = ngx_http_mon_conc_enter(ctx, c);

        if (rc == NGX_DONE) {
            return ngx_http_mon_conc_wait(ctx, c->timeout);
        }

        if (rc == NGX_BUSY) {
            return ngx_http_mon_conc_refuse(ctx, c,
                                            NGX_MON_LIMIT_CONC_REJECTED);
        }

        if (rc == NGX_ERROR) {
            ngx_http_mon_conc_release(ctx);
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->n++;
    }

    ctx->state = NGX_HTTP_MON_CONC_DONE;

    ngx_http_mon_conc_through(ctx);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_mon_conc_refuse(ngx_http_mon_conc_ctx_t *ctx, ngx_http_mon_conc_t *c,
    ngx_uint_t outcome)
{
    ngx_http_mon_conc_release(ctx);

    ctx->outcome = outcome;
    ctx->status = c->status;

    ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                  "limiting concurrency by \"%V\", %s", &c->name,
                  outcome == NGX_MON_LIMIT_CONC_TIMEOUT ? "waited too long"
                  : c->queue ? "too many wait" : "too many at a time");

    return c->status;
}


static ngx_int_t
ngx_http_mon_conc_wait(ngx_http_mon_conc_ctx_t *ctx, ngx_msec_t timeout)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->state = NGX_HTTP_MON_CONC_WAITS;
    ctx->outcome = NGX_MON_LIMIT_CONC_ABORTED;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_mon_conc_write;

    ctx->over.handler = ngx_http_mon_conc_over;
    ctx->over.data = ctx;
    ctx->over.log = c->log;

    ctx->timer.handler = ngx_http_mon_conc_expired;
    ctx->timer.data = ctx;
    ctx->timer.log = c->log;

    ngx_add_timer(&ctx->timer, timeout);

    return NGX_AGAIN;
}


static void
ngx_http_mon_conc_write(ngx_http_request_t *r)
{
    if (ngx_handle_write_event(r->connection->write, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
}


void
ngx_http_mon_conc_granted(ngx_http_mon_conc_ctx_t *ctx)
{
    ctx->state = NGX_HTTP_MON_CONC_GRANTED;

    ngx_post_event(&ctx->over, &ngx_posted_events);
}


static void
ngx_http_mon_conc_expired(ngx_event_t *ev)
{
    ngx_http_mon_conc_ctx_t  *ctx;

    ctx = ev->data;

    if (ctx->state != NGX_HTTP_MON_CONC_WAITS
        || ngx_http_mon_conc_quit(&ctx->permits[ctx->n]) != NGX_OK)
    {
        return;
    }

    ctx->state = NGX_HTTP_MON_CONC_EXPIRED;

    ngx_post_event(&ctx->over, &ngx_posted_events);
}


/* the phases are gone on with, where the handler sees what came of it */

static void
ngx_http_mon_conc_over(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_mon_conc_ctx_t  *ctx;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "mon concurrency: %ui", ctx->state);

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    if (r->write_event_handler != ngx_http_mon_conc_write) {

        /* it was answered meanwhile, as by its deadline */

        ngx_http_mon_conc_release(ctx);
        return;
    }

    if (ctx->state == NGX_HTTP_MON_CONC_GRANTED) {
        ctx->outcome = NGX_MON_LIMIT_CONC_QUEUED;
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);

    } else {
        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_core_run_phases;

        ngx_http_core_run_phases(r);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_mon_conc_stop(ngx_http_mon_conc_ctx_t *ctx)
{
    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    if (ctx->over.posted) {
        ngx_delete_posted_event(&ctx->over);
    }
}


static void
ngx_http_mon_conc_release(ngx_http_mon_conc_ctx_t *ctx)
{
    ngx_uint_t  i, n;

    n = ctx->n;

    if (ctx->state == NGX_HTTP_MON_CONC_WAITS) {
        (void) ngx_http_mon_conc_quit(&ctx->permits[n]);
    }

    if (ctx->state == NGX_HTTP_MON_CONC_GRANTED) {
        n++;
    }

    ngx_http_mon_conc_stop(ctx);

    ngx_http_mon_conc_left(ctx);

    for (i = 0; i < n; i++) {
        ngx_http_mon_conc_give(&ctx->permits[i]);
    }

    ctx->n = 0;
    ctx->state = NGX_HTTP_MON_CONC_DONE;
}


static void
ngx_http_mon_conc_cleanup(void *data)
{
    ngx_http_mon_conc_release(data);
}


ngx_uint_t
ngx_http_mon_conc_limited(ngx_http_request_t *r)
{
    ngx_http_mon_conc_ctx_t  *ctx;

    ctx = ngx_http_mon_conc_find(r);

    return ctx ? (ngx_uint_t) 1 << ctx->outcome : 0;
}


ngx_uint_t
ngx_http_mon_conc_reason(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_http_mon_conc_ctx_t  *ctx;

    ctx = ngx_http_mon_conc_find(r);

    return ctx && ctx->status && ctx->status == status
           ? NGX_MON_ERROR_LIMITED : NGX_MON_ERROR_N;
}
