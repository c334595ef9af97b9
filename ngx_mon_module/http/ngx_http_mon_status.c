
/*
 * Copyright (C) The ngx_mon authors
 */


/* mon_status: the API, a tree of JSON below the location's own path. */


#include "ngx_http_mon_endpoint.h"
#include "ngx_mon_api.h"


/* of what was asked for, so much is shown in an error */
#define NGX_HTTP_MON_STATUS_PATH   512

/* an error: the path, each byte of which may need 6, and the rest */
#define NGX_HTTP_MON_STATUS_ERROR  (6 * NGX_HTTP_MON_STATUS_PATH + 1024)


typedef struct {
    ngx_http_mon_body_t    body;
    ngx_mon_api_t          api;
    ngx_uint_t             comma;
} ngx_http_mon_status_t;


static ngx_int_t ngx_http_mon_status_begin(ngx_http_request_t *r);
static ngx_int_t ngx_http_mon_status_path(ngx_http_request_t *r,
    ngx_mon_path_t *path);
static ngx_int_t ngx_http_mon_status_judge(ngx_http_request_t *r,
    ngx_http_mon_status_t *st);
static ngx_int_t ngx_http_mon_status_refuse(ngx_http_request_t *r,
    ngx_uint_t methods);
static ngx_uint_t ngx_http_mon_status_header(ngx_http_request_t *r);
static ngx_int_t ngx_http_mon_status_write(ngx_http_request_t *r,
    ngx_http_mon_status_t *st);
static ngx_int_t ngx_http_mon_status_send(ngx_http_request_t *r,
    ngx_http_mon_status_t *st);
static ngx_int_t ngx_http_mon_status_step(void *data, ngx_mon_out_t *o);
static ngx_int_t ngx_http_mon_status_error(ngx_http_request_t *r,
    ngx_uint_t status, const char *message);
static void ngx_http_mon_status_type(ngx_http_request_t *r, ngx_uint_t status);


static const struct {
    ngx_uint_t   method;
    ngx_str_t    name;
} ngx_http_mon_status_methods[] = {
    { NGX_HTTP_GET, ngx_string("GET") },
    { NGX_HTTP_HEAD, ngx_string("HEAD") },
    { NGX_HTTP_POST, ngx_string("POST") },
    { NGX_HTTP_DELETE, ngx_string("DELETE") }
};

#define NGX_HTTP_MON_STATUS_METHODS                                           \
    (sizeof(ngx_http_mon_status_methods)                                      \
     / sizeof(ngx_http_mon_status_methods[0]))


