
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_deadline.h"
#include "ngx_http_mon_retry.h"
#include "ngx_http_mon_seat.h"
#include "ngx_mon_retry.h"


/* methods that nginx does not repeat without being told so */
#define NGX_HTTP_MON_RETRY_METHODS                                            \
    (NGX_HTTP_POST|NGX_HTTP_LOCK|NGX_HTTP_PATCH)

/* all that nginx may go on for once a retry was granted */
#define NGX_HTTP_MON_RETRY_NEXT                                               \
    (NGX_HTTP_UPSTREAM_FT_ERROR|NGX_HTTP_UPSTREAM_FT_TIMEOUT                  \
     |NGX_HTTP_UPSTREAM_FT_INVALID_HEADER|NGX_HTTP_UPSTREAM_FT_STATUS         \
     |NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT)


static ngx_mon_series_t *ngx_http_mon_retry_series(ngx_http_mon_hook_t *hook);
static ngx_uint_t ngx_http_mon_retry_refused(ngx_http_mon_call_t *call);
static void ngx_http_mon_retry_tunnel(ngx_http_mon_call_t *call);
static ngx_int_t ngx_http_mon_retry_decide(ngx_http_mon_call_t *call,
    ngx_uint_t verdict, ngx_uint_t tries);
static ngx_int_t ngx_http_mon_retry_wanted(ngx_http_mon_call_t *call,
    ngx_uint_t verdict, ngx_uint_t tries);
static ngx_int_t ngx_http_mon_retry_grant(ngx_http_mon_call_t *call);
static ngx_int_t ngx_http_mon_retry_reserve(ngx_http_mon_call_t *call);
static void ngx_http_mon_retry_release(ngx_http_mon_call_t *call);
static void ngx_http_mon_retry_settle(ngx_http_mon_call_t *call,
    ngx_uint_t outcome);
static ngx_uint_t ngx_http_mon_retry_outcome(ngx_http_mon_call_t *call);


static const struct {
    ngx_uint_t  verdict;
    ngx_uint_t  next;
} ngx_http_mon_retry_nexts[] = {
    { NGX_HTTP_MON_ON_ERROR, NGX_HTTP_UPSTREAM_FT_ERROR },
    { NGX_HTTP_MON_ON_TIMEOUT, NGX_HTTP_UPSTREAM_FT_TIMEOUT },
    { NGX_HTTP_MON_ON_INVALID_HEADER, NGX_HTTP_UPSTREAM_FT_INVALID_HEADER },
    { NGX_HTTP_MON_ON_500, NGX_HTTP_UPSTREAM_FT_HTTP_500 },
    { NGX_HTTP_MON_ON_502, NGX_HTTP_UPSTREAM_FT_HTTP_502 },
    { NGX_HTTP_MON_ON_503, NGX_HTTP_UPSTREAM_FT_HTTP_503 },
    { NGX_HTTP_MON_ON_504, NGX_HTTP_UPSTREAM_FT_HTTP_504 },
    { NGX_HTTP_MON_ON_429, NGX_HTTP_UPSTREAM_FT_HTTP_429 },
    { NGX_HTTP_MON_ON_403, NGX_HTTP_UPSTREAM_FT_HTTP_403 },
    { NGX_HTTP_MON_ON_404, NGX_HTTP_UPSTREAM_FT_HTTP_404 },
    { 0, 0 }
};


ngx_int_t
ngx_http_mon_retry_init(ngx_http_mon_call_t *call)
{
    ngx_mon_series_t           *s;
    ngx_http_mon_hook_t        *hook;
    ngx_http_mon_retrial_t     *t;
    ngx_http_mon_retry_conf_t  *conf;

    hook = call->attempt.origin->hook;

    if (hook->retry == NULL) {
        return NGX_OK;
    }

    s = ngx_http_mon_retry_series(hook);

    if (s->overflow) {

        /* there was no room: nothing tells the upstreams apart */

        return NGX_OK;
    }

    conf = ngx_http_mon_retry_conf(call->attempt.request, hook->retry);

    if (conf) {
        t = ngx_pcalloc(call->attempt.request->pool,
                        sizeof(ngx_http_mon_retrial_t));
        if (t == NULL) {
            return NGX_ERROR;
        }

        t->conf = conf;
        t->original = call->attempt.request->upstream->conf;

        call->retrial = t;
    }

    ngx_mon_add(s, NGX_MON_CALLS, 1);
    call->counted = s;

    return NGX_OK;
}


