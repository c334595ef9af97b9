
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_quota.h"
#include "ngx_http_mon_calm.h"


static ngx_mon_inline ngx_int_t ngx_http_mon_attempt_got(
    ngx_http_mon_attempt_t *a, ngx_peer_connection_t *pc, ngx_int_t rc,
    ngx_mon_series_t *s);
static ngx_mon_inline void ngx_http_mon_attempt_begin(
    ngx_http_mon_attempt_t *a, ngx_peer_connection_t *pc, ngx_uint_t reused,
    ngx_mon_series_t *s);
static ngx_int_t ngx_http_mon_attempt_output(void *data, ngx_chain_t *in);
static ngx_int_t ngx_http_mon_attempt_header(ngx_http_request_t *r);
static void ngx_http_mon_attempt_began(ngx_http_mon_attempt_t *a,
    uint64_t now);
static ngx_mon_inline void ngx_http_mon_attempt_answered(
    ngx_http_mon_attempt_t *a, uint64_t us);
static void ngx_http_mon_attempt_finalize(ngx_http_request_t *r,
    ngx_int_t rc);
static ngx_mon_inline ngx_int_t ngx_http_mon_attempt_over(
    ngx_http_mon_attempt_t *a, ngx_peer_connection_t *pc, ngx_uint_t state);
static ngx_int_t ngx_http_mon_attempt_failure(ngx_http_mon_attempt_t *a,
    ngx_peer_connection_t *pc, ngx_uint_t state);
static ngx_int_t ngx_http_mon_attempt_broken(ngx_http_mon_attempt_t *a,
    ngx_peer_connection_t *pc);
static ngx_uint_t ngx_http_mon_attempt_timedout(ngx_peer_connection_t *pc);


ngx_int_t
ngx_http_mon_attempt_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_mon_attempt_t  *a = data;

    ngx_int_t  rc;

    rc = ngx_http_mon_attempt_pick(a, pc);

    return ngx_http_mon_attempt_got(a, pc, rc, NULL);
}


ngx_int_t
ngx_http_mon_attempt_calm_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_mon_calm_t  *calm = data;

    ngx_int_t             rc;
    ngx_mon_series_t     *s;
    ngx_http_mon_call_t  *call;

    rc = ngx_http_mon_attempt_pick(&calm->attempt, pc);

    if (ngx_mon_likely(rc == NGX_OK || rc == NGX_DONE)) {
        s = ngx_http_mon_calm_chosen(calm, pc);

        return ngx_http_mon_attempt_got(&calm->attempt, pc, rc, s);
    }

    /* the balancer has nobody */

    call = ngx_http_mon_calm_end(calm);

    if (call) {
        return ngx_http_mon_attempt_call_get(pc, call);
    }

    return ngx_http_mon_attempt_got(&calm->attempt, pc, rc, NULL);
}


ngx_int_t
ngx_http_mon_attempt_limited_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_mon_calm_t  *calm = data;

    ngx_int_t  rc;

    rc = ngx_http_mon_attempt_calm_get(pc, calm);

    /* else it became a call, or nobody was chosen */

    if (ngx_mon_likely(calm->attempt.series != NULL)) {
        ngx_http_mon_quota_count(calm->attempt.origin->hook->quota,
                                 NGX_MON_QUOTA_PASSED);
    }

    return rc;
}


ngx_int_t
ngx_http_mon_attempt_call_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_mon_call_t  *call = data;

    ngx_int_t  rc;

    rc = ngx_http_mon_call_get(call, pc);

    return ngx_http_mon_attempt_got(&call->attempt, pc, rc, NULL);
}


static ngx_mon_inline ngx_int_t
ngx_http_mon_attempt_got(ngx_http_mon_attempt_t *a, ngx_peer_connection_t *pc,
    ngx_int_t rc, ngx_mon_series_t *s)
{
    ngx_http_upstream_t  *u;

    /* where the request was refused it may be at another one already */

    u = (ngx_http_upstream_t *) ((u_char *) pc
                                 - offsetof(ngx_http_upstream_t, peer));

    u->state->queue_time = NGX_HTTP_MON_RECORDED;

    /* NGX_DONE: with a connection from the cache */

    if ((rc == NGX_OK || rc == NGX_DONE) && pc->name) {
        ngx_http_mon_attempt_begin(a, pc, rc == NGX_DONE, s);
    }

    return rc;
}


