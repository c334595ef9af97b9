
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_concurrency.h"
#include "ngx_mon_phase.h"


static ngx_int_t ngx_http_mon_conc_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_mon_conc_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_mon_conc_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_mon_conc_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_mon_concurrency(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_http_mon_conc_main_conf_t *ngx_http_mon_conc_cycle_conf(
    ngx_cycle_t *cycle);
static ngx_int_t ngx_http_mon_conc_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_mon_conc_init_process(ngx_cycle_t *cycle);
static void ngx_http_mon_conc_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_mon_concurrency_commands[] = {

    { ngx_string("mon_concurrency"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1234
                        |NGX_CONF_TAKE5|NGX_CONF_TAKE6|NGX_CONF_TAKE7,
      ngx_http_mon_concurrency,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_mon_concurrency_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_mon_conc_postconfiguration,   /* postconfiguration */

    ngx_http_mon_conc_create_main_conf,    /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_mon_conc_create_loc_conf,     /* create location configuration */
    ngx_http_mon_conc_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_http_mon_concurrency_module = {
    NGX_MODULE_V1,
    &ngx_http_mon_concurrency_module_ctx,  /* module context */
    ngx_http_mon_concurrency_commands,     /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_mon_conc_init_module,         /* init module */
    ngx_http_mon_conc_init_process,        /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_mon_conc_exit_process,        /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* 1 once this process began to work: it is no master, nor one to be */
static ngx_uint_t  ngx_http_mon_conc_working;


static ngx_int_t
ngx_http_mon_conc_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                      i;
    ngx_http_mon_conc_t            *c;
    ngx_http_mon_conc_main_conf_t  *ccmf;

    ccmf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_mon_concurrency_module);

    if (ccmf->limiters.nelts == 0) {
        return NGX_OK;
    }

    if (!ngx_mon_configured(cf)) {
        c = *(ngx_http_mon_conc_t **) ccmf->limiters.elts;

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"mon_concurrency\" has no zone to count in, add "
                      "\"mon_zone mon 16m;\" to the \"http\" block, in %V:%ui",
                      &c->file, c->line);
        return NGX_ERROR;
    }

    if (ngx_http_mon_conc_declare(cf, ccmf) != NGX_OK) {
        return NGX_ERROR;
    }

    /* realip may be told by the location to change the client's address */

    if (ngx_mon_add_handler(cf, NGX_HTTP_PREACCESS_PHASE,
                            ngx_http_mon_conc_handler)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < ccmf->limiters.nelts; i++) {

        if (((ngx_http_mon_conc_t **) ccmf->limiters.elts)[i]->adaptive) {

            if (ngx_http_mon_conc_filter_init(cf) != NGX_OK) {
                return NGX_ERROR;
            }

            break;
        }
    }

    ngx_mon_add_reason(ngx_http_mon_conc_reason);
    ngx_mon_add_limited(ngx_http_mon_conc_limited);
    ngx_mon_add_tick(ngx_http_mon_conc_tick);
    ngx_mon_add_branch(&ngx_http_mon_conc_api);
    ngx_mon_add_loop(ngx_http_mon_conc_loop);
    ngx_mon_set_source(NGX_MON_G_CONCURRENCY, ngx_http_mon_conc_source);

    return NGX_OK;
}


static void *
ngx_http_mon_conc_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_mon_conc_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_conc_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->limiters, cf->pool, 4, sizeof(void *))
        != NGX_OK)
    {
        return NULL;
    }

    conf->version = ngx_mon_now();

    return conf;
}


static void *
ngx_http_mon_conc_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_mon_conc_loc_conf_t  *conf;

    conf = ngx_palloc(cf->pool, sizeof(ngx_http_mon_conc_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->limits = NGX_CONF_UNSET_PTR;

    return conf;
}


static char *
ngx_http_mon_conc_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_mon_conc_loc_conf_t  *prev = parent;
    ngx_http_mon_conc_loc_conf_t  *conf = child;

    ngx_conf_merge_ptr_value(conf->limits, prev->limits, NULL);

    return NGX_CONF_OK;
}


static char *
ngx_http_mon_concurrency(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_conc_loc_conf_t  *clcf = conf;

    ngx_str_t                      *value;
    ngx_http_mon_conc_t            *c, **one, **all;
    ngx_http_mon_conc_main_conf_t  *ccmf;

    value = cf->args->elts;

    if (clcf->limits == NULL) {
        return "is duplicate";
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {

        if (clcf->limits != NGX_CONF_UNSET_PTR) {
            return "is duplicate";
        }

        clcf->limits = NULL;

        return NGX_CONF_OK;
    }

    if (clcf->limits == NGX_CONF_UNSET_PTR) {

        clcf->limits = ngx_array_create(cf->pool, 1, sizeof(void *));
        if (clcf->limits == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    ccmf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_mon_concurrency_module);

    c = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_conc_t));
    one = ngx_array_push(clcf->limits);
    all = ngx_array_push(&ccmf->limiters);

    if (c == NULL || one == NULL || all == NULL) {
        return NGX_CONF_ERROR;
    }

    *one = c;
    *all = c;

    c->level = cf->cmd_type;
    c->loc_conf = ((ngx_http_conf_ctx_t *) cf->ctx)->loc_conf;
    c->array = clcf->limits;
    c->index = clcf->limits->nelts - 1;
    c->file = cf->conf_file->file.name;
    c->line = cf->conf_file->line;

    return ngx_http_mon_conc_parse(cf, c);
}


static ngx_http_mon_conc_main_conf_t *
ngx_http_mon_conc_cycle_conf(ngx_cycle_t *cycle)
{
    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL) {
        return NULL;
    }

    return ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_mon_concurrency_module);
}


static ngx_int_t
ngx_http_mon_conc_init_module(ngx_cycle_t *cycle)
{
    ngx_http_mon_conc_main_conf_t  *ccmf;

    ccmf = ngx_http_mon_conc_cycle_conf(cycle);

    if (ccmf && !ngx_test_config) {
        ngx_http_mon_conc_commit(ccmf);
    }

    if (ngx_process == NGX_PROCESS_SINGLE && ngx_http_mon_conc_working) {
        /* a reload without a master: nginx begins no process anew */
        return ngx_http_mon_conc_init_process(cycle);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_conc_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process == NGX_PROCESS_WORKER
        || ngx_process == NGX_PROCESS_SINGLE)
    {
        ngx_http_mon_conc_working = 1;
        ngx_http_mon_conc_begin(cycle, ngx_http_mon_conc_cycle_conf(cycle));
    }

    return NGX_OK;
}


static void
ngx_http_mon_conc_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_mon_conc_end();
}
