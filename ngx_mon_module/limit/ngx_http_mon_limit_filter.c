
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * RateLimit-Policy, RateLimit and Retry-After: draft-ietf-httpapi-ratelimit-
 * headers-11, lists of structured fields (RFC 9651).
 */


#include "ngx_http_mon_limit.h"


static ngx_int_t ngx_http_mon_limit_filter(ngx_http_request_t *r);
static ngx_mon_noinline ngx_int_t ngx_http_mon_limit_show(
    ngx_http_request_t *r, ngx_http_mon_limit_ctx_t *ctx);
static uint64_t ngx_http_mon_limit_window(ngx_http_mon_limit_try_t *t,
    ngx_uint_t rejected);
static uint64_t ngx_http_mon_limit_seconds(uint64_t ns);
static ngx_int_t ngx_http_mon_limit_retry(ngx_http_request_t *r,
    uint64_t seconds);
static void ngx_http_mon_limit_retries(ngx_http_request_t *r,
    uint64_t *seconds);
static ngx_int_t ngx_http_mon_limit_header(ngx_http_request_t *r,
    const char *name, u_char *value, u_char *last);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


void
ngx_http_mon_limit_filter_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_mon_limit_filter;
}


static ngx_int_t
ngx_http_mon_limit_filter(ngx_http_request_t *r)
{
    ngx_http_mon_limit_ctx_t  *ctx;

    ctx = (r == r->main) ? ngx_http_mon_limit_ctx(r) : NULL;

    if (ctx && ctx->headers && ngx_http_mon_limit_show(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


static ngx_mon_noinline ngx_int_t
ngx_http_mon_limit_show(ngx_http_request_t *r, ngx_http_mon_limit_ctx_t *ctx)
{
    u_char                    *p, *policy, *limit;
    uint64_t                   window;
    ngx_str_t                 *name;
    ngx_uint_t                 rejected, status;
    ngx_http_mon_limit_try_t  *t;

    t = ngx_http_mon_limit_tightest(r, ctx, 1);

    if (t == NULL) {
        return NGX_OK;
    }

    name = &t->limit->zone->quoted;
    rejected = (ctx->outcome == NGX_HTTP_MON_LIMIT_REJECTED);
    window = ngx_http_mon_limit_window(t, rejected);

    p = ngx_pnalloc(r->pool, 2 * (name->len + sizeof(";q=;w=") - 1
                                  + 2 * NGX_INT64_LEN));
    if (p == NULL) {
        return NGX_ERROR;
    }

    policy = p;
    p = ngx_sprintf(p, "%V;q=%uL;w=%uL", name, (uint64_t) t->rate->burst + 1,
                    ngx_http_mon_limit_seconds(t->rate->limit
                                               / t->rate->unit));
    limit = p;
    p = ngx_sprintf(p, "%V;r=%uL;t=%uL", name, t->g.remaining, window);

    if (ngx_http_mon_limit_header(r, "RateLimit-Policy", policy, limit)
        != NGX_OK
        || ngx_http_mon_limit_header(r, "RateLimit", limit, p) != NGX_OK)
    {
        return NGX_ERROR;
    }

    status = r->err_status ? r->err_status : r->headers_out.status;

    /* error_page may have made a good answer of it */

    if (rejected && status >= NGX_HTTP_BAD_REQUEST) {
        return ngx_http_mon_limit_retry(r, window);
    }

    return NGX_OK;
}


/*
 * In how many seconds no more than what is left is to be used: that which
 * its rate gives back meanwhile; and until there is something again.
 */

static uint64_t
ngx_http_mon_limit_window(ngx_http_mon_limit_try_t *t, ngx_uint_t rejected)
{
    const ngx_mon_rate_t  *rate;

    rate = t->rate;

    if (rejected && t->g.wait == (uint64_t) -1) {
        /* never; but another time it may cost less */
        return ngx_http_mon_limit_seconds(rate->limit / rate->unit);
    }

    if (rejected) {
        return ngx_http_mon_limit_seconds(t->g.wait);
    }

    if (t->g.remaining) {
        return ngx_http_mon_limit_seconds(t->g.remaining * rate->cost
                                          / rate->unit);
    }

    return ngx_http_mon_limit_seconds(t->g.reset - (rate->limit - rate->cost)
                                                   / rate->unit);
}


/* rounded up, never 0 */

static uint64_t
ngx_http_mon_limit_seconds(uint64_t ns)
{
    return ns ? (ns - 1) / 1000000000 + 1 : 1;
}


static ngx_int_t
ngx_http_mon_limit_retry(ngx_http_request_t *r, uint64_t seconds)
{
    u_char  *p;

    ngx_http_mon_limit_retries(r, &seconds);

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_mon_limit_header(r, "Retry-After", p,
                                     ngx_sprintf(p, "%uL", seconds));
}


/*
 * One there is already, of a breaker or an upstream that was to answer in the
 * place of this one, goes; the longer time is what counts.
 */

static void
ngx_http_mon_limit_retries(ngx_http_request_t *r, uint64_t *seconds)
{
    ngx_int_t         n;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash == 0
                || h[i].key.len != sizeof("Retry-After") - 1
                || ngx_strncasecmp(h[i].key.data, (u_char *) "Retry-After",
                                   h[i].key.len)
                   != 0)
            {
                continue;
            }

            h[i].hash = 0;
            n = ngx_atoi(h[i].value.data, h[i].value.len);

            if (n > 0 && (uint64_t) n > *seconds) {
                *seconds = n;
            }
        }
    }
}


static ngx_int_t
ngx_http_mon_limit_header(ngx_http_request_t *r, const char *name,
    u_char *value, u_char *last)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = value;
    h->value.len = last - value;

    return NGX_OK;
}