void
ngx_http_mon_attempt_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_mon_attempt_t  *a = data;

    if (a->series) {
        (void) ngx_http_mon_attempt_over(a, pc, state);
    }

    ngx_http_mon_attempt_drop(a, pc, state);
}


void
ngx_http_mon_attempt_calm_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_mon_calm_t  *calm = data;

    ngx_http_mon_call_t     *call;
    ngx_http_mon_attempt_t  *a;

    a = &calm->attempt;

    if (ngx_mon_unlikely(state || !a->header || a->rc > NGX_OK
                         || a->status >= NGX_HTTP_BAD_REQUEST))
    {
        call = ngx_http_mon_calm_end(calm);

        if (call) {
            /* nginx frees so when it finalizes the request */
            call->finishing = (state == 0);

            ngx_http_mon_call_free(call, pc, state);
            return;
        }
    }

    if (a->series) {
        (void) ngx_http_mon_attempt_over(a, pc, state);
    }

    ngx_http_mon_attempt_drop(a, pc, state);
    ngx_http_mon_calm_good(calm);
}


void
ngx_http_mon_attempt_call_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_mon_call_free(data, pc, state);
}


/* s: the peer's series where it is known, or NULL */

static ngx_mon_inline void
ngx_http_mon_attempt_begin(ngx_http_mon_attempt_t *a,
    ngx_peer_connection_t *pc, ngx_uint_t reused, ngx_mon_series_t *s)
{
    ngx_http_upstream_t  *u;

    u = a->request->upstream;

    if (s == NULL) {
        s = ngx_http_mon_peer_series(a->origin->hook->upstream, pc->name);

        if (a->calm) {
            ngx_http_mon_calm_recorded((ngx_http_mon_calm_t *) a, s);
        }
    }

    s->refs++;
    ngx_mon_add(s, NGX_MON_PEER_IN_FLIGHT, 1);

    if (reused) {
        ngx_mon_add(s, NGX_MON_REUSED, 1);
    }

    a->series = s;
    a->status = 0;
    a->rc = NGX_OK;
    a->reused = reused;
    a->header = 0;
    a->invalid = 0;

    u->output.output_filter = ngx_http_mon_attempt_output;
    u->output.filter_ctx = a;

    ngx_http_mon_attempt_watch(a);

    a->start = ngx_mon_now();
}


/* reinit_request of some protocols sets process_header anew */

void
ngx_http_mon_attempt_watch(ngx_http_mon_attempt_t *a)
{
    ngx_http_upstream_t  *u;

    u = a->request->upstream;

    if (u->peer.data != a) {

        /* another module around ours hides the way to the attempt */

        return;
    }

    if (u->process_header != ngx_http_mon_attempt_header) {
        a->process_header = u->process_header;
        u->process_header = ngx_http_mon_attempt_header;
    }

    u->finalize_request = ngx_http_mon_attempt_finalize;
}


/* the first output: the peer is connected, and the TLS handshake done */

static ngx_int_t
ngx_http_mon_attempt_output(void *data, ngx_chain_t *in)
{
    ngx_http_mon_attempt_t  *a = data;

    ngx_http_upstream_t  *u;

    u = a->request->upstream;

    u->output.output_filter = a->origin->output_filter;
    u->output.filter_ctx = a->filter_ctx;

    if (a->series) {

        if (!a->reused) {
            ngx_mon_observe(a->series, NGX_MON_H_CONNECT,
                            ngx_mon_now() - a->start);
        }

        ngx_http_mon_attempt_watch(a);
    }

    return a->origin->output_filter(a->filter_ctx, in);
}


