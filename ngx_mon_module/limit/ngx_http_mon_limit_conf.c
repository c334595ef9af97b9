
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_limit.h"


static char *ngx_http_mon_limit_add(ngx_conf_t *cf,
    ngx_http_mon_limit_loc_conf_t *lcf, ngx_http_mon_limit_t *l);
static ngx_int_t ngx_http_mon_limit_params(ngx_conf_t *cf,
    ngx_http_mon_limit_t *l);
static ngx_int_t ngx_http_mon_limit_param(ngx_conf_t *cf,
    ngx_http_mon_limit_t *l, ngx_str_t *value, ngx_uint_t *seen);
static ngx_int_t ngx_http_mon_limit_flag(ngx_http_mon_limit_t *l,
    ngx_str_t *value);
static ngx_int_t ngx_http_mon_limit_value(ngx_conf_t *cf,
    ngx_http_mon_limit_t *l, ngx_uint_t param, ngx_str_t *value,
    ngx_str_t *text);
static ngx_int_t ngx_http_mon_limit_number(ngx_http_mon_limit_t *l,
    ngx_uint_t param, ngx_str_t *value, ngx_str_t *text);
static ngx_int_t ngx_http_mon_limit_enum(ngx_http_mon_limit_t *l,
    ngx_uint_t param, ngx_str_t *text);
static ngx_int_t ngx_http_mon_limit_variable(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **cv);


#define NGX_HTTP_MON_LIMIT_ZONE     0
#define NGX_HTTP_MON_LIMIT_RATE     1
#define NGX_HTTP_MON_LIMIT_BURST    2
#define NGX_HTTP_MON_LIMIT_COST     3
#define NGX_HTTP_MON_LIMIT_STATUS   4
#define NGX_HTTP_MON_LIMIT_FULL     5
#define NGX_HTTP_MON_LIMIT_HEADERS  6
#define NGX_HTTP_MON_LIMIT_DELAY    7
#define NGX_HTTP_MON_LIMIT_DRY      8


static ngx_str_t  ngx_http_mon_limit_names[] = {
    ngx_string("zone="),
    ngx_string("rate="),
    ngx_string("burst="),
    ngx_string("cost="),
    ngx_string("status="),
    ngx_string("full="),
    ngx_string("headers="),
    ngx_null_string
};


void
ngx_http_mon_limit_first(ngx_conf_t *cf)
{
    ngx_str_t                       *value;
    ngx_http_mon_limit_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_limit_module);

    if (mcf->line == 0) {
        value = cf->args->elts;

        mcf->name = value[0];
        mcf->file = cf->conf_file->file.name;
        mcf->line = cf->conf_file->line;
    }
}


/* mon_limit zone=name ...; */

char *
ngx_http_mon_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_limit_loc_conf_t *lcf = conf;

    ngx_str_t             *value;
    ngx_http_mon_limit_t  *l;

    value = cf->args->elts;

    if (lcf->limits && lcf->limits->nelts == 0) {
        /* off */
        return "is duplicate";
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {

        if (lcf->limits) {
            return "is duplicate";
        }

        lcf->limits = ngx_array_create(cf->pool, 1, sizeof(void *));

        return lcf->limits ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    l = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_limit_t));
    if (l == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_mon_limit_params(cf, l) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_mon_limit_first(cf);

    return ngx_http_mon_limit_add(cf, lcf, l);
}


