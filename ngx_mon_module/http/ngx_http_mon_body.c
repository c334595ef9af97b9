
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * A body that is made in pieces: between two of them the worker's other
 * events have their turn, and a piece is made only when the one before it is
 * on its way, so that a client, however slow, costs no more memory than that.
 */


#include "ngx_http_mon_endpoint.h"


/* a piece; a step that needs more gets a larger one, up to the limit */
#define NGX_HTTP_MON_PIECE       16384
#define NGX_HTTP_MON_PIECE_MAX   (512 * 1024)

/* of an iteration of the event loop, for all bodies; microseconds */
#define NGX_HTTP_MON_STEP        400
#define NGX_HTTP_MON_STEP_MIN    50


static void ngx_http_mon_body_cleanup(void *data);
static void ngx_http_mon_body_handler(ngx_http_request_t *r);
static void ngx_http_mon_body_step(ngx_http_request_t *r,
    ngx_http_mon_body_t *body);
static void ngx_http_mon_body_yield(ngx_http_request_t *r);
static ngx_int_t ngx_http_mon_body_wait(ngx_http_request_t *r);
static ngx_int_t ngx_http_mon_body_produce(ngx_http_request_t *r,
    ngx_http_mon_body_t *body, uint64_t until);
static ngx_int_t ngx_http_mon_body_send(ngx_http_request_t *r,
    ngx_http_mon_body_t *body, ngx_chain_t *out);
static ngx_chain_t *ngx_http_mon_body_piece(ngx_http_request_t *r,
    ngx_http_mon_body_t *body);
static ngx_int_t ngx_http_mon_body_fill(ngx_http_request_t *r,
    ngx_http_mon_body_t *body, uint64_t until);
static ngx_int_t ngx_http_mon_body_grow(ngx_http_request_t *r,
    ngx_http_mon_body_t *body, ngx_buf_t *b);


/* under way in this worker */
static ngx_uint_t  ngx_http_mon_bodies;


ngx_int_t
ngx_http_mon_body(ngx_http_request_t *r, ngx_http_mon_body_t *body)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_mon_body_cleanup;
    cln->data = body;

    if (body->open) {
        body->open(body->data);
    }

    body->size = NGX_HTTP_MON_PIECE;
    body->opened = 1;
    ngx_http_mon_bodies++;

    ngx_http_set_ctx(r, body, ngx_http_mon_endpoint_module);

    r->write_event_handler = ngx_http_mon_body_handler;

    if (r->http_version >= NGX_HTTP_VERSION_20 && !r->discard_body) {

        /* the end of a connection is told to its streams by an event */

        r->read_event_handler = ngx_http_test_reading;
    }

    r->main->count++;

    ngx_http_mon_body_step(r, body);

    return NGX_DONE;
}


static void
ngx_http_mon_body_cleanup(void *data)
{
    ngx_http_mon_body_t *body = data;

    if (!body->opened) {
        return;
    }

    body->opened = 0;
    ngx_http_mon_bodies--;

    if (body->close) {
        body->close(body->data, body->done);
    }
}


static void
ngx_http_mon_body_handler(ngx_http_request_t *r)
{
    ngx_event_t          *wev;
    ngx_connection_t     *c;
    ngx_http_mon_body_t  *body;

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

        if (ngx_http_mon_body_wait(r) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_ERROR);
        }

        return;
    }

    body = ngx_http_get_module_ctx(r, ngx_http_mon_endpoint_module);

    if (!body->waited && !ngx_queue_empty(&ngx_posted_events)) {

        /* what came meanwhile was posted behind this event */

        body->waited = 1;
        ngx_post_event(wev, &ngx_posted_events);
        return;
    }

    body->waited = 0;

    ngx_http_mon_body_step(r, body);
}


