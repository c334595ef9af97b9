
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_quota.h"


/* how often an allowance without room asks for it again, milliseconds */
#define NGX_HTTP_MON_QUOTA_RETRY  1000

/* so often it is looked whether another worker has changed the rate by now */
#define NGX_HTTP_MON_QUOTA_SPIN   100

/* methods that nginx does not repeat without being told so */
#define NGX_HTTP_MON_QUOTA_METHODS                                            \
    (NGX_HTTP_POST|NGX_HTTP_LOCK|NGX_HTTP_PATCH)


_Static_assert(sizeof(ngx_mon_allowance_shared_t)
               == NGX_MON_WORDS_ALLOWANCE * sizeof(uint64_t), "allowance");


static ngx_inline ngx_mon_allowance_t *ngx_http_mon_quota_whole(
    ngx_http_mon_quota_t *q);
static ngx_int_t ngx_http_mon_quota_take(ngx_http_mon_quota_t *q,
    ngx_http_mon_charge_t *charge);
static ngx_uint_t ngx_http_mon_quota_follows(ngx_http_mon_call_t *call,
    ngx_uint_t verdict, ngx_uint_t tries);
static ngx_int_t ngx_http_mon_quota_refused(ngx_http_mon_quota_t *q,
    ngx_http_request_t *r, uint64_t wait);
static void ngx_http_mon_quota_withdraw(ngx_http_mon_call_t *call);
static void ngx_http_mon_quota_sweep(ngx_mon_allowance_t *a, uint64_t now);


ngx_mon_allowance_t *
ngx_http_mon_quota_open(ngx_http_mon_quota_t *q, ngx_mon_allowance_t *a,
    ngx_mon_series_t **allotted, ngx_msec_t *asked, ngx_str_t *peer)
{
    ngx_int_t          rc;
    ngx_str_t          values[2];
    ngx_uint_t         i;
    ngx_mon_series_t  *s;

    if (!ngx_mon_active
        || (*asked && ngx_current_msec - *asked < NGX_HTTP_MON_QUOTA_RETRY))
    {
        return NULL;
    }

    values[0] = q->hook->upstream->label;
    values[1] = *peer;

    s = ngx_mon_get(NGX_MON_G_ALLOWANCE, NULL, NULL, values, 2,
                    NGX_MON_SHARED);

    if (s->overflow) {
        *asked = ngx_current_msec;
        return NULL;
    }

    for (i = 0; i < NGX_HTTP_MON_QUOTA_SPIN; i++) {

        rc = ngx_mon_allowance_init(a,
                                    (ngx_mon_allowance_shared_t *) s->cells,
                                    &q->rate, q->version,
                                    ngx_http_mon_quota_now(), ngx_pid);
        if (rc == NGX_OK) {
            s->refs++;
            *allotted = s;

            return a;
        }

        ngx_cpu_pause();
    }

    return NULL;
}


static ngx_inline ngx_mon_allowance_t *
ngx_http_mon_quota_whole(ngx_http_mon_quota_t *q)
{
    static ngx_str_t  none = ngx_null_string;

    if (ngx_mon_likely(q->allotted != NULL)) {
        return &q->allowance;
    }

    return ngx_http_mon_quota_open(q, &q->allowance, &q->allotted, &q->asked,
                                   &none);
}


void
ngx_http_mon_quota_count(ngx_http_mon_quota_t *q, ngx_uint_t outcome)
{
    if (q->series == NULL) {
        q->series = ngx_mon_get(NGX_MON_G_QUOTA, NULL, NULL,
                                &q->hook->upstream->label, 1, NGX_MON_PIN);
    }

    ngx_mon_add(q->series, NGX_MON_QUOTAS + outcome, 1);
    ngx_mon_touch(q->series);
}


