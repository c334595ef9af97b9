
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_deadline.h"


/* how often to look after a thread that works for the request, milliseconds */
#define NGX_HTTP_MON_DEADLINE_BUSY  100


typedef struct {
    /* the first mon_deadline, for a message */
    ngx_str_t                  file;
    ngx_uint_t                 line;
} ngx_http_mon_deadline_main_conf_t;


typedef struct {
    ngx_msec_t                 time;       /* 0: none */
} ngx_http_mon_deadline_conf_t;


typedef struct {
    ngx_msec_t                 start;      /* of ngx_current_msec */
    ngx_msec_t                 time;       /* in force; 0: none */
    ngx_uint_t                 missed;

    ngx_event_t                event;

    /* found again after a redirect has wiped r->ctx */
    ngx_pool_cleanup_t         cleanup;
} ngx_http_mon_deadline_ctx_t;


static ngx_int_t ngx_http_mon_deadline_init(ngx_conf_t *cf);
static void *ngx_http_mon_deadline_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_mon_deadline_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_mon_deadline_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_http_mon_deadline(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

static ngx_int_t ngx_http_mon_deadline_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_mon_deadline_reason(ngx_http_request_t *r,
    ngx_uint_t status);
static ngx_http_mon_deadline_ctx_t *ngx_http_mon_deadline_find(
    ngx_http_request_t *r);
static ngx_http_mon_deadline_ctx_t *ngx_http_mon_deadline_create(
    ngx_http_request_t *r);
static void ngx_http_mon_deadline_cleanup(void *data);
static void ngx_http_mon_deadline_expired(ngx_event_t *ev);
static void ngx_http_mon_deadline_wake(ngx_http_request_t *r);
static void ngx_http_mon_deadline_expire(ngx_http_mon_deadline_ctx_t *ctx);


static ngx_command_t  ngx_http_mon_deadline_commands[] = {

    { ngx_string("mon_deadline"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_mon_deadline,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_mon_deadline_conf_t, time),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_mon_deadline_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_mon_deadline_init,            /* postconfiguration */

    ngx_http_mon_deadline_create_main_conf, /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_mon_deadline_create_loc_conf, /* create location configuration */
    ngx_http_mon_deadline_merge_loc_conf   /* merge location configuration */
};


ngx_module_t  ngx_http_mon_deadline_module = {
    NGX_MODULE_V1,
    &ngx_http_mon_deadline_module_ctx,     /* module context */
    ngx_http_mon_deadline_commands,        /* module directives */
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
ngx_http_mon_deadline_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt                *h;
    ngx_http_core_main_conf_t          *cmcf;
    ngx_http_mon_deadline_main_conf_t  *dmcf;

    dmcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_mon_deadline_module);

    if (dmcf->line == 0) {
        return NGX_OK;
    }

    if (!ngx_mon_configured(cf)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"mon_deadline\" has no zone to count in, add "
                      "\"mon_zone mon 16m;\" to the \"http\" block, in %V:%ui",
                      &dmcf->file, dmcf->line);
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_mon_deadline_handler;

    ngx_mon_add_reason(ngx_http_mon_deadline_reason);

    return NGX_OK;
}


static void *
ngx_http_mon_deadline_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_deadline_main_conf_t));
}


