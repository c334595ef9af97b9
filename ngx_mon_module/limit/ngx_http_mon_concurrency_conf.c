
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_concurrency.h"


#define NGX_HTTP_MON_CONC_SIZE  (1024 * 1024)


static ngx_int_t ngx_http_mon_conc_set_max(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);
static ngx_int_t ngx_http_mon_conc_set_adaptive(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);
static ngx_int_t ngx_http_mon_conc_set_key(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);
static ngx_int_t ngx_http_mon_conc_set_size(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);
static ngx_int_t ngx_http_mon_conc_variable(ngx_conf_t *cf,
    ngx_str_t *value);
static char *ngx_http_mon_conc_sane(ngx_conf_t *cf, ngx_http_mon_conc_t *c);
static void ngx_http_mon_conc_place(ngx_http_mon_conc_t *c, ngx_str_t *server,
    ngx_str_t *name);
static ngx_uint_t ngx_http_mon_conc_alike(ngx_http_mon_conc_main_conf_t *ccmf,
    ngx_uint_t i);
static ngx_int_t ngx_http_mon_conc_label(ngx_conf_t *cf,
    ngx_http_mon_conc_main_conf_t *ccmf, ngx_uint_t i);
static ngx_int_t ngx_http_mon_conc_unique(ngx_conf_t *cf,
    ngx_http_mon_conc_main_conf_t *ccmf, ngx_uint_t i);
static ngx_uint_t ngx_http_mon_conc_same(ngx_http_mon_conc_t *a,
    ngx_http_mon_conc_t *b);
static ngx_int_t ngx_libc_cdecl ngx_http_mon_conc_cmp(const void *one,
    const void *two);


/* of timeout 0 is not given */

static const ngx_mon_param_t  ngx_http_mon_conc_params[] = {
    ngx_mon_param("max=", ngx_http_mon_conc_set_max,
                  ngx_http_mon_conc_t, max, 1, NGX_MON_PERMIT_MAX / 4, 0),
    ngx_mon_param_own("adaptive", ngx_http_mon_conc_set_adaptive),
    ngx_mon_param("name=", ngx_mon_set_text,
                  ngx_http_mon_conc_t, name, 1, NGX_MON_LABEL_LEN, 0),
    ngx_mon_param("queue=", ngx_mon_set_number,
                  ngx_http_mon_conc_t, queue, 0, NGX_MON_PERMIT_MAX / 4, 0),
    ngx_mon_param("timeout=", ngx_mon_set_time,
                  ngx_http_mon_conc_t, timeout, 1, NGX_MAX_INT_T_VALUE, 0),
    ngx_mon_param("status=", ngx_mon_set_number,
                  ngx_http_mon_conc_t, status,
                  400, 599, NGX_HTTP_SERVICE_UNAVAILABLE),
    ngx_mon_param_own("key=", ngx_http_mon_conc_set_key),
    ngx_mon_param_own("size=", ngx_http_mon_conc_set_size),
    ngx_mon_param_end
};


