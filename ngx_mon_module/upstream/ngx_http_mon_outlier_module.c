
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_seat.h"


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


#define NGX_HTTP_MON_OUTLIER_DAY  86400000

/* of max_eject 0 is not given */

static const ngx_mon_param_t  ngx_http_mon_outlier_params[] = {
    ngx_mon_param("consecutive=", ngx_mon_set_number,
                  ngx_http_mon_outlier_srv_conf_t, conf.consecutive,
                  0, 1000000, 5),
    ngx_mon_param("ratio=", ngx_mon_set_percent,
                  ngx_http_mon_outlier_srv_conf_t, conf.ratio,
                  0, NGX_MON_OUTLIER_ONE, 0),
    ngx_mon_param("min=", ngx_mon_set_number,
                  ngx_http_mon_outlier_srv_conf_t, conf.min, 1, 1000000, 20),
    ngx_mon_param("window=", ngx_mon_set_time,
                  ngx_http_mon_outlier_srv_conf_t, conf.window,
                  10, NGX_HTTP_MON_OUTLIER_DAY, 10000),
    ngx_mon_param("stdev=", ngx_mon_set_decimal,
                  ngx_http_mon_outlier_srv_conf_t, conf.stdev,
                  0, 100 * NGX_MON_OUTLIER_SIGMA, 0),
    ngx_mon_param("eject=", ngx_mon_set_time,
                  ngx_http_mon_outlier_srv_conf_t, conf.eject,
                  1, NGX_HTTP_MON_OUTLIER_DAY, 30000),
    ngx_mon_param("max_eject=", ngx_mon_set_time,
                  ngx_http_mon_outlier_srv_conf_t, conf.max_eject,
                  1, NGX_HTTP_MON_OUTLIER_DAY, 0),
    ngx_mon_param("max_ejected=", ngx_mon_set_percent,
                  ngx_http_mon_outlier_srv_conf_t, conf.max_ejected,
                  0, NGX_MON_OUTLIER_ONE, NGX_MON_OUTLIER_ONE / 2),
    ngx_mon_param("on=", ngx_http_mon_set_on,
                  ngx_http_mon_outlier_srv_conf_t, on,
                  0, 0, NGX_HTTP_MON_ON_DEFAULT),
    ngx_mon_param_end
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

    if (oscf->outlier) {
        return "is duplicate";
    }

    ngx_http_mon_outlier_seen(cf, cmd);

    oscf->outlier = 1;

    if (ngx_mon_params(cf, 1, ngx_http_mon_outlier_params, oscf) != NGX_OK) {
        return NGX_CONF_ERROR;
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
    n = ngx_parse_time(&value[1], 0);

    if (n == NGX_ERROR || n > NGX_HTTP_MON_OUTLIER_DAY) {
        return "invalid value";
    }

    oscf->conf.slow_start = n;

    return NGX_CONF_OK;
}
