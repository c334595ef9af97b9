
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon.h"


/* beside the bits of methods */
#define NGX_HTTP_MON_UPGRADED  ((uint32_t) 1 << 31)


typedef struct {
    uint64_t                   start;      /* ngx_mon_now() */
    uint64_t                   header;     /* 0 until it is sent */

    /* where the request is in flight; NULL where it is not recorded */
    ngx_http_mon_loc_conf_t   *conf;
    ngx_mon_series_t          *series;

    /* as the client sent it: an error page makes it GET; and a flag */
    uint32_t                   method;

    /* of the upstream whose look-up in a cache was counted last, or 0 */
    uint32_t                   cached;

    /* found again after a redirect or a filter has wiped r->ctx */
    ngx_pool_cleanup_t         cleanup;
} ngx_http_mon_ctx_t;


static ngx_int_t ngx_http_mon_rewrite_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_mon_header_filter(ngx_http_request_t *r);
static ngx_mon_noinline void ngx_http_mon_answered(ngx_http_request_t *r,
    ngx_http_mon_ctx_t *ctx);
static ngx_int_t ngx_http_mon_log_handler(ngx_http_request_t *r);
static ngx_http_mon_ctx_t *ngx_http_mon_find_ctx(ngx_http_request_t *r);
static ngx_mon_inline ngx_http_mon_ctx_t *ngx_http_mon_create_ctx(
    ngx_http_request_t *r, ngx_http_mon_loc_conf_t *mlcf);
static void ngx_http_mon_cleanup(void *data);
static ngx_mon_inline void ngx_http_mon_begin(ngx_http_mon_ctx_t *ctx,
    ngx_http_mon_loc_conf_t *mlcf);
static ngx_mon_series_t *ngx_http_mon_series(ngx_http_mon_loc_conf_t *mlcf);
static ngx_mon_inline void ngx_http_mon_done(ngx_http_request_t *r,
    ngx_http_mon_ctx_t *ctx, ngx_http_mon_loc_conf_t *mlcf);
static ngx_mon_inline void ngx_http_mon_count(ngx_http_request_t *r,
    ngx_http_mon_ctx_t *ctx, ngx_http_mon_loc_conf_t *mlcf,
    ngx_mon_series_t *s, ngx_uint_t shared);
static ngx_mon_inline ngx_mon_series_t *ngx_http_mon_requests(
    ngx_mon_series_t *s, ngx_uint_t bit, ngx_uint_t status);


static ngx_http_output_header_filter_pt  ngx_http_mon_next_header_filter;


ngx_int_t
ngx_http_mon_record_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    /* the last one added runs first: before "return" and "rewrite" */

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_mon_rewrite_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_mon_log_handler;

    return ngx_mon_add_filter(cf, ngx_http_mon_header_filter,
                              &ngx_http_mon_next_header_filter);
}


/* the clock may have been set: no request is older than its connection */

static uint64_t
ngx_http_mon_started(ngx_http_request_t *r, ngx_time_t *tp)
{
    ngx_msec_int_t  ms, age;

    ms = (ngx_msec_int_t) ((tp->sec - r->start_sec) * 1000
                           + (tp->msec - r->start_msec));

    age = (ngx_msec_int_t) (ngx_current_msec - r->connection->start_time);
    ms = ngx_min(ms, age);

    return ngx_mon_loop_start - (ms > 0 ? (uint64_t) ms * 1000 : 0);
}


/*
 * nginx keeps the milliseconds of its cached clock.  A request of this
 * iteration of the event loop began when the iteration did.
 */

static ngx_inline uint64_t
ngx_http_mon_start(ngx_http_request_t *r)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    if (ngx_mon_likely(r->start_msec == tp->msec && r->start_sec == tp->sec)) {
        return ngx_mon_loop_start;
    }

    return ngx_http_mon_started(r, tp);
}


