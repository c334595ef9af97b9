
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_concurrency.h"


#define NGX_HTTP_MON_CONC_P_MAX      0x01
#define NGX_HTTP_MON_CONC_P_NAME     0x02
#define NGX_HTTP_MON_CONC_P_QUEUE    0x04
#define NGX_HTTP_MON_CONC_P_TIMEOUT  0x08
#define NGX_HTTP_MON_CONC_P_STATUS   0x10
#define NGX_HTTP_MON_CONC_P_KEY      0x20
#define NGX_HTTP_MON_CONC_P_SIZE     0x40

#define NGX_HTTP_MON_CONC_SIZE       (1024 * 1024)


typedef ngx_int_t (*ngx_http_mon_conc_param_pt)(ngx_conf_t *cf,
    ngx_http_mon_conc_t *c, ngx_str_t *value);

typedef struct {
    ngx_str_t                    name;
    ngx_uint_t                   bit;
    ngx_http_mon_conc_param_pt   parse;
} ngx_http_mon_conc_param_t;


static ngx_int_t ngx_http_mon_conc_parse_one(ngx_conf_t *cf,
    ngx_http_mon_conc_t *c, ngx_str_t *value, ngx_uint_t *seen);
static ngx_int_t ngx_http_mon_conc_max(ngx_conf_t *cf, ngx_http_mon_conc_t *c,
    ngx_str_t *value);
static ngx_int_t ngx_http_mon_conc_name(ngx_conf_t *cf,
    ngx_http_mon_conc_t *c, ngx_str_t *value);
static ngx_int_t ngx_http_mon_conc_queue(ngx_conf_t *cf,
    ngx_http_mon_conc_t *c, ngx_str_t *value);
static ngx_int_t ngx_http_mon_conc_timeout(ngx_conf_t *cf,
    ngx_http_mon_conc_t *c, ngx_str_t *value);
static ngx_int_t ngx_http_mon_conc_status(ngx_conf_t *cf,
    ngx_http_mon_conc_t *c, ngx_str_t *value);
static ngx_int_t ngx_http_mon_conc_key(ngx_conf_t *cf, ngx_http_mon_conc_t *c,
    ngx_str_t *value);
static ngx_int_t ngx_http_mon_conc_size(ngx_conf_t *cf,
    ngx_http_mon_conc_t *c, ngx_str_t *value);
static ngx_int_t ngx_http_mon_conc_variable(ngx_conf_t *cf,
    ngx_str_t *value);
static char *ngx_http_mon_conc_sane(ngx_conf_t *cf, ngx_http_mon_conc_t *c,
    ngx_uint_t seen);
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


static const ngx_http_mon_conc_param_t  ngx_http_mon_conc_params[] = {
    { ngx_string("max="), NGX_HTTP_MON_CONC_P_MAX, ngx_http_mon_conc_max },
    { ngx_string("name="), NGX_HTTP_MON_CONC_P_NAME, ngx_http_mon_conc_name },
    { ngx_string("queue="), NGX_HTTP_MON_CONC_P_QUEUE,
      ngx_http_mon_conc_queue },
    { ngx_string("timeout="), NGX_HTTP_MON_CONC_P_TIMEOUT,
      ngx_http_mon_conc_timeout },
    { ngx_string("status="), NGX_HTTP_MON_CONC_P_STATUS,
      ngx_http_mon_conc_status },
    { ngx_string("key="), NGX_HTTP_MON_CONC_P_KEY, ngx_http_mon_conc_key },
    { ngx_string("size="), NGX_HTTP_MON_CONC_P_SIZE, ngx_http_mon_conc_size },
    { ngx_null_string, 0, NULL }
};


char *
ngx_http_mon_conc_parse(ngx_conf_t *cf, ngx_http_mon_conc_t *c)
{
    ngx_str_t   *value;
    ngx_uint_t   i, seen;

    c->timeout = 1000;
    c->status = NGX_HTTP_SERVICE_UNAVAILABLE;

    seen = 0;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        switch (ngx_http_mon_conc_parse_one(cf, c, &value[i], &seen)) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);

            /* fall through */

        default: /* NGX_ERROR */
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_mon_conc_sane(cf, c, seen);
}