static char *
ngx_http_mon_limit_add(ngx_conf_t *cf, ngx_http_mon_limit_loc_conf_t *lcf,
    ngx_http_mon_limit_t *l)
{
    ngx_uint_t                        i;
    ngx_http_mon_limit_t            **lp, **mp;
    ngx_http_mon_limit_main_conf_t   *mcf;

    if (lcf->limits == NULL) {
        lcf->limits = ngx_array_create(cf->pool, 2, sizeof(void *));
        if (lcf->limits == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    lp = lcf->limits->elts;

    for (i = 0; i < lcf->limits->nelts; i++) {
        if (lp[i]->shm_zone == l->shm_zone) {
            return "is duplicate";
        }
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_limit_module);

    lp = ngx_array_push(lcf->limits);
    mp = ngx_array_push(&mcf->limits);

    if (lp == NULL || mp == NULL) {
        return NGX_CONF_ERROR;
    }

    *lp = l;
    *mp = l;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_mon_limit_params(ngx_conf_t *cf, ngx_http_mon_limit_t *l)
{
    ngx_str_t   *value;
    ngx_uint_t   i, seen;

    l->cost = 1;
    l->status = NGX_HTTP_TOO_MANY_REQUESTS;
    l->headers = 1;
    l->file = cf->conf_file->file.name;
    l->line = cf->conf_file->line;

    seen = 0;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        switch (ngx_http_mon_limit_param(cf, l, &value[i], &seen)) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);

            /* fall through */

        default: /* NGX_ERROR */
            return NGX_ERROR;
        }
    }

    if (l->shm_zone == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have \"zone\" parameter", &value[0]);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* NGX_DECLINED: there is no such parameter, or its value is none */

static ngx_int_t
ngx_http_mon_limit_param(ngx_conf_t *cf, ngx_http_mon_limit_t *l,
    ngx_str_t *value, ngx_uint_t *seen)
{
    ngx_int_t    rc;
    ngx_str_t    text, *name;
    ngx_uint_t   i;

    for (i = 0; ngx_http_mon_limit_names[i].len; i++) {
        name = &ngx_http_mon_limit_names[i];

        if (ngx_strncmp(value->data, name->data, name->len) == 0) {
            break;
        }
    }

    name = &ngx_http_mon_limit_names[i];

    if (name->len == 0) {
        rc = ngx_http_mon_limit_flag(l, value);

        if (rc == NGX_DECLINED) {
            return NGX_DECLINED;
        }

        i = rc;

    } else {
        text.data = value->data + name->len;
        text.len = value->len - name->len;

        if (text.len == 0) {
            return NGX_DECLINED;
        }

        rc = ngx_http_mon_limit_value(cf, l, i, value, &text);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (*seen & (1 << i)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate parameter \"%V\"",
                           value);
        return NGX_ERROR;
    }

    *seen |= 1 << i;

    return NGX_OK;
}


/* returns which one it is */

static ngx_int_t
ngx_http_mon_limit_flag(ngx_http_mon_limit_t *l, ngx_str_t *value)
{
    if (ngx_strcmp(value->data, "delay") == 0) {
        l->delay = 1;
        return NGX_HTTP_MON_LIMIT_DELAY;
    }

    if (ngx_strcmp(value->data, "dry_run") == 0) {
        l->dry_run = 1;
        return NGX_HTTP_MON_LIMIT_DRY;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_mon_limit_value(ngx_conf_t *cf, ngx_http_mon_limit_t *l,
    ngx_uint_t param, ngx_str_t *value, ngx_str_t *text)
{
    ngx_http_complex_value_t  **cv;

    switch (param) {

    case NGX_HTTP_MON_LIMIT_ZONE:
        l->shm_zone = ngx_shared_memory_add(cf, text, 0,
                                            &ngx_http_mon_limit_module);
        return l->shm_zone ? NGX_OK : NGX_ERROR;

    case NGX_HTTP_MON_LIMIT_RATE:
        cv = &l->rate_value;
        break;

    case NGX_HTTP_MON_LIMIT_BURST:
        cv = &l->burst_value;
        break;

    case NGX_HTTP_MON_LIMIT_COST:
        cv = &l->cost_value;
        break;

    default:
        return ngx_http_mon_limit_enum(l, param, text);
    }

    if (ngx_http_mon_limit_variable(cf, text, cv) != NGX_OK) {
        return NGX_ERROR;
    }

    return *cv ? NGX_OK : ngx_http_mon_limit_number(l, param, value, text);
}


/* *cv stays NULL where the text holds no variables */

static ngx_int_t
ngx_http_mon_limit_variable(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **cv)
{
    ngx_http_compile_complex_value_t  ccv;

    if (ngx_http_script_variables_count(text) == 0) {
        return NGX_OK;
    }

    *cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*cv == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = *cv;

    return ngx_http_compile_complex_value(&ccv);
}


static ngx_int_t
ngx_http_mon_limit_number(ngx_http_mon_limit_t *l, ngx_uint_t param,
    ngx_str_t *value, ngx_str_t *text)
{
    ngx_int_t  n;

    if (param == NGX_HTTP_MON_LIMIT_RATE) {
        l->text = *text;
        l->rate_word = *value;

        return ngx_mon_rate_parse(&l->rate, text, 0) == NGX_OK ? NGX_OK
                                                               : NGX_DECLINED;
    }

    n = ngx_atoi(text->data, text->len);

    if (n == NGX_ERROR || n > (ngx_int_t) NGX_HTTP_MON_LIMIT_COST_MAX) {
        return NGX_DECLINED;
    }

    if (param == NGX_HTTP_MON_LIMIT_COST) {
        l->cost = n;
        return NGX_OK;
    }

    l->burst = 1;
    l->rate.burst = (uint32_t) n;
    l->burst_word = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_limit_enum(ngx_http_mon_limit_t *l, ngx_uint_t param,
    ngx_str_t *text)
{
    ngx_int_t  n;

    switch (param) {

    case NGX_HTTP_MON_LIMIT_STATUS:
        n = ngx_atoi(text->data, text->len);

        if (n < 400 || n > 599) {
            return NGX_DECLINED;
        }

        l->status = n;
        return NGX_OK;

    case NGX_HTTP_MON_LIMIT_FULL:
        l->refuse = ngx_strcmp(text->data, "refuse") == 0;

        return l->refuse || ngx_strcmp(text->data, "pass") == 0
               ? NGX_OK : NGX_DECLINED;

    default: /* NGX_HTTP_MON_LIMIT_HEADERS */
        l->headers = ngx_strcmp(text->data, "on") == 0;

        return l->headers || ngx_strcmp(text->data, "off") == 0
               ? NGX_OK : NGX_DECLINED;
    }
}


ngx_int_t
ngx_http_mon_limit_resolve(ngx_conf_t *cf, ngx_http_mon_limit_t *l)
{
    uint64_t  burst, most;

    l->zone = l->shm_zone->data;

    if (l->zone == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "unknown mon_limit zone \"%V\" in %V:%ui",
                      &l->shm_zone->shm.name, &l->file, l->line);
        return NGX_ERROR;
    }

    l->simple = l->zone->index != NGX_ERROR && l->cost && !l->delay
                && !l->dry_run && l->rate_value == NULL
                && l->burst_value == NULL && l->cost_value == NULL;

    burst = l->burst ? l->rate.burst : l->zone->rate.burst;

    if (l->text.len == 0) {
        l->text = l->zone->text;
    }

    if (ngx_mon_rate_parse(&l->rate, &l->text, burst) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" is out of range in %V:%ui",
                      l->burst ? &l->burst_word : &l->rate_word,
                      &l->file, l->line);
        return NGX_ERROR;
    }

    if (l->rate_value || l->burst_value) {
        l->zone->varies = 1;

    } else {
        most = (l->rate.limit - 1) / l->rate.unit + 1;
        l->zone->most = ngx_max(l->zone->most, most);
    }

    return NGX_OK;
}
