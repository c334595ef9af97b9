
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_check.h"


#define NGX_HTTP_MON_CHECK_ANY    0xff
#define NGX_HTTP_MON_CHECK_NAMED                                              \
    (NGX_HTTP_MON_CHECK_HTTP|NGX_HTTP_MON_CHECK_TLS|NGX_HTTP_MON_CHECK_GRPC)

/* of fall and rise */
#define NGX_HTTP_MON_CHECK_ROW    1000


typedef ngx_int_t (*ngx_http_mon_check_param_pt)(ngx_conf_t *cf,
    ngx_http_mon_check_conf_t *ccf, ngx_str_t *value, void *field);

typedef struct {
    ngx_str_t                        name;
    ngx_uint_t                       types;
    ngx_http_mon_check_param_pt      set;
    size_t                           offset;
} ngx_http_mon_check_param_t;


static ngx_int_t ngx_http_mon_check_request(ngx_conf_t *cf,
    ngx_http_mon_check_conf_t *ccf);
static ngx_int_t ngx_http_mon_check_set_type(ngx_conf_t *cf,
    ngx_http_mon_check_conf_t *ccf, ngx_str_t *value, void *field);
static ngx_int_t ngx_http_mon_check_set_uri(ngx_conf_t *cf,
    ngx_http_mon_check_conf_t *ccf, ngx_str_t *value, void *field);
static ngx_int_t ngx_http_mon_check_set_host(ngx_conf_t *cf,
    ngx_http_mon_check_conf_t *ccf, ngx_str_t *value, void *field);
static ngx_int_t ngx_http_mon_check_set_port(ngx_conf_t *cf,
    ngx_http_mon_check_conf_t *ccf, ngx_str_t *value, void *field);
static ngx_int_t ngx_http_mon_check_set_time(ngx_conf_t *cf,
    ngx_http_mon_check_conf_t *ccf, ngx_str_t *value, void *field);
static ngx_int_t ngx_http_mon_check_set_row(ngx_conf_t *cf,
    ngx_http_mon_check_conf_t *ccf, ngx_str_t *value, void *field);
static ngx_int_t ngx_http_mon_check_set_status(ngx_conf_t *cf,
    ngx_http_mon_check_conf_t *ccf, ngx_str_t *value, void *field);
static ngx_int_t ngx_http_mon_check_set_match(ngx_conf_t *cf,
    ngx_http_mon_check_conf_t *ccf, ngx_str_t *value, void *field);
static ngx_int_t ngx_http_mon_check_set_flag(ngx_conf_t *cf,
    ngx_http_mon_check_conf_t *ccf, ngx_str_t *value, void *field);


/* a name without "=" is a flag */

static const ngx_http_mon_check_param_t  ngx_http_mon_check_params[] = {
    { ngx_string("type="), NGX_HTTP_MON_CHECK_ANY,
      ngx_http_mon_check_set_type,
      offsetof(ngx_http_mon_check_conf_t, type) },

    { ngx_string("uri="), NGX_HTTP_MON_CHECK_HTTP,
      ngx_http_mon_check_set_uri,
      offsetof(ngx_http_mon_check_conf_t, uri) },

    { ngx_string("host="), NGX_HTTP_MON_CHECK_NAMED,
      ngx_http_mon_check_set_host,
      offsetof(ngx_http_mon_check_conf_t, host) },

    { ngx_string("port="), NGX_HTTP_MON_CHECK_ANY,
      ngx_http_mon_check_set_port,
      offsetof(ngx_http_mon_check_conf_t, port) },

    { ngx_string("interval="), NGX_HTTP_MON_CHECK_ANY,
      ngx_http_mon_check_set_time,
      offsetof(ngx_http_mon_check_conf_t, interval) },

    { ngx_string("timeout="), NGX_HTTP_MON_CHECK_ANY,
      ngx_http_mon_check_set_time,
      offsetof(ngx_http_mon_check_conf_t, timeout) },

    { ngx_string("fall="), NGX_HTTP_MON_CHECK_ANY,
      ngx_http_mon_check_set_row,
      offsetof(ngx_http_mon_check_conf_t, fall) },

    { ngx_string("rise="), NGX_HTTP_MON_CHECK_ANY,
      ngx_http_mon_check_set_row,
      offsetof(ngx_http_mon_check_conf_t, rise) },

    { ngx_string("status="), NGX_HTTP_MON_CHECK_HTTP,
      ngx_http_mon_check_set_status,
      offsetof(ngx_http_mon_check_conf_t, codes) },

    { ngx_string("match="), NGX_HTTP_MON_CHECK_HTTP,
      ngx_http_mon_check_set_match,
      offsetof(ngx_http_mon_check_conf_t, match) },

    { ngx_string("mandatory"), NGX_HTTP_MON_CHECK_ANY,
      ngx_http_mon_check_set_flag,
      offsetof(ngx_http_mon_check_conf_t, mandatory) }
};

