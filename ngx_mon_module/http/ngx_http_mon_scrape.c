
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The body of mon_metrics, in pieces: between two of them the worker's other
 * events have their turn, and a piece is made only when the one before it is
 * on its way, so that a client, however slow, costs no more memory than that.
 */


#include "ngx_http_mon_endpoint.h"


/* a piece; a sample that needs more gets a larger one, up to the limit */
#define NGX_HTTP_MON_PIECE       16384
#define NGX_HTTP_MON_PIECE_MAX   (512 * 1024)

/* room for what comes after the last sample */
#define NGX_HTTP_MON_TAIL        64

/* of an iteration of the event loop, for all scrapes; microseconds */
#define NGX_HTTP_MON_STEP        400
#define NGX_HTTP_MON_STEP_MIN    50


static void ngx_http_mon_scrape_cleanup(void *data);
static void ngx_http_mon_scrape_handler(ngx_http_request_t *r);
static void ngx_http_mon_scrape_step(ngx_http_request_t *r,
    ngx_http_mon_scrape_t *sc);
static void ngx_http_mon_scrape_yield(ngx_http_request_t *r);
static ngx_int_t ngx_http_mon_scrape_wait(ngx_http_request_t *r);
static ngx_int_t ngx_http_mon_scrape_produce(ngx_http_request_t *r,
    ngx_http_mon_scrape_t *sc, uint64_t until);
static ngx_int_t ngx_http_mon_scrape_send(ngx_http_request_t *r,
    ngx_http_mon_scrape_t *sc, ngx_chain_t *out);
static ngx_chain_t *ngx_http_mon_scrape_piece(ngx_http_request_t *r,
    ngx_http_mon_scrape_t *sc);
static ngx_int_t ngx_http_mon_scrape_fill(ngx_http_request_t *r,
    ngx_http_mon_scrape_t *sc, uint64_t until);
static ngx_int_t ngx_http_mon_scrape_sample(ngx_http_request_t *r,
    ngx_http_mon_scrape_t *sc, ngx_buf_t *b);
static ngx_int_t ngx_http_mon_scrape_grow(ngx_http_request_t *r,
    ngx_http_mon_scrape_t *sc, ngx_buf_t *b);


/* under way in this worker */
static ngx_uint_t  ngx_http_mon_scrapes;


ngx_int_t
ngx_http_mon_scrape(ngx_http_request_t *r, ngx_http_mon_scrape_t *sc,
    ngx_mon_select_pt select)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_mon_scrape_cleanup;
    cln->data = sc;

    ngx_mon_cursor_open(&sc->cursor, select, sc);

    sc->size = NGX_HTTP_MON_PIECE;
    sc->open = 1;
    ngx_http_mon_scrapes++;

    ngx_http_set_ctx(r, sc, ngx_http_mon_endpoint_module);

    r->write_event_handler = ngx_http_mon_scrape_handler;

    if (r->http_version >= NGX_HTTP_VERSION_20 && !r->discard_body) {

        /* the end of a connection is told to its streams by an event */

        r->read_event_handler = ngx_http_test_reading;
    }

    r->main->count++;

    ngx_http_mon_scrape_step(r, sc);

    return NGX_DONE;
}


static void
ngx_http_mon_scrape_cleanup(void *data)
{
    ngx_http_mon_scrape_t *sc = data;

    if (!sc->open) {
        return;
    }

    sc->open = 0;
    ngx_http_mon_scrapes--;

    ngx_mon_cursor_close(&sc->cursor);

    if (sc->done) {
        ngx_mon_observe(ngx_mon_nginx(), NGX_MON_H_SCRAPE,
                        ngx_mon_now() - sc->start);
    }
}


static void
ngx_http_mon_scrape_handler(ngx_http_request_t *r)
{
    ngx_event_t            *wev;
    ngx_connection_t       *c;
    ngx_http_mon_scrape_t  *sc;

    c = r->connection;
    wev = c->write;

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

    sc = ngx_http_get_module_ctx(r, ngx_http_mon_endpoint_module);

    if (!sc->waited && !ngx_queue_empty(&ngx_posted_events)) {

        /* what came meanwhile was posted behind this event */

        sc->waited = 1;
        ngx_post_event(wev, &ngx_posted_events);
        return;
    }

    sc->waited = 0;

    ngx_http_mon_scrape_step(r, sc);
}


static void
ngx_http_mon_scrape_step(ngx_http_request_t *r, ngx_http_mon_scrape_t *sc)
{
    uint64_t           until;
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = r->connection;

    until = ngx_mon_now() + ngx_max(NGX_HTTP_MON_STEP / ngx_http_mon_scrapes,
                                    NGX_HTTP_MON_STEP_MIN);

    rc = c->buffered ? ngx_http_mon_scrape_send(r, sc, NULL) : NGX_OK;

    while (rc == NGX_OK && !sc->done && !c->write->delayed) {

        if (r != c->data && sc->busy) {
            /* a subrequest that is posted when its turn comes */
            return;
        }

        if (ngx_mon_now() >= until) {
            ngx_http_mon_scrape_yield(r);
            return;
        }

        rc = ngx_http_mon_scrape_produce(r, sc, until);
    }

    if (rc == NGX_ERROR || sc->done) {
        ngx_http_mon_scrape_cleanup(sc);
        ngx_http_finalize_request(r, rc);
        return;
    }

    if (ngx_http_mon_scrape_wait(r) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }
}


