
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_seat.h"


/* how a parameter is written, and what it may be */

typedef struct {
    ngx_str_t                    name;
    ngx_int_t                  (*parse)(ngx_str_t *value);
    size_t                       offset;
    uint64_t                     min;
    uint64_t                     max;
    uint64_t                     def;
} ngx_http_mon_outlier_param_t;


static ngx_int_t ngx_http_mon_outlier_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_mon_outlier_add(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *uscf,
    ngx_http_mon_outlier_main_conf_t *omcf);
static void *ngx_http_mon_outlier_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_mon_outlier_create_srv_conf(ngx_conf_t *cf);
static void ngx_http_mon_outlier_seen(ngx_conf_t *cf, ngx_command_t *cmd);
static char *ngx_http_mon_outlier(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_mon_slow_start(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_mon_outlier_param(ngx_conf_t *cf,
    ngx_http_mon_outlier_srv_conf_t *oscf, ngx_str_t *arg, ngx_uint_t *seen);
static ngx_int_t ngx_http_mon_outlier_value(ngx_mon_outlier_conf_t *conf,
    ngx_str_t *arg, ngx_uint_t *bit);
static ngx_int_t ngx_http_mon_outlier_number(ngx_str_t *value);
static ngx_int_t ngx_http_mon_outlier_percent(ngx_str_t *value);
static ngx_int_t ngx_http_mon_outlier_sigma(ngx_str_t *value);
static ngx_int_t ngx_http_mon_outlier_time(ngx_str_t *value);


#define NGX_HTTP_MON_OUTLIER_DAY  86400000

static const ngx_http_mon_outlier_param_t  ngx_http_mon_outlier_params[] = {

    { ngx_string("consecutive="), ngx_http_mon_outlier_number,
      offsetof(ngx_mon_outlier_conf_t, consecutive),
      0, 1000000, 5 },

    { ngx_string("ratio="), ngx_http_mon_outlier_percent,
      offsetof(ngx_mon_outlier_conf_t, ratio),
      0, NGX_MON_OUTLIER_ONE, 0 },

    { ngx_string("min="), ngx_http_mon_outlier_number,
      offsetof(ngx_mon_outlier_conf_t, min),
      1, 1000000, 20 },

    { ngx_string("window="), ngx_http_mon_outlier_time,
      offsetof(ngx_mon_outlier_conf_t, window),
      10, NGX_HTTP_MON_OUTLIER_DAY, 10000 },

    { ngx_string("stdev="), ngx_http_mon_outlier_sigma,
      offsetof(ngx_mon_outlier_conf_t, stdev),
      0, 100 * NGX_MON_OUTLIER_SIGMA, 0 },

    { ngx_string("eject="), ngx_http_mon_outlier_time,
      offsetof(ngx_mon_outlier_conf_t, eject),
      1, NGX_HTTP_MON_OUTLIER_DAY, 30000 },

    { ngx_string("max_eject="), ngx_http_mon_outlier_time,
      offsetof(ngx_mon_outlier_conf_t, max_eject),
      1, NGX_HTTP_MON_OUTLIER_DAY, 0 },

    { ngx_string("max_ejected="), ngx_http_mon_outlier_percent,
      offsetof(ngx_mon_outlier_conf_t, max_ejected),
      0, NGX_MON_OUTLIER_ONE, NGX_MON_OUTLIER_ONE / 2 },

    { ngx_null_string, NULL, 0, 0, 0, 0 }
};


static ngx_command_t  ngx_http_mon_outlier_commands[] = {

    { ngx_string("mon_outlier"),
      NGX_HTTP_UPS_CONF|NGX_CONF_ANY,
      ngx_http_mon_outlier,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mon_slow_start"),
      NGX_HTTP_UPS_CONF|NGX_CONF_TAKE1,
      ngx_http_mon_slow_start,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_mon_outlier_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_mon_outlier_postconfiguration, /* postconfiguration */

    ngx_http_mon_outlier_create_main_conf, /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_mon_outlier_create_srv_conf,  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_mon_outlier_module = {
    NGX_MODULE_V1,
    &ngx_http_mon_outlier_module_ctx,      /* module context */
    ngx_http_mon_outlier_commands,         /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_mon_outlier_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                         i;
    ngx_http_upstream_srv_conf_t     **uscfp;
    ngx_http_upstream_main_conf_t     *umcf;
    ngx_http_mon_outlier_main_conf_t  *omcf;

    omcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_outlier_module);

    if (omcf->line == 0) {
        return NGX_OK;
    }

    if (!ngx_mon_configured(cf)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" has nowhere to count, add "
                      "\"mon_zone mon 16m;\" to the \"http\" block, in %V:%ui",
                      &omcf->directive, &omcf->file, omcf->line);
        return NGX_ERROR;
    }

    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);
    uscfp = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        /* one that proxy_pass makes has no configuration */

        if (uscfp[i]->srv_conf
            && ngx_http_mon_outlier_add(cf, uscfp[i], omcf) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_outlier_add(ngx_conf_t *cf, ngx_http_upstream_srv_conf_t *uscf,
    ngx_http_mon_outlier_main_conf_t *omcf)
{
    ngx_http_mon_outlier_srv_conf_t  *oscf;

    oscf = ngx_http_conf_upstream_srv_conf(uscf, ngx_http_mon_outlier_module);

    if (!oscf->outlier && (oscf->conf.slow_start == 0
                           || oscf->conf.slow_start == NGX_CONF_UNSET_MSEC))
    {
        return NGX_OK;
    }

    if (ngx_http_mon_gate_add(cf, uscf, 0) == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" does not know the balancer of upstream \"%V\" "
                      "in %s:%ui", &omcf->directive, &uscf->host,
                      uscf->file_name, uscf->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void *
ngx_http_mon_outlier_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_outlier_main_conf_t));
}


static void *
ngx_http_mon_outlier_create_srv_conf(ngx_conf_t *cf)
{
    ngx_http_mon_outlier_srv_conf_t  *oscf;

    oscf = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_outlier_srv_conf_t));
    if (oscf == NULL) {
        return NULL;
    }

    oscf->conf.slow_start = NGX_CONF_UNSET_MSEC;

    return oscf;
}


