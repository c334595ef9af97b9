
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_breaker.h"


/*
 * A client may choose the host: past so many the rest is "other".  A host
 * that was not seen for so long, milliseconds, gives its place away.
 */
#define NGX_HTTP_MON_HOSTS      100
#define NGX_HTTP_MON_HOST_IDLE  3600000


typedef struct {
    u_char      name[NGX_MON_LABEL_LEN];
    size_t      len;
    ngx_msec_t  seen;
} ngx_http_mon_host_t;


static ngx_uint_t ngx_http_mon_state_pending(ngx_http_request_t *r);
static ngx_uint_t ngx_http_mon_state_unresolved(ngx_http_request_t *r);
static void ngx_http_mon_state_answered(ngx_http_request_t *r);
static void ngx_http_mon_state_cleanup(void *data);
static void ngx_http_mon_state_walk(ngx_http_request_t *r);
static void ngx_http_mon_state_verdict(ngx_http_request_t *r);
static ngx_mon_series_t *ngx_http_mon_state_series(ngx_http_upstream_t *u,
    ngx_str_t *peer);
static ngx_uint_t ngx_http_mon_state_admit(ngx_str_t *label);
static void ngx_http_mon_state_record(ngx_mon_series_t *s,
    ngx_http_upstream_state_t *st);
static ngx_int_t ngx_http_mon_state_failure(ngx_http_upstream_state_t *st);


static ngx_http_mon_host_t  ngx_http_mon_hosts[NGX_HTTP_MON_HOSTS];
static ngx_uint_t           ngx_http_mon_nhosts;


void
ngx_http_mon_state_follow(ngx_http_request_t *r, ngx_uint_t when)
{
    ngx_pool_cleanup_t  *cln;

    if (!ngx_http_mon_state_pending(r)) {

        if (when != NGX_MON_ANSWERED && ngx_http_mon_state_unresolved(r)) {
            ngx_http_mon_breaker_followed(r, NGX_HTTP_MON_ON_ERROR, 0);
        }

        return;
    }

    if (when == NGX_MON_LOGGED
        || (when == NGX_MON_REDIRECTED && r->upstream->cleanup == NULL))
    {
        ngx_http_mon_state_walk(r);
        return;
    }

    if (when == NGX_MON_ANSWERED) {
        ngx_http_mon_state_answered(r);
    }

    if (when == NGX_MON_REDIRECTED || r == r->main) {
        return;
    }

    /* subrequests reach no log phase */

    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (cln) {
        cln->handler = ngx_http_mon_state_cleanup;
        cln->data = r;
    }
}


/* what goes on from here, a tunnel maybe, is no matter of the circuit */

static void
ngx_http_mon_state_answered(ngx_http_request_t *r)
{
    ngx_http_upstream_t        *u;
    ngx_http_upstream_state_t  *st;

    u = r->upstream;
    st = u->state;

    if (st && st->header_time != (ngx_msec_t) -1) {
        ngx_http_mon_breaker_answered(r,
            ngx_http_mon_verdict(st->status, ngx_http_mon_state_failure(st)),
            (uint64_t) (ngx_current_msec - u->peer.start_time) * 1000);
    }
}


static void
ngx_http_mon_state_cleanup(void *data)
{
    ngx_http_request_t  *sr = data;

    if (ngx_http_mon_state_pending(sr)) {
        ngx_http_mon_state_walk(sr);
    }
}


/* whether the upstream is not hooked, and its last attempt not recorded */

static ngx_uint_t
ngx_http_mon_state_pending(ngx_http_request_t *r)
{
    ngx_http_upstream_t        *u;
    ngx_http_upstream_state_t  *st;

    u = r->upstream;

    if (u->resolved == NULL || u->upstream || !ngx_mon_active
        || r->upstream_states == NULL || r->upstream_states->nelts == 0)
    {
        return 0;
    }

    st = r->upstream_states->elts;

    return st[r->upstream_states->nelts - 1].queue_time
           != NGX_HTTP_MON_RECORDED;
}


/* whether it had no attempt because the name could not be resolved */

static ngx_uint_t
ngx_http_mon_state_unresolved(ngx_http_request_t *r)
{
    return r->upstream->resolved && r->upstream->state == NULL
           && (r->err_status == NGX_HTTP_BAD_GATEWAY
               || r->headers_out.status == NGX_HTTP_BAD_GATEWAY);
}


static void
ngx_http_mon_state_walk(ngx_http_request_t *r)
{
    ngx_uint_t                  i;
    ngx_http_upstream_state_t  *st;

    st = r->upstream_states->elts;

    for (i = 0; i < r->upstream_states->nelts; i++) {

        if (st[i].queue_time == NGX_HTTP_MON_RECORDED) {
            continue;
        }

        st[i].queue_time = NGX_HTTP_MON_RECORDED;

        /* NULL parts two upstreams, or no socket was had */

        if (st[i].peer) {
            ngx_http_mon_state_record(
                ngx_http_mon_state_series(r->upstream, st[i].peer), &st[i]);
        }
    }

    ngx_http_mon_state_verdict(r);
}


/* of the last attempt, after the time that all took to the header */

