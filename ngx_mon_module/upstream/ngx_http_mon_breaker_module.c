
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_breaker.h"
#include "ngx_mon_phase.h"


static ngx_int_t ngx_http_mon_breaker_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_mon_breaker_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_mon_breaker_upstreams(ngx_conf_t *cf);
static ngx_http_handler_pt ngx_http_mon_breaker_handler(ngx_conf_t *cf,
    ngx_http_mon_breaker_loc_conf_t *blcf);
static void ngx_http_mon_breaker_location(ngx_conf_t *cf,
    ngx_http_mon_breaker_loc_conf_t *blcf);
static ngx_http_upstream_conf_t *ngx_http_mon_breaker_pass(ngx_conf_t *cf,
    void **loc_conf);
static void ngx_http_mon_breaker_guard(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *uscf);
static ngx_int_t ngx_http_mon_breaker_handlers(ngx_conf_t *cf);
static void *ngx_http_mon_breaker_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_mon_breaker_create_srv_conf(ngx_conf_t *cf);
static void *ngx_http_mon_breaker_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_mon_breaker_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_mon_breaker(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_http_mon_breaker_t *ngx_http_mon_breaker_add(ngx_conf_t *cf);


static ngx_command_t  ngx_http_mon_breaker_commands[] = {

    { ngx_string("mon_breaker"),
      NGX_HTTP_UPS_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_mon_breaker,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_mon_breaker_module_ctx = {
    ngx_http_mon_breaker_preconfiguration,   /* preconfiguration */
    ngx_http_mon_breaker_postconfiguration,  /* postconfiguration */

    ngx_http_mon_breaker_create_main_conf,   /* create main configuration */
    NULL,                                    /* init main configuration */

    ngx_http_mon_breaker_create_srv_conf,    /* create server configuration */
    NULL,                                    /* merge server configuration */

    ngx_http_mon_breaker_create_loc_conf,    /* create location config. */
    ngx_http_mon_breaker_merge_loc_conf      /* merge location config. */
};


ngx_module_t  ngx_http_mon_breaker_module = {
    NGX_MODULE_V1,
    &ngx_http_mon_breaker_module_ctx,      /* module context */
    ngx_http_mon_breaker_commands,         /* module directives */
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


/*
 * Modules whose configuration of a location begins with that of an upstream:
 * what passes requests on.
 */

static const char  *ngx_http_mon_breaker_modules[] = {
    "ngx_http_proxy_module",
    "ngx_http_fastcgi_module",
    "ngx_http_uwsgi_module",
    "ngx_http_scgi_module",
    "ngx_http_grpc_module",
    "ngx_http_memcached_module",
    "ngx_http_tunnel_module",
    NULL
};


static ngx_int_t
ngx_http_mon_breaker_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_mon_breaker_variables(cf);
}


static ngx_int_t
ngx_http_mon_breaker_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                         i;
    ngx_http_mon_breaker_loc_conf_t  **blcf;
    ngx_http_mon_breaker_main_conf_t  *bmcf;

    bmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_breaker_module);

    ngx_mon_add_branch(&ngx_http_mon_api_breakers);

    if (bmcf->breakers.nelts == 0) {
        return NGX_OK;
    }

    if (!ngx_mon_configured(cf)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"mon_breaker\" has no zone to keep its state, add "
                      "\"mon_zone mon 16m;\" to the \"http\" block, in %V:%ui",
                      &bmcf->file, bmcf->line);
        return NGX_ERROR;
    }

    if (ngx_http_mon_breaker_declare(cf, bmcf) != NGX_OK
        || ngx_http_mon_breaker_upstreams(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_mon_breaker_precontent(cf, ngx_http_mon_refuse_handler)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    blcf = bmcf->locations.elts;

    for (i = 0; i < bmcf->locations.nelts; i++) {
        ngx_http_mon_breaker_location(cf, blcf[i]);
    }

    return ngx_http_mon_breaker_handlers(cf);
}


static ngx_int_t
ngx_http_mon_breaker_upstreams(ngx_conf_t *cf)
{
    ngx_uint_t                          i;
    ngx_http_mon_hook_t                *hook;
    ngx_http_mon_breaker_t            **b;
    ngx_http_mon_breaker_main_conf_t   *bmcf;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    bmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_breaker_module);
    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_upstream_module);

    b = bmcf->breakers.elts;

    for (i = 0; i < bmcf->breakers.nelts; i++) {

        if (b[i]->uscf == NULL) {
            continue;
        }

        hook = ngx_http_mon_hook_find(mcf, b[i]->uscf);

        if (hook == NULL) {
            return NGX_ERROR;
        }

        hook->breaker = b[i];
        ngx_http_mon_hook_guard(hook, b[i]->conf.slow == 0);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mon_breaker_precontent(ngx_conf_t *cf,
    ngx_http_handler_pt handler)
{
    ngx_uint_t                         i;
    ngx_http_mon_breaker_loc_conf_t  **blcf;
    ngx_http_mon_breaker_main_conf_t  *bmcf;

    bmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_breaker_module);
    blcf = bmcf->locations.elts;

    for (i = 0; i < bmcf->locations.nelts; i++) {
        blcf[i]->pass = ngx_http_mon_breaker_pass(cf, blcf[i]->loc_conf);
        blcf[i]->handler = ngx_http_mon_breaker_handler(cf, blcf[i]);
    }

    return ngx_mon_add_handler(cf, NGX_HTTP_PRECONTENT_PHASE, handler);
}


/*
 * The content handler of requests with this configuration.  An "if" that has
 * none is left to that of its location, and inherits where that passes to; one
 * that has another one does not go there.
 */

static ngx_http_handler_pt
ngx_http_mon_breaker_handler(ngx_conf_t *cf,
    ngx_http_mon_breaker_loc_conf_t *blcf)
{
    ngx_http_core_loc_conf_t  *clcf, *outer;
    ngx_http_upstream_conf_t  *pass;

    clcf = blcf->loc_conf[ngx_http_core_module.ctx_index];

    if (!clcf->noname || clcf->lmt_excpt) {
        return clcf->handler;
    }

    outer = blcf->outer[ngx_http_core_module.ctx_index];

    if (clcf->handler == NULL || clcf->handler == outer->handler) {
        return outer->handler;
    }

    pass = ngx_http_mon_breaker_pass(cf, blcf->outer);

    return (pass && blcf->pass && pass->upstream == blcf->pass->upstream)
           ? NULL : clcf->handler;
}


/* what is asked in the location, and whether that may be asked ahead */

static void
ngx_http_mon_breaker_location(ngx_conf_t *cf,
    ngx_http_mon_breaker_loc_conf_t *blcf)
{
    ngx_http_mon_hook_t                *hook;
    ngx_http_upstream_srv_conf_t       *uscf;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    if (blcf->breaker && blcf->breaker->same) {
        blcf->breaker = blcf->breaker->same;
    }

    if (blcf->handler == NULL) {
        return;
    }

    if (blcf->pass == NULL) {

        if (blcf->breaker) {
            blcf->variable = 1;
            blcf->guarded = 1;
            ngx_http_mon_breaker_guard(cf, NULL);
        }

        return;
    }

    uscf = blcf->pass->upstream;

    if (blcf->breaker) {
        ngx_http_mon_breaker_guard(cf, uscf);
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_upstream_module);
    hook = ngx_http_mon_hook_find(mcf, uscf);

    blcf->upstream = hook ? hook->breaker : NULL;
    blcf->guarded = blcf->breaker || blcf->upstream;

    if (blcf->breaker == NULL || blcf->upstream == NULL) {
        blcf->single = blcf->breaker ? blcf->breaker : blcf->upstream;
    }
}


/*
 * Where the location passes requests to; NULL: nowhere, to what variables
 * name, or by several modules.
 */

static ngx_http_upstream_conf_t *
ngx_http_mon_breaker_pass(ngx_conf_t *cf, void **loc_conf)
{
    ngx_uint_t                 i, k;
    ngx_module_t             **modules;
    ngx_http_upstream_conf_t  *ucf, *found;

    found = NULL;
    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {

        if (modules[i]->type != NGX_HTTP_MODULE) {
            continue;
        }

        for (k = 0; ngx_http_mon_breaker_modules[k]; k++) {

            if (ngx_strcmp(modules[i]->name, ngx_http_mon_breaker_modules[k])
                != 0)
            {
                continue;
            }

            ucf = loc_conf[modules[i]->ctx_index];

            if (ucf->upstream == NULL) {
                continue;
            }

            if (found) {
                return NULL;
            }

            found = ucf;
        }
    }

    return found;
}


/* NULL: all upstreams */

static void
ngx_http_mon_breaker_guard(ngx_conf_t *cf, ngx_http_upstream_srv_conf_t *uscf)
{
    ngx_uint_t                          i;
    ngx_http_mon_hook_t                *hook;
    ngx_http_upstream_srv_conf_t      **uscfp;
    ngx_http_upstream_main_conf_t      *umcf;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);
    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_upstream_module);

    uscfp = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        if (uscf && uscfp[i] != uscf) {
            continue;
        }

        hook = ngx_http_mon_hook_find(mcf, uscfp[i]);

        if (hook) {
            ngx_http_mon_hook_guard(hook, 1);
        }
    }
}