static ngx_mon_series_t *
ngx_http_mon_retry_series(ngx_http_mon_hook_t *hook)
{
    if (hook->retry->series == NULL) {
        hook->retry->series = ngx_mon_get(NGX_MON_G_RETRY, NULL, NULL,
                                          &hook->upstream->label, 1,
                                          NGX_MON_PIN);
    }

    return hook->retry->series;
}


ngx_int_t
ngx_http_mon_retry_get(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_http_mon_retrial_t  *t;

    t = call->retrial;

    if (t->delay) {

        if (ngx_http_mon_wait_begin(call, pc) != NGX_OK) {
            return NGX_ERROR;
        }

        t->delay = 0;

        return NGX_AGAIN;
    }

    /* a cached connection is told by its configuration's address */

    call->attempt.request->upstream->conf = t->original;

    if (t->waited) {
        t->waited = 0;

        if (ngx_http_mon_retry_refused(call)) {
            pc->tries = 0;
            return NGX_DECLINED;
        }
    }

    t->attempts++;
    t->pending = 0;

    return NGX_OK;
}


/* the circuit opened meanwhile; a call on trial has its permit */

static ngx_uint_t
ngx_http_mon_retry_refused(ngx_http_mon_call_t *call)
{
    ngx_uint_t  i;

    for (i = 0; i < 2; i++) {
        if (call->pass[i].breaker && call->pass[i].pass.slot != -1) {
            return 0;
        }
    }

    return ngx_http_mon_breaker_again(call) != NGX_OK;
}


ngx_int_t
ngx_http_mon_retry_busy(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_uint_t  tries;

    tries = pc->tries;

    /* all peers were tried: the balancer begins anew, nothing is held */

    if (call->retrial->attempts < 2
        || ngx_http_mon_attempt_renew(&call->attempt) != NGX_OK)
    {
        return NGX_BUSY;
    }

    if (call->attempt.origin->hook->gate) {
        ngx_http_mon_gate_init(call);
    }

    pc->tries = tries;

    return NGX_OK;
}


ngx_uint_t
ngx_http_mon_retry_waits(ngx_http_mon_call_t *call)
{
    return call->retrial->waiting;
}


void
ngx_http_mon_retry_free(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_http_mon_wait_end(call, pc);

    if (call->finishing) {
        call->attempt.request->upstream->conf = call->retrial->original;
        return;
    }

    call->retrial->waited = 1;

    if (pc->tries == 0) {
        pc->tries = 1;
    }
}


void
ngx_http_mon_retry_header(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_uint_t  verdict;

    if (call->attempt.status == NGX_HTTP_SWITCHING_PROTOCOLS) {
        ngx_http_mon_retry_tunnel(call);
        return;
    }

    verdict = ngx_http_mon_verdict(call->attempt.status, NGX_DECLINED);

    if (call->retrial == NULL) {
        return;
    }

    if (ngx_mon_likely(verdict == 0)) {
        ngx_http_mon_retry_release(call);
        return;
    }

    switch (ngx_http_mon_retry_decide(call, verdict, pc->tries > 1)) {

    case NGX_OK:
        call->retrial->decided = 1;

        if (pc->tries < 2) {
            pc->tries = 2;
        }

        break;

    case NGX_BUSY:
        pc->tries = 1;
        break;

    default: /* NGX_DECLINED */
        ngx_http_mon_retry_release(call);
        break;
    }
}


/* a tunnel may stay for days: it is no request that a budget can rest on */

static void
ngx_http_mon_retry_tunnel(ngx_http_mon_call_t *call)
{
    if (call->retrial && call->retrial->granted) {
        ngx_http_mon_retry_settle(call, NGX_MON_RETRY_SUCCESS);
    }

    ngx_mon_add(call->counted, NGX_MON_CALLS, -1);

    call->counted = NULL;
    call->retrial = NULL;
}


