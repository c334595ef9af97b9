
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_quota.h"


#define NGX_HTTP_MON_QUOTA_RATE    0
#define NGX_HTTP_MON_QUOTA_BURST   1
#define NGX_HTTP_MON_QUOTA_PER     2
#define NGX_HTTP_MON_QUOTA_STATUS  3
#define NGX_HTTP_MON_QUOTA_N       4


static ngx_int_t ngx_http_mon_quota_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_mon_quota_add(ngx_conf_t *cf,
    ngx_http_mon_quota_t *q);
static ngx_int_t ngx_http_mon_quota_declare(ngx_conf_t *cf,
    ngx_http_mon_quota_t *q);
static void ngx_http_mon_quota_location(ngx_conf_t *cf,
    ngx_http_mon_breaker_loc_conf_t *blcf);
static void *ngx_http_mon_quota_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_mon_quota_create_srv_conf(ngx_conf_t *cf);
static void *ngx_http_mon_quota_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_mon_quota(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_http_mon_quota_t *ngx_http_mon_quota_new(ngx_conf_t *cf);
static char *ngx_http_mon_quota_parse(ngx_conf_t *cf, ngx_http_mon_quota_t *q,
    ngx_str_t *values);
static ngx_int_t ngx_http_mon_quota_values(ngx_conf_t *cf, ngx_str_t *values);


static ngx_str_t  ngx_http_mon_quota_names[] = {
    ngx_string("rate="),
    ngx_string("burst="),
    ngx_string("per="),
    ngx_string("status="),
};


static ngx_command_t  ngx_http_mon_quota_commands[] = {

    { ngx_string("mon_limit"),
      NGX_HTTP_UPS_CONF|NGX_CONF_TAKE1234,
      ngx_http_mon_quota,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_mon_quota_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_mon_quota_postconfiguration,  /* postconfiguration */

    ngx_http_mon_quota_create_main_conf,   /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_mon_quota_create_srv_conf,    /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_mon_quota_create_loc_conf,    /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_mon_quota_module = {
    NGX_MODULE_V1,
    &ngx_http_mon_quota_module_ctx,        /* module context */
    ngx_http_mon_quota_commands,           /* module directives */
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
ngx_http_mon_quota_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                         i;
    ngx_http_mon_quota_t             **q;
    ngx_http_mon_quota_main_conf_t    *qmcf;
    ngx_http_mon_breaker_loc_conf_t  **blcf;
    ngx_http_mon_breaker_main_conf_t  *bmcf;

    qmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_quota_module);

    if (qmcf->quotas.nelts == 0) {
        return NGX_OK;
    }

    if (!ngx_mon_configured(cf)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"mon_limit\" has no zone to keep its state, add "
                      "\"mon_zone mon 16m;\" to the \"http\" block, in %V:%ui",
                      &qmcf->file, qmcf->line);
        return NGX_ERROR;
    }

    q = qmcf->quotas.elts;

    for (i = 0; i < qmcf->quotas.nelts; i++) {
        if (ngx_http_mon_quota_add(cf, q[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_mon_breaker_precontent(cf, ngx_http_mon_quota_handler)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* the breaker knows all locations */

    bmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_breaker_module);
    blcf = bmcf->locations.elts;

    for (i = 0; i < bmcf->locations.nelts; i++) {
        ngx_http_mon_quota_location(cf, blcf[i]);
    }

    ngx_mon_add_tick(ngx_http_mon_quota_tick);

    return ngx_http_mon_refuse_init(cf);
}


static ngx_int_t
ngx_http_mon_quota_add(ngx_conf_t *cf, ngx_http_mon_quota_t *q)
{
    ngx_http_mon_upstream_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_upstream_module);

    q->hook = ngx_http_mon_hook_find(mcf, q->uscf);

    if (q->hook == NULL) {
        return NGX_ERROR;
    }

    if (q->peer && !q->hook->stock) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"mon_limit\" with \"per=peer\" does not know the "
                      "balancer of upstream \"%V\" in %s:%ui",
                      &q->uscf->host, q->uscf->file_name, q->uscf->line);
        return NGX_ERROR;
    }

    if (q->peer && ngx_http_mon_gate_add(cf, q->uscf, 0) == NULL) {
        return NGX_ERROR;
    }

    q->hook->quota = q;

    /* which peer is charged is known too late for a calm call */

    ngx_http_mon_hook_guard(q->hook, !q->peer);
    ngx_http_mon_hook_limit(q->hook);

    return ngx_http_mon_quota_declare(cf, q);
}


static ngx_int_t
ngx_http_mon_quota_declare(ngx_conf_t *cf, ngx_http_mon_quota_t *q)
{
    ngx_str_t                 values[2];
    ngx_uint_t                i;
    ngx_http_mon_upstream_t  *up;

    up = q->hook->upstream;

    values[0] = up->label;
    ngx_str_null(&values[1]);

    if (ngx_mon_declare(cf, NGX_MON_G_QUOTA, values, 1, NGX_MON_VIEW_ALL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!q->peer) {
        return ngx_mon_declare(cf, NGX_MON_G_ALLOWANCE, values, 2,
                               NGX_MON_VIEW_ALL);
    }

    for (i = 0; i <= up->mask; i++) {

        if (up->table[i] == NULL) {
            continue;
        }

        values[1] = up->table[i]->name;

        if (ngx_mon_declare(cf, NGX_MON_G_ALLOWANCE, values, 2,
                            NGX_MON_VIEW_ALL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_mon_quota_location(ngx_conf_t *cf,
    ngx_http_mon_breaker_loc_conf_t *blcf)
{
    ngx_http_mon_hook_t                *hook;
    ngx_http_mon_quota_loc_conf_t      *qlcf;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    if (blcf->handler == NULL || blcf->pass == NULL) {
        return;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_upstream_module);
    hook = ngx_http_mon_hook_find(mcf, blcf->pass->upstream);

    if (hook == NULL || hook->quota == NULL) {
        return;
    }

    qlcf = blcf->loc_conf[ngx_http_mon_quota_module.ctx_index];

    qlcf->quota = hook->quota;
    qlcf->pass = blcf->pass;
    qlcf->handler = blcf->handler;
}


static void *
ngx_http_mon_quota_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_mon_quota_main_conf_t  *qmcf;

    qmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_quota_main_conf_t));
    if (qmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&qmcf->quotas, cf->pool, 4, sizeof(void *)) != NGX_OK) {
        return NULL;
    }

    return qmcf;
}


static void *
ngx_http_mon_quota_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_quota_srv_conf_t));
}