#define NGX_HTTP_MON_CHECK_NPARAMS                                        \
    (sizeof(ngx_http_mon_check_params)                                    \
     / sizeof(ngx_http_mon_check_param_t))


static const ngx_conf_enum_t  ngx_http_mon_check_types[] = {
    { ngx_string("http"), NGX_HTTP_MON_CHECK_HTTP },
    { ngx_string("tcp"), NGX_HTTP_MON_CHECK_TCP },
    { ngx_string("tls"), NGX_HTTP_MON_CHECK_TLS },
    { ngx_string("grpc"), NGX_HTTP_MON_CHECK_GRPC },
    { ngx_null_string, 0 }
};


static ngx_int_t
ngx_http_mon_check_parameter(ngx_conf_t *cf, ngx_http_mon_check_conf_t *ccf,
    ngx_str_t *arg, ngx_str_t **seen)
{
    ngx_str_t                          value;
    ngx_uint_t                         i;
    const ngx_http_mon_check_param_t  *p;

    for (i = 0; i < NGX_HTTP_MON_CHECK_NPARAMS; i++) {

        p = &ngx_http_mon_check_params[i];

        if (ngx_strncmp(arg->data, p->name.data, p->name.len) != 0) {
            continue;
        }

        value.data = arg->data + p->name.len;
        value.len = arg->len - p->name.len;

        if (p->name.data[p->name.len - 1] != '=' && value.len) {
            continue;
        }

        if (seen[i]) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\"", arg);
            return NGX_ERROR;
        }

        seen[i] = arg;

        return p->set(cf, ccf, &value, (u_char *) ccf + p->offset);
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_mon_check_parse(ngx_conf_t *cf, ngx_http_mon_check_conf_t *ccf)
{
    ngx_int_t   rc;
    ngx_str_t   list = ngx_string("200-399");
    ngx_str_t  *value, *seen[NGX_HTTP_MON_CHECK_NPARAMS];
    ngx_uint_t  i;

    value = cf->args->elts;
    ngx_memzero(seen, sizeof(seen));

    ccf->type = NGX_HTTP_MON_CHECK_HTTP;
    ccf->interval = 5000;
    ccf->timeout = 2000;
    ccf->fall = 3;
    ccf->rise = 2;
    ngx_str_set(&ccf->uri, "/");
    (void) ngx_mon_probe_codes(&ccf->codes, &list);

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_http_mon_check_parameter(cf, ccf, &value[i], seen);

        if (rc == NGX_DECLINED) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < NGX_HTTP_MON_CHECK_NPARAMS; i++) {

        if (seen[i] && !(ngx_http_mon_check_params[i].types & ccf->type)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "parameter \"%V\" does not apply to checks of "
                               "this type", seen[i]);
            return NGX_ERROR;
        }
    }

    return ngx_http_mon_check_request(cf, ccf);
}


/* what a check sends; the host is the upstream's name where none is given */

static ngx_int_t
ngx_http_mon_check_request(ngx_conf_t *cf, ngx_http_mon_check_conf_t *ccf)
{
    size_t      len;
    ngx_str_t  *host, *request;

    static u_char  format[] =
        "GET %V HTTP/1.1" CRLF
        "Host: %V" CRLF
        "User-Agent: nginx/ngx_mon" CRLF
        "Accept: */*" CRLF
        "Connection: close" CRLF CRLF;

    host = ccf->host.len ? &ccf->host : &ccf->uscf->host;
    request = &ccf->request;

    switch (ccf->type) {

    case NGX_HTTP_MON_CHECK_HTTP:
        len = sizeof(format) + ccf->uri.len + host->len;
        break;

    case NGX_HTTP_MON_CHECK_GRPC:
        if (host->len > NGX_MON_PROBE_HOST_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "host \"%V\" is too long", host);
            return NGX_ERROR;
        }

        len = NGX_MON_PROBE_GRPC_REQUEST + host->len;
        break;

#if (NGX_HTTP_SSL)
    case NGX_HTTP_MON_CHECK_TLS:
        return ngx_http_mon_check_tls_init(cf, ccf);
#endif

    default:
        return NGX_OK;
    }

    request->data = ngx_pnalloc(cf->pool, len);
    if (request->data == NULL) {
        return NGX_ERROR;
    }

    if (ccf->type == NGX_HTTP_MON_CHECK_GRPC) {
        request->len = ngx_mon_probe_grpc_request(request->data, host);

    } else {
        request->len = ngx_sprintf(request->data, (char *) format, &ccf->uri,
                                   host)
                       - request->data;
    }

    return NGX_OK;
}