void
ngx_http_mon_retry_end(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc,
    ngx_uint_t state)
{
    ngx_int_t   rc;
    ngx_uint_t  tries;

    rc = NGX_OK;

    if (!call->retrial->decided) {
        tries = pc->tries
                || (pc->cached && call->verdict == NGX_HTTP_MON_ON_ERROR);

        rc = ngx_http_mon_retry_decide(call, call->verdict, tries);
    }

    call->retrial->decided = 0;

    if (rc == NGX_DECLINED) {
        return;
    }

    if (rc == NGX_BUSY) {
        pc->tries = 0;

    } else if (pc->tries == 0) {
        pc->tries = 1;
    }

    /* an error at a cached connection would add a try */

    pc->cached = 0;
}


/*
 * NGX_OK: another attempt follows; NGX_BUSY: it must not, though nginx would
 * go on or mon_retry wants it; NGX_DECLINED: neither of them does.
 */

static ngx_int_t
ngx_http_mon_retry_decide(ngx_http_mon_call_t *call, ngx_uint_t verdict,
    ngx_uint_t tries)
{
    ngx_int_t                rc;
    ngx_http_mon_retrial_t  *t;

    t = call->retrial;
    t->delay = 0;

    rc = ngx_http_mon_retry_wanted(call, verdict, tries);

    if (rc != NGX_OK) {
        return rc;
    }

    if (t->granted) {
        ngx_http_mon_retry_settle(call, NGX_MON_RETRY_FAILURE);
    }

    if (t->attempts >= t->conf->attempts) {
        ngx_mon_add(call->counted, NGX_MON_RETRIES + NGX_MON_RETRY_ATTEMPTS,
                    1);
        return NGX_BUSY;
    }

    return ngx_http_mon_retry_grant(call);
}


