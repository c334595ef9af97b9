
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_limit.h"
#include "ngx_mon_phase.h"


static ngx_int_t ngx_http_mon_limit_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_mon_limit_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_mon_limit_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_mon_limit_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_mon_limit_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


static ngx_command_t  ngx_http_mon_limit_commands[] = {

    { ngx_string("mon_limit_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE3|NGX_CONF_TAKE4,
      ngx_http_mon_limit_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mon_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_mon_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_mon_limit_module_ctx = {
    ngx_http_mon_limit_preconfiguration,   /* preconfiguration */
    ngx_http_mon_limit_postconfiguration,  /* postconfiguration */

    ngx_http_mon_limit_create_main_conf,   /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_mon_limit_create_loc_conf,    /* create location configuration */
    ngx_http_mon_limit_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_mon_limit_module = {
    NGX_MODULE_V1,
    &ngx_http_mon_limit_module_ctx,        /* module context */
    ngx_http_mon_limit_commands,           /* module directives */
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
ngx_http_mon_limit_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_mon_limit_variables(cf);
}


static ngx_int_t
ngx_http_mon_limit_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                        i, headers;
    ngx_http_mon_limit_t            **l;
    ngx_http_mon_limit_main_conf_t   *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_limit_module);

    if (mcf->line == 0) {
        return NGX_OK;
    }

    if (!ngx_mon_configured(cf)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" has no zone to count in, add "
                      "\"mon_zone mon 16m;\" to the \"http\" block, in %V:%ui",
                      &mcf->name, &mcf->file, mcf->line);
        return NGX_ERROR;
    }

    headers = 0;
    l = mcf->limits.elts;

    for (i = 0; i < mcf->limits.nelts; i++) {

        if (ngx_http_mon_limit_resolve(cf, l[i]) != NGX_OK
            || ngx_http_mon_limit_policy(cf, l[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        headers |= l[i]->headers;
    }

    ngx_mon_add_tick(ngx_http_mon_limit_tick);
    ngx_mon_add_branch(&ngx_http_mon_limit_api_zones);
    ngx_mon_set_source(NGX_MON_G_LIMITER, ngx_http_mon_limit_source);

    if (mcf->limits.nelts == 0) {
        return NGX_OK;
    }

    ngx_mon_add_limited(ngx_http_mon_limit_limited);
    ngx_mon_add_reason(ngx_http_mon_limit_reason);

    if (headers && ngx_http_mon_limit_filter_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    /* realip may be told by the location to change the client's address */

    return ngx_mon_add_handler(cf, NGX_HTTP_PREACCESS_PHASE,
                               ngx_http_mon_limit_handler);
}


static void *
ngx_http_mon_limit_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_mon_limit_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_limit_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->zones, cf->pool, 4, sizeof(void *)) != NGX_OK
        || ngx_array_init(&conf->limits, cf->pool, 4, sizeof(void *))
           != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


static void *
ngx_http_mon_limit_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_limit_loc_conf_t));
}


static char *
ngx_http_mon_limit_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_mon_limit_loc_conf_t  *prev = parent;
    ngx_http_mon_limit_loc_conf_t  *conf = child;

    if (conf->limits == NULL) {
        conf->limits = prev->limits;
    }

    return NGX_CONF_OK;
}