/* NGX_DECLINED: the caller names the parameter */

static ngx_int_t
ngx_http_mon_check_set_type(ngx_conf_t *cf, ngx_http_mon_check_conf_t *ccf,
    ngx_str_t *value, void *field)
{
    const ngx_conf_enum_t  *e;

    for (e = ngx_http_mon_check_types; e->name.len; e++) {
        if (e->name.len == value->len
            && ngx_strncmp(e->name.data, value->data, value->len) == 0)
        {
            break;
        }
    }

    if (e->name.len == 0) {
        return NGX_DECLINED;
    }

#if !(NGX_HTTP_SSL)
    if (e->value == NGX_HTTP_MON_CHECK_TLS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"type=tls\" requires nginx built with SSL");
        return NGX_ERROR;
    }
#endif

    *(ngx_uint_t *) field = e->value;

    return NGX_OK;
}


/* what goes into a line of a request */

static ngx_uint_t
ngx_http_mon_check_plain(ngx_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] == 0x7f) {
            return 0;
        }
    }

    return value->len != 0;
}


static ngx_int_t
ngx_http_mon_check_set_uri(ngx_conf_t *cf, ngx_http_mon_check_conf_t *ccf,
    ngx_str_t *value, void *field)
{
    if (!ngx_http_mon_check_plain(value) || value->data[0] != '/') {
        return NGX_DECLINED;
    }

    *(ngx_str_t *) field = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_check_set_host(ngx_conf_t *cf, ngx_http_mon_check_conf_t *ccf,
    ngx_str_t *value, void *field)
{
    if (!ngx_http_mon_check_plain(value)) {
        return NGX_DECLINED;
    }

    *(ngx_str_t *) field = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_check_set_port(ngx_conf_t *cf, ngx_http_mon_check_conf_t *ccf,
    ngx_str_t *value, void *field)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > 65535) {
        return NGX_DECLINED;
    }

    *(in_port_t *) field = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_check_set_time(ngx_conf_t *cf, ngx_http_mon_check_conf_t *ccf,
    ngx_str_t *value, void *field)
{
    ngx_int_t  n;

    n = ngx_parse_time(value, 0);

    if (n == NGX_ERROR || n == 0 || n > 24 * 3600 * 1000) {
        return NGX_DECLINED;
    }

    *(ngx_msec_t *) field = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_check_set_row(ngx_conf_t *cf, ngx_http_mon_check_conf_t *ccf,
    ngx_str_t *value, void *field)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > NGX_HTTP_MON_CHECK_ROW) {
        return NGX_DECLINED;
    }

    *(ngx_uint_t *) field = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_check_set_status(ngx_conf_t *cf, ngx_http_mon_check_conf_t *ccf,
    ngx_str_t *value, void *field)
{
    return ngx_mon_probe_codes(field, value) == NGX_OK ? NGX_OK : NGX_DECLINED;
}


/* a pair of quotes around the text is none of it: match="text" */

static ngx_int_t
ngx_http_mon_check_set_match(ngx_conf_t *cf, ngx_http_mon_check_conf_t *ccf,
    ngx_str_t *value, void *field)
{
    uint16_t  *border;

    if (value->len && value->data[0] == '"') {

        if (value->len < 2 || value->data[value->len - 1] != '"') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "no closing quote in \"match=%V\", quote the "
                               "whole parameter where the text has spaces",
                               value);
            return NGX_ERROR;
        }

        value->data++;
        value->len -= 2;
    }

    if (value->len == 0 || value->len > NGX_MON_PROBE_MATCH_MAX) {
        return NGX_DECLINED;
    }

    border = ngx_palloc(cf->pool, value->len * sizeof(uint16_t));
    if (border == NULL) {
        return NGX_ERROR;
    }

    ngx_mon_probe_match(field, value->data, value->len, border);

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_check_set_flag(ngx_conf_t *cf, ngx_http_mon_check_conf_t *ccf,
    ngx_str_t *value, void *field)
{
    *(ngx_uint_t *) field = 1;

    return NGX_OK;
}
