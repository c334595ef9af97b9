
/*
 * Copyright (C) The ngx_mon authors
 */


/* rates, bursts and costs that come by variables */


#include "ngx_http_mon_limit.h"


/* so much of what can't be used is logged */
#define NGX_HTTP_MON_LIMIT_EXCERPT  64


static ngx_int_t ngx_http_mon_limit_rate(ngx_http_request_t *r,
    ngx_http_mon_limit_try_t *t);
static ngx_int_t ngx_http_mon_limit_cost(ngx_http_request_t *r,
    ngx_http_mon_limit_try_t *t);
static ngx_uint_t ngx_http_mon_limit_count(const ngx_str_t *s, uint64_t *n);
static void ngx_http_mon_limit_invalid(ngx_http_request_t *r,
    ngx_http_mon_limit_try_t *t, const char *what, const ngx_str_t *s);


ngx_int_t
ngx_http_mon_limit_rates(ngx_http_request_t *r, ngx_http_mon_limit_try_t *t)
{
    if ((t->limit->rate_value || t->limit->burst_value)
        && ngx_http_mon_limit_rate(r, t) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (t->limit->cost_value) {
        return ngx_http_mon_limit_cost(r, t);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_limit_rate(ngx_http_request_t *r, ngx_http_mon_limit_try_t *t)
{
    uint64_t               burst, n;
    ngx_str_t              text, s;
    ngx_http_mon_limit_t  *l;

    l = t->limit;
    text = l->text;
    burst = l->rate.burst;

    if (l->rate_value) {

        if (ngx_http_complex_value(r, l->rate_value, &s) != NGX_OK) {
            return NGX_ERROR;
        }

        if (s.len && ngx_mon_rate_parse(&t->own, &s, 0) == NGX_OK) {
            text = s;

        } else if (s.len) {
            ngx_http_mon_limit_invalid(r, t, "rate", &s);
        }
    }

    if (l->burst_value) {

        if (ngx_http_complex_value(r, l->burst_value, &s) != NGX_OK) {
            return NGX_ERROR;
        }

        if (s.len && ngx_http_mon_limit_count(&s, &n)) {
            burst = n;

        } else if (s.len) {
            ngx_http_mon_limit_invalid(r, t, "burst", &s);
        }
    }

    if (ngx_mon_rate_parse(&t->own, &text, burst) != NGX_OK) {

        /* each of them could be used, but not both together */

        ngx_http_mon_limit_invalid(r, t, "rate with such a burst", &text);

    } else {
        t->rate = &t->own;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_limit_cost(ngx_http_request_t *r, ngx_http_mon_limit_try_t *t)
{
    uint64_t   n;
    ngx_str_t  s;

    if (ngx_http_complex_value(r, t->limit->cost_value, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    if (s.len && ngx_http_mon_limit_count(&s, &n)) {
        t->cost = n;

    } else if (s.len) {
        ngx_http_mon_limit_invalid(r, t, "cost", &s);
    }

    return NGX_OK;
}


/* 1 for what is a number from 0 to NGX_HTTP_MON_LIMIT_COST_MAX */

static ngx_uint_t
ngx_http_mon_limit_count(const ngx_str_t *s, uint64_t *n)
{
    size_t  i;

    *n = 0;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] < '0' || s->data[i] > '9') {
            return 0;
        }

        *n = *n * 10 + (s->data[i] - '0');

        if (*n > NGX_HTTP_MON_LIMIT_COST_MAX) {
            return 0;
        }
    }

    return 1;
}


/* what a client sends is not to make lines of the log */

static void
ngx_http_mon_limit_invalid(ngx_http_request_t *r, ngx_http_mon_limit_try_t *t,
    const char *what, const ngx_str_t *s)
{
    u_char     buf[NGX_HTTP_MON_LIMIT_EXCERPT];
    size_t     i;
    ngx_str_t  text;

    if (!ngx_mon_keys_invalid(&t->limit->zone->keys)) {
        return;
    }

    text.data = buf;
    text.len = ngx_min(s->len, NGX_HTTP_MON_LIMIT_EXCERPT);

    for (i = 0; i < text.len; i++) {
        buf[i] = (s->data[i] < 0x20 || s->data[i] > 0x7e) ? '?' : s->data[i];
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "unusable %s \"%V\" for zone \"%V\", its default is used",
                  what, &text, &t->limit->zone->name);
}