static void
ngx_http_mon_body_step(ngx_http_request_t *r, ngx_http_mon_body_t *body)
{
    uint64_t           until;
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = r->connection;

    until = ngx_mon_now() + ngx_max(NGX_HTTP_MON_STEP / ngx_http_mon_bodies,
                                    NGX_HTTP_MON_STEP_MIN);

    rc = c->buffered ? ngx_http_mon_body_send(r, body, NULL) : NGX_OK;

    while (rc == NGX_OK && !body->done && !c->write->delayed) {

        if (r != c->data && body->busy) {
            /* a subrequest that is posted when its turn comes */
            return;
        }

        if (ngx_mon_now() >= until) {
            ngx_http_mon_body_yield(r);
            return;
        }

        rc = ngx_http_mon_body_produce(r, body, until);
    }

    if (rc == NGX_ERROR || body->done) {
        ngx_http_mon_body_cleanup(body);
        ngx_http_finalize_request(r, rc);
        return;
    }

    if (ngx_http_mon_body_wait(r) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }
}


/* lets the worker's other events go first */

static void
ngx_http_mon_body_yield(ngx_http_request_t *r)
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
ngx_http_mon_body_wait(ngx_http_request_t *r)
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
ngx_http_mon_body_produce(ngx_http_request_t *r, ngx_http_mon_body_t *body,
    uint64_t until)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *out;

    if (body->piece == NULL) {
        body->piece = ngx_http_mon_body_piece(r, body);

        if (body->piece == NULL) {
            return NGX_ERROR;
        }
    }

    rc = ngx_http_mon_body_fill(r, body, until);

    if (rc == NGX_AGAIN) {
        return NGX_OK;
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    out = body->piece;
    body->piece = NULL;

    if (body->done) {
        b = out->buf;
        b->last_buf = (r == r->main);
        b->last_in_chain = 1;
        b->sync = (b->last == b->pos);
        b->temporary = (b->last != b->pos);
    }

    return ngx_http_mon_body_send(r, body, out);
}


static ngx_int_t
ngx_http_mon_body_send(ngx_http_request_t *r, ngx_http_mon_body_t *body,
    ngx_chain_t *out)
{
    ngx_int_t  rc;

    rc = ngx_http_output_filter(r, out);

    ngx_chain_update_chains(r->pool, &body->free, &body->busy, &out,
                            (ngx_buf_tag_t) &ngx_http_mon_endpoint_module);

    return rc;
}


/* a piece that is not under way, or a new one */

static ngx_chain_t *
ngx_http_mon_body_piece(ngx_http_request_t *r, ngx_http_mon_body_t *body)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = body->free;

    if (cl) {
        body->free = cl->next;
        cl->next = NULL;

        if ((size_t) (cl->buf->end - cl->buf->start) >= body->size) {
            return cl;
        }

        (void) ngx_pfree(r->pool, cl->buf->start);

    } else {
        cl = ngx_alloc_chain_link(r->pool);
        if (cl == NULL) {
            return NULL;
        }
    }

    b = ngx_create_temp_buf(r->pool, body->size);
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
ngx_http_mon_body_fill(ngx_http_request_t *r, ngx_http_mon_body_t *body,
    uint64_t until)
{
    ngx_int_t      rc;
    ngx_buf_t     *b;
    ngx_uint_t     n;
    ngx_mon_out_t  o;

    n = 0;
    b = body->piece->buf;

    do {
        o.pos = b->last;
        o.end = b->end;
        o.full = 0;

        rc = body->step(body->data, &o);

        if (o.full) {

            if (b->last != b->pos) {
                return NGX_OK;
            }

            if (ngx_http_mon_body_grow(r, body, b) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        b->last = o.pos;

        if (rc == NGX_DONE) {
            body->done = 1;
            return NGX_OK;
        }

    } while (++n % 8 || ngx_mon_now() < until);

    return NGX_AGAIN;
}


/* a piece in which a large step fits */

static ngx_int_t
ngx_http_mon_body_grow(ngx_http_request_t *r, ngx_http_mon_body_t *body,
    ngx_buf_t *b)
{
    u_char  *p;

    if (body->size >= NGX_HTTP_MON_PIECE_MAX) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "a piece of \"%V\" is too large", &r->uri);
        return NGX_ERROR;
    }

    body->size *= 2;

    p = ngx_palloc(r->pool, body->size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_pfree(r->pool, b->start);

    b->start = p;
    b->pos = p;
    b->last = p;
    b->end = p + body->size;

    return NGX_OK;
}
