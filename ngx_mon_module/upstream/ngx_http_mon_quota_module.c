
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_quota.h"


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
static ngx_int_t ngx_http_mon_quota_set_rate(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);


static const ngx_conf_enum_t  ngx_http_mon_quota_per[] = {
    { ngx_string("peer"), 1 },
    { ngx_null_string, 0 }
};


static const ngx_mon_param_t  ngx_http_mon_quota_params[] = {
    ngx_mon_param_own("rate=", ngx_http_mon_quota_set_rate),
    ngx_mon_param("burst=", ngx_mon_set_number,
                  ngx_http_mon_quota_t, burst, 0, NGX_MAX_INT_T_VALUE, 0),
    ngx_mon_param_word("per=", ngx_http_mon_quota_t, peer, 0,
                       ngx_http_mon_quota_per),
    ngx_mon_param("status=", ngx_mon_set_number,
                  ngx_http_mon_quota_t, status,
                  400, 599, NGX_HTTP_SERVICE_UNAVAILABLE),
    ngx_mon_param_end
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

    ngx_str_t              burst = ngx_string("burst=");
    ngx_http_mon_quota_t  *q;

    if (qscf->quota) {
        return "is duplicate";
    }

    q = ngx_http_mon_quota_new(cf);

    if (q == NULL
        || ngx_mon_params(cf, 1, ngx_http_mon_quota_params, q) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    qscf->quota = q;

    if (q->text.data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have \"rate\" parameter", &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_mon_rate_parse(&q->rate, &q->text, q->burst) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           ngx_mon_param_arg(cf, 1, &burst));
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
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

    /* any later configuration has a larger one */
    q->version = ngx_mon_now();

    if (qmcf->line == 0) {
        qmcf->file = cf->conf_file->file.name;
        qmcf->line = cf->conf_file->line;
    }

    return q;
}


/* with the burst, which may stand behind it, it is judged again */

static ngx_int_t
ngx_http_mon_quota_set_rate(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_http_mon_quota_t  *q = conf;

    q->text = *value;

    return ngx_mon_rate_parse(&q->rate, value, 0) == NGX_OK ? NGX_OK
                                                            : NGX_DECLINED;
}
