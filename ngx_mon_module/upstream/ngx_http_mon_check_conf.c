
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_check.h"
#include "ngx_mon_param.h"


#define NGX_HTTP_MON_CHECK_NAMED                                              \
    (NGX_HTTP_MON_CHECK_HTTP|NGX_HTTP_MON_CHECK_TLS|NGX_HTTP_MON_CHECK_GRPC)

#define NGX_HTTP_MON_CHECK_DAY    86400000

/* of fall and rise */
#define NGX_HTTP_MON_CHECK_ROW    1000


static ngx_int_t ngx_http_mon_check_request(ngx_conf_t *cf,
    ngx_http_mon_check_conf_t *ccf);
static ngx_int_t ngx_http_mon_check_set_line(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);
static ngx_int_t ngx_http_mon_check_set_uri(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);
static ngx_int_t ngx_http_mon_check_set_status(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);
static ngx_int_t ngx_http_mon_check_set_match(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);


static const ngx_conf_enum_t  ngx_http_mon_check_types[] = {
    { ngx_string("http"), NGX_HTTP_MON_CHECK_HTTP },
    { ngx_string("tcp"), NGX_HTTP_MON_CHECK_TCP },
    { ngx_string("tls"), NGX_HTTP_MON_CHECK_TLS },
    { ngx_string("grpc"), NGX_HTTP_MON_CHECK_GRPC },
    { ngx_null_string, 0 }
};


static const ngx_mon_param_t  ngx_http_mon_check_params[] = {
    ngx_mon_param_word("type=", ngx_http_mon_check_conf_t, type,
                       NGX_HTTP_MON_CHECK_HTTP, ngx_http_mon_check_types),
    ngx_mon_param("uri=", ngx_http_mon_check_set_uri,
                  ngx_http_mon_check_conf_t, uri, 1, NGX_MAX_INT_T_VALUE, 0),
    ngx_mon_param("host=", ngx_http_mon_check_set_line,
                  ngx_http_mon_check_conf_t, host, 1, NGX_MAX_INT_T_VALUE, 0),
    ngx_mon_param("port=", ngx_mon_set_number,
                  ngx_http_mon_check_conf_t, port, 1, 65535, 0),
    ngx_mon_param("interval=", ngx_mon_set_time,
                  ngx_http_mon_check_conf_t, interval,
                  1, NGX_HTTP_MON_CHECK_DAY, 5000),
    ngx_mon_param("timeout=", ngx_mon_set_time,
                  ngx_http_mon_check_conf_t, timeout,
                  1, NGX_HTTP_MON_CHECK_DAY, 2000),
    ngx_mon_param("fall=", ngx_mon_set_number,
                  ngx_http_mon_check_conf_t, fall,
                  1, NGX_HTTP_MON_CHECK_ROW, 3),
    ngx_mon_param("rise=", ngx_mon_set_number,
                  ngx_http_mon_check_conf_t, rise,
                  1, NGX_HTTP_MON_CHECK_ROW, 2),
    ngx_mon_param_own("status=", ngx_http_mon_check_set_status),
    ngx_mon_param_own("match=", ngx_http_mon_check_set_match),
    ngx_mon_param_flag("mandatory", ngx_http_mon_check_conf_t, mandatory),
    ngx_mon_param_end
};


/* parameters that not all types have */

static const struct {
    ngx_str_t   name;
    ngx_uint_t  types;
} ngx_http_mon_check_only[] = {
    { ngx_string("uri="), NGX_HTTP_MON_CHECK_HTTP },
    { ngx_string("host="), NGX_HTTP_MON_CHECK_NAMED },
    { ngx_string("status="), NGX_HTTP_MON_CHECK_HTTP },
    { ngx_string("match="), NGX_HTTP_MON_CHECK_HTTP },
    { ngx_null_string, 0 }
};


ngx_int_t
ngx_http_mon_check_parse(ngx_conf_t *cf, ngx_http_mon_check_conf_t *ccf)
{
    ngx_str_t   list = ngx_string("200-399");
    ngx_str_t  *arg;
    ngx_uint_t  i;

    ngx_str_set(&ccf->uri, "/");
    (void) ngx_mon_probe_codes(&ccf->codes, &list);

    if (ngx_mon_params(cf, 1, ngx_http_mon_check_params, ccf) != NGX_OK) {
        return NGX_ERROR;
    }

#if !(NGX_HTTP_SSL)
    if (ccf->type == NGX_HTTP_MON_CHECK_TLS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"type=tls\" requires nginx built with SSL");
        return NGX_ERROR;
    }
#endif

    for (i = 0; ngx_http_mon_check_only[i].types; i++) {

        if (ngx_http_mon_check_only[i].types & ccf->type) {
            continue;
        }

        arg = ngx_mon_param_arg(cf, 1, &ngx_http_mon_check_only[i].name);

        if (arg) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "parameter \"%V\" does not apply to checks of "
                               "this type", arg);
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


/* what goes into a line of a request */

static ngx_int_t
ngx_http_mon_check_set_line(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] == 0x7f) {
            return NGX_DECLINED;
        }
    }

    return ngx_mon_set_text(cf, p, value, conf);
}


static ngx_int_t
ngx_http_mon_check_set_uri(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    return (value->data[0] == '/')
           ? ngx_http_mon_check_set_line(cf, p, value, conf) : NGX_DECLINED;
}


static ngx_int_t
ngx_http_mon_check_set_status(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_http_mon_check_conf_t  *ccf = conf;

    return ngx_mon_probe_codes(&ccf->codes, value) == NGX_OK ? NGX_OK
                                                             : NGX_DECLINED;
}


/* a pair of quotes around the text is none of it: match="text" */

static ngx_int_t
ngx_http_mon_check_set_match(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_http_mon_check_conf_t  *ccf = conf;

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

    ngx_mon_probe_match(&ccf->match, value->data, value->len, border);

    return NGX_OK;
}