static ngx_int_t
ngx_http_mon_attempt_header(ngx_http_request_t *r)
{
    uint64_t                 now;
    ngx_int_t                rc;
    ngx_http_upstream_t     *u;
    ngx_http_mon_attempt_t  *a;

    u = r->upstream;
    a = u->peer.data;

    u->process_header = a->process_header;

    rc = a->process_header(r);

    if (a->series == NULL || a->header) {

        /* the header of a stale response, read from the cache */

        return rc;
    }

    if (rc == NGX_OK) {
        now = ngx_mon_now();

        ngx_http_mon_attempt_answered(a, now - a->start);

        if (a->guarded || a->limited) {
            ngx_http_mon_attempt_began(a, now);
        }

        return rc;
    }

    if (rc == NGX_HTTP_UPSTREAM_INVALID_HEADER
        || (rc == NGX_AGAIN && u->buffer.last == u->buffer.end))
    {
        a->invalid = 1;
    }

    ngx_http_mon_attempt_watch(a);

    return rc;
}


static void
ngx_http_mon_attempt_began(ngx_http_mon_attempt_t *a, uint64_t now)
{
    ngx_http_mon_call_t  *call;

    call = (ngx_http_mon_call_t *) a;

    if (a->limited) {

        /* a call decides whether there is a share for another attempt */

        call = (a->status >= NGX_HTTP_BAD_REQUEST)
               ? ngx_http_mon_calm_end((ngx_http_mon_calm_t *) a) : NULL;
    }

    if (call) {
        ngx_http_mon_call_header(call, now);
    }
}


static ngx_inline ngx_mon_child_t *
ngx_http_mon_attempt_child(ngx_mon_series_t *s, ngx_uint_t status)
{
    return &s->children[(status ^ (status >> 3)) % NGX_MON_CHILDREN];
}


/* of a status seen before: no more than the look-up in the series itself */

static ngx_inline void
ngx_http_mon_attempt_count(ngx_mon_series_t *s, ngx_uint_t status)
{
    ngx_mon_child_t  *child;

    child = ngx_http_mon_attempt_child(s, status);

    if (ngx_mon_likely(child->key == status && child->series)) {
        ngx_mon_add(child->series, NGX_MON_RESPONSES, 1);
        ngx_mon_stamp(child->series);
        return;
    }

    ngx_http_mon_attempt_response(s, status);
}


static ngx_mon_inline void
ngx_http_mon_attempt_answered(ngx_http_mon_attempt_t *a, uint64_t us)
{
    ngx_http_upstream_t  *u;

    u = a->request->upstream;

    a->header = 1;
    a->status = u->headers_in.status_n;

    if (a->status == 0) {

        /* HTTP/0.9 */

        a->status = u->state->status ? u->state->status : NGX_HTTP_OK;
    }

    ngx_mon_observe(a->series, NGX_MON_H_HEADER, us);
    ngx_http_mon_attempt_count(a->series, a->status);
}


void
ngx_http_mon_attempt_response(ngx_mon_series_t *s, ngx_uint_t status)
{
    u_char             buf[NGX_INT_T_LEN];
    ngx_str_t          value;
    ngx_mon_child_t   *child;
    ngx_mon_series_t  *c;

    value.data = buf;
    value.len = ngx_sprintf(buf, "%03ui", status) - buf;

    c = ngx_mon_get(NGX_MON_G_ATTEMPT, s, NULL, &value, 1, 0);

    if (c->overflow == NULL) {
        child = ngx_http_mon_attempt_child(s, status);
        child->key = status;
        child->series = c;
    }

    ngx_mon_add(c, NGX_MON_RESPONSES, 1);
    ngx_mon_touch(c);
}


/* called before free, with what became of the response */

static void
ngx_http_mon_attempt_finalize(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_upstream_t     *u;
    ngx_http_mon_attempt_t  *a;

    u = r->upstream;
    a = u->peer.data;

    if (a->guarded) {
        ngx_http_mon_call_finish((ngx_http_mon_call_t *) a, r, rc);
        return;
    }

    a->rc = (short) rc;

    a->origin->finalize_request(r, rc);
}


ngx_int_t
ngx_http_mon_attempt_end(ngx_http_mon_attempt_t *a, ngx_peer_connection_t *pc,
    ngx_uint_t state)
{
    return ngx_http_mon_attempt_over(a, pc, state);
}


