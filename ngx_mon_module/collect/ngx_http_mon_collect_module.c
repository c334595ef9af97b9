
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_collect.h"


static ngx_int_t ngx_http_mon_collect_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_mon_collect_init_module(ngx_cycle_t *cycle);


static ngx_http_module_t  ngx_http_mon_collect_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_mon_collect_init,             /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_mon_collect_module = {
    NGX_MODULE_V1,
    &ngx_http_mon_collect_module_ctx,      /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_mon_collect_init_module,      /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* the configuration that is being read has mon_zone */
static ngx_uint_t  ngx_http_mon_collect_on;


static ngx_int_t
ngx_http_mon_collect_init(ngx_conf_t *cf)
{
    ngx_http_mon_collect_on = ngx_mon_configured(cf);

    if (!ngx_http_mon_collect_on) {
        return NGX_OK;
    }

    ngx_mon_zones_init();
    ngx_mon_host_init();

    if (ngx_mon_worker_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_mon_tls_init(cf);
}


static ngx_int_t
ngx_http_mon_collect_init_module(ngx_cycle_t *cycle)
{
    if (!ngx_http_mon_collect_on) {
        return NGX_OK;
    }

    return ngx_mon_disk_choose(cycle);
}
