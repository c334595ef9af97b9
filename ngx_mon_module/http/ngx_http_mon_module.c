
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon.h"
#include "ngx_mon_param.h"


static ngx_int_t ngx_http_mon_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_mon_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_mon_create_srv_conf(ngx_conf_t *cf);
static char *ngx_http_mon_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void *ngx_http_mon_create_loc_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_mon_location_name(ngx_conf_t *cf, ngx_str_t *name);
static char *ngx_http_mon_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void ngx_http_mon_place(void **loc_conf, ngx_str_t *server,
    ngx_str_t *location);
static char *ngx_http_mon_name(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_mon_label(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_http_mon_label_t *ngx_http_mon_label_add(ngx_conf_t *cf,
    ngx_http_mon_loc_conf_t *mlcf, ngx_str_t *name);
static ngx_int_t ngx_http_mon_label_name(ngx_str_t *name);


static const ngx_mon_param_t  ngx_http_mon_label_params[] = {
    ngx_mon_param("max=", ngx_mon_set_number,
                  ngx_http_mon_label_t, max, 1, NGX_MAX_INT_T_VALUE, 100),
    ngx_mon_param_end
};


static ngx_command_t  ngx_http_mon_commands[] = {

    { ngx_string("mon"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_mon_loc_conf_t, enable),
      NULL },

    { ngx_string("mon_name"),
      NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_mon_name,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mon_slow"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_mon_loc_conf_t, slow),
      NULL },

    { ngx_string("mon_label"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE23,
      ngx_http_mon_label,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_mon_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_mon_postconfiguration,        /* postconfiguration */

    ngx_http_mon_create_main_conf,         /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_mon_create_srv_conf,          /* create server configuration */
    ngx_http_mon_merge_srv_conf,           /* merge server configuration */

    ngx_http_mon_create_loc_conf,          /* create location configuration */
    ngx_http_mon_merge_loc_conf            /* merge location configuration */
};


ngx_module_t  ngx_http_mon_module = {
    NGX_MODULE_V1,
    &ngx_http_mon_module_ctx,              /* module context */
    ngx_http_mon_commands,                 /* module directives */
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


/* labels that the families of a location have, or that formats reserve */

static ngx_str_t  ngx_http_mon_reserved[] = {
    ngx_string("server"),
    ngx_string("location"),
    ngx_string("method"),
    ngx_string("status"),
    ngx_string("reason"),
    ngx_string("limiter"),
    ngx_string("outcome"),
    ngx_string("le"),
    ngx_string("quantile"),
    ngx_null_string
};


static ngx_int_t
ngx_http_mon_postconfiguration(ngx_conf_t *cf)
{
    ngx_str_t                   values[2];
    ngx_uint_t                  i;
    ngx_http_mon_loc_conf_t   **mlcf;
    ngx_http_mon_main_conf_t   *mmcf;

    if (!ngx_mon_configured(cf)) {
        return NGX_OK;
    }

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_module);

    if (ngx_http_mon_name_servers(cf, mmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_mon_place = ngx_http_mon_place;

    mlcf = mmcf->locations.elts;

    for (i = 0; i < mmcf->locations.nelts; i++) {

        if (!mlcf[i]->enable) {
            continue;
        }

        values[0] = mlcf[i]->srv->label;
        values[1] = mlcf[i]->name;

        if (ngx_mon_declare(cf, NGX_MON_G_LOCATION, values, 2,
                            mlcf[i]->labels ? NGX_MON_VIEW_GAUGES
                                            : NGX_MON_VIEW_ALL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_mon_declare(cf, NGX_MON_G_NGINX, NULL, 0, NGX_MON_VIEW_ALL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_mon_record_init(cf);
}


static void *
ngx_http_mon_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_mon_main_conf_t  *mmcf;

    mmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_main_conf_t));
    if (mmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&mmcf->locations, cf->pool, 16, sizeof(void *))
        != NGX_OK
        || ngx_array_init(&mmcf->servers, cf->pool, 4, sizeof(void *))
           != NGX_OK)
    {
        return NULL;
    }

    return mmcf;
}


static void *
ngx_http_mon_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_srv_conf_t));
}


static char *
ngx_http_mon_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_mon_srv_conf_t  *conf = child;

    ngx_http_mon_srv_conf_t   **srv;
    ngx_http_mon_main_conf_t   *mmcf;

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_module);

    srv = ngx_array_push(&mmcf->servers);
    if (srv == NULL) {
        return NGX_CONF_ERROR;
    }

    *srv = conf;

    conf->cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    return NGX_CONF_OK;
}


static void *
ngx_http_mon_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_mon_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->enable = NGX_CONF_UNSET;
    conf->inherited = NGX_CONF_UNSET;
    conf->slow = NGX_CONF_UNSET_MSEC;

    if (ngx_http_mon_location_name(cf, &conf->name) != NGX_OK) {
        return NULL;
    }

    return conf;
}


/*
 * The location as written.  Only the words of the directive tell "~" from
 * "~*", and they are at hand while the location's configuration is created.
 */

