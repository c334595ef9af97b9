
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_breaker.h"


#define NGX_HTTP_MON_BREAKER_RATIO   0     /* kept as millionths */
#define NGX_HTTP_MON_BREAKER_NUMBER  1
#define NGX_HTTP_MON_BREAKER_TIME    2     /* milliseconds */
#define NGX_HTTP_MON_BREAKER_MICRO   3     /* microseconds */


typedef struct {
    ngx_str_t    name;
    ngx_uint_t   type;
    size_t       offset;
    uint64_t     low;
    uint64_t     high;
    uint64_t     value;
} ngx_http_mon_breaker_param_t;


static ngx_int_t ngx_http_mon_breaker_param(ngx_conf_t *cf,
    ngx_http_mon_breaker_t *b, ngx_str_t *value, ngx_uint_t *seen);
static const ngx_http_mon_breaker_param_t *ngx_http_mon_breaker_lookup(
    ngx_str_t *name, ngx_uint_t *bit);
static ngx_int_t ngx_http_mon_breaker_value(
    const ngx_http_mon_breaker_param_t *p, ngx_str_t *value, uint64_t *n);
static ngx_int_t ngx_http_mon_breaker_percent(ngx_str_t *value, uint64_t *n);
static ngx_int_t ngx_http_mon_breaker_sane(ngx_conf_t *cf,
    ngx_http_mon_breaker_t *b, ngx_uint_t seen);
static ngx_uint_t ngx_http_mon_breaker_alike(
    ngx_http_mon_breaker_main_conf_t *bmcf, ngx_uint_t i);
static ngx_int_t ngx_http_mon_breaker_label(ngx_conf_t *cf,
    ngx_http_mon_breaker_main_conf_t *bmcf, ngx_uint_t i);
static ngx_int_t ngx_http_mon_breaker_unique(ngx_conf_t *cf,
    ngx_http_mon_breaker_main_conf_t *bmcf, ngx_uint_t i);


#define ngx_http_mon_breaker_of(name, type, field, low, high, value)          \
    { ngx_string(name), NGX_HTTP_MON_BREAKER_##type,                          \
      offsetof(ngx_mon_breaker_conf_t, field), low, high, value }

/* the parameters with numbers: bounds, and defaults */

static const ngx_http_mon_breaker_param_t  ngx_http_mon_breaker_params[] = {
    ngx_http_mon_breaker_of("ratio", RATIO, ratio, 0, 1000000, 500000),
    ngx_http_mon_breaker_of("min", NUMBER, min, 1, 1000000, 20),
    ngx_http_mon_breaker_of("window", TIME, window, 10, 86400000, 10000),
    ngx_http_mon_breaker_of("consecutive", NUMBER, consecutive, 0, 1000000, 0),
    ngx_http_mon_breaker_of("slow", MICRO, slow, 0, 86400000, 0),
    ngx_http_mon_breaker_of("slow_ratio", RATIO, slow_ratio, 1, 1000000,
                            1000000),
    ngx_http_mon_breaker_of("open", TIME, open, 1, 86400000, 10000),
    ngx_http_mon_breaker_of("max_open", TIME, max_open, 1, 864000000, 300000),
    ngx_http_mon_breaker_of("probes", NUMBER, probes, 1,
                            NGX_MON_BREAKER_PROBES, 5),
    { ngx_null_string, 0, 0, 0, 0, 0 }
};

/* bits of "seen" */
#define NGX_HTTP_MON_BREAKER_SLOW_RATIO  (1 << 5)
#define NGX_HTTP_MON_BREAKER_MAX_OPEN    (1 << 7)
#define NGX_HTTP_MON_BREAKER_ON          (1 << 30)
#define NGX_HTTP_MON_BREAKER_NAME        (1U << 31)