static ngx_inline ngx_http_mon_ctx_t *
ngx_http_mon_get_ctx(ngx_http_request_t *r)
{
    ngx_http_mon_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mon_module);

    if (ctx) {
        return ctx;
    }

    if (r->internal || r->filter_finalize) {
        ctx = ngx_http_mon_find_ctx(r);

        if (ctx) {
            ngx_http_set_ctx(r, ctx, ngx_http_mon_module);
            return ctx;
        }
    }

    return ngx_http_mon_create_ctx(r, NULL);
}


static ngx_mon_inline ngx_http_mon_ctx_t *
ngx_http_mon_create_ctx(ngx_http_request_t *r, ngx_http_mon_loc_conf_t *mlcf)
{
    ngx_http_mon_ctx_t  *ctx;

    ctx = ngx_palloc(r->pool, sizeof(ngx_http_mon_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->start = ngx_http_mon_start(r);
    ctx->header = 0;
    ctx->conf = mlcf;
    ctx->series = NULL;
    ctx->method = r->method;
    ctx->cached = 0;

    ctx->cleanup.handler = ngx_http_mon_cleanup;
    ctx->cleanup.data = ctx;
    ctx->cleanup.next = r->pool->cleanup;
    r->pool->cleanup = &ctx->cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_mon_module);

    return ctx;
}


static ngx_http_mon_ctx_t *
ngx_http_mon_find_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_mon_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


static ngx_mon_inline void
ngx_http_mon_leave(ngx_http_mon_ctx_t *ctx)
{
    ngx_mon_add(ctx->series, NGX_MON_IN_FLIGHT, -1);

    if (ngx_mon_unlikely(ctx->method & NGX_HTTP_MON_UPGRADED)) {
        ngx_mon_add(ctx->series, NGX_MON_UPGRADED, -1);
    }

    ctx->series = NULL;
}


/* moves a request in flight to a location, or out of the last one */

static ngx_mon_inline void
ngx_http_mon_enter(ngx_http_mon_ctx_t *ctx, ngx_http_mon_loc_conf_t *mlcf)
{
    if (ngx_mon_unlikely(ctx->series != NULL)) {
        ngx_http_mon_leave(ctx);
    }

    ctx->conf = mlcf;

    if (mlcf == NULL || !mlcf->enable) {
        return;
    }

    ngx_http_mon_begin(ctx, mlcf);

    if (ngx_mon_unlikely(ctx->method & NGX_HTTP_MON_UPGRADED)) {
        ngx_mon_add(ctx->series, NGX_MON_UPGRADED, 1);
    }
}


static ngx_mon_inline void
ngx_http_mon_begin(ngx_http_mon_ctx_t *ctx, ngx_http_mon_loc_conf_t *mlcf)
{
    ngx_mon_series_t  *s;

    s = mlcf->series ? mlcf->series : ngx_http_mon_series(mlcf);

    ctx->series = s;

    ngx_mon_add(s, NGX_MON_IN_FLIGHT, 1);
}


/* a marker; also lets go of a request that ended without the log phase */

static void
ngx_http_mon_cleanup(void *data)
{
    ngx_http_mon_enter(data, NULL);
}


/* the location's series, got at the worker's first request */

static ngx_mon_series_t *
ngx_http_mon_series(ngx_http_mon_loc_conf_t *mlcf)
{
    ngx_str_t          values[2];
    ngx_mon_series_t  *s;

    values[0] = mlcf->srv->label;
    values[1] = mlcf->name;

    s = ngx_mon_get(NGX_MON_G_LOCATION, NULL, NULL, values, 2, NGX_MON_PIN);

    if (s->overflow == NULL) {
        mlcf->series = s;
    }

    return s;
}


/* upstreams that the configuration names follow themselves */

static ngx_inline void
ngx_http_mon_follow(ngx_http_request_t *r, ngx_uint_t when)
{
    if (ngx_mon_unlikely(r->upstream->upstream == NULL)
        && ngx_mon_follow && ngx_mon_active)
    {
        ngx_mon_follow(r, when);
    }
}


/* another upstream and another cache may come */

static void
ngx_http_mon_redirected(ngx_http_request_t *r)
{
    ngx_http_mon_ctx_t  *ctx;

    ngx_http_mon_follow(r, NGX_MON_REDIRECTED);

    if (r == r->main) {
        ctx = ngx_http_mon_get_ctx(r);
        ngx_http_mon_cached(r, ctx ? &ctx->cached : NULL);
    }
}


static ngx_int_t
ngx_http_mon_rewrite_handler(ngx_http_request_t *r)
{
    ngx_http_mon_ctx_t       *ctx;
    ngx_http_mon_loc_conf_t  *mlcf;

    if (ngx_mon_unlikely(!ngx_mon_active)) {
        return NGX_DECLINED;
    }

    if (ngx_mon_unlikely(r->upstream != NULL)) {
        ngx_http_mon_redirected(r);
    }

    if (r != r->main) {
        return NGX_DECLINED;
    }

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mon_module);
    ctx = ngx_http_get_module_ctx(r, ngx_http_mon_module);

    if (ngx_mon_likely(ctx == NULL && !r->internal && !r->filter_finalize)) {

        ctx = ngx_http_mon_create_ctx(r, mlcf);

        if (ctx && mlcf->enable) {
            ngx_http_mon_begin(ctx, mlcf);
        }

        return NGX_DECLINED;
    }

    ctx = ngx_http_mon_get_ctx(r);

    if (ctx && ctx->conf != mlcf) {
        ngx_http_mon_enter(ctx, mlcf);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_mon_header_filter(ngx_http_request_t *r)
{
    ngx_http_mon_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mon_module);

    if (ngx_mon_unlikely(ctx == NULL)) {

        if (!ngx_mon_active) {
            return ngx_http_mon_next_header_filter(r);
        }

        ctx = (r == r->main) ? ngx_http_mon_get_ctx(r) : NULL;
    }

    if (r->upstream) {
        ngx_http_mon_answered(r, ctx);
    }

    if (ctx && ctx->header == 0) {
        ctx->header = ngx_mon_now();
    }

    return ngx_http_mon_next_header_filter(r);
}


static ngx_mon_noinline void
ngx_http_mon_answered(ngx_http_request_t *r, ngx_http_mon_ctx_t *ctx)
{
    ngx_http_mon_cached(r, ctx ? &ctx->cached : NULL);
    ngx_http_mon_follow(r, NGX_MON_ANSWERED);

    if (r->upstream->upgrade && ctx && ctx->header == 0) {
        ctx->method |= NGX_HTTP_MON_UPGRADED;

        if (ctx->series) {
            ngx_mon_add(ctx->series, NGX_MON_UPGRADED, 1);
        }
    }
}


static ngx_int_t
ngx_http_mon_log_handler(ngx_http_request_t *r)
{
    ngx_http_mon_ctx_t       *ctx;
    ngx_http_mon_loc_conf_t  *mlcf;

    if (r->upstream) {
        ngx_http_mon_follow(r, NGX_MON_LOGGED);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_mon_module);

    if (ngx_mon_unlikely(ctx == NULL)) {

        /* subrequests come here by "log_subrequest" */

        if (!ngx_mon_active || r != r->main) {
            return NGX_OK;
        }

        ctx = ngx_http_mon_get_ctx(r);
        if (ctx == NULL) {
            return NGX_OK;
        }
    }

    mlcf = ngx_http_get_module_loc_conf(r, ngx_http_mon_module);

    if (ctx->series == NULL
        || (ctx->conf != mlcf && ctx->series != mlcf->series))
    {
        /* it died before its location, or "if" chose a part of it */
        ngx_http_mon_enter(ctx, mlcf);
    }

    if (ctx->series) {
        ngx_http_mon_done(r, ctx, mlcf);
        ngx_http_mon_leave(ctx);
    }

    /* nothing is left to do when the pool goes */
    ctx->cleanup.handler = NULL;

    return NGX_OK;
}


static ngx_mon_inline void
ngx_http_mon_done(ngx_http_request_t *r, ngx_http_mon_ctx_t *ctx,
    ngx_http_mon_loc_conf_t *mlcf)
{
    ngx_uint_t         status, reason;
    ngx_mon_series_t  *s;

    /* a location is kept by its children, the counts of requests */

    s = ctx->series;

    if (ngx_mon_unlikely(mlcf->labels != NULL)) {
        s = ngx_http_mon_labelled(r, mlcf);
        ngx_mon_stamp(s);
    }

    status = r->err_status ? r->err_status : r->headers_out.status;

    if (ngx_mon_unlikely(s->shared)) {
        ngx_mon_touch(s);
        ngx_http_mon_count(r, ctx, mlcf, s, 1);

    } else {
        ngx_http_mon_count(r, ctx, mlcf, s, 0);
    }

    if (ngx_mon_unlikely((r->limit_req_status | r->limit_conn_status
                          | ngx_mon_nlimited) != 0))
    {
        ngx_http_mon_limited(r, s);
    }

    if (status >= NGX_HTTP_BAD_REQUEST || r->connection->error) {
        reason = ngx_http_mon_reason(r, status);

        if (reason < NGX_MON_ERROR_N) {
            ngx_mon_add(s, NGX_MON_ERRORS + reason, 1);
        }
    }

    s = ngx_http_mon_requests(s, ctx->method & ~NGX_HTTP_MON_UPGRADED,
                              status);

    if (ngx_mon_unlikely(s->shared)) {
        ngx_mon_touch(s);
        ngx_mon_cell_add(&s->cells[NGX_MON_REQUESTS], 1, 1);

    } else {
        ngx_mon_stamp(s);
        ngx_mon_cell_add(&s->cells[NGX_MON_REQUESTS], 1, 0);
    }

    if (ngx_mon_likely(r->http_version == NGX_HTTP_VERSION_11)) {
        ngx_mon_add(ngx_mon_nginx(), NGX_MON_PROTOCOL + NGX_MON_PROTOCOL_11,
                    1);

    } else {
        ngx_http_mon_protocol(r);
    }
}


/* compiled twice: for cells of this worker and for shared ones */

static ngx_mon_inline void
ngx_http_mon_count(ngx_http_request_t *r, ngx_http_mon_ctx_t *ctx,
    ngx_http_mon_loc_conf_t *mlcf, ngx_mon_series_t *s, ngx_uint_t shared)
{
    uint64_t   now, start, *cells, *h;

    cells = s->cells;

    if (!(ctx->method & NGX_HTTP_MON_UPGRADED)) {

        h = s->hists;
        start = ctx->start;
        now = ngx_mon_now();

        ngx_mon_hist_add(h, now - start, shared);

        if (ngx_mon_likely(ctx->header)) {
            ngx_mon_hist_add(h + ngx_mon_hist_stride, ctx->header - start,
                             shared);
        }

        if (mlcf->slow && now - start > (uint64_t) mlcf->slow * 1000) {
            ngx_mon_cell_add(&cells[NGX_MON_SLOW], 1, shared);
        }
    }

    ngx_mon_cell_add(&cells[NGX_MON_REQUEST_BYTES], r->request_length, shared);
    ngx_mon_cell_add(&cells[NGX_MON_RESPONSE_BYTES], r->connection->sent,
                     shared);

#if (NGX_HTTP_CACHE)

    if (r->upstream && r->upstream->cache_status) {
        ngx_mon_cell_add(&cells[NGX_MON_CACHED
                                + r->upstream->cache_status - 1], 1, shared);
    }

#endif
}


/* the counter of a method and a status, a child of the location's series */

static ngx_mon_inline ngx_mon_series_t *
ngx_http_mon_requests(ngx_mon_series_t *s, ngx_uint_t bit, ngx_uint_t status)
{
    ngx_uint_t        key;
    ngx_mon_child_t  *child;

    key = bit << NGX_HTTP_MON_STATUS_BITS | status;
    child = &s->children[(status ^ (bit >> 1)) % NGX_MON_CHILDREN];

    if (ngx_mon_likely(child->key == key)) {
        return child->series;
    }

    return ngx_http_mon_request(s, child, key);
}
