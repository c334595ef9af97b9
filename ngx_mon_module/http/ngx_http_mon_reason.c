
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon.h"


#define NGX_HTTP_MON_LIMIT_REQ_REJECTED   3
#define NGX_HTTP_MON_LIMIT_CONN_REJECTED  2


static ngx_uint_t ngx_http_mon_bad_request(ngx_http_request_t *r);
static ngx_uint_t ngx_http_mon_upstream_reason(ngx_http_request_t *r,
    ngx_uint_t status);


/* statuses with one reason, whatever happened */

static struct {
    ngx_uint_t  status;
    ngx_uint_t  reason;
} ngx_http_mon_reasons[] = {
    { 408, NGX_MON_ERROR_REQUEST_TIMEOUT },
    { 413, NGX_MON_ERROR_TOO_LARGE },
    { 414, NGX_MON_ERROR_TOO_LARGE },
    { 431, NGX_MON_ERROR_TOO_LARGE },
    { 494, NGX_MON_ERROR_TOO_LARGE },
    { 495, NGX_MON_ERROR_BAD_REQUEST },
    { 496, NGX_MON_ERROR_BAD_REQUEST },
    { 497, NGX_MON_ERROR_BAD_REQUEST },
    { 499, NGX_MON_ERROR_CLIENT_ABORT },
    { 505, NGX_MON_ERROR_BAD_REQUEST },
    { 0, NGX_MON_ERROR_N }
};


ngx_uint_t
ngx_http_mon_reason(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t  i, reason;

    reason = ngx_mon_reason(r, status);

    if (reason < NGX_MON_ERROR_N) {
        return reason;
    }

    if (r->limit_req_status == NGX_HTTP_MON_LIMIT_REQ_REJECTED
        || r->limit_conn_status == NGX_HTTP_MON_LIMIT_CONN_REJECTED)
    {
        return NGX_MON_ERROR_LIMITED;
    }

    if (status == NGX_HTTP_BAD_REQUEST) {
        return ngx_http_mon_bad_request(r);
    }

    for (i = 0; ngx_http_mon_reasons[i].status; i++) {
        if (ngx_http_mon_reasons[i].status == status) {
            return ngx_http_mon_reasons[i].reason;
        }
    }

    if (status < NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return NGX_MON_ERROR_N;
    }

    return ngx_http_mon_upstream_reason(r, status);
}


/*
 * nginx turns 494 into 400 before anyone can see it, and leaves the mark that
 * what is still to be read must be, on a request whose header is not whole.
 */

static ngx_uint_t
ngx_http_mon_bad_request(ngx_http_request_t *r)
{
    if (r->http_state == NGX_HTTP_READING_REQUEST_STATE
        && r->lingering_close)
    {
        return NGX_MON_ERROR_TOO_LARGE;
    }

    return NGX_MON_ERROR_BAD_REQUEST;
}


static ngx_uint_t
ngx_http_mon_upstream_reason(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_http_upstream_t        *u;
    ngx_http_upstream_state_t  *state;

    u = r->upstream;

    if (u == NULL) {
        return NGX_MON_ERROR_INTERNAL;
    }

    state = u->state;

    if (state == NULL || r->upstream_states == NULL) {
        /* its name was not resolved */
        return (status == NGX_HTTP_BAD_GATEWAY) ? NGX_MON_ERROR_UPSTREAM
                                                : NGX_MON_ERROR_INTERNAL;
    }

    /* one that the peer sent came with a header */

    if (status == NGX_HTTP_GATEWAY_TIME_OUT
        && state->header_time == (ngx_msec_t) -1)
    {
        return NGX_MON_ERROR_UPSTREAM_TIMEOUT;
    }

    /* a balancer that has no peer to give gives the name of the upstream */

    if (status == NGX_HTTP_BAD_GATEWAY && u->upstream
        && u->upstream->srv_conf && state->peer
        && state->peer->len == u->upstream->host.len
        && ngx_strncmp(state->peer->data, u->upstream->host.data,
                       state->peer->len)
           == 0)
    {
        return NGX_MON_ERROR_NO_LIVE_UPSTREAM;
    }

    if (status == NGX_HTTP_BAD_GATEWAY || state->status == status) {
        return NGX_MON_ERROR_UPSTREAM;
    }

    return NGX_MON_ERROR_INTERNAL;
}
