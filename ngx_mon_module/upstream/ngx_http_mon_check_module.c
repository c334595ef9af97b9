
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_check.h"


static void *ngx_http_mon_check_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_mon_check_create_srv_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_mon_check_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_mon_check_init_module(ngx_cycle_t *cycle);
static void ngx_http_mon_check_exit_process(ngx_cycle_t *cycle);
static char *ngx_http_mon_check(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_http_mon_check_commands[] = {

    { ngx_string("mon_check"),
      NGX_HTTP_UPS_CONF|NGX_CONF_ANY,
      ngx_http_mon_check,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_mon_check_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_mon_check_init,               /* postconfiguration */

    ngx_http_mon_check_create_main_conf,   /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_mon_check_create_srv_conf,    /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_mon_check_module = {
    NGX_MODULE_V1,
    &ngx_http_mon_check_module_ctx,        /* module context */
    ngx_http_mon_check_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_mon_check_init_module,        /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_mon_check_exit_process,       /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_mon_check_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_mon_check_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_check_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&mcf->checks, cf->pool, 4,
                       sizeof(ngx_http_mon_check_conf_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return mcf;
}


static void *
ngx_http_mon_check_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_check_conf_t));
}


static ngx_int_t
ngx_http_mon_check_init(ngx_conf_t *cf)
{
    ngx_uint_t                          i, flags;
    ngx_http_mon_check_conf_t         **ccf;
    ngx_http_mon_check_main_conf_t     *mcf;
    ngx_http_mon_upstream_main_conf_t  *umcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_check_module);
    umcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_mon_upstream_module);

    if (mcf->checks.nelts == 0) {
        return NGX_OK;
    }

    if (!ngx_mon_configured(cf)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"mon_check\" has no place for its state, add "
                      "\"mon_zone mon 16m;\" to the \"http\" block, in %V:%ui",
                      &mcf->file, mcf->line);
        return NGX_ERROR;
    }

    ccf = mcf->checks.elts;

    for (i = 0; i < mcf->checks.nelts; i++) {

        ccf[i]->hook = ngx_http_mon_hook_find(umcf, ccf[i]->uscf);

        if (ccf[i]->hook == NULL || !ccf[i]->hook->stock) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"mon_check\" does not know the balancer of "
                          "upstream \"%V\" in %s:%ui", &ccf[i]->uscf->host,
                          ccf[i]->uscf->file_name, ccf[i]->uscf->line);
            return NGX_ERROR;
        }

        flags = NGX_MON_GUARD_CHECKED;

        if (ccf[i]->mandatory) {
            flags |= NGX_MON_GUARD_MANDATORY;
        }

        if (ngx_http_mon_gate_add(cf, ccf[i]->uscf, flags) == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_mon_add_tick(ngx_http_mon_check_tick);

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_check_init_module(ngx_cycle_t *cycle)
{
    /* without a master: the configuration of the checks, and the zone, go */

    ngx_http_mon_check_stop();

    return NGX_OK;
}


static void
ngx_http_mon_check_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_mon_check_stop();
}


static char *
ngx_http_mon_check(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_check_conf_t  *ccf = conf;

    ngx_http_mon_check_conf_t       **ccfp;
    ngx_http_mon_check_main_conf_t   *mcf;

    if (ccf->type) {
        return "is duplicate";
    }

    ccf->uscf = ngx_http_conf_get_module_srv_conf(cf,
                                                  ngx_http_upstream_module);

    if (ngx_http_mon_check_parse(cf, ccf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_check_module);

    ccfp = ngx_array_push(&mcf->checks);
    if (ccfp == NULL) {
        return NGX_CONF_ERROR;
    }

    *ccfp = ccf;

    if (mcf->line == 0) {
        mcf->file = cf->conf_file->file.name;
        mcf->line = cf->conf_file->line;
    }

    return NGX_CONF_OK;
}
