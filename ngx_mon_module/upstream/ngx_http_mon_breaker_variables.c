
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_breaker.h"


static ngx_int_t ngx_http_mon_breaker_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_http_mon_breaker_t *ngx_http_mon_breaker_applies(
    ngx_http_request_t *r);
static ngx_http_mon_breaker_t *ngx_http_mon_breaker_up(
    ngx_http_request_t *r, ngx_http_mon_breaker_loc_conf_t *blcf);
static ngx_uint_t ngx_http_mon_breaker_is(ngx_http_mon_breaker_t *b);


#define NGX_HTTP_MON_BREAKER_NAME   0
#define NGX_HTTP_MON_BREAKER_STATE  1


static ngx_str_t  ngx_http_mon_breaker_vars[] = {
    ngx_string("mon_breaker_name"),
    ngx_string("mon_breaker_state"),
    ngx_null_string
};


ngx_int_t
ngx_http_mon_breaker_variables(ngx_conf_t *cf)
{
    ngx_uint_t            i;
    ngx_http_variable_t  *var;

    for (i = 0; ngx_http_mon_breaker_vars[i].len; i++) {

        var = ngx_http_add_variable(cf, &ngx_http_mon_breaker_vars[i],
                                    NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_http_mon_breaker_variable;
        var->data = i;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_breaker_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const ngx_str_t         *s;
    ngx_http_mon_breaker_t  *b;

    b = ngx_http_mon_breaker_applies(r);

    if (b == NULL) {
        *v = ngx_http_variable_null_value;
        return NGX_OK;
    }

    s = (data == NGX_HTTP_MON_BREAKER_NAME)
        ? &b->name : &ngx_http_mon_breaker_kinds[ngx_http_mon_breaker_is(b)];

    v->len = s->len;
    v->data = s->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* the one that refused the request, or that is most likely to */

static ngx_http_mon_breaker_t *
ngx_http_mon_breaker_applies(ngx_http_request_t *r)
{
    ngx_http_mon_breaker_t           *b, *up;
    ngx_http_mon_breaker_ctx_t       *ctx;
    ngx_http_mon_breaker_loc_conf_t  *blcf;

    ctx = ngx_http_mon_refuse_ctx(r);

    if (ctx && ctx->refused) {
        return ctx->refused;
    }

    blcf = ngx_http_get_module_loc_conf(r, ngx_http_mon_breaker_module);

    b = blcf->breaker;
    up = ngx_http_mon_breaker_up(r, blcf);

    if (b == NULL || up == NULL) {
        return b ? b : up;
    }

    return ngx_http_mon_breaker_is(b) == NGX_MON_BREAKER_CLOSED ? up : b;
}


static ngx_http_mon_breaker_t *
ngx_http_mon_breaker_up(ngx_http_request_t *r,
    ngx_http_mon_breaker_loc_conf_t *blcf)
{
    ngx_http_mon_hook_t                *hook;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    if (r->upstream == NULL || r->upstream->upstream == NULL) {
        return blcf->upstream;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_mon_upstream_module);
    hook = ngx_http_mon_hook_find(mcf, r->upstream->upstream);

    return hook ? hook->breaker : NULL;
}


static ngx_uint_t
ngx_http_mon_breaker_is(ngx_http_mon_breaker_t *b)
{
    ngx_mon_breaker_info_t  info;

    if (!ngx_mon_active || ngx_http_mon_breaker_ready(b) != NGX_OK) {
        return NGX_MON_BREAKER_CLOSED;
    }

    ngx_mon_breaker_info(&b->state, ngx_current_msec, &info);

    return info.kind;
}