char *
ngx_http_mon_breaker_parse(ngx_conf_t *cf, ngx_http_mon_breaker_t *b)
{
    ngx_str_t                           *value;
    ngx_uint_t                           i, seen;
    const ngx_http_mon_breaker_param_t  *p;

    for (p = ngx_http_mon_breaker_params; p->name.len; p++) {
        *(uint64_t *) ((u_char *) &b->conf + p->offset) = p->value;
    }

    b->on = NGX_HTTP_MON_ON_DEFAULT;

    /* any later configuration has a larger one */
    b->version = ngx_mon_now();

    seen = 0;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        switch (ngx_http_mon_breaker_param(cf, b, &value[i], &seen)) {

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

    b->labelled = b->name.len == 0;

    return ngx_http_mon_breaker_sane(cf, b, seen) == NGX_OK ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


/* NGX_DECLINED: there is no such parameter, or its value is none */

static ngx_int_t
ngx_http_mon_breaker_param(ngx_conf_t *cf, ngx_http_mon_breaker_t *b,
    ngx_str_t *value, ngx_uint_t *seen)
{
    u_char                              *equal;
    ngx_str_t                            name, text;
    ngx_uint_t                           bit;
    const ngx_http_mon_breaker_param_t  *p;

    equal = ngx_strlchr(value->data, value->data + value->len, '=');

    if (equal == NULL) {
        return NGX_DECLINED;
    }

    name.data = value->data;
    name.len = equal - value->data;
    text.data = equal + 1;
    text.len = value->len - name.len - 1;

    p = ngx_http_mon_breaker_lookup(&name, &bit);

    if (bit == 0
        || (bit == NGX_HTTP_MON_BREAKER_NAME
            && (b->uscf || text.len == 0 || text.len > NGX_MON_LABEL_LEN)))
    {
        return NGX_DECLINED;
    }

    if (*seen & bit) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate parameter \"%V\"",
                           value);
        return NGX_ERROR;
    }

    *seen |= bit;

    switch (bit) {

    case NGX_HTTP_MON_BREAKER_ON:
        return ngx_http_mon_on_parse(cf, &text, &b->on);

    case NGX_HTTP_MON_BREAKER_NAME:
        b->name = text;
        return NGX_OK;

    default:
        return ngx_http_mon_breaker_value(p, &text,
                             (uint64_t *) ((u_char *) &b->conf + p->offset));
    }
}


/* the parameter, if it has a number; its bit of "seen", 0 if there is none */

static const ngx_http_mon_breaker_param_t *
ngx_http_mon_breaker_lookup(ngx_str_t *name, ngx_uint_t *bit)
{
    const ngx_http_mon_breaker_param_t  *p;

    *bit = 1;

    for (p = ngx_http_mon_breaker_params; p->name.len; p++) {

        if (p->name.len == name->len
            && ngx_strncmp(p->name.data, name->data, name->len) == 0)
        {
            return p;
        }

        *bit <<= 1;
    }

    if (name->len == 2 && ngx_strncmp(name->data, "on", 2) == 0) {
        *bit = NGX_HTTP_MON_BREAKER_ON;

    } else if (name->len == 4 && ngx_strncmp(name->data, "name", 4) == 0) {
        *bit = NGX_HTTP_MON_BREAKER_NAME;

    } else {
        *bit = 0;
    }

    return p;
}


static ngx_int_t
ngx_http_mon_breaker_value(const ngx_http_mon_breaker_param_t *p,
    ngx_str_t *value, uint64_t *n)
{
    ngx_int_t  i;

    if (p->type == NGX_HTTP_MON_BREAKER_RATIO) {

        if (ngx_http_mon_breaker_percent(value, n) != NGX_OK) {
            return NGX_DECLINED;
        }

        return (*n < p->low || *n > p->high) ? NGX_DECLINED : NGX_OK;
    }

    i = (p->type == NGX_HTTP_MON_BREAKER_NUMBER)
        ? ngx_atoi(value->data, value->len) : ngx_parse_time(value, 0);

    if (value->len == 0 || i == NGX_ERROR || (uint64_t) i < p->low
        || (uint64_t) i > p->high)
    {
        return NGX_DECLINED;
    }

    *n = i;

    if (p->type == NGX_HTTP_MON_BREAKER_MICRO) {
        *n *= 1000;
    }

    return NGX_OK;
}


/* "50%", "0.5%", or "0" */