static void *
ngx_http_mon_quota_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_mon_quota_loc_conf_t  *qlcf;

    qlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_quota_loc_conf_t));
    if (qlcf == NULL) {
        return NULL;
    }

    return qlcf;
}


static char *
ngx_http_mon_quota(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_quota_srv_conf_t  *qscf = conf;

    ngx_str_t  values[NGX_HTTP_MON_QUOTA_N];

    if (qscf->quota) {
        return "is duplicate";
    }

    qscf->quota = ngx_http_mon_quota_new(cf);

    if (qscf->quota == NULL
        || ngx_http_mon_quota_values(cf, values) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (values[NGX_HTTP_MON_QUOTA_RATE].data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have \"rate\" parameter", &cmd->name);
        return NGX_CONF_ERROR;
    }

    return ngx_http_mon_quota_parse(cf, qscf->quota, values);
}


static ngx_http_mon_quota_t *
ngx_http_mon_quota_new(ngx_conf_t *cf)
{
    ngx_http_mon_quota_t            *q, **qp;
    ngx_http_mon_quota_main_conf_t  *qmcf;

    qmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_quota_module);

    q = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_quota_t));
    qp = ngx_array_push(&qmcf->quotas);

    if (q == NULL || qp == NULL) {
        return NULL;
    }

    *qp = q;

    q->uscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module);
    q->status = NGX_HTTP_SERVICE_UNAVAILABLE;

    /* any later configuration has a larger one */
    q->version = ngx_mon_now();

    if (qmcf->line == 0) {
        qmcf->file = cf->conf_file->file.name;
        qmcf->line = cf->conf_file->line;
    }

    return q;
}


/* the parameters by their names; what stands there is left out with the name */

static ngx_int_t
ngx_http_mon_quota_values(ngx_conf_t *cf, ngx_str_t *values)
{
    ngx_str_t   *value;
    ngx_uint_t   i, k;

    value = cf->args->elts;
    ngx_memzero(values, NGX_HTTP_MON_QUOTA_N * sizeof(ngx_str_t));

    for (i = 1; i < cf->args->nelts; i++) {

        for (k = 0; k < NGX_HTTP_MON_QUOTA_N; k++) {
            if (ngx_strncmp(value[i].data, ngx_http_mon_quota_names[k].data,
                            ngx_http_mon_quota_names[k].len)
                == 0)
            {
                break;
            }
        }

        if (k == NGX_HTTP_MON_QUOTA_N) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_ERROR;
        }

        if (values[k].data) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\"", &value[i]);
            return NGX_ERROR;
        }

        values[k].data = value[i].data + ngx_http_mon_quota_names[k].len;
        values[k].len = value[i].len - ngx_http_mon_quota_names[k].len;
    }

    return NGX_OK;
}


static char *
ngx_http_mon_quota_parse(ngx_conf_t *cf, ngx_http_mon_quota_t *q,
    ngx_str_t *values)
{
    ngx_int_t    n;
    ngx_str_t   *v;
    ngx_uint_t   k;

    for (k = 0; k < NGX_HTTP_MON_QUOTA_N; k++) {
        v = &values[k];

        if (v->data == NULL) {
            continue;
        }

        n = ngx_atoi(v->data, v->len);

        switch (k) {

        case NGX_HTTP_MON_QUOTA_RATE:
            q->text = *v;
            n = ngx_mon_rate_parse(&q->rate, v, 0);
            break;

        case NGX_HTTP_MON_QUOTA_BURST:
            n = (n == NGX_ERROR)
                ? n : ngx_mon_rate_parse(&q->rate,
                                         &values[NGX_HTTP_MON_QUOTA_RATE], n);
            break;

        case NGX_HTTP_MON_QUOTA_PER:
            q->peer = 1;
            n = (v->len == 4 && ngx_strncmp(v->data, "peer", 4) == 0)
                ? NGX_OK : NGX_ERROR;
            break;

        default: /* NGX_HTTP_MON_QUOTA_STATUS */
            q->status = n;
            n = (n >= 400 && n <= 599) ? NGX_OK : NGX_ERROR;
            break;
        }

        if (n == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V%V\"",
                               &ngx_http_mon_quota_names[k], v);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}