static ngx_int_t
ngx_http_mon_location_name(ngx_conf_t *cf, ngx_str_t *name)
{
    u_char      *p;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    if (cf->args->nelts < 2 || ngx_strcmp(value[0].data, "location") != 0) {
        return NGX_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        name->len += value[i].len + 1;
    }

    p = ngx_pnalloc(cf->pool, name->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    name->data = p;
    name->len--;

    for (i = 1; i < cf->args->nelts; i++) {
        p = ngx_cpymem(p, value[i].data, value[i].len);
        *p++ = ' ';
    }

    return NGX_OK;
}


static char *
ngx_http_mon_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_mon_loc_conf_t  *prev = parent;
    ngx_http_mon_loc_conf_t  *conf = child;

    ngx_http_mon_loc_conf_t   **mlcf;
    ngx_http_mon_main_conf_t   *mmcf;

    if (prev->inherited == NGX_CONF_UNSET) {
        /* of "http" */
        prev->inherited = prev->enable;
    }

    conf->inherited = conf->enable;
    ngx_conf_merge_value(conf->inherited, prev->inherited, 1);

    /* a location within an endpoint's is not the endpoint, an "if" is */

    ngx_conf_merge_value(conf->enable,
                         conf->endpoint ? 0
                         : conf->name.data ? conf->inherited : prev->enable,
                         1);

    ngx_conf_merge_msec_value(conf->slow, prev->slow, 0);

    if (conf->labels == NULL) {
        conf->labels = prev->labels;
    }

    conf->srv = ngx_http_conf_get_module_srv_conf(cf, ngx_http_mon_module);

    if (conf->mon_name.data) {
        conf->name = conf->mon_name;

    } else if (conf->name.data == NULL) {
        /* "if" and "limit_except" are parts of their location */
        conf->name = prev->name;
    }

    mmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_module);

    mlcf = ngx_array_push(&mmcf->locations);
    if (mlcf == NULL) {
        return NGX_CONF_ERROR;
    }

    *mlcf = conf;

    return NGX_CONF_OK;
}


static void
ngx_http_mon_place(void **loc_conf, ngx_str_t *server, ngx_str_t *location)
{
    ngx_http_mon_loc_conf_t  *mlcf;

    mlcf = loc_conf[ngx_http_mon_module.ctx_index];

    *server = mlcf->srv->label;
    *location = mlcf->name;
}


static char *
ngx_http_mon_name(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_loc_conf_t  *mlcf = conf;

    ngx_str_t                *value, *name;
    ngx_http_mon_srv_conf_t  *mscf;

    name = &mlcf->mon_name;

    if (cf->cmd_type == NGX_HTTP_SRV_CONF) {
        mscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_mon_module);
        name = &mscf->name;
    }

    if (name->data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid name \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    *name = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_mon_label(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_loc_conf_t  *mlcf = conf;

    ngx_str_t                         *value;
    ngx_http_mon_label_t              *label;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;

    if (ngx_http_mon_label_name(&value[1]) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid label name \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    label = ngx_http_mon_label_add(cf, mlcf, &value[1]);

    if (label == NULL
        || ngx_mon_params(cf, 3, ngx_http_mon_label_params, label) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[2];
    ccv.complex_value = &label->value;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
}


static ngx_http_mon_label_t *
ngx_http_mon_label_add(ngx_conf_t *cf, ngx_http_mon_loc_conf_t *mlcf,
    ngx_str_t *name)
{
    ngx_uint_t             i;
    ngx_http_mon_label_t  *label;

    if (mlcf->labels == NULL) {
        mlcf->labels = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_http_mon_label_t));
        if (mlcf->labels == NULL) {
            return NULL;
        }
    }

    label = mlcf->labels->elts;

    for (i = 0; i < mlcf->labels->nelts; i++) {
        if (label[i].name.len == name->len
            && ngx_strncmp(label[i].name.data, name->data, name->len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate label \"%V\"",
                               name);
            return NULL;
        }
    }

    if (i == NGX_HTTP_MON_LABELS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "label \"%V\" is past the %d allowed",
                           name, NGX_HTTP_MON_LABELS_MAX);
        return NULL;
    }

    if (ngx_array_push(mlcf->labels) == NULL) {
        return NULL;
    }

    /* by name: what is the same series must not be two */

    label = mlcf->labels->elts;
    label += i;

    while (i-- && ngx_strcmp(label[-1].name.data, name->data) > 0) {
        label[0] = label[-1];
        label--;
    }

    ngx_memzero(label, sizeof(ngx_http_mon_label_t));

    label->name = *name;

    return label;
}


static ngx_int_t
ngx_http_mon_label_name(ngx_str_t *name)
{
    u_char      c;
    ngx_str_t  *s;
    ngx_uint_t  i;

    if (name->len == 0 || name->len > 64) {
        return NGX_ERROR;
    }

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'
            || (i > 0 && c >= '0' && c <= '9'))
        {
            continue;
        }

        return NGX_ERROR;
    }

    if (name->len > 1 && name->data[0] == '_' && name->data[1] == '_') {
        return NGX_ERROR;
    }

    for (s = ngx_http_mon_reserved; s->len; s++) {
        if (s->len == name->len
            && ngx_strncmp(s->data, name->data, s->len) == 0)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