static ngx_mon_inline ngx_int_t
ngx_http_mon_attempt_over(ngx_http_mon_attempt_t *a, ngx_peer_connection_t *pc,
    ngx_uint_t state)
{
    uint64_t             *cells;
    ngx_int_t             failure;
    ngx_uint_t            shared;
    ngx_mon_series_t     *s;
    ngx_http_upstream_t  *u;

    s = a->series;
    u = a->request->upstream;
    cells = s->cells;
    shared = s->shared;

    if (!a->header && u->state->header_time != (ngx_msec_t) -1) {

        /* a header that came another way: nginx's clock must do */

        ngx_http_mon_attempt_answered(a, u->state->header_time * 1000);
    }

    /* a tunnel's time is no latency */

    if (a->header && !u->upgrade) {
        ngx_mon_observe(s, NGX_MON_H_RESPONSE, ngx_mon_now() - a->start);
    }

    failure = NGX_DECLINED;

    if (ngx_mon_unlikely(state || !a->header || a->rc > NGX_OK
                         || a->status >= NGX_HTTP_INTERNAL_SERVER_ERROR))
    {
        failure = ngx_http_mon_attempt_failure(a, pc, state);

        if (failure != NGX_DECLINED) {
            ngx_mon_cell_add(&cells[NGX_MON_FAILURES + failure], 1, shared);
        }
    }

    ngx_mon_cell_add(&cells[NGX_MON_SENT_BYTES], u->state->bytes_sent,
                     shared);
    ngx_mon_cell_add(&cells[NGX_MON_RECEIVED_BYTES], u->state->bytes_received,
                     shared);
    ngx_mon_cell_add(&cells[NGX_MON_PEER_IN_FLIGHT], (uint64_t) -1, shared);

    ngx_mon_touch(s);

    s->refs--;
    a->series = NULL;

    return failure;
}


/*
 * NGX_MON_FAILURE_*, or NGX_DECLINED: no failure, or no verdict, as when the
 * client left before the peer answered.
 */

static ngx_int_t
ngx_http_mon_attempt_failure(ngx_http_mon_attempt_t *a,
    ngx_peer_connection_t *pc, ngx_uint_t state)
{
    if (!a->header) {

        if (!(state & NGX_PEER_FAILED)) {

            /* ended from outside: by the client, or by a deadline */

            return ngx_http_mon_attempt_timedout(pc) ? NGX_MON_FAILURE_TIMEOUT
                                                     : NGX_DECLINED;
        }

        if (a->invalid) {
            return NGX_MON_FAILURE_INVALID_HEADER;
        }

        return ngx_http_mon_attempt_timedout(pc) ? NGX_MON_FAILURE_TIMEOUT
                                                 : NGX_MON_FAILURE_ERROR;
    }

    if (a->status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return ngx_http_mon_attempt_5xx(a->status);
    }

    if (state & (NGX_PEER_FAILED|NGX_PEER_NEXT)) {

        /* proxy_next_upstream calls it one */

        return (a->status == NGX_HTTP_TOO_MANY_REQUESTS)
               ? NGX_MON_FAILURE_429 : NGX_MON_FAILURE_4XX;
    }

    return ngx_http_mon_attempt_broken(a, pc);
}


/* a body that did not come to its end */

static ngx_int_t
ngx_http_mon_attempt_broken(ngx_http_mon_attempt_t *a,
    ngx_peer_connection_t *pc)
{
    if (a->request->upstream->upgrade) {
        return NGX_DECLINED;
    }

    if (a->rc == NGX_HTTP_GATEWAY_TIME_OUT) {
        return NGX_MON_FAILURE_TIMEOUT;
    }

    if (a->rc == NGX_HTTP_BAD_GATEWAY) {
        return ngx_http_mon_attempt_timedout(pc) ? NGX_MON_FAILURE_TIMEOUT
                                                 : NGX_MON_FAILURE_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_mon_attempt_timedout(ngx_peer_connection_t *pc)
{
    ngx_connection_t  *c;

    c = pc->connection;

    return c && (c->read->timedout || c->write->timedout);
}
