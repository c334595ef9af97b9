
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_endpoint.h"


/* a piece; a sample that needs more gets a larger one, up to the limit */
#define NGX_HTTP_MON_PIECE       16384
#define NGX_HTTP_MON_PIECE_MAX   (512 * 1024)

/* room for what comes after the last sample */
#define NGX_HTTP_MON_TAIL        64

/* the worker's other requests come after so long, microseconds */
#define NGX_HTTP_MON_STEP        200

#define NGX_HTTP_MON_NAMES_MAX   64


typedef struct {
    ngx_mon_cursor_t          cursor;
    const ngx_mon_format_t   *format;
    uint64_t                  start;

    ngx_uint_t                open;      /* the cursor is */
    ngx_uint_t                done;      /* all is produced */
    ngx_uint_t                samples;

    /* a sample that found no room in the last piece */
    ngx_uint_t                pending;
    ngx_uint_t                first;
    ngx_mon_sample_t          sample;

    size_t                    size;
    ngx_chain_t              *free;
    ngx_chain_t              *busy;

    /* ?name=, prefixes of families */
    ngx_uint_t                nnames;
    ngx_str_t                *names;
} ngx_http_mon_scrape_t;


static const ngx_mon_format_t *ngx_http_mon_negotiate(ngx_http_request_t *r);
static ngx_int_t ngx_http_mon_scrape_names(ngx_http_request_t *r,
    ngx_http_mon_scrape_t *sc);
static ngx_uint_t ngx_http_mon_scrape_select(void *data,
    const ngx_mon_metric_t *metric);
static void ngx_http_mon_scrape_cleanup(void *data);
static void ngx_http_mon_scrape_write(ngx_http_request_t *r);
static ngx_int_t ngx_http_mon_scrape_wait(ngx_http_request_t *r);
static void ngx_http_mon_scrape_step(ngx_http_request_t *r,
    ngx_http_mon_scrape_t *sc);
static ngx_chain_t *ngx_http_mon_scrape_piece(ngx_http_request_t *r,
    ngx_http_mon_scrape_t *sc);
static ngx_int_t ngx_http_mon_scrape_fill(ngx_http_request_t *r,
    ngx_http_mon_scrape_t *sc, ngx_buf_t *b, uint64_t until);