static void *
ngx_http_mon_deadline_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_mon_deadline_conf_t  *conf;

    conf = ngx_palloc(cf->pool, sizeof(ngx_http_mon_deadline_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->time = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_http_mon_deadline_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_mon_deadline_conf_t  *prev = parent;
    ngx_http_mon_deadline_conf_t  *conf = child;

    ngx_conf_merge_msec_value(conf->time, prev->time, 0);

    return NGX_CONF_OK;
}


static char *
ngx_http_mon_deadline(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_deadline_conf_t  *dcf = conf;

    ngx_str_t                          *value;
    ngx_http_mon_deadline_main_conf_t  *dmcf;

    if (dcf->time != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    dcf->time = (ngx_strcmp(value[1].data, "off") == 0)
                ? 0 : (ngx_msec_t) ngx_parse_time(&value[1], 0);

    if (dcf->time == (ngx_msec_t) NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    dmcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_mon_deadline_module);

    if (dmcf->line == 0) {
        dmcf->file = cf->conf_file->file.name;
        dmcf->line = cf->conf_file->line;
    }

    return NGX_CONF_OK;
}


/* the location is known, or known anew after a redirect: it decides */

static ngx_int_t
ngx_http_mon_deadline_handler(ngx_http_request_t *r)
{
    ngx_msec_int_t                 left;
    ngx_http_mon_deadline_ctx_t   *ctx;
    ngx_http_mon_deadline_conf_t  *dcf;

    if (r != r->main || r->post_action) {
        return NGX_DECLINED;
    }

    dcf = ngx_http_get_module_loc_conf(r, ngx_http_mon_deadline_module);
    ctx = ngx_http_mon_deadline_find(r);

    if (ctx == NULL) {

        if (dcf->time == 0) {
            return NGX_DECLINED;
        }

        ctx = ngx_http_mon_deadline_create(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ctx->missed || ctx->time == dcf->time) {
        return NGX_DECLINED;
    }

    ctx->time = dcf->time;

    if (ctx->event.timer_set) {
        ngx_del_timer(&ctx->event);
    }

    if (ctx->time == 0) {
        return NGX_DECLINED;
    }

    left = (ngx_msec_int_t) (ctx->start + ctx->time - ngx_current_msec);

    if (left > 0) {
        ngx_add_timer(&ctx->event, (ngx_msec_t) left);
        return NGX_DECLINED;
    }

    ctx->missed = 1;
    ngx_http_mon_deadline_log(r, ctx->time);

    return NGX_HTTP_GATEWAY_TIME_OUT;
}


static ngx_uint_t
ngx_http_mon_deadline_reason(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_http_mon_deadline_ctx_t  *ctx;

    ctx = ngx_http_mon_deadline_find(r);

    return ctx && ctx->missed ? NGX_MON_ERROR_DEADLINE : NGX_MON_ERROR_N;
}


ngx_msec_t
ngx_http_mon_deadline_left(ngx_http_request_t *r)
{
    ngx_msec_int_t                left;
    ngx_http_mon_deadline_ctx_t  *ctx;

    ctx = ngx_http_mon_deadline_find(r->main);

    if (ctx == NULL || !ctx->event.timer_set) {
        return NGX_TIMER_INFINITE;
    }

    left = (ngx_msec_int_t) (ctx->event.timer.key - ngx_current_msec);

    return ngx_max(left, 0);
}


static ngx_http_mon_deadline_ctx_t *
ngx_http_mon_deadline_find(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_mon_deadline_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_mon_deadline_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_mon_deadline_cleanup) {
            ngx_http_set_ctx(r, cln->data, ngx_http_mon_deadline_module);
            return cln->data;
        }
    }

    return NULL;
}


static ngx_http_mon_deadline_ctx_t *
ngx_http_mon_deadline_create(ngx_http_request_t *r)
{
    ngx_time_t                   *tp;
    ngx_msec_int_t                ms, age;
    ngx_http_mon_deadline_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_mon_deadline_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    /* the clock may have been set: no request is older than its connection */

    tp = ngx_timeofday();

    ms = (ngx_msec_int_t) ((tp->sec - r->start_sec) * 1000
                           + (tp->msec - r->start_msec));
    age = (ngx_msec_int_t) (ngx_current_msec - r->connection->start_time);
    ms = ngx_min(ms, age);

    ctx->start = ngx_current_msec - (ms > 0 ? (ngx_msec_t) ms : 0);

    ctx->event.handler = ngx_http_mon_deadline_expired;
    ctx->event.data = r;
    ctx->event.log = r->connection->log;

    ctx->cleanup.handler = ngx_http_mon_deadline_cleanup;
    ctx->cleanup.data = ctx;
    ctx->cleanup.next = r->pool->cleanup;
    r->pool->cleanup = &ctx->cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_mon_deadline_module);

    return ctx;
}


static void
ngx_http_mon_deadline_cleanup(void *data)
{
    ngx_http_mon_deadline_ctx_t  *ctx = data;

    if (ctx->event.timer_set) {
        ngx_del_timer(&ctx->event);
    }
}


static void
ngx_http_mon_deadline_expired(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ev->data;
    c = r->connection;

    ngx_http_mon_deadline_expire((ngx_http_mon_deadline_ctx_t *)
        ((u_char *) ev - offsetof(ngx_http_mon_deadline_ctx_t, event)));

    ngx_http_run_posted_requests(c);
}


/* a thread has done its work, or the client reads again */

static void
ngx_http_mon_deadline_wake(ngx_http_request_t *r)
{
    ngx_http_mon_deadline_ctx_t  *ctx;

    ctx = ngx_http_mon_deadline_find(r->main);

    if (ctx) {
        ngx_http_mon_deadline_expire(ctx);
    }
}


static void
ngx_http_mon_deadline_expire(ngx_http_mon_deadline_ctx_t *ctx)
{
    ngx_event_t         *ev;
    ngx_http_request_t  *r;

    ev = &ctx->event;
    r = ev->data;

    if (r->done || r->post_action
        || (r->header_sent && r->upstream && r->upstream->upgrade))
    {
        /* it was answered */
        return;
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    if (ngx_http_mon_deadline_busy(r, ngx_http_mon_deadline_wake)) {
        ngx_add_timer(ev, NGX_HTTP_MON_DEADLINE_BUSY);
        return;
    }

    /* a client that left may have been outlived for the sake of a cache */

    if (!r->connection->error) {
        ctx->missed = 1;
        ngx_http_mon_deadline_log(r, ctx->time);
    }

    ngx_http_mon_deadline_stop(r, ctx->time);
    ngx_http_mon_deadline_end(r);
}
