
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_limit.h"


static ngx_int_t ngx_http_mon_limit_var_status(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_mon_limit_var_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#define NGX_HTTP_MON_LIMIT_STATUS     0
#define NGX_HTTP_MON_LIMIT_REMAINING  1
#define NGX_HTTP_MON_LIMIT_RESET      2


static ngx_str_t  ngx_http_mon_limit_vars[] = {
    ngx_string("mon_limit_status"),
    ngx_string("mon_limit_remaining"),
    ngx_string("mon_limit_reset"),
    ngx_null_string
};


/* in the order of NGX_MON_LIMIT_RATE and on */

static ngx_str_t  ngx_http_mon_limit_statuses[] = {
    ngx_string("passed"),
    ngx_string("delayed"),
    ngx_string("rejected"),
    ngx_string("dry_run")
};


ngx_int_t
ngx_http_mon_limit_variables(ngx_conf_t *cf)
{
    ngx_uint_t            i;
    ngx_http_variable_t  *var;

    for (i = 0; ngx_http_mon_limit_vars[i].len; i++) {

        var = ngx_http_add_variable(cf, &ngx_http_mon_limit_vars[i],
                                    NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = (i == NGX_HTTP_MON_LIMIT_STATUS)
                           ? ngx_http_mon_limit_var_status
                           : ngx_http_mon_limit_var_number;
        var->data = i;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_limit_var_status(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                 *s;
    ngx_http_mon_limit_ctx_t  *ctx;

    ctx = ngx_http_mon_limit_ctx(r->main);

    if (ctx == NULL || ctx->outcome == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    s = &ngx_http_mon_limit_statuses[__builtin_ctzl(ctx->outcome)
                                     - NGX_MON_LIMIT_RATE];

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = s->len;
    v->data = s->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_limit_var_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    uint64_t                   n;
    ngx_http_mon_limit_ctx_t  *ctx;
    ngx_http_mon_limit_try_t  *t;

    ctx = ngx_http_mon_limit_ctx(r->main);
    t = ctx ? ngx_http_mon_limit_tightest(r, ctx, 0) : NULL;

    if (t == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    n = (data == NGX_HTTP_MON_LIMIT_RESET)
        ? (t->g.reset + 999999999) / 1000000000 : t->g.remaining;

    v->data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = ngx_sprintf(v->data, "%uL", n) - v->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