static ngx_int_t ngx_http_mon_scrape_grow(ngx_http_request_t *r,
    ngx_http_mon_scrape_t *sc, ngx_buf_t *b);


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
    ngx_pool_cleanup_t            *cln;
    ngx_http_mon_scrape_t         *sc;
    ngx_http_mon_endpoint_conf_t  *ecf;

    rc = ngx_http_mon_endpoint_begin(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ecf = ngx_http_get_module_loc_conf(r, ngx_http_mon_endpoint_module);

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_mon_scrape_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    sc = cln->data;
    ngx_memzero(sc, sizeof(ngx_http_mon_scrape_t));
    cln->handler = ngx_http_mon_scrape_cleanup;

    sc->start = ngx_mon_now();
    sc->size = NGX_HTTP_MON_PIECE;
    sc->format = ecf->format;

    if (sc->format == NULL) {
        sc->format = ngx_http_mon_negotiate(r);

        if (ngx_http_mon_add_header(r, "Vary", "Accept") != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_http_mon_scrape_names(r, sc) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = sc->format->content_type;
    r->headers_out.content_type_len = sc->format->content_type.len;

    if (ngx_strlchr(sc->format->content_type.data,
                    sc->format->content_type.data
                    + sc->format->content_type.len, ';'))
    {
        /* "gzip_types" and "charset" judge the type without parameters */

        r->headers_out.content_type_len =
            (u_char *) ngx_strchr(sc->format->content_type.data, ';')
            - sc->format->content_type.data;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    ngx_mon_cursor_open(&sc->cursor, ngx_http_mon_scrape_select, sc);
    sc->open = 1;

    ngx_http_set_ctx(r, sc, ngx_http_mon_endpoint_module);

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_mon_scrape_write;
    r->main->count++;

    ngx_http_mon_scrape_step(r, sc);

    return NGX_DONE;
}


/* all Accept fields as one, as RFC 9110 has it */

static const ngx_mon_format_t *
ngx_http_mon_negotiate(ngx_http_request_t *r)
{
    u_char           *p, buf[1024];
    ngx_str_t         accept;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    p = buf;
    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == sizeof("accept") - 1
            && ngx_strncmp(h[i].lowcase_key, "accept", 6) == 0)
        {
            p = ngx_slprintf(p, buf + sizeof(buf), "%V,", &h[i].value);
        }
    }

    accept.data = buf;
    accept.len = p - buf;

    i = ngx_mon_accept(&accept, ngx_http_mon_offers, NGX_HTTP_MON_OFFERS);

    return ngx_http_mon_formats[i];
}


static ngx_int_t
ngx_http_mon_scrape_names(ngx_http_request_t *r, ngx_http_mon_scrape_t *sc)
{
    u_char     *p, *last, *end, *dst, *src;
    ngx_str_t  *name;

    p = r->args.data;
    last = p + r->args.len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        if (end - p < 5 || ngx_strncmp(p, "name=", 5) != 0) {
            continue;
        }

        if (sc->names == NULL) {
            sc->names = ngx_palloc(r->pool,
                                   NGX_HTTP_MON_NAMES_MAX * sizeof(ngx_str_t));
            if (sc->names == NULL) {
                return NGX_ERROR;
            }
        }

        if (sc->nnames == NGX_HTTP_MON_NAMES_MAX) {
            break;
        }

        src = p + 5;

        dst = ngx_pnalloc(r->pool, end - src + 1);
        if (dst == NULL) {
            return NGX_ERROR;
        }

        name = &sc->names[sc->nnames++];
        name->data = dst;

        ngx_unescape_uri(&dst, &src, end - src, 0);

        name->len = dst - name->data;
    }

    return NGX_OK;
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


static void
ngx_http_mon_scrape_cleanup(void *data)
{
    ngx_http_mon_scrape_t *sc = data;

    if (!sc->open) {
        return;
    }

    sc->open = 0;
    ngx_mon_cursor_close(&sc->cursor);

    if (sc->done) {
        ngx_mon_observe(ngx_mon_nginx(), NGX_MON_H_SCRAPE,
                        ngx_mon_now() - sc->start);
    }
}


static void
ngx_http_mon_scrape_write(ngx_http_request_t *r)
{
    ngx_event_t            *wev;
    ngx_connection_t       *c;
    ngx_http_mon_scrape_t  *sc;

    c = r->connection;
    wev = c->write;

    sc = ngx_http_get_module_ctx(r, ngx_http_mon_endpoint_module);

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (wev->delayed) {

        if (ngx_http_mon_scrape_wait(r) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_ERROR);
        }

        return;
    }

    ngx_http_mon_scrape_step(r, sc);
}


static ngx_int_t
ngx_http_mon_scrape_wait(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r->main, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    return ngx_handle_write_event(wev, clcf->send_lowat);
}


/*
 * Produces and sends pieces until the time is up or the client does not keep
 * pace; then lets the worker's other events go first.
 */

static void
ngx_http_mon_scrape_step(ngx_http_request_t *r, ngx_http_mon_scrape_t *sc)
{
    uint64_t      until;
    ngx_int_t     rc;
    ngx_chain_t  *out;
    ngx_event_t  *wev;

    wev = r->connection->write;
    until = ngx_mon_now() + NGX_HTTP_MON_STEP;

    do {
        out = NULL;

        if (!sc->done) {
            out = ngx_http_mon_scrape_piece(r, sc);

            if (out == NULL
                || ngx_http_mon_scrape_fill(r, sc, out->buf, until) != NGX_OK)
            {
                ngx_http_finalize_request(r, NGX_ERROR);
                return;
            }
        }

        rc = ngx_http_output_filter(r, out);

        ngx_chain_update_chains(r->pool, &sc->free, &sc->busy, &out,
                            (ngx_buf_tag_t) &ngx_http_mon_endpoint_module);

        if (rc == NGX_ERROR || sc->done) {
            ngx_http_mon_scrape_cleanup(sc);
            ngx_http_finalize_request(r, rc);
            return;
        }

        if (rc == NGX_AGAIN || wev->delayed) {

            if (ngx_http_mon_scrape_wait(r) != NGX_OK) {
                ngx_http_finalize_request(r, NGX_ERROR);
            }

            return;
        }

    } while (ngx_mon_now() < until);

    if (wev->timer_set && !wev->delayed) {
        ngx_del_timer(wev);
    }

    ngx_post_event(wev, &ngx_posted_next_events);
}