ngx_http_mon_charge_t *
ngx_http_mon_quota_charged(ngx_http_mon_call_t *call, ngx_uint_t limited)
{
    ngx_http_mon_charge_t  *charge;

    if (!limited) {
        return NULL;
    }

    charge = ngx_pcalloc(call->attempt.request->pool,
                         sizeof(ngx_http_mon_charge_t));
    if (charge == NULL) {
        return NULL;
    }

    charge->held = &call->attempt.origin->hook->quota->allowance;
    charge->until = ngx_http_mon_quota_now()
                    + charge->held->rate.cost / charge->held->rate.unit;

    if (call->attempt.series) {
        ngx_http_mon_quota_use(charge);
    }

    return charge;
}


/* of the whole upstream */

static ngx_int_t
ngx_http_mon_quota_take(ngx_http_mon_quota_t *q, ngx_http_mon_charge_t *charge)
{
    uint64_t              now, ticks;
    ngx_mon_gcra_t        g;
    ngx_mon_allowance_t  *a;

    a = ngx_http_mon_quota_whole(q);

    if (a == NULL) {
        return NGX_OK;
    }

    now = ngx_http_mon_quota_now();
    ticks = ngx_mon_allowance_quick(a, now);

    if (ngx_mon_likely(ticks)) {
        charge->held = a;
        charge->until = now + ticks / a->rate.unit;

        return NGX_OK;
    }

    if (ngx_mon_allowance_take(a, now, &g) != NGX_OK) {
        return NGX_OK;
    }

    if (!g.allowed) {
        charge->wait = g.wait;
        return NGX_DECLINED;
    }

    charge->held = a;
    charge->until = now + g.reset;

    return NGX_OK;
}


ngx_int_t
ngx_http_mon_quota_enter(ngx_http_mon_call_t *call)
{
    ngx_int_t               rc;
    ngx_http_request_t     *r;
    ngx_http_mon_quota_t   *q;
    ngx_http_mon_charge_t  *charge;

    r = call->attempt.request;
    q = call->attempt.origin->hook->quota;

    charge = ngx_pcalloc(r->pool, sizeof(ngx_http_mon_charge_t));
    if (charge == NULL) {
        ngx_http_mon_call_leave(call);
        return NGX_ERROR;
    }

    call->charge = charge;

    /* a peer is asked once it is chosen */

    if (q->peer || ngx_http_mon_quota_take(q, charge) == NGX_OK) {
        return NGX_OK;
    }

    ngx_http_mon_quota_withdraw(call);

    rc = ngx_http_mon_quota_refused(q, r, charge->wait);

    if (ngx_http_mon_refuse_stale(r)) {
        return NGX_BUSY;
    }

    return ngx_http_mon_refuse_end(r, rc);
}


/* the call has ended: of a refusal neither breaker nor retry learns more */

static void
ngx_http_mon_quota_withdraw(ngx_http_mon_call_t *call)
{
    if (call->start == 0) {
        call->verdict = NGX_HTTP_MON_NO_VERDICT;
    }

    ngx_http_mon_call_leave(call);
}


static ngx_int_t
ngx_http_mon_quota_refused(ngx_http_mon_quota_t *q, ngx_http_request_t *r,
    uint64_t wait)
{
    ngx_uint_t  seconds;

    ngx_http_mon_quota_count(q, NGX_MON_QUOTA_REJECTED);

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "limiting requests to upstream \"%V\"",
                  &q->hook->upstream->label);

    seconds = (wait && wait != (uint64_t) -1) ? (wait - 1) / 1000000000 + 1
                                              : 1;

    return ngx_http_mon_refuse_as(r, q->status, NGX_MON_ERROR_LIMITED, seconds)
           ? (ngx_int_t) q->status : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_int_t
ngx_http_mon_quota_get(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_int_t               rc;
    ngx_http_mon_quota_t   *q;
    ngx_http_mon_charge_t  *charge;

    q = call->attempt.origin->hook->quota;
    charge = call->charge;

    charge->used = NULL;

    if (q->peer) {
        charge->passed_over = 0;

        return ngx_http_mon_quota_choose(call, pc);
    }

    /* most often it is held since the call began, or was to be retried */

    if (charge->held == NULL && ngx_http_mon_quota_take(q, charge) != NGX_OK) {
        return ngx_http_mon_quota_refuse(call, pc);
    }

    rc = ngx_http_mon_call_choose(call, pc);

    if (rc == NGX_OK || rc == NGX_DONE) {
        ngx_http_mon_quota_use(charge);
        ngx_http_mon_quota_count(q, NGX_MON_QUOTA_PASSED);
    }

    return rc;
}


