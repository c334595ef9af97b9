
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_limit.h"


static char *ngx_http_mon_limit_add(ngx_conf_t *cf,
    ngx_http_mon_limit_loc_conf_t *lcf, ngx_http_mon_limit_t *l);
static ngx_int_t ngx_http_mon_limit_parse(ngx_conf_t *cf,
    ngx_http_mon_limit_t *l);
static ngx_int_t ngx_http_mon_limit_set_zone(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);
static ngx_int_t ngx_http_mon_limit_set_rate(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);
static ngx_int_t ngx_http_mon_limit_set_burst(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);
static ngx_int_t ngx_http_mon_limit_set_cost(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);
static ngx_int_t ngx_http_mon_limit_variable(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t **cv);


static const ngx_conf_enum_t  ngx_http_mon_limit_full[] = {
    { ngx_string("pass"), 0 },
    { ngx_string("refuse"), 1 },
    { ngx_null_string, 0 }
};


static const ngx_conf_enum_t  ngx_http_mon_limit_headers[] = {
    { ngx_string("off"), 0 },
    { ngx_string("on"), 1 },
    { ngx_null_string, 0 }
};


static const ngx_mon_param_t  ngx_http_mon_limit_params[] = {
    ngx_mon_param_own("zone=", ngx_http_mon_limit_set_zone),
    ngx_mon_param_own("rate=", ngx_http_mon_limit_set_rate),
    ngx_mon_param("burst=", ngx_http_mon_limit_set_burst,
                  ngx_http_mon_limit_t, burst,
                  0, NGX_HTTP_MON_LIMIT_COST_MAX, NGX_CONF_UNSET),
    ngx_mon_param("cost=", ngx_http_mon_limit_set_cost,
                  ngx_http_mon_limit_t, cost,
                  0, NGX_HTTP_MON_LIMIT_COST_MAX, 1),
    ngx_mon_param("status=", ngx_mon_set_number,
                  ngx_http_mon_limit_t, status,
                  400, 599, NGX_HTTP_TOO_MANY_REQUESTS),
    ngx_mon_param_word("full=", ngx_http_mon_limit_t, refuse, 0,
                       ngx_http_mon_limit_full),
    ngx_mon_param_word("headers=", ngx_http_mon_limit_t, headers, 1,
                       ngx_http_mon_limit_headers),
    ngx_mon_param_flag("delay", ngx_http_mon_limit_t, delay),
    ngx_mon_param_flag("dry_run", ngx_http_mon_limit_t, dry_run),
    ngx_mon_param_end
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

    if (ngx_http_mon_limit_parse(cf, l) != NGX_OK) {
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
ngx_http_mon_limit_parse(ngx_conf_t *cf, ngx_http_mon_limit_t *l)
{
    ngx_str_t   rate = ngx_string("rate=");
    ngx_str_t   burst = ngx_string("burst=");
    ngx_str_t  *value, *word;

    value = cf->args->elts;

    l->file = cf->conf_file->file.name;
    l->line = cf->conf_file->line;

    if (ngx_mon_params(cf, 1, ngx_http_mon_limit_params, l) != NGX_OK) {
        return NGX_ERROR;
    }

    if (l->shm_zone == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have \"zone\" parameter", &value[0]);
        return NGX_ERROR;
    }

    word = ngx_mon_param_arg(cf, 1, l->burst == NGX_CONF_UNSET ? &rate
                                                               : &burst);
    if (word) {
        l->word = *word;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_limit_set_zone(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_http_mon_limit_t  *l = conf;

    if (value->len == 0) {
        return NGX_DECLINED;
    }

    l->shm_zone = ngx_shared_memory_add(cf, value, 0,
                                        &ngx_http_mon_limit_module);

    return l->shm_zone ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_mon_limit_set_rate(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_http_mon_limit_t  *l = conf;

    if (ngx_http_script_variables_count(value)) {
        return ngx_http_mon_limit_variable(cf, value, &l->rate_value);
    }

    l->text = *value;

    return ngx_mon_rate_parse(&l->rate, value, 0) == NGX_OK ? NGX_OK
                                                            : NGX_DECLINED;
}


static ngx_int_t
ngx_http_mon_limit_set_burst(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_http_mon_limit_t  *l = conf;

    return ngx_http_script_variables_count(value)
           ? ngx_http_mon_limit_variable(cf, value, &l->burst_value)
           : ngx_mon_set_number(cf, p, value, conf);
}


static ngx_int_t
ngx_http_mon_limit_set_cost(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_http_mon_limit_t  *l = conf;

    return ngx_http_script_variables_count(value)
           ? ngx_http_mon_limit_variable(cf, value, &l->cost_value)
           : ngx_mon_set_number(cf, p, value, conf);
}


static ngx_int_t
ngx_http_mon_limit_variable(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t **cv)
{
    ngx_http_compile_complex_value_t  ccv;

    *cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*cv == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = *cv;

    return ngx_http_compile_complex_value(&ccv);
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

    burst = (l->burst == NGX_CONF_UNSET) ? l->zone->rate.burst
                                         : (uint64_t) l->burst;

    if (l->text.len == 0) {
        l->text = l->zone->text;
    }

    if (ngx_mon_rate_parse(&l->rate, &l->text, burst) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" is out of range in %V:%ui",
                      &l->word, &l->file, l->line);
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