static char *
ngx_http_mon_conc_sane(ngx_conf_t *cf, ngx_http_mon_conc_t *c,
    ngx_uint_t seen)
{
    const char  *what;

    if (!(seen & NGX_HTTP_MON_CONC_P_MAX)) {
        return "has no \"max=\"";
    }

    what = NULL;

    if ((seen & NGX_HTTP_MON_CONC_P_TIMEOUT) && c->queue == 0) {
        what = "\"timeout\" requires \"queue\"";

    } else if ((seen & NGX_HTTP_MON_CONC_P_SIZE) && c->key == NULL) {
        what = "\"size\" requires \"key\"";

    } else if (c->adaptive && c->key) {
        what = "an adaptive limit has no \"key\"";
    }

    if (what) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", what);
        return NGX_CONF_ERROR;
    }

    if (c->key && c->size == 0) {
        c->size = NGX_HTTP_MON_CONC_SIZE;
    }

    c->labelled = c->name.len == 0;

    return NGX_CONF_OK;
}


/* NGX_DECLINED: there is no such parameter, or its value is none */

static ngx_int_t
ngx_http_mon_conc_parse_one(ngx_conf_t *cf, ngx_http_mon_conc_t *c,
    ngx_str_t *value, ngx_uint_t *seen)
{
    ngx_str_t                         text;
    const ngx_http_mon_conc_param_t  *p;

    if (value->len == 8 && ngx_strncmp(value->data, "adaptive", 8) == 0) {

        /* the same as max=adaptive */

        *seen |= NGX_HTTP_MON_CONC_P_MAX;

        return c->max ? NGX_DECLINED : ngx_http_mon_conc_max(cf, c, value);
    }

    for (p = ngx_http_mon_conc_params; p->name.len; p++) {

        if (value->len <= p->name.len
            || ngx_strncmp(value->data, p->name.data, p->name.len) != 0)
        {
            continue;
        }

        if (*seen & p->bit) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\"", value);
            return NGX_ERROR;
        }

        *seen |= p->bit;

        text.data = value->data + p->name.len;
        text.len = value->len - p->name.len;

        return p->parse(cf, c, &text);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_mon_conc_max(ngx_conf_t *cf, ngx_http_mon_conc_t *c, ngx_str_t *value)
{
    ngx_int_t  n;

    if (value->len == 8 && ngx_strncmp(value->data, "adaptive", 8) == 0) {
        c->adaptive = 1;
        c->max = NGX_MON_GRADIENT_MAX;
        return NGX_OK;
    }

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > NGX_MON_PERMIT_MAX / 4) {
        return NGX_DECLINED;
    }

    c->max = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_conc_name(ngx_conf_t *cf, ngx_http_mon_conc_t *c,
    ngx_str_t *value)
{
    if (value->len > NGX_MON_LABEL_LEN) {
        return NGX_DECLINED;
    }

    c->name = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_conc_queue(ngx_conf_t *cf, ngx_http_mon_conc_t *c,
    ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR || n > NGX_MON_PERMIT_MAX / 4) {
        return NGX_DECLINED;
    }

    c->queue = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_conc_timeout(ngx_conf_t *cf, ngx_http_mon_conc_t *c,
    ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_parse_time(value, 0);

    if (n == NGX_ERROR || n == 0) {
        return NGX_DECLINED;
    }

    c->timeout = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_conc_status(ngx_conf_t *cf, ngx_http_mon_conc_t *c,
    ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n < 400 || n > 599) {
        return NGX_DECLINED;
    }

    c->status = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_conc_key(ngx_conf_t *cf, ngx_http_mon_conc_t *c,
    ngx_str_t *value)
{
    ngx_http_compile_complex_value_t  ccv;

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
ngx_http_mon_conc_size(ngx_conf_t *cf, ngx_http_mon_conc_t *c,
    ngx_str_t *value)
{
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