static void
ngx_http_mon_state_verdict(ngx_http_request_t *r)
{
    ngx_msec_t                  ms;
    ngx_uint_t                  n, status;
    ngx_http_upstream_state_t  *st;

    n = r->upstream_states->nelts;
    st = r->upstream_states->elts;

    for (ms = 0; n > 1; n--, st++) {

        if (st->peer) {
            ms += st->response_time;
        }
    }

    status = 0;

    if (st->header_time != (ngx_msec_t) -1) {
        status = st->status;
        ms += st->header_time;

    } else if (st->response_time != (ngx_msec_t) -1) {
        ms += st->response_time;
    }

    ngx_http_mon_breaker_followed(r,
        ngx_http_mon_verdict(status, ngx_http_mon_state_failure(st)),
        (uint64_t) ms * 1000);
}


static ngx_mon_series_t *
ngx_http_mon_state_series(ngx_http_upstream_t *u, ngx_str_t *peer)
{
    u_char                         buf[NGX_MON_LABEL_LEN], *last;
    ngx_str_t                      values[2];
    ngx_http_upstream_resolved_t  *ur;

    ur = u->resolved;
    last = buf + NGX_MON_LABEL_LEN;

    values[0].data = buf;

    if (ur->sockaddr && ur->sockaddr->sa_family == AF_UNIX) {
        last = ngx_slprintf(buf, last, "unix:%V", &ur->host);

    } else if (ur->no_port) {
        last = ngx_slprintf(buf, last, "%V", &ur->host);

    } else {
        last = ngx_slprintf(buf, last, "%V:%d", &ur->host, (int) ur->port);
    }

    values[0].len = last - buf;
    values[1] = *peer;

    if (!ngx_http_mon_state_admit(&values[0])) {
        return ngx_mon_other(NGX_MON_G_UPSTREAM);
    }

    return ngx_mon_get(NGX_MON_G_UPSTREAM, NULL, NULL, values, 2, 0);
}


static ngx_uint_t
ngx_http_mon_state_admit(ngx_str_t *label)
{
    ngx_uint_t            i;
    ngx_http_mon_host_t  *h, *old;

    old = NULL;

    for (i = 0; i < ngx_http_mon_nhosts; i++) {
        h = &ngx_http_mon_hosts[i];

        if (h->len == label->len
            && ngx_memcmp(h->name, label->data, label->len) == 0)
        {
            h->seen = ngx_current_msec;
            return 1;
        }

        if (ngx_current_msec - h->seen > NGX_HTTP_MON_HOST_IDLE) {
            old = h;
        }
    }

    if (old == NULL) {

        if (ngx_http_mon_nhosts == NGX_HTTP_MON_HOSTS) {
            return 0;
        }

        old = &ngx_http_mon_hosts[ngx_http_mon_nhosts++];
    }

    old->len = label->len;
    ngx_memcpy(old->name, label->data, label->len);
    old->seen = ngx_current_msec;

    return 1;
}


/* by nginx's clock, of milliseconds */

static void
ngx_http_mon_state_record(ngx_mon_series_t *s, ngx_http_upstream_state_t *st)
{
    ngx_int_t  failure;

    /* a connection that was refused has a connect time, too */

    if (st->bytes_sent && st->connect_time != (ngx_msec_t) -1) {
        ngx_mon_observe(s, NGX_MON_H_CONNECT, st->connect_time * 1000);
    }

    if (st->header_time != (ngx_msec_t) -1) {
        ngx_mon_observe(s, NGX_MON_H_HEADER, st->header_time * 1000);
        ngx_http_mon_attempt_response(s, st->status);

        if (st->status != NGX_HTTP_SWITCHING_PROTOCOLS) {
            ngx_mon_observe(s, NGX_MON_H_RESPONSE, st->response_time * 1000);
        }
    }

    failure = ngx_http_mon_state_failure(st);

    if (failure != NGX_DECLINED) {
        ngx_mon_add(s, NGX_MON_FAILURES + failure, 1);
    }

    ngx_mon_add(s, NGX_MON_SENT_BYTES, st->bytes_sent);
    ngx_mon_add(s, NGX_MON_RECEIVED_BYTES, st->bytes_received);
    ngx_mon_touch(s);
}


static ngx_int_t
ngx_http_mon_state_failure(ngx_http_upstream_state_t *st)
{
    if (st->header_time != (ngx_msec_t) -1) {
        return ngx_http_mon_attempt_5xx(st->status);
    }

    /* nginx's own status; 0: the client left */

    switch (st->status) {

    case 0:
        return NGX_DECLINED;

    case NGX_HTTP_GATEWAY_TIME_OUT:
        return NGX_MON_FAILURE_TIMEOUT;

    default:
        return NGX_MON_FAILURE_ERROR;
    }
}


ngx_int_t
ngx_http_mon_attempt_5xx(ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_INTERNAL_SERVER_ERROR:
        return NGX_MON_FAILURE_500;

    case NGX_HTTP_BAD_GATEWAY:
        return NGX_MON_FAILURE_502;

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return NGX_MON_FAILURE_503;

    case NGX_HTTP_GATEWAY_TIME_OUT:
        return NGX_MON_FAILURE_504;

    default:
        return (status >= NGX_HTTP_INTERNAL_SERVER_ERROR)
               ? NGX_MON_FAILURE_5XX : NGX_DECLINED;
    }
}