ngx_int_t
ngx_http_mon_quota_refuse(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_int_t                   rc;
    ngx_array_t                *states;
    ngx_http_request_t         *r;
    ngx_http_upstream_t        *u;
    ngx_http_upstream_state_t  *state;

    r = call->attempt.request;
    u = r->upstream;

    ngx_http_mon_quota_withdraw(call);

    rc = ngx_http_mon_quota_refused(call->attempt.origin->hook->quota, r,
                                    call->charge->wait);

    pc->sockaddr = NULL;

    if (ngx_http_mon_refuse_stale(r)) {
        pc->name = &call->attempt.origin->hook->uscf->host;
        pc->tries = 0;
        pc->cached = 0;

        return NGX_DECLINED;
    }

    /* it is no attempt, $upstream_addr must not show it */

    state = ngx_palloc(r->pool, sizeof(ngx_http_upstream_state_t));

    if (state) {
        *state = *u->state;
        u->state = state;

        states = r->upstream_states;
        states->nelts--;
    }

    (void) ngx_http_mon_refuse_end(r, rc);

    return NGX_ERROR;
}


void
ngx_http_mon_quota_use(ngx_http_mon_charge_t *charge)
{
    charge->used = charge->held;
    charge->held = NULL;
    charge->carried = 0;

    if (charge->guard) {
        charge->guard->refs--;
        charge->guard = NULL;
    }
}


void
ngx_http_mon_quota_release(ngx_http_mon_charge_t *charge)
{
    if (charge->held == NULL) {
        return;
    }

    if (ngx_mon_active) {
        ngx_mon_allowance_refund(charge->held, charge->until,
                                 ngx_http_mon_quota_now());
    }

    ngx_http_mon_quota_use(charge);
    charge->used = NULL;
}


/* whether nginx goes on to another attempt, if it has tries */

static ngx_uint_t
ngx_http_mon_quota_follows(ngx_http_mon_call_t *call, ngx_uint_t verdict,
    ngx_uint_t tries)
{
    ngx_uint_t            next;
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = call->attempt.request;
    u = r->upstream;

    next = ngx_http_mon_retry_next(verdict);

    if (next == 0 || !tries || r->connection->error
        || (u->request_sent && r->request_body_no_buffering))
    {
        return 0;
    }

    if (u->request_sent && (r->method & NGX_HTTP_MON_QUOTA_METHODS)) {
        next |= NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT;
    }

    if ((u->conf->next_upstream & next) != next) {
        return 0;
    }

    return u->conf->next_upstream_timeout == 0
           || ngx_current_msec - u->peer.start_time
              < u->conf->next_upstream_timeout;
}


void
ngx_http_mon_quota_header(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_uint_t  verdict;

    verdict = ngx_http_mon_verdict(call->attempt.status, NGX_DECLINED);

    if (ngx_mon_likely(verdict == 0)) {
        return;
    }

    if (ngx_http_mon_quota_follows(call, verdict, pc->tries > 1)
        && ngx_http_mon_quota_again(call) != NGX_OK)
    {
        pc->tries = 1;
    }
}


void
ngx_http_mon_quota_free(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_http_mon_charge_t  *charge;

    charge = call->charge;

    /*
     * A cached connection that the peer has closed: what was sent did not
     * come there, most likely, and nginx may send it again.
     */

    if (charge->used && pc->cached && charge->held == NULL
        && call->verdict == NGX_HTTP_MON_ON_ERROR && !call->attempt.header)
    {
        charge->held = charge->used;
        charge->carried = 1;

        if (call->attempt.origin->hook->quota->peer) {
            charge->guard = call->guard;
            charge->guard->refs++;
        }
    }

    charge->used = NULL;
}


