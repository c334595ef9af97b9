
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * RateLimit-Policy, RateLimit and Retry-After: draft-ietf-httpapi-ratelimit-
 * headers-11, lists of structured fields (RFC 9651).
 */


#include "ngx_http_mon_limit.h"
#include "ngx_mon_text.h"


#define NGX_HTTP_MON_LIMIT_POLICY  (sizeof(";q=;w=") - 1 + 2 * NGX_INT64_LEN)


static ngx_int_t ngx_http_mon_limit_filter(ngx_http_request_t *r);
static ngx_mon_noinline ngx_int_t ngx_http_mon_limit_show(
    ngx_http_request_t *r, ngx_http_mon_limit_ctx_t *ctx);
static ngx_int_t ngx_http_mon_limit_fields(ngx_http_request_t *r,
    ngx_http_mon_limit_try_t *t, uint64_t window);
static u_char *ngx_http_mon_limit_text(u_char *p, ngx_http_mon_limit_t *l,
    const ngx_mon_rate_t *rate);
static uint64_t ngx_http_mon_limit_window(ngx_http_mon_limit_try_t *t,
    ngx_uint_t rejected);
static uint64_t ngx_http_mon_limit_seconds(uint64_t ns);
static ngx_int_t ngx_http_mon_limit_retry(ngx_http_request_t *r,
    uint64_t seconds);
static void ngx_http_mon_limit_retries(ngx_http_request_t *r,
    uint64_t *seconds);
static ngx_int_t ngx_http_mon_limit_header(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);


static ngx_str_t  ngx_http_mon_limit_names[] = {
    ngx_string("RateLimit-Policy"),
    ngx_string("RateLimit"),
    ngx_string("Retry-After")
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


ngx_int_t
ngx_http_mon_limit_filter_init(ngx_conf_t *cf)
{
    return ngx_mon_add_filter(cf, ngx_http_mon_limit_filter,
                              &ngx_http_next_header_filter);
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
    uint64_t                   window;
    ngx_uint_t                 rejected, status;
    ngx_http_mon_limit_try_t  *t;

    t = ngx_http_mon_limit_tightest(r, ctx, 1);

    if (t == NULL) {
        return NGX_OK;
    }

    rejected = (ctx->outcome == NGX_HTTP_MON_LIMIT_REJECTED);
    window = ngx_http_mon_limit_window(t, rejected);

    if (ngx_http_mon_limit_fields(r, t, window) != NGX_OK) {
        return NGX_ERROR;
    }

    status = r->err_status ? r->err_status : r->headers_out.status;

    /* error_page may have made a good answer of it */

    if (rejected && status >= NGX_HTTP_BAD_REQUEST) {
        return ngx_http_mon_limit_retry(r, window);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_limit_fields(ngx_http_request_t *r, ngx_http_mon_limit_try_t *t,
    uint64_t window)
{
    u_char                *p;
    ngx_str_t              policy, state;
    ngx_http_mon_limit_t  *l;

    l = t->limit;

    p = ngx_pnalloc(r->pool, 2 * (l->zone->quoted.len
                                  + NGX_HTTP_MON_LIMIT_POLICY));
    if (p == NULL) {
        return NGX_ERROR;
    }

    state.data = p;

    p = ngx_cpymem(p, l->item.data, l->item.len);
    p = ngx_mon_u64(p, t->g.remaining);
    *p++ = ';';
    *p++ = 't';
    *p++ = '=';
    p = ngx_mon_u64(p, window);

    state.len = p - state.data;

    policy = l->policy;

    if (t->rate != &l->rate) {
        policy.data = p;
        policy.len = ngx_http_mon_limit_text(p, l, t->rate) - p;
    }

    if (ngx_http_mon_limit_header(r, &ngx_http_mon_limit_names[0], &policy)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_mon_limit_header(r, &ngx_http_mon_limit_names[1], &state);
}


ngx_int_t
ngx_http_mon_limit_policy(ngx_conf_t *cf, ngx_http_mon_limit_t *l)
{
    u_char     *p;
    ngx_str_t  *name;

    name = &l->zone->quoted;

    p = ngx_pnalloc(cf->pool, 2 * (name->len + NGX_HTTP_MON_LIMIT_POLICY));
    if (p == NULL) {
        return NGX_ERROR;
    }

    l->policy.data = p;
    p = ngx_http_mon_limit_text(p, l, &l->rate);
    l->policy.len = p - l->policy.data;

    l->item.data = p;
    l->item.len = ngx_sprintf(p, "%V;r=", name) - p;

    return NGX_OK;
}


static u_char *
ngx_http_mon_limit_text(u_char *p, ngx_http_mon_limit_t *l,
    const ngx_mon_rate_t *rate)
{
    return ngx_sprintf(p, "%V;q=%uL;w=%uL", &l->zone->quoted,
                       (uint64_t) rate->burst + 1,
                       ngx_http_mon_limit_seconds(rate->limit / rate->unit));
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
    ngx_str_t  value;

    ngx_http_mon_limit_retries(r, &seconds);

    value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_mon_u64(value.data, seconds) - value.data;

    return ngx_http_mon_limit_header(r, &ngx_http_mon_limit_names[2], &value);
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
ngx_http_mon_limit_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key = *name;
    h->value = *value;

    return NGX_OK;
}
