
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_breaker.h"


static ngx_mon_noinline ngx_int_t ngx_http_mon_refuse_request(
    ngx_http_request_t *r, ngx_http_mon_breaker_loc_conf_t *blcf);
static uint64_t ngx_http_mon_refuse_wait(ngx_http_mon_breaker_t *b);
static ngx_int_t ngx_http_mon_refuse(ngx_http_request_t *r,
    ngx_http_mon_breaker_t *b);
static ngx_int_t ngx_http_mon_refuse_admit(ngx_http_request_t *r,
    ngx_http_mon_breaker_t *b);
static ngx_http_mon_breaker_ctx_t *ngx_http_mon_refuse_ctx_add(
    ngx_http_request_t *r);
static void ngx_http_mon_refuse_cleanup(void *data);
static ngx_http_mon_breaker_ctx_t *ngx_http_mon_refuse_answer(
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_mon_refuse_reason(ngx_http_request_t *r,
    ngx_uint_t status);
static ngx_int_t ngx_http_mon_refuse_filter(ngx_http_request_t *r);
static ngx_mon_noinline ngx_int_t ngx_http_mon_refuse_header(
    ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


/* the usual case is that of a single circuit, which is closed */

ngx_int_t
ngx_http_mon_refuse_handler(ngx_http_request_t *r)
{
    ngx_http_mon_breaker_loc_conf_t  *blcf;

    blcf = ngx_http_get_module_loc_conf(r, ngx_http_mon_breaker_module);

    if (ngx_mon_likely(blcf->single && !r->internal
                       && ngx_http_mon_breaker_closed(blcf->single)))
    {
        return NGX_DECLINED;
    }

    return ngx_http_mon_refuse_request(r, blcf);
}


static ngx_mon_noinline ngx_int_t
ngx_http_mon_refuse_request(ngx_http_request_t *r,
    ngx_http_mon_breaker_loc_conf_t *blcf)
{
    ngx_http_mon_breaker_t      *b;
    ngx_http_mon_breaker_ctx_t  *ctx;

    if (!blcf->guarded || r->content_handler != blcf->handler) {
        return NGX_DECLINED;
    }

    if (r->internal) {

        /* what it was let through to before a redirect it did not use */

        ctx = ngx_http_mon_refuse_ctx(r);

        if (ctx && ctx->pass.breaker) {
            ngx_http_mon_breaker_verdict(r, &ctx->pass,
                                         NGX_HTTP_MON_NO_VERDICT, 0);
        }
    }

    if (!ngx_mon_active) {
        return NGX_DECLINED;
    }

    b = blcf->breaker;

    if (b && blcf->variable) {
        return ngx_http_mon_refuse_admit(r, b);
    }

    if (b == NULL || ngx_http_mon_refuse_wait(b) == 0) {

        b = blcf->upstream;

        if (b == NULL || ngx_http_mon_refuse_wait(b) == 0) {
            return NGX_DECLINED;
        }
    }

    if (ngx_http_mon_refuse_cached(r, blcf->pass)) {

        /* it will be asked once the cache has been */

        return NGX_DECLINED;
    }

    return ngx_http_mon_refuse(r, b);
}


static ngx_inline uint64_t
ngx_http_mon_refuse_wait(ngx_http_mon_breaker_t *b)
{
    if (ngx_http_mon_breaker_ready(b) != NGX_OK) {
        return 0;
    }

    return ngx_mon_breaker_wait(&b->state, ngx_current_msec);
}


ngx_uint_t
ngx_http_mon_refuse_cached(ngx_http_request_t *r,
    ngx_http_upstream_conf_t *pass)
{
#if (NGX_HTTP_CACHE)
    return pass && pass->cache && (r->method & pass->cache_methods);
#else
    return 0;
#endif
}


/* the 503, after which error_page may have its own idea */

static ngx_int_t
ngx_http_mon_refuse(ngx_http_request_t *r, ngx_http_mon_breaker_t *b)
{
    uint64_t                     wait;
    ngx_http_mon_breaker_ctx_t  *ctx;

    wait = ngx_http_mon_refuse_wait(b);

    ctx = ngx_http_mon_refuse_as(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 NGX_MON_ERROR_BREAKER_OPEN,
                                 wait ? (wait + 999) / 1000 : 1);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->refused = b;

    ngx_mon_add(b->series, NGX_MON_REJECTED, 1);
    ngx_mon_touch(b->series);

    return NGX_HTTP_SERVICE_UNAVAILABLE;
}


ngx_http_mon_breaker_ctx_t *
ngx_http_mon_refuse_as(ngx_http_request_t *r, ngx_uint_t status,
    ngx_uint_t reason, ngx_uint_t wait)
{
    ngx_http_mon_breaker_ctx_t  *ctx;

    ctx = ngx_http_mon_refuse_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_mon_refuse_ctx_add(r);

        if (ctx == NULL) {
            return NULL;
        }
    }

    ctx->refused = NULL;
    ctx->status = status;
    ctx->reason = reason;
    ctx->wait = wait;

    return ctx;
}


static ngx_int_t
ngx_http_mon_refuse_admit(ngx_http_request_t *r, ngx_http_mon_breaker_t *b)
{
    ngx_http_mon_breaker_ctx_t  *ctx;

    ctx = ngx_http_mon_refuse_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_mon_refuse_ctx_add(r);

        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_mon_breaker_admit(r, b, &ctx->pass) == NGX_OK
           ? NGX_DECLINED : ngx_http_mon_refuse(r, b);
}


/* r->ctx is wiped by redirects */

static ngx_http_mon_breaker_ctx_t *
ngx_http_mon_refuse_ctx_add(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_mon_breaker_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_mon_breaker_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_mon_breaker_ctx_t));

    ctx->request = r;

    cln->handler = ngx_http_mon_refuse_cleanup;

    return ctx;
}


