
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_breaker.h"
#include "ngx_http_mon_seat.h"


static ngx_inline ngx_int_t ngx_http_mon_call_peer(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);
static void ngx_http_mon_call_next(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc, ngx_uint_t state);


ngx_int_t
ngx_http_mon_call_begin(ngx_http_mon_call_t *call)
{
    ngx_int_t             rc;
    ngx_http_mon_hook_t  *hook;

    hook = call->attempt.origin->hook;

    ngx_memzero((u_char *) call + sizeof(ngx_http_mon_attempt_t),
                sizeof(ngx_http_mon_call_t) - sizeof(ngx_http_mon_attempt_t));

    call->verdict = NGX_HTTP_MON_ON_ERROR;

    ngx_http_mon_attempt_watch(&call->attempt);

    switch (ngx_http_mon_breaker_enter(call)) {

    case NGX_OK:
        call->entered = 1;
        break;

    case NGX_BUSY:
        call->refused = 1;
        return NGX_OK;

    default: /* NGX_DONE */
        return NGX_ERROR;
    }

    if (hook->quota) {
        rc = ngx_http_mon_quota_enter(call);

        if (rc != NGX_OK) {
            call->refused = (rc == NGX_BUSY);
            return call->refused ? NGX_OK : NGX_ERROR;
        }
    }

    if (hook->gate) {
        ngx_http_mon_gate_init(call);
    }

    if (ngx_http_mon_retry_init(call) != NGX_OK) {
        ngx_http_mon_call_leave(call);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mon_call_get(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_int_t                rc;
    ngx_http_mon_attempt_t  *a;

    a = &call->attempt;

    if (call->refused) {

        /* nginx looks for a stale answer and logs nothing */

        pc->name = &a->origin->hook->uscf->host;
        pc->tries = 0;

        return NGX_DECLINED;
    }

    if (call->retrial) {
        rc = ngx_http_mon_retry_get(call, pc);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return call->charge ? ngx_http_mon_quota_get(call, pc)
                        : ngx_http_mon_call_choose(call, pc);
}


ngx_int_t
ngx_http_mon_call_choose(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_int_t  rc;

    rc = ngx_http_mon_call_peer(call, pc);

    if (rc == NGX_BUSY && call->retrial
        && ngx_http_mon_retry_busy(call, pc) == NGX_OK)
    {
        rc = ngx_http_mon_call_peer(call, pc);
    }

    return rc;
}


static ngx_inline ngx_int_t
ngx_http_mon_call_peer(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_http_mon_attempt_t  *a;

    a = &call->attempt;

    return a->origin->hook->gate ? ngx_http_mon_gate_get(call, pc)
                                 : ngx_http_mon_attempt_pick(a, pc);
}


void
ngx_http_mon_call_free(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc,
    ngx_uint_t state)
{
    ngx_int_t                failure;
    ngx_http_mon_attempt_t  *a;

    a = &call->attempt;

    if (call->retrial && ngx_http_mon_retry_waits(call)) {

        ngx_http_mon_retry_free(call, pc);

        if (call->finishing) {
            ngx_http_mon_call_leave(call);
        }

        return;
    }

    if (a->series) {

        if (call->start == 0) {
            call->start = a->start;
        }

        failure = ngx_http_mon_attempt_end(a, pc, state);

        call->verdict = ngx_http_mon_verdict(a->header ? a->status : 0,
                                             failure);
    }

    if (call->charge) {
        ngx_http_mon_quota_free(call, pc);
    }

    ngx_http_mon_attempt_drop(a, pc, state);

    if (a->origin->hook->gate) {
        ngx_http_mon_gate_end(call);
    }

    if (call->finishing || a->request->upstream->peer.data != a) {
        ngx_http_mon_call_leave(call);
        return;
    }

    ngx_http_mon_call_next(call, pc, state);
}


/* another attempt may follow */

static void
ngx_http_mon_call_next(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc,
    ngx_uint_t state)
{
    call->header = 0;

    if (call->retrial) {
        ngx_http_mon_retry_end(call, pc, state);
        return;
    }

    /* an error at a cached connection adds a try */

    if ((pc->tries || pc->cached)
        && ngx_http_mon_breaker_again(call) != NGX_OK)
    {
        pc->tries = 0;
        pc->cached = 0;
    }

    if (call->charge) {
        ngx_http_mon_quota_end(call, pc);
    }
}


void
ngx_http_mon_call_header(ngx_http_mon_call_t *call, uint64_t now)
{
    call->header = now;

    if (call->start == 0) {
        call->start = call->attempt.start;
    }

    if (ngx_mon_unlikely(call->probing)) {
        ngx_http_mon_breaker_began(call);
    }

    if (call->trial) {
        ngx_http_mon_gate_header(call);
    }

    if (call->counted) {
        ngx_http_mon_retry_header(call, &call->attempt.request->upstream->peer);
    }

    if (call->charge && call->retrial == NULL) {
        ngx_http_mon_quota_header(call, &call->attempt.request->upstream->peer);
    }
}


void
ngx_http_mon_call_finish(ngx_http_mon_call_t *call, ngx_http_request_t *r,
    ngx_int_t rc)
{
    ngx_uint_t               waits;
    ngx_http_upstream_t     *u;
    ngx_http_mon_attempt_t  *a;

    a = &call->attempt;
    u = a->request->upstream;

    a->rc = (short) rc;
    call->finishing = 1;

    waits = call->retrial && ngx_http_mon_retry_waits(call);

    if ((u->peer.sockaddr == NULL || waits)
        && (rc == NGX_HTTP_CLIENT_CLOSED_REQUEST || rc == NGX_DONE))
    {
        call->verdict = NGX_HTTP_MON_NO_VERDICT;
    }

    if (u->peer.sockaddr == NULL) {

        /* no free will come: the last attempt is over, or there was none */

        ngx_http_mon_call_leave(call);
    }

    a->origin->finalize_request(r, rc);
}


void
ngx_http_mon_call_leave(ngx_http_mon_call_t *call)
{
    if (call->left) {
        return;
    }

    call->left = 1;

    if (call->entered) {
        ngx_http_mon_breaker_leave(call);
    }

    if (call->counted) {
        ngx_http_mon_retry_leave(call);
    }

    if (call->charge) {
        ngx_http_mon_quota_leave(call);
    }
}
