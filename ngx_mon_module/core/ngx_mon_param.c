
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_param.h"


static ngx_int_t ngx_mon_param_set(ngx_conf_t *cf, ngx_uint_t first,
    const ngx_mon_param_t *params, void *conf, ngx_str_t *arg);
static ngx_uint_t ngx_mon_param_is(const ngx_str_t *name, ngx_str_t *arg);
static ngx_int_t ngx_mon_param_store(const ngx_mon_param_t *p, ngx_int_t n,
    void *conf);


ngx_int_t
ngx_mon_params(ngx_conf_t *cf, ngx_uint_t first,
    const ngx_mon_param_t *params, void *conf)
{
    ngx_str_t              *value;
    ngx_uint_t              i;
    const ngx_mon_param_t  *p;

    for (p = params; p->set; p++) {
        if (p->def) {
            *(ngx_int_t *) ngx_mon_param_field(p, conf) = p->def;
        }
    }

    value = cf->args->elts;

    for (i = first; i < cf->args->nelts; i++) {
        if (ngx_mon_param_set(cf, first, params, conf, &value[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_mon_param_set(ngx_conf_t *cf, ngx_uint_t first,
    const ngx_mon_param_t *params, void *conf, ngx_str_t *arg)
{
    ngx_int_t               rc;
    ngx_str_t               value;
    const ngx_mon_param_t  *p;

    rc = NGX_DECLINED;

    for (p = params; p->set; p++) {

        if (!ngx_mon_param_is(&p->name, arg)) {
            continue;
        }

        if (ngx_mon_param_arg(cf, first, &p->name) != arg) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\"", arg);
            return NGX_ERROR;
        }

        value.data = arg->data + p->name.len;
        value.len = arg->len - p->name.len;

        rc = p->set(cf, p, &value, conf);
        break;
    }

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           arg);
    }

    return rc;
}


static ngx_uint_t
ngx_mon_param_is(const ngx_str_t *name, ngx_str_t *arg)
{
    return ngx_strncmp(arg->data, name->data, name->len) == 0
           && (name->data[name->len - 1] == '=' || arg->len == name->len);
}


ngx_str_t *
ngx_mon_param_arg(ngx_conf_t *cf, ngx_uint_t first, const ngx_str_t *name)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = first; i < cf->args->nelts; i++) {
        if (ngx_mon_param_is(name, &value[i])) {
            return &value[i];
        }
    }

    return NULL;
}


/* NGX_ERROR is no number, and below all bounds */

static ngx_int_t
ngx_mon_param_store(const ngx_mon_param_t *p, ngx_int_t n, void *conf)
{
    if (n < p->low || n > p->high) {
        return NGX_DECLINED;
    }

    *(ngx_int_t *) ngx_mon_param_field(p, conf) = n;

    return NGX_OK;
}


ngx_int_t
ngx_mon_set_number(ngx_conf_t *cf, const ngx_mon_param_t *p, ngx_str_t *value,
    void *conf)
{
    return ngx_mon_param_store(p, ngx_atoi(value->data, value->len), conf);
}


ngx_int_t
ngx_mon_set_time(ngx_conf_t *cf, const ngx_mon_param_t *p, ngx_str_t *value,
    void *conf)
{
    return ngx_mon_param_store(p, ngx_parse_time(value, 0), conf);
}


ngx_int_t
ngx_mon_set_decimal(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_int_t   n;
    ngx_uint_t  point;

    point = 0;

    for (n = p->high; n > 100; n /= 10) {
        point++;
    }

    n = ngx_atofp(value->data, value->len, point);

    return ngx_mon_param_store(p, n, conf);
}


ngx_int_t
ngx_mon_set_percent(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_str_t  s;

    s = *value;

    if (s.len && s.data[s.len - 1] == '%') {
        s.len--;

    } else if (s.len != 1 || s.data[0] != '0') {
        return NGX_DECLINED;
    }

    return ngx_mon_set_decimal(cf, p, &s, conf);
}


ngx_int_t
ngx_mon_set_word(ngx_conf_t *cf, const ngx_mon_param_t *p, ngx_str_t *value,
    void *conf)
{
    const ngx_conf_enum_t  *e;

    for (e = p->words; e->name.len; e++) {

        if (e->name.len == value->len
            && ngx_strncmp(e->name.data, value->data, value->len) == 0)
        {
            *(ngx_uint_t *) ngx_mon_param_field(p, conf) = e->value;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_mon_set_flag(ngx_conf_t *cf, const ngx_mon_param_t *p, ngx_str_t *value,
    void *conf)
{
    *(ngx_uint_t *) ngx_mon_param_field(p, conf) = 1;

    return NGX_OK;
}


ngx_int_t
ngx_mon_set_text(ngx_conf_t *cf, const ngx_mon_param_t *p, ngx_str_t *value,
    void *conf)
{
    if (value->len < (size_t) p->low || value->len > (size_t) p->high) {
        return NGX_DECLINED;
    }

    *(ngx_str_t *) ngx_mon_param_field(p, conf) = *value;

    return NGX_OK;
}