ngx_http_mon_breaker_ctx_t *
ngx_http_mon_refuse_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_mon_breaker_ctx_t  *ctx;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_mon_refuse_cleanup) {
            ctx = cln->data;

            if (ctx->request == r) {
                return ctx;
            }
        }
    }

    return NULL;
}


static void
ngx_http_mon_refuse_cleanup(void *data)
{
    ngx_http_mon_breaker_ctx_t  *ctx = data;

    if (ctx->pass.breaker) {
        ngx_http_mon_breaker_verdict(ctx->request, &ctx->pass,
                                     NGX_HTTP_MON_NO_VERDICT, 0);
    }
}


ngx_int_t
ngx_http_mon_refuse_upstream(ngx_http_request_t *r, ngx_http_mon_breaker_t *b)
{
    ngx_int_t  rc;

    rc = ngx_http_mon_refuse(r, b);

    if (ngx_http_mon_refuse_stale(r)) {
        return NGX_BUSY;
    }

    return ngx_http_mon_refuse_end(r, rc);
}


ngx_int_t
ngx_http_mon_refuse_end(ngx_http_request_t *r, ngx_int_t rc)
{
    /*
     * Ends the upstream as nginx itself does where another one is to come,
     * so that a lock of the cache is free.  When peer.init, or get, has
     * failed nginx finds no cleanup, and drops the second count.
     */

    r->main->count++;
    (*r->upstream->cleanup)(r);

    r->main->count++;
    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}


/* whether nginx serves what has expired once there is no peer */

ngx_uint_t
ngx_http_mon_refuse_stale(ngx_http_request_t *r)
{
#if (NGX_HTTP_CACHE)

    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u->cache_status != NGX_HTTP_CACHE_EXPIRED || r->cache == NULL) {
        return 0;
    }

    if (u->conf->cache_use_stale
        & (NGX_HTTP_UPSTREAM_FT_ERROR|NGX_HTTP_UPSTREAM_FT_HTTP_503))
    {
        /* that is told an error of the connection */

        r->cache->stale_error = 1;
    }

    return r->cache->stale_error;

#else
    return 0;
#endif
}


/* the context, if this is the answer that says so */

static ngx_http_mon_breaker_ctx_t *
ngx_http_mon_refuse_answer(ngx_http_request_t *r)
{
    ngx_http_mon_breaker_ctx_t  *ctx;

    if (r->err_status < NGX_HTTP_BAD_REQUEST) {
        return NULL;
    }

    ctx = ngx_http_mon_refuse_ctx(r);

    return ctx && ctx->status == r->err_status ? ctx : NULL;
}


/* see ngx_mon_add_reason() */

static ngx_uint_t
ngx_http_mon_refuse_reason(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_http_mon_breaker_ctx_t  *ctx;

    ctx = ngx_http_mon_refuse_answer(r);

    return ctx ? ctx->reason : NGX_MON_ERROR_N;
}


ngx_int_t
ngx_http_mon_refuse_init(ngx_conf_t *cf)
{
    ngx_http_mon_breaker_main_conf_t  *bmcf;

    bmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_breaker_module);

    if (bmcf->refuses) {
        return NGX_OK;
    }

    bmcf->refuses = 1;

    ngx_mon_add_reason(ngx_http_mon_refuse_reason);

    return ngx_mon_add_filter(cf, ngx_http_mon_refuse_filter,
                              &ngx_http_next_header_filter);
}


static ngx_int_t
ngx_http_mon_refuse_filter(ngx_http_request_t *r)
{
    if (ngx_mon_likely(r->headers_out.status < NGX_HTTP_BAD_REQUEST)) {
        return ngx_http_next_header_filter(r);
    }

    return ngx_http_mon_refuse_header(r);
}


static ngx_mon_noinline ngx_int_t
ngx_http_mon_refuse_header(ngx_http_request_t *r)
{
    u_char                      *p;
    ngx_table_elt_t             *h;
    ngx_http_mon_breaker_ctx_t  *ctx;

    ctx = (r == r->main) ? ngx_http_mon_refuse_answer(r) : NULL;

    if (ctx == NULL) {
        return ngx_http_next_header_filter(r);
    }

    h = ngx_list_push(&r->headers_out.headers);
    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);

    if (h == NULL || p == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    ngx_str_set(&h->key, "Retry-After");
    h->value.data = p;
    h->value.len = ngx_sprintf(p, "%ui", ctx->wait) - p;

    return ngx_http_next_header_filter(r);
}
