
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_deadline.h"


/* called for a request and the subrequests that it waits for */
typedef void (*ngx_http_mon_deadline_pt)(ngx_http_request_t *r, void *data);


typedef struct {
    ngx_http_event_handler_pt  wake;
    ngx_uint_t                 busy;
} ngx_http_mon_deadline_busy_t;


static void ngx_http_mon_deadline_each(ngx_http_request_t *r,
    ngx_http_mon_deadline_pt handler, void *data);
static void ngx_http_mon_deadline_below(ngx_http_request_t *r,
    ngx_http_mon_deadline_pt handler, void *data);
static ngx_uint_t ngx_http_mon_deadline_listed(ngx_http_request_t *r);
static void ngx_http_mon_deadline_aio(ngx_http_request_t *r, void *data);
static void ngx_http_mon_deadline_action(ngx_http_request_t *r);
static void ngx_http_mon_deadline_stop_one(ngx_http_request_t *r, void *data);
static void ngx_http_mon_deadline_blame(ngx_http_request_t *r,
    ngx_msec_t time);
static ngx_int_t ngx_http_mon_deadline_unsend(ngx_http_request_t *r);
static void ngx_http_mon_deadline_body(ngx_http_request_t *r);
static void ngx_http_mon_deadline_header(ngx_http_request_t *r);


/*
 * The main request and each subrequest that it can't end without, once.  A
 * subrequest whose output has come to its turn is no longer in the list of its
 * parent, but then it is c->data or an ancestor of that.
 */

static void
ngx_http_mon_deadline_each(ngx_http_request_t *r,
    ngx_http_mon_deadline_pt handler, void *data)
{
    ngx_http_request_t  *sr, *parent;

    for (sr = r->connection->data; sr != r; sr = parent) {
        parent = sr->parent;

        if (!ngx_http_mon_deadline_listed(sr)) {
            ngx_http_mon_deadline_below(sr, handler, data);
        }
    }

    ngx_http_mon_deadline_below(r, handler, data);
}


static void
ngx_http_mon_deadline_below(ngx_http_request_t *r,
    ngx_http_mon_deadline_pt handler, void *data)
{
    ngx_http_postponed_request_t  *pr;

    for (pr = r->postponed; pr; pr = pr->next) {
        if (pr->request) {
            ngx_http_mon_deadline_below(pr->request, handler, data);
        }
    }

    handler(r, data);
}


static ngx_uint_t
ngx_http_mon_deadline_listed(ngx_http_request_t *r)
{
    ngx_http_postponed_request_t  *pr;

    for (pr = r->parent->postponed; pr; pr = pr->next) {
        if (pr->request == r) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_mon_deadline_busy(ngx_http_request_t *r,
    ngx_http_event_handler_pt wake)
{
    ngx_http_mon_deadline_busy_t  ctx;

    ctx.wake = wake;
    ctx.busy = 0;

    ngx_http_mon_deadline_each(r, ngx_http_mon_deadline_aio, &ctx);

    return ctx.busy;
}


static void
ngx_http_mon_deadline_aio(ngx_http_request_t *r, void *data)
{
    ngx_http_mon_deadline_busy_t  *ctx = data;

    if (r->aio) {
        r->write_event_handler = ctx->wake;
        ctx->busy = 1;
    }
}


void
ngx_http_mon_deadline_log(ngx_http_request_t *r, ngx_msec_t time)
{
    ngx_uint_t         level;
    ngx_event_t       *wev;
    ngx_connection_t  *c;

    c = r->connection;
    wev = c->write;

    /* the subrequest in progress is named, and its upstream */

    ngx_http_set_log_request(c->log, (ngx_http_request_t *) c->data);

    if (!r->header_sent) {
        ngx_http_mon_deadline_action(c->data);
    }

    /* as nginx does: its own timers are set where it waits for the client */

    level = (c->read->timer_set || (wev->timer_set && !wev->delayed))
            ? NGX_LOG_INFO : NGX_LOG_WARN;

    ngx_log_error(level, c->log, 0, "deadline of %Mms exceeded", time);

    ngx_http_set_log_request(c->log, r);
}


/* what nginx does not say by itself */

static void
ngx_http_mon_deadline_action(ngx_http_request_t *r)
{
    ngx_connection_t     *c;
    ngx_http_upstream_t  *u;

    c = r->connection;
    u = r->upstream;

    if (c->write->delayed) {
        c->log->action = "delaying request";

    } else if (c->read->timer_set) {
        c->log->action = "reading client request body";

#if (NGX_HTTP_CACHE)
    } else if (r->cache && r->cache->wait_event.timer_set) {
        c->log->action = "waiting for cache lock";
#endif

    } else if (u == NULL || u->cleanup == NULL) {
        return;

    } else if (u->resolved && u->resolved->ctx) {
        c->log->action = "resolving upstream";

    } else if (u->request_body_sent && u->peer.connection && !u->header_sent)
    {
        c->log->action = "reading response header from upstream";
    }
}


void
ngx_http_mon_deadline_stop(ngx_http_request_t *r, ngx_msec_t time)
{
    ngx_connection_t  *c;

    ngx_http_mon_deadline_each(r, ngx_http_mon_deadline_stop_one, &time);

    c = r->connection;
    c->data = r;

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_block_reading;

        if (c->read->timer_set) {
            ngx_del_timer(c->read);
        }
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    c->write->delayed = 0;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }
}


static void
ngx_http_mon_deadline_stop_one(ngx_http_request_t *r, void *data)
{
    ngx_msec_t  *time = data;

#if (NGX_HTTP_CACHE)

    /* it waits for another request that fills the cache */

    if (r->cache && r->cache->wait_event.timer_set) {
        ngx_del_timer(&r->cache->wait_event);
        r->cache->waiting = 0;
        r->main->blocked--;
    }

#endif

    if (r->upstream && r->upstream->cleanup) {
        ngx_http_mon_deadline_blame(r, *time);

        /* it ends with NGX_DONE, and so with a reference */

        r->main->count++;
        (*r->upstream->cleanup)(r);
    }

    r->postponed = NULL;

    if (r != r->main) {
        r->read_event_handler = ngx_http_request_empty_handler;
        r->write_event_handler = ngx_http_request_empty_handler;
        r->main->count--;
    }
}


/*
 * A peer that kept the request waiting for half of its time or longer has
 * timed out: what protects the upstream learns it by this mark.
 */

static void
ngx_http_mon_deadline_blame(ngx_http_request_t *r, ngx_msec_t time)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u->peer.connection == NULL || u->header_sent) {
        return;
    }

    if (r->reading_body && !u->request_body_blocked) {
        /* it waits for the client */
        return;
    }

    if (ngx_current_msec - u->start_time >= time / 2) {
        u->peer.connection->read->timedout = 1;
    }
}


