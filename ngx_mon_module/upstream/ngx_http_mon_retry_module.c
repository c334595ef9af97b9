
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_retry.h"
#include "ngx_mon_retry.h"


/* more can't be meant, and each attempt is a level of nginx's stack */
#define NGX_HTTP_MON_RETRY_ATTEMPTS  100


typedef struct {
    /* the first mon_retry, for the error that says what it lacks */
    ngx_str_t                    file;
    ngx_uint_t                   line;

    /* one stands in a location: it may apply to all upstreams */
    ngx_uint_t                   location;
} ngx_http_mon_retry_main_conf_t;


typedef struct {
    /* NULL: not here; &ngx_http_mon_retry_off: no retries */
    ngx_http_mon_retry_conf_t   *retry;
} ngx_http_mon_retry_place_t;


static void *ngx_http_mon_retry_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_mon_retry_create_place(ngx_conf_t *cf);
static char *ngx_http_mon_retry_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_mon_retry_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_mon_retry_hook(ngx_conf_t *cf,
    ngx_http_mon_hook_t *hook, ngx_uint_t location);
static char *ngx_http_mon_retry(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_mon_retry_parse(ngx_conf_t *cf,
    ngx_http_mon_retry_conf_t *conf);


static ngx_http_mon_retry_conf_t  ngx_http_mon_retry_off;


static const ngx_mon_param_t  ngx_http_mon_retry_params[] = {
    ngx_mon_param("budget=", ngx_mon_set_percent,
                  ngx_http_mon_retry_conf_t, budget,
                  0, NGX_MON_RETRY_WHOLE, NGX_MON_RETRY_WHOLE / 5),
    ngx_mon_param("min=", ngx_mon_set_number,
                  ngx_http_mon_retry_conf_t, min, 0, NGX_MAX_INT_T_VALUE, 3),
    ngx_mon_param("attempts=", ngx_mon_set_number,
                  ngx_http_mon_retry_conf_t, attempts,
                  1, NGX_HTTP_MON_RETRY_ATTEMPTS, 2),
    ngx_mon_param("backoff=", ngx_mon_set_time,
                  ngx_http_mon_retry_conf_t, backoff,
                  0, NGX_MAX_INT_T_VALUE, 25),
    ngx_mon_param("max_backoff=", ngx_mon_set_time,
                  ngx_http_mon_retry_conf_t, max_backoff,
                  0, NGX_MAX_INT_T_VALUE, NGX_CONF_UNSET),
    ngx_mon_param("on=", ngx_http_mon_set_on,
                  ngx_http_mon_retry_conf_t, on,
                  0, 0, NGX_HTTP_MON_ON_DEFAULT),
    ngx_mon_param_flag("non_idempotent",
                       ngx_http_mon_retry_conf_t, non_idempotent),
    ngx_mon_param_end
};


static ngx_command_t  ngx_http_mon_retry_commands[] = {

    { ngx_string("mon_retry"),
      NGX_HTTP_UPS_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1234
                       |NGX_CONF_TAKE5|NGX_CONF_TAKE6|NGX_CONF_TAKE7,
      ngx_http_mon_retry,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_mon_retry_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_mon_retry_postconfiguration,  /* postconfiguration */

    ngx_http_mon_retry_create_main_conf,   /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_mon_retry_create_place,       /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_mon_retry_create_place,       /* create location configuration */
    ngx_http_mon_retry_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_mon_retry_module = {
    NGX_MODULE_V1,
    &ngx_http_mon_retry_module_ctx,        /* module context */
    ngx_http_mon_retry_commands,           /* module directives */
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


static void *
ngx_http_mon_retry_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_retry_main_conf_t));
}


static void *
ngx_http_mon_retry_create_place(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_retry_place_t));
}


static char *
ngx_http_mon_retry_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_mon_retry_place_t  *prev = parent;
    ngx_http_mon_retry_place_t  *conf = child;

    if (conf->retry == NULL) {
        conf->retry = prev->retry;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_mon_retry_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                          i;
    ngx_http_mon_retry_main_conf_t     *rmcf;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_retry_module);

    if (rmcf->line == 0) {
        return NGX_OK;
    }

    if (!ngx_mon_configured(cf)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"mon_retry\" has nowhere to count, add "
                      "\"mon_zone mon 16m;\" to the \"http\" block, in %V:%ui",
                      &rmcf->file, rmcf->line);
        return NGX_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_upstream_module);

    for (i = 0; i <= mcf->mask; i++) {
        if (mcf->hooks[i].uscf
            && ngx_http_mon_retry_hook(cf, &mcf->hooks[i], rmcf->location)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_retry_hook(ngx_conf_t *cf, ngx_http_mon_hook_t *hook,
    ngx_uint_t location)
{
    ngx_http_mon_retry_t        *retry;
    ngx_http_mon_retry_place_t  *place;

    place = NULL;

    /* an upstream that proxy_pass makes has no configuration */

    if (hook->uscf->srv_conf) {
        place = ngx_http_conf_upstream_srv_conf(hook->uscf,
                                                ngx_http_mon_retry_module);
    }

    if (place && place->retry == &ngx_http_mon_retry_off) {
        place = NULL;
    }

    if ((place == NULL || place->retry == NULL) && !location) {
        return NGX_OK;
    }

    retry = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_retry_t));
    if (retry == NULL) {
        return NGX_ERROR;
    }

    retry->conf = place ? place->retry : NULL;

    hook->retry = retry;
    ngx_http_mon_hook_guard(hook, 0);

    return ngx_mon_declare(cf, NGX_MON_G_RETRY, &hook->upstream->label, 1,
                           NGX_MON_VIEW_ALL);
}


ngx_http_mon_retry_conf_t *
ngx_http_mon_retry_conf(ngx_http_request_t *r, ngx_http_mon_retry_t *retry)
{
    ngx_http_mon_retry_place_t  *place;

    place = ngx_http_get_module_loc_conf(r, ngx_http_mon_retry_module);

    if (place->retry == NULL) {
        return retry->conf;
    }

    return (place->retry == &ngx_http_mon_retry_off) ? NULL : place->retry;
}


static char *
ngx_http_mon_retry(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_retry_place_t  *place = conf;

    ngx_str_t                       *value;
    ngx_http_mon_retry_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_retry_module);

    if (rmcf->line == 0) {
        rmcf->file = cf->conf_file->file.name;
        rmcf->line = cf->conf_file->line;
    }

    if (cf->cmd_type & NGX_HTTP_UPS_CONF) {
        place = ngx_http_conf_get_module_srv_conf(cf,
                                                  ngx_http_mon_retry_module);
    }

    if (place->retry) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        place->retry = &ngx_http_mon_retry_off;
        return NGX_CONF_OK;
    }

    place->retry = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_retry_conf_t));
    if (place->retry == NULL) {
        return NGX_CONF_ERROR;
    }

    rmcf->location |= !(cf->cmd_type & NGX_HTTP_UPS_CONF);

    return ngx_http_mon_retry_parse(cf, place->retry);
}


static char *
ngx_http_mon_retry_parse(ngx_conf_t *cf, ngx_http_mon_retry_conf_t *conf)
{
    if (ngx_mon_params(cf, 1, ngx_http_mon_retry_params, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->max_backoff == NGX_CONF_UNSET_MSEC) {
        conf->max_backoff = ngx_max(conf->backoff, 250);
    }

    if (conf->max_backoff < conf->backoff) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"max_backoff\" must not be less than "
                           "\"backoff\"");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