void
ngx_http_mon_quota_end(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_uint_t  tries;

    tries = pc->tries
            || (pc->cached && call->verdict == NGX_HTTP_MON_ON_ERROR);

    if (ngx_http_mon_quota_follows(call, call->verdict, tries)
        && ngx_http_mon_quota_again(call) != NGX_OK)
    {
        pc->tries = 0;
        pc->cached = 0;
    }
}


ngx_int_t
ngx_http_mon_quota_again(ngx_http_mon_call_t *call)
{
    ngx_int_t               rc;
    ngx_http_mon_quota_t   *q;
    ngx_http_mon_charge_t  *charge;

    q = call->attempt.origin->hook->quota;
    charge = call->charge;

    if (charge->held) {
        return NGX_OK;
    }

    rc = q->peer ? ngx_http_mon_quota_reserve(call, 1)
                 : ngx_http_mon_quota_take(q, charge);

    if (rc != NGX_OK) {
        ngx_http_mon_quota_count(q, NGX_MON_QUOTA_REJECTED);
    }

    return rc;
}


ngx_uint_t
ngx_http_mon_quota_passed_over(ngx_http_mon_call_t *call)
{
    return call->charge->passed_over != 0;
}


void
ngx_http_mon_quota_leave(ngx_http_mon_call_t *call)
{
    if (call->charge->carried) {
        ngx_http_mon_quota_use(call->charge);
        return;
    }

    ngx_http_mon_quota_release(call->charge);
}


/* before the body is read, where the cache may not answer */

ngx_int_t
ngx_http_mon_quota_handler(ngx_http_request_t *r)
{
    uint64_t                        wait, now;
    ngx_mon_gcra_t                  g;
    ngx_http_mon_quota_t           *q;
    ngx_mon_allowance_t            *a;
    ngx_http_mon_quota_loc_conf_t  *qlcf;

    qlcf = ngx_http_get_module_loc_conf(r, ngx_http_mon_quota_module);

    q = qlcf->quota;

    /* by the clock of the event loop, which is behind: more is free now */

    if (q == NULL || r->content_handler != qlcf->handler
        || ngx_mon_likely(q->allotted
                          && ngx_mon_allowance_sure(&q->allowance,
                                                  ngx_mon_loop_start * 1000))
        || !ngx_mon_active
        || ngx_http_mon_refuse_cached(r, qlcf->pass))
    {
        return NGX_DECLINED;
    }

    wait = 0;
    now = ngx_http_mon_quota_now();

    if (q->peer) {
        wait = ngx_http_mon_quota_wait(q, now);

    } else {
        a = ngx_http_mon_quota_whole(q);

        if (a && ngx_mon_allowance_ask(a, now, &g) == NGX_OK) {
            wait = g.wait;
        }
    }

    return wait ? ngx_http_mon_quota_refused(q, r, wait) : NGX_DECLINED;
}


void
ngx_http_mon_quota_tick(ngx_cycle_t *cycle, ngx_uint_t leader)
{
    uint64_t                         now;
    ngx_uint_t                       i, k;
    ngx_http_mon_gate_t             *gate;
    ngx_http_mon_quota_t           **q;
    ngx_http_mon_quota_main_conf_t  *qmcf;

    if (!leader) {
        return;
    }

    qmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_mon_quota_module);

    q = qmcf->quotas.elts;
    now = ngx_http_mon_quota_now();

    for (i = 0; i < qmcf->quotas.nelts; i++) {

        if (!q[i]->peer) {
            ngx_http_mon_quota_sweep(ngx_http_mon_quota_whole(q[i]), now);
            continue;
        }

        gate = q[i]->hook->gate;

        for (k = 0; k < gate->nseats; k++) {
            if (gate->seats[k].guard && gate->seats[k].first) {
                ngx_http_mon_quota_sweep(
                    ngx_http_mon_quota_of(q[i], gate->seats[k].guard), now);
            }
        }
    }
}


static void
ngx_http_mon_quota_sweep(ngx_mon_allowance_t *a, uint64_t now)
{
    if (a) {
        ngx_http_mon_gate_bury(&a->shared->claim);
        ngx_mon_allowance_sweep(a, now);
    }
}