ngx_int_t
ngx_http_mon_status_place(ngx_http_core_loc_conf_t *clcf)
{
#if (NGX_PCRE)
    if (clcf->regex) {
        return NGX_ERROR;
    }
#endif

    return clcf->exact_match || clcf->named ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_mon_status_handler(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_mon_status_t  *st;

    rc = ngx_http_mon_status_begin(r);

    if (rc != NGX_OK) {
        return ngx_http_mon_status_error(r, rc,
                                   rc == NGX_HTTP_SERVICE_UNAVAILABLE
                                   ? "this worker does not record"
                                   : "the body of the request is no good");
    }

    st = ngx_pcalloc(r->pool, sizeof(ngx_http_mon_status_t));
    if (st == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_mon_status_path(r, &st->api.path);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK || st->api.path.n == 0
        || !ngx_mon_path_is(&st->api.path.segments[0], "api"))
    {
        return ngx_http_mon_status_error(r, NGX_HTTP_NOT_FOUND,
                                         "no such path, the API is api/");
    }

    st->api.path.n--;
    ngx_memmove(&st->api.path.segments[0], &st->api.path.segments[1],
                st->api.path.n * sizeof(ngx_str_t));

    return ngx_http_mon_status_judge(r, st);
}


/* headers of every answer; NGX_OK, or the status of an error */

static ngx_int_t
ngx_http_mon_status_begin(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (ngx_http_mon_add_header(r, "Cache-Control", "no-store") != NGX_OK
        || ngx_http_mon_add_header(r, "X-Content-Type-Options", "nosniff")
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        r->keepalive = 0;
        return rc;
    }

    return ngx_mon_active ? NGX_OK : NGX_HTTP_SERVICE_UNAVAILABLE;
}


/*
 * The path below the location's, in segments.  NGX_OK; NGX_DECLINED for what
 * can't be one, NGX_ERROR without memory.
 */

static ngx_int_t
ngx_http_mon_status_path(ngx_http_request_t *r, ngx_mon_path_t *path)
{
    u_char                        *buf;
    ngx_str_t                     *uri;
    ngx_mon_path_t                 prefix;
    ngx_http_mon_endpoint_conf_t  *ecf;

    ecf = ngx_http_get_module_loc_conf(r, ngx_http_mon_endpoint_module);

    /* what was rewritten can be had without its escapes only */

    uri = r->valid_unparsed_uri ? &r->unparsed_uri : &r->uri;

    buf = ngx_pnalloc(r->pool, uri->len + ecf->base.len + 1);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    if (ngx_mon_path_parse(path, buf, uri->data, uri->len,
                           r->valid_unparsed_uri)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_mon_path_parse(&prefix, buf + uri->len, ecf->base.data,
                           ecf->base.len, 0)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return ngx_mon_path_strip(path, &prefix);
}


/* what is there, and what may be done with it */

static ngx_int_t
ngx_http_mon_status_judge(ngx_http_request_t *r, ngx_http_mon_status_t *st)
{
    ngx_int_t                      found;
    ngx_uint_t                     writes, methods;
    ngx_http_mon_endpoint_conf_t  *ecf;

    ecf = ngx_http_get_module_loc_conf(r, ngx_http_mon_endpoint_module);

    found = ngx_mon_api_find(&st->api);
    writes = ngx_mon_api_writes(&st->api);

    methods = found == NGX_OK ? NGX_HTTP_GET|NGX_HTTP_HEAD : 0;

    if (r->method & methods) {
        return ngx_http_mon_status_send(r, st);
    }

    if (r->method & writes) {

        if (!ecf->write) {
            return ngx_http_mon_status_error(r, NGX_HTTP_FORBIDDEN,
                                     "not allowed without mon_status write");
        }

        if (!ngx_http_mon_status_header(r)) {
            return ngx_http_mon_status_error(r, NGX_HTTP_FORBIDDEN,
                                     "not allowed without the request header "
                                     "X-Mon-Write: 1");
        }

        return ngx_http_mon_status_write(r, st);
    }

    methods |= ecf->write ? writes : 0;

    if (methods == 0) {
        return ngx_http_mon_status_error(r, NGX_HTTP_NOT_FOUND,
                                         "no such path");
    }

    return ngx_http_mon_status_refuse(r, methods);
}


/* 405 with the methods that would do */

static ngx_int_t
ngx_http_mon_status_refuse(ngx_http_request_t *r, ngx_uint_t methods)
{
    u_char      *p, *allow;
    ngx_uint_t   i;

    allow = ngx_pnalloc(r->pool, sizeof("GET, HEAD, POST, DELETE"));
    if (allow == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = allow;

    for (i = 0; i < NGX_HTTP_MON_STATUS_METHODS; i++) {

        if (methods & ngx_http_mon_status_methods[i].method) {
            p = ngx_sprintf(p, "%s%V", p == allow ? "" : ", ",
                            &ngx_http_mon_status_methods[i].name);
        }
    }

    *p = '\0';

    if (ngx_http_mon_add_header(r, "Allow", (char *) allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_mon_status_error(r, NGX_HTTP_NOT_ALLOWED,
                                     "no such method here");
}


/* a page of another site can't make a browser send it */

static ngx_uint_t
ngx_http_mon_status_header(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == sizeof("x-mon-write") - 1
                && ngx_strncmp(h[i].lowcase_key, "x-mon-write",
                               h[i].key.len) == 0)
            {
                return h[i].value.len == 1 && h[i].value.data[0] == '1';
            }
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_mon_status_write(ngx_http_request_t *r, ngx_http_mon_status_t *st)
{
    ngx_int_t       rc;
    const char     *message;
    ngx_mon_path_t  path;

    message = "no such path";

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "mon_status: %V \"%V\"", &r->method_name, &r->unparsed_uri);

    rc = ngx_mon_api_write(&st->api, r->method, &message);

    if (rc == NGX_OK) {
        path = st->api.path;

        ngx_memzero(&st->api, sizeof(ngx_mon_api_t));
        st->api.path = path;

        rc = ngx_mon_api_find(&st->api);
    }

    switch (rc) {

    case NGX_OK:
        return ngx_http_mon_status_send(r, st);

    case NGX_DECLINED:
        return ngx_http_mon_status_error(r, NGX_HTTP_NOT_FOUND, message);

    default:
        return ngx_http_mon_status_error(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                         message);
    }
}


static ngx_int_t
ngx_http_mon_status_send(ngx_http_request_t *r, ngx_http_mon_status_t *st)
{
    ngx_int_t  rc;

    ngx_http_mon_status_type(r, NGX_HTTP_OK);

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    st->body.step = ngx_http_mon_status_step;
    st->body.data = st;

    return ngx_http_mon_body(r, &st->body);
}


static ngx_int_t
ngx_http_mon_status_step(void *data, ngx_mon_out_t *o)
{
    ngx_http_mon_status_t *st = data;

    ngx_int_t       rc;
    ngx_mon_emit_t  e;

    e.out = *o;
    e.comma = st->comma;

    /* a byte is kept for the end of the line */

    e.out.end--;

    rc = ngx_mon_api_emit(&st->api, &e);

    e.out.end++;

    if (rc == NGX_DONE && !e.out.full) {
        ngx_mon_out_literal(&e.out, "\n");
    }

    *o = e.out;
    st->comma = e.comma;

    return rc == NGX_DONE ? NGX_DONE : NGX_OK;
}


static ngx_int_t
ngx_http_mon_status_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *message)
{
    ngx_buf_t       *b;
    ngx_int_t        rc;
    ngx_str_t        path;
    ngx_chain_t      out;
    ngx_mon_emit_t   e;

    b = ngx_create_temp_buf(r->pool, NGX_HTTP_MON_STATUS_ERROR);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    path.data = r->unparsed_uri.data;

    for (path.len = 0; path.len < r->unparsed_uri.len; path.len++) {
        if (path.data[path.len] == '?'
            || path.len == NGX_HTTP_MON_STATUS_PATH)
        {
            break;
        }
    }

    e.out.pos = b->pos;
    e.out.end = b->end;
    e.out.full = 0;
    e.comma = 0;

    ngx_mon_emit_open(&e, NULL, '{');
    ngx_mon_emit_open(&e, "error", '{');
    ngx_mon_emit_number(&e, "status", status);
    ngx_mon_emit_text(&e, "path", &path);
    ngx_mon_emit_word(&e, "message", message);
    ngx_mon_emit_close(&e, '}');
    ngx_mon_emit_close(&e, '}');
    ngx_mon_out_literal(&e.out, "\n");

    b->last = e.out.pos;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    ngx_http_mon_status_type(r, status);
    r->headers_out.content_length_n = b->last - b->pos;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static void
ngx_http_mon_status_type(ngx_http_request_t *r, ngx_uint_t status)
{
    r->headers_out.status = status;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
}