void
ngx_http_mon_deadline_end(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (c->error) {
        ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
        return;
    }

    if (r->header_sent && ngx_http_mon_deadline_unsend(r) != NGX_OK) {
        c->error = 1;
        c->timedout = 1;

#if (NGX_HTTP_V2)
        /* it would tell the client of an error in the protocol */
        c->timedout = (r->stream == NULL);
#endif

    } else {
        ngx_http_mon_deadline_body(r);
        ngx_http_mon_deadline_header(r);
    }

    ngx_http_finalize_request(r, NGX_HTTP_GATEWAY_TIME_OUT);
}


/*
 * A small part of a response stays in nginx until more comes.  As long as
 * that is all of it, it can be taken back, with all that filters know of it.
 */

static ngx_int_t
ngx_http_mon_deadline_unsend(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (c->sent || (c->buffered & NGX_LOWLEVEL_BUFFERED)
        || r->http_version >= NGX_HTTP_VERSION_20)
    {
        return NGX_DECLINED;
    }

    ngx_http_clean_header(r);

    r->out = NULL;
    r->buffered = 0;
    r->header_sent = 0;
    r->header_only = (r->method == NGX_HTTP_HEAD);
    r->chunked = 0;

    c->buffered &= ~NGX_HTTP_WRITE_BUFFERED;

    /* as after a redirect: who needs its context searches it */

    ngx_memzero(r->ctx, sizeof(void *) * ngx_http_max_module);
    r->internal = 1;

    return NGX_OK;
}


/*
 * A request body that is not whole goes nowhere: for an error page there is
 * none, and the connection is not used again.  Nor has an error page one that
 * was on disk, once nginx has closed the file as the response began.
 */

static void
ngx_http_mon_deadline_body(ngx_http_request_t *r)
{
    ngx_uint_t                whole;
    ngx_http_request_body_t  *rb;

    rb = r->request_body;

    if (rb == NULL || rb->post_handler == NULL) {
        /* none, or discarded, which may go on */
        return;
    }

    whole = rb->rest < 0 || (rb->rest == 0 && rb->last_saved);

    if (whole && !(rb->temp_file
                   && rb->temp_file->file.fd == NGX_INVALID_FILE))
    {
        return;
    }

    rb->bufs = NULL;

    r->headers_in.content_length = NULL;
    r->headers_in.content_length_n = -1;
    r->headers_in.chunked = 0;

    if (whole) {
        return;
    }

#if (NGX_HTTP_V2)

    if (r->stream) {
        r->stream->skip_data = 1;
    }

#endif

    r->keepalive = 0;
    r->lingering_close = 1;
}


/* a filter may hold the header of a response that will not be sent */

static void
ngx_http_mon_deadline_header(ngx_http_request_t *r)
{
    if (r->upstream && r->upstream->header_sent) {
        ngx_http_clean_header(r);
    }
}