static ngx_int_t
ngx_http_mon_breaker_handlers(ngx_conf_t *cf)
{
    ngx_mon_add_check("breakers", ngx_http_mon_breaker_health);
    ngx_mon_add_tick(ngx_http_mon_breaker_tick);
    ngx_mon_set_source(NGX_MON_G_BREAKER_STATE, ngx_http_mon_breaker_source);

    return ngx_http_mon_refuse_init(cf);
}


static void *
ngx_http_mon_breaker_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_mon_breaker_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_breaker_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->breakers, cf->pool, 4, sizeof(void *)) != NGX_OK
        || ngx_array_init(&conf->locations, cf->pool, 16, sizeof(void *))
           != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


static void *
ngx_http_mon_breaker_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_breaker_srv_conf_t));
}


static void *
ngx_http_mon_breaker_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_mon_breaker_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_breaker_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->breaker = NGX_CONF_UNSET_PTR;

    return conf;
}


static char *
ngx_http_mon_breaker_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_mon_breaker_loc_conf_t  *prev = parent;
    ngx_http_mon_breaker_loc_conf_t  *conf = child;

    ngx_http_mon_breaker_loc_conf_t  **blcf;
    ngx_http_mon_breaker_main_conf_t  *bmcf;

    ngx_conf_merge_ptr_value(conf->breaker, prev->breaker, NULL);

    conf->loc_conf = ((ngx_http_conf_ctx_t *) cf->ctx)->loc_conf;

    conf->outer = prev->loc_conf;

    bmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_breaker_module);

    blcf = ngx_array_push(&bmcf->locations);
    if (blcf == NULL) {
        return NGX_CONF_ERROR;
    }

    *blcf = conf;

    return NGX_CONF_OK;
}