static ngx_int_t
ngx_http_mon_retry_wanted(ngx_http_mon_call_t *call, ngx_uint_t verdict,
    ngx_uint_t tries)
{
    ngx_uint_t                  next, sent;
    ngx_msec_t                  spent;
    ngx_http_request_t         *r;
    ngx_http_upstream_t        *u;
    ngx_http_mon_retrial_t     *t;
    ngx_http_mon_retry_conf_t  *conf;

    t = call->retrial;
    conf = t->conf;
    r = call->attempt.request;
    u = r->upstream;

    next = ngx_http_mon_retry_next(verdict);

    if (next == 0 || r->connection->error
        || (u->request_sent && r->request_body_no_buffering))
    {
        return NGX_DECLINED;
    }

    sent = u->request_sent && (r->method & NGX_HTTP_MON_RETRY_METHODS);

    if (sent) {
        next |= NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT;
    }

    if (!tries || (t->original->next_upstream & next) != next) {

        /* nginx would not go on by itself */

        if (!(conf->on & verdict) || (sent && !conf->non_idempotent)) {
            return NGX_DECLINED;
        }

        t->delay = ngx_mon_retry_backoff(ngx_random(), t->waits,
                                         conf->backoff, conf->max_backoff);
        t->waits++;

        if (t->delay >= ngx_http_mon_deadline_left(r)) {
            return NGX_DECLINED;
        }
    }

    spent = ngx_current_msec - u->peer.start_time + t->delay;

    if (t->original->next_upstream_timeout
        && spent >= t->original->next_upstream_timeout)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_retry_grant(ngx_http_mon_call_t *call)
{
    ngx_http_mon_retrial_t    *t;
    ngx_http_upstream_conf_t  *conf;

    t = call->retrial;

    if (t->copy == NULL) {
        t->copy = ngx_palloc(call->attempt.request->pool,
                             sizeof(ngx_http_upstream_conf_t));
        if (t->copy == NULL) {
            return NGX_BUSY;
        }
    }

    if (ngx_http_mon_retry_reserve(call) != NGX_OK) {
        ngx_mon_add(call->counted, NGX_MON_RETRIES + NGX_MON_RETRY_BUDGET, 1);
        return NGX_BUSY;
    }

    if (ngx_http_mon_breaker_again(call) != NGX_OK
        || (call->charge && ngx_http_mon_quota_again(call) != NGX_OK))
    {
        ngx_http_mon_retry_release(call);
        return NGX_BUSY;
    }

    t->granted = 1;
    t->pending = 1;

    conf = t->copy;
    *conf = *t->original;

    conf->next_upstream = NGX_HTTP_MON_RETRY_NEXT;
    conf->next_upstream_timeout = 0;

    call->attempt.request->upstream->conf = conf;

    return NGX_OK;
}


/* first to take a place, then to look whether there was one */

static ngx_int_t
ngx_http_mon_retry_reserve(ngx_http_mon_call_t *call)
{
    ngx_mon_series_t           *s;
    ngx_http_mon_retry_conf_t  *conf;

    s = call->counted;
    conf = call->retrial->conf;

    ngx_mon_add(s, NGX_MON_RETRYING, 1);

    /* of two workers at once at least one sees both */

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    if (!ngx_mon_retry_allowed(ngx_mon_live(s, NGX_MON_RETRYING),
                               ngx_mon_live(s, NGX_MON_CALLS),
                               conf->budget, conf->min))
    {
        ngx_mon_add(s, NGX_MON_RETRYING, -1);
        return NGX_BUSY;
    }

    call->retrial->placed = 1;

    return NGX_OK;
}


/* an answer that may go on for hours needs no place of the budget */

static void
ngx_http_mon_retry_release(ngx_http_mon_call_t *call)
{
    if (call->retrial->placed) {
        call->retrial->placed = 0;
        ngx_mon_add(call->counted, NGX_MON_RETRYING, -1);
    }
}


static void
ngx_http_mon_retry_settle(ngx_http_mon_call_t *call, ngx_uint_t outcome)
{
    ngx_http_mon_retry_release(call);
    ngx_mon_add(call->counted, NGX_MON_RETRIES + outcome, 1);

    call->retrial->granted = 0;
}


void
ngx_http_mon_retry_leave(ngx_http_mon_call_t *call)
{
    if (call->retrial && call->retrial->granted) {
        ngx_http_mon_retry_settle(call, ngx_http_mon_retry_outcome(call));
    }

    ngx_mon_add(call->counted, NGX_MON_CALLS, -1);
    ngx_mon_touch(call->counted);
}


static ngx_uint_t
ngx_http_mon_retry_outcome(ngx_http_mon_call_t *call)
{
    ngx_uint_t               next;
    ngx_http_mon_retrial_t  *t;

    t = call->retrial;

    if (t->pending || call->verdict == NGX_HTTP_MON_NO_VERDICT) {
        return NGX_MON_RETRY_ABORTED;
    }

    next = ngx_http_mon_retry_next(call->verdict);

    if ((call->verdict & t->conf->on) || (next & t->original->next_upstream)) {
        return NGX_MON_RETRY_FAILURE;
    }

    return NGX_MON_RETRY_SUCCESS;
}


ngx_uint_t
ngx_http_mon_retry_next(ngx_uint_t verdict)
{
    ngx_uint_t  i;

    for (i = 0; ngx_http_mon_retry_nexts[i].verdict; i++) {
        if (ngx_http_mon_retry_nexts[i].verdict == verdict) {
            return ngx_http_mon_retry_nexts[i].next;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_mon_retry_facts(ngx_http_mon_hook_t *hook,
    ngx_http_mon_retry_facts_t *f)
{
    int64_t            n;
    ngx_mon_series_t  *s;

    if (hook->retry == NULL || hook->retry->conf == NULL) {
        return NGX_DECLINED;
    }

    s = ngx_http_mon_retry_series(hook);

    f->conf = hook->retry->conf;

    n = ngx_mon_live(s, NGX_MON_CALLS);
    f->active = ngx_max(n, 0);

    n = ngx_mon_live(s, NGX_MON_RETRYING);
    f->retries = ngx_max(n, 0);

    f->limit = ngx_mon_retry_limit(f->active, f->conf->budget, f->conf->min);

    return NGX_OK;
}
