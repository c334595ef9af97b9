
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_endpoint.h"


/* a scrape, from the first byte of the body to the last */

typedef struct {
    ngx_http_mon_body_t      body;
    ngx_mon_cursor_t         cursor;
    const ngx_mon_format_t  *format;
    uint64_t                 start;       /* ngx_mon_now() */

    ngx_uint_t               begun;
    ngx_uint_t               samples;

    ngx_mon_sample_t         sample;      /* of the step being made */

    /* ?name=, prefixes of families */
    ngx_uint_t               nnames;
    ngx_str_t               *names;
} ngx_http_mon_scrape_t;


static const ngx_mon_format_t *ngx_http_mon_negotiate(ngx_http_request_t *r);
static size_t ngx_http_mon_accept_fields(ngx_http_request_t *r, u_char *p);
static ngx_int_t ngx_http_mon_scrape_names(ngx_http_request_t *r,
    ngx_http_mon_scrape_t *sc);
static u_char *ngx_http_mon_until(u_char *p, u_char *last, u_char c);
static void ngx_http_mon_scrape_open(void *data);
static void ngx_http_mon_scrape_close(void *data, ngx_uint_t done);
static ngx_int_t ngx_http_mon_scrape_step(void *data, ngx_mon_out_t *o);
static ngx_uint_t ngx_http_mon_scrape_select(void *data,
    const ngx_mon_metric_t *metric);


/* in the order of the offers below; the first is the default */

static const ngx_mon_format_t *ngx_http_mon_formats[] = {
    &ngx_mon_prometheus,
    &ngx_mon_openmetrics,
    &ngx_mon_openmetrics,
    &ngx_mon_json
};

static const ngx_mon_media_t  ngx_http_mon_offers[] = {
    { ngx_string("text/plain"), ngx_string("version"), ngx_string("0.0.4") },
    { ngx_string("application/openmetrics-text"), ngx_string("version"),
      ngx_string("1.0.0") },
    { ngx_string("application/openmetrics-text"), ngx_string("version"),
      ngx_string("0.0.1") },
    { ngx_string("application/json"), ngx_null_string, ngx_null_string }
};

#define NGX_HTTP_MON_OFFERS                                                   \
    (sizeof(ngx_http_mon_offers) / sizeof(ngx_mon_media_t))