static char *
ngx_http_mon_breaker(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_breaker_loc_conf_t  *blcf = conf;

    ngx_str_t                        *value;
    ngx_http_mon_breaker_t           *b;
    ngx_http_mon_breaker_srv_conf_t  *bscf;

    bscf = NULL;

    if (cf->cmd_type == NGX_HTTP_UPS_CONF) {
        bscf = ngx_http_conf_get_module_srv_conf(cf,
                                                 ngx_http_mon_breaker_module);
    }

    if (bscf ? bscf->breaker != NULL : blcf->breaker != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (bscf == NULL && cf->args->nelts == 2
        && ngx_strcmp(value[1].data, "off") == 0)
    {
        blcf->breaker = NULL;
        return NGX_CONF_OK;
    }

    b = ngx_http_mon_breaker_add(cf);
    if (b == NULL) {
        return NGX_CONF_ERROR;
    }

    if (bscf) {
        bscf->breaker = b;
        b->uscf = ngx_http_conf_get_module_srv_conf(cf,
                                                    ngx_http_upstream_module);
        b->name = b->uscf->host;

    } else {
        blcf->breaker = b;
    }

    return ngx_http_mon_breaker_parse(cf, b);
}


static ngx_http_mon_breaker_t *
ngx_http_mon_breaker_add(ngx_conf_t *cf)
{
    ngx_http_mon_breaker_t            *b, **bp;
    ngx_http_mon_breaker_main_conf_t  *bmcf;

    bmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_breaker_module);

    b = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_breaker_t));
    bp = ngx_array_push(&bmcf->breakers);

    if (b == NULL || bp == NULL) {
        return NULL;
    }

    *bp = b;

    b->loc_conf = ((ngx_http_conf_ctx_t *) cf->ctx)->loc_conf;
    b->file = cf->conf_file->file.name;
    b->line = cf->conf_file->line;

    if (bmcf->line == 0) {
        bmcf->file = b->file;
        bmcf->line = b->line;
    }

    return b;
}
