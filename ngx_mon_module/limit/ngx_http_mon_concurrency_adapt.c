
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_concurrency.h"


typedef enum {
    NGX_HTTP_MON_CONC_LOCAL = 0,
    NGX_HTTP_MON_CONC_GOOD,
    NGX_HTTP_MON_CONC_FAILED
} ngx_http_mon_conc_answer_e;


static ngx_int_t ngx_http_mon_conc_filter(ngx_http_request_t *r);
static ngx_uint_t ngx_http_mon_conc_asked(ngx_http_request_t *r);
static ngx_http_mon_conc_answer_e ngx_http_mon_conc_answer(
    ngx_http_request_t *r);
static void ngx_http_mon_conc_sample(ngx_http_mon_conc_ctx_t *ctx,
    ngx_http_mon_conc_answer_e answer);
static uint64_t ngx_http_mon_conc_read_time(ngx_http_mon_conc_ctx_t *ctx);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;

ngx_uint_t                     ngx_http_mon_conc_adaptive;

const ngx_mon_gradient_conf_t  ngx_http_mon_conc_gradient = {
    NGX_MON_GRADIENT_MIN,
    NGX_MON_GRADIENT_MAX
};


ngx_int_t
ngx_http_mon_conc_filter_init(ngx_conf_t *cf)
{
    ngx_http_mon_conc_adaptive = 1;

    return ngx_mon_add_filter(cf, ngx_http_mon_conc_filter,
                              &ngx_http_next_header_filter);
}


void
ngx_http_mon_conc_through(ngx_http_mon_conc_ctx_t *ctx)
{
    ngx_uint_t                  i;
    ngx_http_mon_conc_state_t  *s;

    for (i = 0; i < ctx->n; i++) {
        s = ctx->permits[i].state;

        if (s && s->gradient) {
            ctx->begun = ngx_mon_now();
            ctx->begun_ms = ngx_current_msec;
            return;
        }
    }
}


/* what an adaptive limit goes by is not how fast the client reads */

static ngx_int_t
ngx_http_mon_conc_filter(ngx_http_request_t *r)
{
    ngx_http_mon_conc_ctx_t  *ctx;

    ctx = (r == r->main) ? ngx_http_mon_conc_find(r) : NULL;

    if (ctx && ctx->begun) {
        ngx_http_mon_conc_sample(ctx, ngx_http_mon_conc_answer(r));
    }

    return ngx_http_next_header_filter(r);
}


void
ngx_http_mon_conc_left(ngx_http_mon_conc_ctx_t *ctx)
{
    if (ctx->begun) {
        ngx_http_mon_conc_sample(ctx, ngx_http_mon_conc_asked(ctx->request)
                                      ? NGX_HTTP_MON_CONC_FAILED
                                      : NGX_HTTP_MON_CONC_LOCAL);
    }
}


/* an answer from the cache has no state, but for one used on an error */

static ngx_uint_t
ngx_http_mon_conc_asked(ngx_http_request_t *r)
{
    return r->upstream && r->upstream_states && r->upstream_states->nelts;
}


static ngx_http_mon_conc_answer_e
ngx_http_mon_conc_answer(ngx_http_request_t *r)
{
    ngx_uint_t  status;

    if (!ngx_http_mon_conc_asked(r)) {
        return NGX_HTTP_MON_CONC_LOCAL;
    }

    status = r->err_status ? r->err_status : r->headers_out.status;

    if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR
        || status == NGX_HTTP_TOO_MANY_REQUESTS)
    {
        return NGX_HTTP_MON_CONC_FAILED;
    }

#if (NGX_HTTP_CACHE)

    if (r->upstream->cache_status == NGX_HTTP_CACHE_STALE
        || r->upstream->cache_status == NGX_HTTP_CACHE_UPDATING)
    {
        return NGX_HTTP_MON_CONC_FAILED;
    }

#endif

    return NGX_HTTP_MON_CONC_GOOD;
}


static void
ngx_http_mon_conc_sample(ngx_http_mon_conc_ctx_t *ctx,
    ngx_http_mon_conc_answer_e answer)
{
    uint64_t                    rtt, now, w;
    ngx_uint_t                  i, rc;
    ngx_http_mon_conc_state_t  *s;

    rtt = ngx_mon_now() - ctx->begun;
    rtt -= ngx_min(rtt, ngx_http_mon_conc_read_time(ctx));
    ctx->begun = 0;

    if (answer == NGX_HTTP_MON_CONC_LOCAL) {
        return;
    }

    now = (uint64_t) ngx_cached_time->sec * 1000000
          + ngx_cached_time->msec * 1000;

    for (i = 0; i < ctx->n; i++) {
        s = ctx->permits[i].state;

        if (s == NULL || s->gradient == NULL || s->permit.self == 0) {
            continue;
        }

        w = ngx_mon_permit_word(&s->permit, 0);

        rc = ngx_mon_gradient_sample(s->gradient, &ngx_http_mon_conc_gradient,
                                     now, rtt, ngx_mon_permit_held(w),
                                     answer == NGX_HTTP_MON_CONC_FAILED);

        if (rc == NGX_MON_GRADIENT_SAME
            || __atomic_load_n(s->newest, __ATOMIC_ACQUIRE) != s->version)
        {
            continue;
        }

        ngx_mon_permit_limit(s->permit.shared,
                             ngx_mon_gradient_limit(s->gradient,
                                                &ngx_http_mon_conc_gradient));

        if (rc == NGX_MON_GRADIENT_GREW) {
            ngx_mon_permit_serve(&s->permit);
        }
    }
}


/* that of the request's body: nothing was sent to the upstream until then */

static uint64_t
ngx_http_mon_conc_read_time(ngx_http_mon_conc_ctx_t *ctx)
{
    ngx_msec_int_t        ms;
    ngx_http_upstream_t  *u;

    u = ctx->request->upstream;

    if (u == NULL || u->peer.start_time == 0) {
        return 0;
    }

    ms = (ngx_msec_int_t) (u->peer.start_time - ctx->begun_ms);

    return ms > 0 ? (uint64_t) ms * 1000 : 0;
}