char *
ngx_http_mon_conc_parse(ngx_conf_t *cf, ngx_http_mon_conc_t *c)
{
    if (ngx_mon_params(cf, 1, ngx_http_mon_conc_params, c) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_mon_conc_sane(cf, c);
}


static char *
ngx_http_mon_conc_sane(ngx_conf_t *cf, ngx_http_mon_conc_t *c)
{
    const char  *what;

    if (c->max == 0) {
        return "has no \"max=\"";
    }

    what = NULL;

    if (c->timeout && c->queue == 0) {
        what = "\"timeout\" requires \"queue\"";

    } else if (c->size && c->key == NULL) {
        what = "\"size\" requires \"key\"";

    } else if (c->adaptive && c->key) {
        what = "an adaptive limit has no \"key\"";
    }

    if (what) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", what);
        return NGX_CONF_ERROR;
    }

    if (c->timeout == 0) {
        c->timeout = 1000;
    }

    if (c->key && c->size == 0) {
        c->size = NGX_HTTP_MON_CONC_SIZE;
    }

    c->labelled = c->name.len == 0;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_mon_conc_set_max(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_http_mon_conc_t  *c = conf;

    if (value->len == 8 && ngx_strncmp(value->data, "adaptive", 8) == 0) {
        return ngx_http_mon_conc_set_adaptive(cf, p, value, conf);
    }

    return c->max ? NGX_DECLINED : ngx_mon_set_number(cf, p, value, conf);
}


/* of itself it is the same as max=adaptive */

static ngx_int_t
ngx_http_mon_conc_set_adaptive(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_http_mon_conc_t  *c = conf;

    if (c->max) {
        return NGX_DECLINED;
    }

    c->adaptive = 1;
    c->max = NGX_MON_GRADIENT_MAX;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_conc_set_key(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_http_mon_conc_t  *c = conf;

    ngx_http_compile_complex_value_t  ccv;

    if (value->len == 0) {
        return NGX_DECLINED;
    }

    c->key = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (c->key == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = c->key;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_ERROR;
    }

    c->variable = ngx_http_mon_conc_variable(cf, value);

    return NGX_OK;
}


/* the number of the variable that the key is, and nothing else */

static ngx_int_t
ngx_http_mon_conc_variable(ngx_conf_t *cf, ngx_str_t *value)
{
    u_char      ch;
    ngx_str_t   name;
    ngx_uint_t  i;

    if (value->len < 2 || value->data[0] != '$') {
        return NGX_ERROR;
    }

    name.data = value->data + 1;
    name.len = value->len - 1;

    for (i = 0; i < name.len; i++) {
        ch = name.data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || ch == '_' || (i && ch >= '0' && ch <= '9')))
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_get_variable_index(cf, &name);
}


static ngx_int_t
ngx_http_mon_conc_set_size(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_http_mon_conc_t  *c = conf;

    ssize_t  size;

    size = ngx_parse_size(value);

    if (size == NGX_ERROR || size < (ssize_t) (8 * ngx_pagesize)) {
        return NGX_DECLINED;
    }

    c->size = size;

    return NGX_OK;
}


ngx_int_t
ngx_http_mon_conc_declare(ngx_conf_t *cf, ngx_http_mon_conc_main_conf_t *ccmf)
{
    ngx_uint_t             i, k;
    ngx_http_mon_conc_t  **c, **p;

    c = ccmf->limiters.elts;

    for (i = 0; i < ccmf->limiters.nelts; i++) {

        if (ngx_http_mon_conc_label(cf, ccmf, i) != NGX_OK
            || ngx_http_mon_conc_unique(cf, ccmf, i) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (c[i]->same == NULL && ngx_http_mon_conc_zone(cf, c[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < ccmf->limiters.nelts; i++) {

        p = c[i]->array->elts;

        if (c[i]->same) {
            p[c[i]->index] = c[i]->same;
        }
    }

    /*
     * All requests take theirs in the same order: two that wait for what the
     * other one has would wait in vain.
     */

    for (i = 0; i < ccmf->limiters.nelts; i++) {

        p = c[i]->array->elts;

        ngx_sort(p, c[i]->array->nelts, sizeof(void *), ngx_http_mon_conc_cmp);

        for (k = 1; k < c[i]->array->nelts; k++) {

            if (p[k] == p[k - 1]) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "duplicate \"mon_concurrency\" of the name "
                              "\"%V\" in %V:%ui",
                              &p[k]->name, &c[i]->file, c[i]->line);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t ngx_libc_cdecl
ngx_http_mon_conc_cmp(const void *one, const void *two)
{
    ngx_http_mon_conc_t  *a, *b;

    a = *(ngx_http_mon_conc_t **) one;
    b = *(ngx_http_mon_conc_t **) two;

    return ngx_memn2cmp(a->name.data, b->name.data, a->name.len,
                              b->name.len);
}


/* what it is called where it has no name= */

static void
ngx_http_mon_conc_place(ngx_http_mon_conc_t *c, ngx_str_t *server,
    ngx_str_t *name)
{
    ngx_str_set(server, "");
    ngx_str_set(name, "http");

    if (c->level != NGX_HTTP_MAIN_CONF) {
        ngx_mon_place(c->loc_conf, server, name);
    }

    if (c->level == NGX_HTTP_SRV_CONF) {
        *name = *server;
    }
}


/* whether another one has the label of its place for a name, too */

static ngx_uint_t
ngx_http_mon_conc_alike(ngx_http_mon_conc_main_conf_t *ccmf, ngx_uint_t i)
{
    ngx_str_t              server, name, other;
    ngx_uint_t             k;
    ngx_http_mon_conc_t  **c;

    c = ccmf->limiters.elts;

    ngx_http_mon_conc_place(c[i], &server, &name);

    for (k = 0; k < ccmf->limiters.nelts; k++) {

        if (k == i || !c[k]->labelled) {
            continue;
        }

        ngx_http_mon_conc_place(c[k], &server, &other);

        if (other.len == name.len
            && ngx_strncmp(other.data, name.data, name.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_mon_conc_label(ngx_conf_t *cf, ngx_http_mon_conc_main_conf_t *ccmf,
    ngx_uint_t i)
{
    u_char               *p;
    ngx_str_t             server, name;
    ngx_http_mon_conc_t  *c;

    c = ((ngx_http_mon_conc_t **) ccmf->limiters.elts)[i];

    if (!c->labelled) {
        return NGX_OK;
    }

    ngx_http_mon_conc_place(c, &server, &name);

    if (c->level == NGX_HTTP_LOC_CONF && ngx_http_mon_conc_alike(ccmf, i)) {

        p = ngx_pnalloc(cf->pool, server.len + 1 + name.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        name.len = ngx_sprintf(p, "%V %V", &server, &name) - p;
        name.data = p;
    }

    c->name = name;
    c->name.len = ngx_min(c->name.len, NGX_MON_LABEL_LEN);

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_conc_unique(ngx_conf_t *cf, ngx_http_mon_conc_main_conf_t *ccmf,
    ngx_uint_t i)
{
    ngx_uint_t             k;
    ngx_http_mon_conc_t  **c;

    c = ccmf->limiters.elts;

    for (k = 0; k < i; k++) {

        if (c[k]->same || c[k]->name.len != c[i]->name.len
            || ngx_strncmp(c[k]->name.data, c[i]->name.data, c[i]->name.len)
               != 0)
        {
            continue;
        }

        if (c[k]->labelled || c[i]->labelled) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"mon_concurrency\" has the name \"%V\" of "
                          "another one in %V:%ui, add \"name=\", in %V:%ui",
                          &c[i]->name, &c[k]->file, c[k]->line,
                          &c[i]->file, c[i]->line);
            return NGX_ERROR;
        }

        if (!ngx_http_mon_conc_same(c[k], c[i])) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"mon_concurrency\" of the name \"%V\" has other "
                          "parameters in %V:%ui, in %V:%ui",
                          &c[i]->name, &c[k]->file, c[k]->line,
                          &c[i]->file, c[i]->line);
            return NGX_ERROR;
        }

        c[i]->same = c[k];
        break;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_mon_conc_same(ngx_http_mon_conc_t *a, ngx_http_mon_conc_t *b)
{
    if (a->key && b->key
        && (a->key->value.len != b->key->value.len
            || ngx_strncmp(a->key->value.data, b->key->value.data,
                           a->key->value.len)
               != 0))
    {
        return 0;
    }

    return a->max == b->max && a->adaptive == b->adaptive
           && a->queue == b->queue && a->timeout == b->timeout
           && a->status == b->status && (a->key == NULL) == (b->key == NULL)
           && a->size == b->size;
}