static void
ngx_http_mon_outlier_seen(ngx_conf_t *cf, ngx_command_t *cmd)
{
    ngx_http_mon_outlier_main_conf_t  *omcf;

    omcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_outlier_module);

    if (omcf->line == 0) {
        omcf->directive = cmd->name;
        omcf->file = cf->conf_file->file.name;
        omcf->line = cf->conf_file->line;
    }
}


static char *
ngx_http_mon_outlier(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_outlier_srv_conf_t  *oscf = conf;

    ngx_str_t                           *value;
    ngx_uint_t                           i, seen;
    const ngx_http_mon_outlier_param_t  *param;

    if (oscf->outlier) {
        return "is duplicate";
    }

    ngx_http_mon_outlier_seen(cf, cmd);

    seen = 0;
    value = cf->args->elts;

    oscf->outlier = 1;
    oscf->on = NGX_HTTP_MON_ON_DEFAULT;

    for (param = ngx_http_mon_outlier_params; param->parse; param++) {
        *(uint64_t *) ((u_char *) &oscf->conf + param->offset) = param->def;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_mon_outlier_param(cf, oscf, &value[i], &seen) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (oscf->conf.max_eject == 0) {
        oscf->conf.max_eject = ngx_max(oscf->conf.eject, 300000);
    }

    if (oscf->conf.max_eject < oscf->conf.eject) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"max_eject\" must not be less than \"eject\"");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_mon_outlier_param(ngx_conf_t *cf,
    ngx_http_mon_outlier_srv_conf_t *oscf, ngx_str_t *arg, ngx_uint_t *seen)
{
    ngx_int_t   rc;
    ngx_str_t   value;
    ngx_uint_t  bit;

    if (ngx_strncmp(arg->data, "on=", 3) == 0) {
        value.data = arg->data + 3;
        value.len = arg->len - 3;

        bit = 0;
        rc = ngx_http_mon_on_parse(cf, &value, &oscf->on);

    } else {
        rc = ngx_http_mon_outlier_value(&oscf->conf, arg, &bit);

        if (rc != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", arg);
        }
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (*seen & (1 << bit)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate parameter \"%V\"",
                           arg);
        return NGX_ERROR;
    }

    *seen |= 1 << bit;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_outlier_value(ngx_mon_outlier_conf_t *conf, ngx_str_t *arg,
    ngx_uint_t *bit)
{
    ngx_int_t                            n;
    ngx_str_t                            value;
    ngx_uint_t                           i;
    const ngx_http_mon_outlier_param_t  *param;

    for (i = 0; ngx_http_mon_outlier_params[i].parse; i++) {
        param = &ngx_http_mon_outlier_params[i];

        if (ngx_strncmp(arg->data, param->name.data, param->name.len) != 0) {
            continue;
        }

        value.data = arg->data + param->name.len;
        value.len = arg->len - param->name.len;

        n = value.len ? param->parse(&value) : NGX_ERROR;

        if (n == NGX_ERROR || (uint64_t) n < param->min
            || (uint64_t) n > param->max)
        {
            return NGX_ERROR;
        }

        *(uint64_t *) ((u_char *) conf + param->offset) = n;
        *bit = i + 1;

        return NGX_OK;
    }

    return NGX_ERROR;
}


static char *
ngx_http_mon_slow_start(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_outlier_srv_conf_t  *oscf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (oscf->conf.slow_start != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    ngx_http_mon_outlier_seen(cf, cmd);

    value = cf->args->elts;
    n = ngx_http_mon_outlier_time(&value[1]);

    if (n == NGX_ERROR || n > NGX_HTTP_MON_OUTLIER_DAY) {
        return "invalid value";
    }

    oscf->conf.slow_start = n;

    return NGX_CONF_OK;
}


/* parsers: what is no such value is NGX_ERROR */

static ngx_int_t
ngx_http_mon_outlier_number(ngx_str_t *value)
{
    return ngx_atoi(value->data, value->len);
}


static ngx_int_t
ngx_http_mon_outlier_percent(ngx_str_t *value)
{
    if (value->len == 1 && value->data[0] == '0') {
        return 0;
    }

    if (value->data[value->len - 1] != '%') {
        return NGX_ERROR;
    }

    return ngx_atofp(value->data, value->len - 1, 2);
}


static ngx_int_t
ngx_http_mon_outlier_sigma(ngx_str_t *value)
{
    return ngx_atofp(value->data, value->len, 3);
}


static ngx_int_t
ngx_http_mon_outlier_time(ngx_str_t *value)
{
    return ngx_parse_time(value, 0);
}