static ngx_int_t
ngx_http_mon_breaker_percent(ngx_str_t *value, uint64_t *n)
{
    size_t     len;
    ngx_int_t  i;

    len = value->len;

    if (len && value->data[len - 1] == '%') {
        len--;

    } else if (len != 1 || value->data[0] != '0') {
        return NGX_DECLINED;
    }

    i = ngx_atofp(value->data, len, 4);

    if (i == NGX_ERROR) {
        return NGX_DECLINED;
    }

    *n = i;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_breaker_sane(ngx_conf_t *cf, ngx_http_mon_breaker_t *b,
    ngx_uint_t seen)
{
    if ((seen & NGX_HTTP_MON_BREAKER_SLOW_RATIO) && b->conf.slow == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"slow_ratio\" requires \"slow\"");
        return NGX_ERROR;
    }

    if (b->conf.max_open < b->conf.open) {

        if (seen & NGX_HTTP_MON_BREAKER_MAX_OPEN) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"max_open\" is less than \"open\"");
            return NGX_ERROR;
        }

        b->conf.max_open = b->conf.open;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mon_breaker_declare(ngx_conf_t *cf,
    ngx_http_mon_breaker_main_conf_t *bmcf)
{
    ngx_uint_t                i;
    ngx_http_mon_breaker_t  **b;

    b = bmcf->breakers.elts;

    for (i = 0; i < bmcf->breakers.nelts; i++) {

        if (ngx_http_mon_breaker_label(cf, bmcf, i) != NGX_OK
            || ngx_http_mon_breaker_unique(cf, bmcf, i) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (b[i]->same) {
            continue;
        }

        if (ngx_mon_declare(cf, NGX_MON_G_CIRCUIT, &b[i]->name, 1,
                            NGX_MON_VIEW_ALL)
            != NGX_OK
            || ngx_mon_declare(cf, NGX_MON_G_BREAKER, &b[i]->name, 1,
                               NGX_MON_VIEW_ALL)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* whether another breaker has the label of its location for a name, too */

static ngx_uint_t
ngx_http_mon_breaker_alike(ngx_http_mon_breaker_main_conf_t *bmcf,
    ngx_uint_t i)
{
    ngx_str_t                 server, name, other;
    ngx_uint_t                k;
    ngx_http_mon_breaker_t  **b;

    b = bmcf->breakers.elts;

    ngx_mon_place(b[i]->loc_conf, &server, &name);

    for (k = 0; k < bmcf->breakers.nelts; k++) {

        if (k == i || !b[k]->labelled) {
            continue;
        }

        ngx_mon_place(b[k]->loc_conf, &server, &other);

        if (other.len == name.len
            && ngx_strncmp(other.data, name.data, name.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* the label of the location, after that of the server if need be */

static ngx_int_t
ngx_http_mon_breaker_label(ngx_conf_t *cf,
    ngx_http_mon_breaker_main_conf_t *bmcf, ngx_uint_t i)
{
    u_char                  *p;
    ngx_str_t                server, name;
    ngx_http_mon_breaker_t  *b;

    b = ((ngx_http_mon_breaker_t **) bmcf->breakers.elts)[i];

    if (b->labelled) {

        ngx_mon_place(b->loc_conf, &server, &name);

        if (ngx_http_mon_breaker_alike(bmcf, i)) {

            p = ngx_pnalloc(cf->pool, server.len + 1 + name.len);
            if (p == NULL) {
                return NGX_ERROR;
            }

            name.len = ngx_sprintf(p, "%V %V", &server, &name) - p;
            name.data = p;
        }

        b->name = name;
    }

    b->name.len = ngx_min(b->name.len, NGX_MON_LABEL_LEN);

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_breaker_unique(ngx_conf_t *cf,
    ngx_http_mon_breaker_main_conf_t *bmcf, ngx_uint_t i)
{
    ngx_uint_t                k;
    ngx_http_mon_breaker_t  **b;

    b = bmcf->breakers.elts;

    for (k = 0; k < i; k++) {

        if (b[k]->same || b[k]->name.len != b[i]->name.len
            || ngx_strncmp(b[k]->name.data, b[i]->name.data, b[i]->name.len)
               != 0)
        {
            continue;
        }

        if (b[k]->uscf || b[k]->labelled || b[i]->uscf || b[i]->labelled) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "breaker \"%V\" has the name of another one in "
                          "%V:%ui, add \"name=\", in %V:%ui",
                          &b[i]->name, &b[k]->file, b[k]->line,
                          &b[i]->file, b[i]->line);
            return NGX_ERROR;
        }

        if (b[k]->on != b[i]->on
            || ngx_memcmp(&b[k]->conf, &b[i]->conf,
                          sizeof(ngx_mon_breaker_conf_t))
               != 0)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "breaker \"%V\" has other parameters in %V:%ui, "
                          "in %V:%ui",
                          &b[i]->name, &b[k]->file, b[k]->line,
                          &b[i]->file, b[i]->line);
            return NGX_ERROR;
        }

        b[i]->same = b[k];
        break;
    }

    return NGX_OK;
}
