
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_concurrency.h"


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


static ngx_mon_inline ngx_http_mon_conc_ctx_t *
ngx_http_mon_conc_create(ngx_http_request_t *r, ngx_array_t *limits)
{
    ngx_http_mon_conc_ctx_t  *ctx;

    ctx = ngx_palloc(r->pool, sizeof(ngx_http_mon_conc_ctx_t)
                              + limits->nelts
                                * sizeof(ngx_http_mon_conc_permit_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->request = r;
    ctx->limits = limits;
    ctx->state = NGX_HTTP_MON_CONC_BEGAN;
    ctx->outcome = NGX_MON_LIMIT_CONC;
    ctx->status = 0;
    ctx->n = 0;
    ctx->begun = 0;
    ctx->wait = NULL;

    ctx->cleanup.handler = ngx_http_mon_conc_cleanup;
    ctx->cleanup.data = ctx;
    ctx->cleanup.next = r->pool->cleanup;
    r->pool->cleanup = &ctx->cleanup;

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


/* as most requests get it: at once */

static ngx_mon_inline ngx_uint_t
ngx_http_mon_conc_quick(ngx_http_mon_conc_ctx_t *ctx, ngx_http_mon_conc_t *c)
{
    uint32_t                    node;
    ngx_http_mon_conc_state_t  *s;

    s = c->state;

    if (c->key || s == NULL || s->permit.self == 0) {
        return 0;
    }

    node = ngx_mon_permit_quick(&s->permit);

    if (node == 0) {
        return 0;
    }

    ctx->permits[ctx->n].state = s;
    ctx->permits[ctx->n].node = node;

    return 1;
}


static ngx_mon_inline ngx_int_t
ngx_http_mon_conc_advance(ngx_http_mon_conc_ctx_t *ctx)
{
    ngx_int_t             rc;
    ngx_http_mon_conc_t  *c;

    ctx->state = NGX_HTTP_MON_CONC_BEGAN;

    while (ctx->n < ctx->limits->nelts) {

        c = ((ngx_http_mon_conc_t **) ctx->limits->elts)[ctx->n];

        if (ngx_mon_likely(ngx_http_mon_conc_quick(ctx, c))) {
            ctx->n++;
            continue;
        }

        rc = ngx_http_mon_conc_enter(ctx, c);

        if (rc == NGX_DONE) {
            return ngx_http_mon_conc_wait(ctx, c->timeout);
        }

        if (rc == NGX_BUSY) {
            return ngx_http_mon_conc_refuse(ctx, c,
                                            NGX_MON_LIMIT_CONC_REJECTED);
        }

        ctx->n++;
    }

    ctx->state = NGX_HTTP_MON_CONC_DONE;

    if (ngx_http_mon_conc_adaptive) {
        ngx_http_mon_conc_through(ctx);
    }

    return NGX_DECLINED;
}


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
            return NGX_DECLINED;
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
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_mon_conc_wait_t  *w;

    r = ctx->request;
    c = r->connection;
    w = ctx->wait;

    /* it stands in the queue, and is to leave it whatever fails here */

    ctx->state = NGX_HTTP_MON_CONC_WAITS;
    ctx->outcome = NGX_MON_LIMIT_CONC_ABORTED;

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_mon_conc_write;

    w->over.handler = ngx_http_mon_conc_over;
    w->over.data = ctx;
    w->over.log = c->log;

    w->timer.handler = ngx_http_mon_conc_expired;
    w->timer.data = ctx;
    w->timer.log = c->log;

    ngx_add_timer(&w->timer, timeout);

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

    ngx_post_event(&ctx->wait->over, &ngx_posted_events);
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

    ngx_post_event(&ctx->wait->over, &ngx_posted_events);
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

    if (ctx->wait->timer.timer_set) {
        ngx_del_timer(&ctx->wait->timer);
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


/* what it was granted is one of those that it has */

static void
ngx_http_mon_conc_stop(ngx_http_mon_conc_ctx_t *ctx)
{
    if (ctx->state == NGX_HTTP_MON_CONC_WAITS) {
        (void) ngx_http_mon_conc_quit(&ctx->permits[ctx->n]);
    }

    if (ctx->state == NGX_HTTP_MON_CONC_GRANTED) {
        ctx->n++;
    }

    if (ctx->wait->timer.timer_set) {
        ngx_del_timer(&ctx->wait->timer);
    }

    if (ctx->wait->over.posted) {
        ngx_delete_posted_event(&ctx->wait->over);
    }
}


static void
ngx_http_mon_conc_release(ngx_http_mon_conc_ctx_t *ctx)
{
    ngx_uint_t  i;

    if (ctx->wait) {
        ngx_http_mon_conc_stop(ctx);
    }

    if (ctx->begun) {
        ngx_http_mon_conc_left(ctx);
    }

    for (i = 0; i < ctx->n; i++) {
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
