
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon.h"
#include "ngx_http_mon_endpoint.h"


typedef struct {
    /* the first endpoint, for the error that says what it lacks */
    ngx_str_t                directive;
    ngx_str_t                file;
    ngx_uint_t               line;
} ngx_http_mon_endpoint_main_conf_t;


static ngx_int_t ngx_http_mon_endpoint_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_mon_endpoint_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_mon_endpoint_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_mon_endpoint_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_mon_metrics(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_mon_health(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_mon_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_mon_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_handler_pt handler);


static ngx_command_t  ngx_http_mon_endpoint_commands[] = {

    { ngx_string("mon_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_mon_metrics,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mon_health"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_mon_health,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mon_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_mon_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_mon_endpoint_module_ctx = {
    NULL,                                     /* preconfiguration */
    ngx_http_mon_endpoint_postconfiguration,  /* postconfiguration */

    ngx_http_mon_endpoint_create_main_conf,   /* create main configuration */
    NULL,                                     /* init main configuration */

    NULL,                                     /* create server configuration */
    NULL,                                     /* merge server configuration */

    ngx_http_mon_endpoint_create_loc_conf,    /* create location config. */
    ngx_http_mon_endpoint_merge_loc_conf      /* merge location config. */
};


ngx_module_t  ngx_http_mon_endpoint_module = {
    NGX_MODULE_V1,
    &ngx_http_mon_endpoint_module_ctx,     /* module context */
    ngx_http_mon_endpoint_commands,        /* module directives */
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
ngx_http_mon_endpoint_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_mon_endpoint_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_mon_endpoint_module);

    if (emcf->line && !ngx_mon_configured(cf)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" has nothing to serve, add "
                      "\"mon_zone mon 16m;\" to the \"http\" block, in %V:%ui",
                      &emcf->directive, &emcf->file, emcf->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void *
ngx_http_mon_endpoint_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_endpoint_main_conf_t));
}


static void *
ngx_http_mon_endpoint_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_endpoint_conf_t));
}


static char *
ngx_http_mon_endpoint_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_mon_endpoint_conf_t  *prev = parent;
    ngx_http_mon_endpoint_conf_t  *conf = child;

    /* the handler stays in force in an "if" */

    if (!conf->set) {
        conf->format = prev->format;
        conf->health = prev->health;
        conf->write = prev->write;
        conf->base = prev->base;

    } else if (conf->base.data && prev->base.data) {

        /* a location within another one is a part of the same tree */

        conf->base = prev->base;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_mon_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_endpoint_conf_t  *ecf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;
    ecf->set = 1;

    if (cf->args->nelts == 2) {

        ecf->format = ngx_http_mon_format(&value[1]);

        if (ecf->format == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown format \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_mon_endpoint(cf, cmd, ngx_http_mon_metrics_handler);
}


static char *
ngx_http_mon_health(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_endpoint_conf_t  *ecf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;
    ecf->set = 1;

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "live") == 0) {
            ecf->health = NGX_HTTP_MON_LIVE;

        } else if (ngx_strcmp(value[1].data, "ready") == 0) {
            ecf->health = NGX_HTTP_MON_READY;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_mon_endpoint(cf, cmd, ngx_http_mon_health_handler);
}


static char *
ngx_http_mon_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_endpoint_conf_t  *ecf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;
    ecf->set = 1;

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "write") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }

        ecf->write = 1;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* what is asked for is the path below that of the location */

    if (ngx_http_mon_status_place(clcf) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mon_status\" needs a location given by "
                           "a prefix, such as \"location /mon/\"");
        return NGX_CONF_ERROR;
    }

    ecf->base = clcf->name;

    return ngx_http_mon_endpoint(cf, cmd, ngx_http_mon_status_handler);
}


static char *
ngx_http_mon_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_handler_pt handler)
{
    ngx_http_mon_loc_conf_t            *mlcf;
    ngx_http_core_loc_conf_t           *clcf;
    ngx_http_mon_endpoint_main_conf_t  *emcf;

    mlcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_mon_module);

    if (mlcf->endpoint) {
        return "is duplicate";
    }

    mlcf->endpoint = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = handler;

    emcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_mon_endpoint_module);

    if (emcf->line == 0) {
        emcf->directive = cmd->name;
        emcf->file = cf->conf_file->file.name;
        emcf->line = cf->conf_file->line;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_mon_endpoint_begin(ngx_http_request_t *r)
{
    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {

        if (ngx_http_mon_add_header(r, "Allow", "GET, HEAD") != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_NOT_ALLOWED;
    }

    if (!ngx_mon_active) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (ngx_http_mon_add_header(r, "Cache-Control", "no-store") != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_discard_request_body(r);
}


ngx_int_t
ngx_http_mon_add_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = ngx_strlen(value);

    return NGX_OK;
}