/* lets the worker's other events go first */

static void
ngx_http_mon_scrape_yield(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r->main, ngx_http_core_module);

    /* a worker that drains leaves as soon as no timer is set */

    ngx_add_timer(wev, clcf->send_timeout);

    ngx_post_event(wev, &ngx_posted_next_events);
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


/* goes on with a piece, and sends it once it is full */

static ngx_int_t
ngx_http_mon_scrape_produce(ngx_http_request_t *r, ngx_http_mon_scrape_t *sc,
    uint64_t until)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *out;

    if (sc->piece == NULL) {
        sc->piece = ngx_http_mon_scrape_piece(r, sc);

        if (sc->piece == NULL) {
            return NGX_ERROR;
        }
    }

    rc = ngx_http_mon_scrape_fill(r, sc, until);

    if (rc == NGX_AGAIN) {
        return NGX_OK;
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    out = sc->piece;
    sc->piece = NULL;

    if (sc->done) {
        b = out->buf;
        b->last_buf = (r == r->main);
        b->last_in_chain = 1;
        b->sync = (b->last == b->pos);
        b->temporary = (b->last != b->pos);
    }

    return ngx_http_mon_scrape_send(r, sc, out);
}


static ngx_int_t
ngx_http_mon_scrape_send(ngx_http_request_t *r, ngx_http_mon_scrape_t *sc,
    ngx_chain_t *out)
{
    ngx_int_t  rc;

    rc = ngx_http_output_filter(r, out);

    ngx_chain_update_chains(r->pool, &sc->free, &sc->busy, &out,
                            (ngx_buf_tag_t) &ngx_http_mon_endpoint_module);

    return rc;
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

    /* what TLS or a filter kept would be waited for in vain */
    b->flush = 1;

    cl->buf = b;
    cl->next = NULL;

    return cl;
}


/* NGX_OK for a piece to be sent, NGX_AGAIN when the time is up before */

static ngx_int_t
ngx_http_mon_scrape_fill(ngx_http_request_t *r, ngx_http_mon_scrape_t *sc,
    uint64_t until)
{
    ngx_int_t      rc;
    ngx_buf_t     *b;
    ngx_uint_t     n;
    ngx_mon_out_t  o;

    b = sc->piece->buf;

    if (!sc->begun) {
        sc->begun = 1;

        o.pos = b->last;
        o.end = b->end;
        o.full = 0;

        sc->format->begin(&o);
        b->last = o.pos;
    }

    n = 0;

    do {
        rc = ngx_http_mon_scrape_sample(r, sc, b);

        if (rc != NGX_OK && rc != NGX_AGAIN) {
            return rc == NGX_DONE ? NGX_OK : rc;
        }

    } while (++n % 8 || ngx_mon_now() < until);

    return NGX_AGAIN;
}


/*
 * Adds a sample.  Returns NGX_AGAIN where a step of the cursor had none,
 * NGX_DONE for a piece that is full or the last, NGX_ERROR without memory.
 */

static ngx_int_t
ngx_http_mon_scrape_sample(ngx_http_request_t *r, ngx_http_mon_scrape_t *sc,
    ngx_buf_t *b)
{
    ngx_int_t         rc;
    ngx_uint_t        first;
    ngx_mon_out_t     o;
    ngx_mon_cursor_t  cursor;

    o.pos = b->last;
    o.end = b->end;
    o.full = 0;

    cursor = sc->cursor;

    rc = ngx_mon_cursor_next(&sc->cursor, &sc->sample, &first);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_DONE) {
        sc->format->end(&o, sc->samples);
        b->last = o.pos;
        sc->done = 1;
        return NGX_DONE;
    }

    o.end = b->end - NGX_HTTP_MON_TAIL;

    sc->format->sample(&o, &sc->sample, first, sc->samples);

    if (!o.full) {
        b->last = o.pos;
        sc->samples++;
        return NGX_OK;
    }

    /* the series may be gone when the next piece is made: ask for it again */

    sc->cursor = cursor;

    return b->last == b->pos ? ngx_http_mon_scrape_grow(r, sc, b) : NGX_DONE;
}


/* a piece in which a large sample fits */

static ngx_int_t
ngx_http_mon_scrape_grow(ngx_http_request_t *r, ngx_http_mon_scrape_t *sc,
    ngx_buf_t *b)
{
    u_char  *p;

    if (sc->size >= NGX_HTTP_MON_PIECE_MAX) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "a sample of \"%V\" is too large",
                      &sc->sample.metric->name);
        return NGX_ERROR;
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

    return NGX_AGAIN;
}