/* a piece that is not under way, or a new one */

static ngx_chain_t *
ngx_http_mon_scrape_piece(ngx_http_request_t *r, ngx_http_mon_scrape_t *sc)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = sc->free;

    if (cl) {
        sc->free = cl->next;
        cl->next = NULL;

        if ((size_t) (cl->buf->end - cl->buf->start) >= sc->size) {
            cl->buf->pos = cl->buf->start;
            cl->buf->last = cl->buf->start;
            return cl;
        }

        (void) ngx_pfree(r->pool, cl->buf->start);

    } else {
        cl = ngx_alloc_chain_link(r->pool);
        if (cl == NULL) {
            return NULL;
        }
    }

    b = ngx_create_temp_buf(r->pool, sc->size);
    if (b == NULL) {
        return NULL;
    }

    b->tag = (ngx_buf_tag_t) &ngx_http_mon_endpoint_module;

    cl->buf = b;
    cl->next = NULL;

    return cl;
}


static ngx_int_t
ngx_http_mon_scrape_fill(ngx_http_request_t *r, ngx_http_mon_scrape_t *sc,
    ngx_buf_t *b, uint64_t until)
{
    ngx_int_t      rc;
    ngx_mon_out_t  o;

    o.pos = b->pos;
    o.end = b->end - NGX_HTTP_MON_TAIL;
    o.full = 0;

    if (sc->samples == 0 && !sc->pending) {
        sc->format->begin(&o);
        b->last = o.pos;
    }

    do {
        if (!sc->pending) {

            rc = ngx_mon_cursor_next(&sc->cursor, &sc->sample, &sc->first);

            if (rc == NGX_DONE) {
                o.end = b->end;
                sc->format->end(&o, sc->samples);
                b->last = o.pos;
                sc->done = 1;
                break;
            }

            sc->pending = 1;
        }

        sc->format->sample(&o, &sc->sample, sc->first, sc->samples);

        if (o.full) {

            if (b->last != b->pos) {
                break;
            }

            rc = ngx_http_mon_scrape_grow(r, sc, b);

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            o.pos = b->pos;
            o.end = b->end - NGX_HTTP_MON_TAIL;
            o.full = 0;

            continue;
        }

        b->last = o.pos;
        sc->pending = 0;
        sc->samples++;

    } while (sc->samples % 8 || ngx_mon_now() < until);

    b->flush = 1;

    if (sc->done) {
        b->last_buf = (r == r->main);
        b->last_in_chain = 1;
        b->sync = (b->last == b->pos);
        b->temporary = (b->last != b->pos);
    }

    return NGX_OK;
}


/* a piece in which a large sample fits; the sample is left out past a limit */

static ngx_int_t
ngx_http_mon_scrape_grow(ngx_http_request_t *r, ngx_http_mon_scrape_t *sc,
    ngx_buf_t *b)
{
    u_char  *p;

    if (sc->size >= NGX_HTTP_MON_PIECE_MAX) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "a sample of \"%V\" is too large",
                      &sc->sample.metric->name);
        sc->pending = 0;
        return NGX_DECLINED;
    }

    sc->size *= 2;

    p = ngx_palloc(r->pool, sc->size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_pfree(r->pool, b->start);

    b->start = p;
    b->pos = p;
    b->last = p;
    b->end = p + sc->size;

    return NGX_OK;
}
