
/*
 * Copyright (C) The ngx_mon authors
 */


/* what few requests need counted, or only the first of their kind */


#include "ngx_http_mon.h"


/* by the number of the bit of r->method */

static ngx_str_t  ngx_http_mon_methods[] = {
    ngx_string("other"),
    ngx_string("GET"),
    ngx_string("HEAD"),
    ngx_string("POST"),
    ngx_string("PUT"),
    ngx_string("DELETE"),
    ngx_string("MKCOL"),
    ngx_string("COPY"),
    ngx_string("MOVE"),
    ngx_string("OPTIONS"),
    ngx_string("PROPFIND"),
    ngx_string("PROPPATCH"),
    ngx_string("LOCK"),
    ngx_string("UNLOCK"),
    ngx_string("PATCH"),
    ngx_string("TRACE"),
    ngx_string("CONNECT")
};

#define NGX_HTTP_MON_METHODS                                                  \
    (sizeof(ngx_http_mon_methods) / sizeof(ngx_str_t))


void
ngx_http_mon_limited(ngx_http_request_t *r, ngx_mon_series_t *s)
{
    ngx_uint_t  bits;

    for (bits = ngx_mon_limited(r); bits; bits &= bits - 1) {
        ngx_mon_add(s, NGX_MON_LIMITED + __builtin_ctzl(bits), 1);
    }

    if (r->limit_req_status) {
        ngx_mon_add(s, NGX_MON_LIMITED + NGX_MON_LIMIT_REQ
                       + r->limit_req_status - 1, 1);
    }

    if (r->limit_conn_status) {
        ngx_mon_add(s, NGX_MON_LIMITED + NGX_MON_LIMIT_CONN
                       + r->limit_conn_status - 1, 1);
    }
}


/* one that never told its version, being malformed, has none */

void
ngx_http_mon_protocol(ngx_http_request_t *r)
{
    ngx_uint_t  protocol;

    if (r->http_version == NGX_HTTP_VERSION_10 && r->http_protocol.len == 0) {
        return;
    }

    protocol = r->http_version < NGX_HTTP_VERSION_10 ? NGX_MON_PROTOCOL_09
               : r->http_version < NGX_HTTP_VERSION_11 ? NGX_MON_PROTOCOL_10
               : r->http_version < 3000 ? NGX_MON_PROTOCOL_2
               : NGX_MON_PROTOCOL_3;

    ngx_mon_add(ngx_mon_nginx(), NGX_MON_PROTOCOL + protocol, 1);
}


ngx_mon_series_t *
ngx_http_mon_request(ngx_mon_series_t *s, ngx_mon_child_t *child,
    ngx_uint_t key)
{
    u_char             buf[NGX_INT_T_LEN];
    ngx_str_t          values[2];
    ngx_uint_t         method;
    ngx_mon_series_t  *request;

    /* the method is a bit, the first one of those that nginx knows not */

    method = __builtin_ctz((unsigned) (key >> NGX_HTTP_MON_STATUS_BITS)
                           | 0x80000000);
    method = (method < NGX_HTTP_MON_METHODS) ? method : 0;

    values[0] = ngx_http_mon_methods[method];
    values[1].data = buf;
    values[1].len = ngx_sprintf(buf, "%03ui", key & NGX_HTTP_MON_STATUS_MASK)
                    - buf;

    request = ngx_mon_get(NGX_MON_G_REQUEST, s, NULL, values, 2, 0);

    if (request->overflow == NULL) {
        child->key = key;
        child->series = request;
    }

    return request;
}