const ngx_mon_format_t *
ngx_http_mon_format(ngx_str_t *name)
{
    ngx_uint_t               i;
    const ngx_mon_format_t  *f;

    for (i = 0; i < NGX_HTTP_MON_OFFERS; i++) {

        f = ngx_http_mon_formats[i];

        if (f->name.len == name->len
            && ngx_strncmp(f->name.data, name->data, name->len) == 0)
        {
            return f;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_mon_metrics_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_str_t                      type;
    ngx_http_mon_scrape_t         *sc;
    ngx_http_mon_endpoint_conf_t  *ecf;

    rc = ngx_http_mon_endpoint_begin(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ecf = ngx_http_get_module_loc_conf(r, ngx_http_mon_endpoint_module);

    sc = ngx_pcalloc(r->pool, sizeof(ngx_http_mon_scrape_t));
    if (sc == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    sc->start = ngx_mon_now();
    sc->format = ecf->format;

    if (sc->format == NULL) {
        sc->format = ngx_http_mon_negotiate(r);

        if (sc->format == NULL
            || ngx_http_mon_add_header(r, "Vary", "Accept") != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_http_mon_scrape_names(r, sc) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    type = sc->format->content_type;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = type;

    /* "gzip_types" and "charset" judge the type without parameters */

    r->headers_out.content_type_len =
        ngx_http_mon_until(type.data, type.data + type.len, ';') - type.data;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    sc->body.step = ngx_http_mon_scrape_step;
    sc->body.open = ngx_http_mon_scrape_open;
    sc->body.close = ngx_http_mon_scrape_close;
    sc->body.data = sc;

    return ngx_http_mon_body(r, &sc->body);
}


static void
ngx_http_mon_scrape_open(void *data)
{
    ngx_http_mon_scrape_t *sc = data;

    ngx_mon_cursor_open(&sc->cursor, ngx_http_mon_scrape_select, sc);
}


static void
ngx_http_mon_scrape_close(void *data, ngx_uint_t done)
{
    ngx_http_mon_scrape_t *sc = data;

    ngx_mon_cursor_close(&sc->cursor);

    if (done) {
        ngx_mon_observe(ngx_mon_nginx(), NGX_MON_H_SCRAPE,
                        ngx_mon_now() - sc->start);
    }
}


/* the head, a sample, or the end; a step of the cursor may have nothing */

static ngx_int_t
ngx_http_mon_scrape_step(void *data, ngx_mon_out_t *o)
{
    ngx_http_mon_scrape_t *sc = data;

    ngx_int_t         rc;
    ngx_uint_t        first;
    ngx_mon_cursor_t  cursor;

    if (!sc->begun) {
        sc->format->begin(o);
        sc->begun = !o->full;
        return NGX_OK;
    }

    cursor = sc->cursor;

    rc = ngx_mon_cursor_next(&sc->cursor, &sc->sample, &first);

    if (rc == NGX_AGAIN) {
        return NGX_OK;
    }

    if (rc == NGX_DONE) {
        sc->format->end(o, sc->samples);
        return NGX_DONE;
    }

    sc->format->sample(o, &sc->sample, first, sc->samples);

    if (o->full) {

        /* the series may be gone by the next piece: ask for it again */

        sc->cursor = cursor;
        return NGX_OK;
    }

    sc->samples++;

    return NGX_OK;
}


/* all Accept fields as one, as RFC 9110 has it */

static const ngx_mon_format_t *
ngx_http_mon_negotiate(ngx_http_request_t *r)
{
    ngx_str_t   accept;
    ngx_uint_t  i;

    accept.len = ngx_http_mon_accept_fields(r, NULL);

    accept.data = ngx_pnalloc(r->pool, accept.len + 1);
    if (accept.data == NULL) {
        return NULL;
    }

    (void) ngx_http_mon_accept_fields(r, accept.data);

    i = ngx_mon_accept(&accept, ngx_http_mon_offers, NGX_HTTP_MON_OFFERS);

    return ngx_http_mon_formats[i];
}


/* copies them to p, if it is not NULL; returns their length */

static size_t
ngx_http_mon_accept_fields(ngx_http_request_t *r, u_char *p)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != sizeof("accept") - 1
                || ngx_strncmp(h[i].lowcase_key, "accept", 6) != 0)
            {
                continue;
            }

            if (p) {
                ngx_memcpy(p + len, h[i].value.data, h[i].value.len);
                p[len + h[i].value.len] = ',';
            }

            len += h[i].value.len + 1;
        }
    }

    return len;
}


static ngx_int_t
ngx_http_mon_scrape_names(ngx_http_request_t *r, ngx_http_mon_scrape_t *sc)
{
    u_char      *p, *last, *end, *dst, *src;
    ngx_str_t   *name;
    ngx_array_t  names;

    if (ngx_array_init(&names, r->pool, 4, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    last = r->args.data + r->args.len;

    for (p = r->args.data; p < last; p = end + 1) {

        end = ngx_http_mon_until(p, last, '&');

        if (end - p < 5 || ngx_strncmp(p, "name=", 5) != 0) {
            continue;
        }

        src = p + 5;

        name = ngx_array_push(&names);
        dst = ngx_pnalloc(r->pool, end - src + 1);

        if (name == NULL || dst == NULL) {
            return NGX_ERROR;
        }

        name->data = dst;
        ngx_unescape_uri(&dst, &src, end - src, 0);
        name->len = dst - name->data;
    }

    sc->names = names.elts;
    sc->nnames = names.nelts;

    return NGX_OK;
}


/* the first c from p on, or last */

static u_char *
ngx_http_mon_until(u_char *p, u_char *last, u_char c)
{
    while (p < last && *p != c) {
        p++;
    }

    return p;
}


static ngx_uint_t
ngx_http_mon_scrape_select(void *data, const ngx_mon_metric_t *metric)
{
    ngx_http_mon_scrape_t *sc = data;

    ngx_uint_t  i;

    for (i = 0; i < sc->nnames; i++) {
        if (sc->names[i].len <= metric->name.len
            && ngx_strncmp(sc->names[i].data, metric->name.data,
                           sc->names[i].len)
               == 0)
        {
            return 1;
        }
    }

    return sc->nnames == 0;
}
