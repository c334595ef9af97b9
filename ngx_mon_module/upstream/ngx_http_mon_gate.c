
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_seat.h"


/* so often a peer is handed back that another worker had let through */
#define NGX_HTTP_MON_GATE_ROUNDS  3


static ngx_int_t ngx_http_mon_gate_gated(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);
static void ngx_http_mon_gate_open(ngx_http_mon_gate_t *gate,
    ngx_uint_t all);
static void ngx_http_mon_gate_close(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *chosen);
static ngx_int_t ngx_http_mon_gate_busy(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc, ngx_uint_t cached);
static ngx_int_t ngx_http_mon_gate_panicked(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);
static ngx_int_t ngx_http_mon_gate_anew(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);
static ngx_int_t ngx_http_mon_gate_judge(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc, ngx_http_mon_guard_t *guard);


/* nginx counts a try for each peer: those that are out have none */

void
ngx_http_mon_gate_tries(ngx_http_mon_call_t *call, ngx_http_mon_gate_t *gate)
{
    ngx_uint_t            cap;
    ngx_http_upstream_t  *u;

    u = call->attempt.request->upstream;

    u->peer.tries = (u->peer.tries > gate->out) ? u->peer.tries - gate->out
                                                : 1;

    cap = u->conf->next_upstream_tries;

    if (cap == 0) {
        call->spare = gate->out;

    } else if (cap > u->peer.tries) {
        call->spare = ngx_min(cap - u->peer.tries, gate->out);
    }
}


ngx_int_t
ngx_http_mon_gate_choose(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_int_t             rc;
    ngx_uint_t            cached;
    ngx_http_mon_gate_t  *gate;

    gate = call->attempt.origin->hook->gate;
    cached = pc->cached;

    ngx_http_mon_gate_refresh(gate, ngx_current_msec);

    rc = gate->gated ? ngx_http_mon_gate_gated(call, pc)
                     : ngx_http_mon_attempt_pick(&call->attempt, pc);

    return ngx_http_mon_gate_chose(call, pc, rc, cached);
}


ngx_int_t
ngx_http_mon_gate_chose(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc,
    ngx_int_t rc, ngx_uint_t cached)
{
    ngx_http_mon_gate_t   *gate;
    ngx_http_mon_guard_t  *guard;

    gate = call->attempt.origin->hook->gate;
    guard = ngx_http_mon_gate_chosen(gate, pc, rc);

    if (guard && !call->trial
        && ngx_http_mon_gate_judge(call, pc, guard) != NGX_OK)
    {
        ngx_http_mon_gate_hand_back(call, pc);
        rc = ngx_http_mon_gate_gated(call, pc);
    }

    if (rc == NGX_BUSY) {
        rc = ngx_http_mon_gate_busy(call, pc, cached);
    }

    guard = ngx_http_mon_gate_chosen(gate, pc, rc);

    if (guard) {
        ngx_http_mon_gate_hold(call, guard);
    }

    return rc;
}


/* there are peers on trial, or in slow start */

static ngx_int_t
ngx_http_mon_gate_gated(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_int_t              rc;
    ngx_uint_t             i;
    ngx_http_mon_gate_t   *gate;
    ngx_http_mon_guard_t  *guard;

    gate = call->attempt.origin->hook->gate;

    for (i = 1; /* void */ ; i++) {
        ngx_http_mon_gate_open(gate, 0);

        rc = ngx_http_mon_attempt_pick(&call->attempt, pc);
        guard = ngx_http_mon_gate_chosen(gate, pc, rc);

        ngx_http_mon_gate_close(gate, guard);

        if (guard == NULL
            || ngx_http_mon_gate_judge(call, pc, guard) == NGX_OK
            || i == NGX_HTTP_MON_GATE_ROUNDS)
        {
            return rc;
        }

        ngx_http_mon_gate_hand_back(call, pc);
    }
}


/* all: whatever the shares in slow start are */

static void
ngx_http_mon_gate_open(ngx_http_mon_gate_t *gate, ngx_uint_t all)
{
    ngx_uint_t            i;
    ngx_http_mon_seat_t  *seat;

    if (ngx_http_mon_gate_lock(gate) != NGX_OK) {
        return;
    }

    for (i = 0; i < gate->nseats; i++) {
        seat = &gate->seats[i];

        if (seat->guard == NULL) {
            continue;
        }

        switch (seat->guard->mode) {

        case NGX_MON_GUARD_RAMP:
            seat->open = all
                         || (uint64_t) ngx_random() % NGX_MON_OUTLIER_ONE
                            < ngx_mon_guard_share(seat->guard->shared,
                                                  &gate->conf,
                                                  ngx_current_msec);
            break;

        case NGX_MON_GUARD_TRIAL:
            seat->permit = ngx_mon_guard_take(&seat->guard->shared->permit,
                                              ngx_pid);
            seat->open = seat->permit;
            break;

        default:
            continue;
        }

        if (seat->open) {
            ngx_http_mon_seat_open(seat);
        }
    }

    ngx_http_mon_gate_unlock(gate);
}


static void
ngx_http_mon_gate_close(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *chosen)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_http_mon_seat_t  *seat;

    rc = ngx_http_mon_gate_lock(gate);

    for (i = 0; i < gate->nseats; i++) {
        seat = &gate->seats[i];

        if (seat->open && rc == NGX_OK) {
            ngx_http_mon_seat_apply(gate, seat, ngx_current_msec);
        }

        seat->open = 0;

        if (seat->permit && seat->guard != chosen) {
            seat->permit = 0;
            ngx_mon_guard_free(&seat->guard->shared->permit, ngx_pid);
        }
    }

    if (rc == NGX_OK) {
        ngx_http_mon_gate_unlock(gate);
    }
}


/*
 * Whether the balancer's choice may stand: where workers share a list, it may
 * be a peer that another worker let through for itself.
 */

static ngx_int_t
ngx_http_mon_gate_judge(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc,
    ngx_http_mon_guard_t *guard)
{
    ngx_uint_t            i, permit;
    ngx_http_mon_gate_t  *gate;

    gate = call->attempt.origin->hook->gate;
    permit = 0;

    for (i = 0; i < gate->nseats; i++) {
        if (gate->seats[i].guard == guard) {
            permit |= gate->seats[i].permit;
            gate->seats[i].permit = 0;
        }
    }

    if (!permit) {

        if (guard->mode < NGX_MON_GUARD_TRIAL) {
            return NGX_OK;
        }

        if (guard->mode != NGX_MON_GUARD_TRIAL
            || !ngx_mon_guard_take(&guard->shared->permit, ngx_pid))
        {
            return ngx_mon_pool_panic(gate->pool, ngx_current_msec,
                                      NGX_HTTP_MON_PANIC_HOLD)
                   ? NGX_OK : NGX_DECLINED;
        }
    }

    call->trial = 1;

    /* it was counted as one that is out */

    if (call->spare) {
        call->spare--;
        pc->tries++;
    }

    return NGX_OK;
}


void
ngx_http_mon_gate_hand_back(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc)
{
    ngx_uint_t                    tries, keepalive, sent;
    ngx_connection_t             *c;
    ngx_http_upstream_t          *u;
    ngx_http_upstream_rr_peer_t  *peer;

    u = call->attempt.request->upstream;

    peer = (ngx_http_upstream_rr_peer_t *)
           ((u_char *) pc->name - offsetof(ngx_http_upstream_rr_peer_t, name));

    /* one that was to be tried again after failures did not pass */

    if (peer->accessed < peer->checked) {
        peer->checked = peer->accessed;
    }

    /* so that a cached connection is kept */

    tries = pc->tries;
    keepalive = u->keepalive;
    sent = u->request_body_sent;

    u->keepalive = 1;
    u->request_body_sent = 1;

    ngx_http_mon_attempt_drop(&call->attempt, pc, 0);

    u->keepalive = keepalive;
    u->request_body_sent = sent;

    pc->tries = tries;
    pc->sockaddr = NULL;
    pc->cached = 0;

    c = pc->connection;

    if (c) {

        /* one of the cache, that did not want it back */

#if (NGX_HTTP_SSL)
        if (c->ssl) {
            c->ssl->no_wait_shutdown = 1;
            c->ssl->no_send_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }
#endif

        if (c->pool) {
            ngx_destroy_pool(c->pool);
        }

        ngx_close_connection(c);
        pc->connection = NULL;
    }
}


/* the balancer has nobody left */

static ngx_int_t
ngx_http_mon_gate_busy(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc,
    ngx_uint_t cached)
{
    ngx_int_t              rc;
    ngx_http_mon_gate_t   *gate;
    ngx_http_mon_guard_t  *guard;

    rc = NGX_BUSY;
    gate = call->attempt.origin->hook->gate;

    if (gate->gated) {
        ngx_http_mon_gate_open(gate, 1);

        rc = ngx_http_mon_gate_anew(call, pc);
        guard = ngx_http_mon_gate_chosen(gate, pc, rc);

        ngx_http_mon_gate_close(gate, guard);

        if (guard) {
            (void) ngx_http_mon_gate_judge(call, pc, guard);
        }
    }

    if (rc != NGX_BUSY || gate->out == 0) {
        return rc;
    }

    if (call->charge && ngx_http_mon_quota_passed_over(call)) {
        return NGX_BUSY;
    }

    if (call->attempts == 0) {
        return ngx_http_mon_gate_panicked(call, pc);
    }

    /* a cached connection broke: another one to the same peer may not */

    if (cached && ngx_http_mon_attempt_renew(&call->attempt) == NGX_OK) {
        return ngx_http_mon_attempt_pick(&call->attempt, pc);
    }

    return NGX_BUSY;
}


static ngx_int_t
ngx_http_mon_gate_panicked(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc)
{
    ngx_int_t              rc;
    ngx_http_mon_gate_t   *gate;
    ngx_http_mon_guard_t  *guard;

    gate = call->attempt.origin->hook->gate;

    if (gate->ejected == 0) {
        return NGX_BUSY;
    }

    ngx_http_mon_gate_alarm(gate, ngx_current_msec,
                            call->attempt.request->connection->log);
    ngx_http_mon_gate_sync(gate, ngx_current_msec);

    rc = ngx_http_mon_gate_anew(call, pc);
    guard = ngx_http_mon_gate_chosen(gate, pc, rc);

    if (guard) {
        (void) ngx_http_mon_gate_judge(call, pc, guard);
    }

    return rc;
}


/* a balancer that went on to its backup peers does not come back */

static ngx_int_t
ngx_http_mon_gate_anew(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_http_upstream_rr_peers_t  *peers;

    peers = call->attempt.origin->hook->uscf->peer.data;

    if (peers->next && ngx_http_mon_attempt_renew(&call->attempt) != NGX_OK) {
        return NGX_BUSY;
    }

    return ngx_http_mon_attempt_pick(&call->attempt, pc);
}


void
ngx_http_mon_gate_release(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_uint_t  verdict;

    if (call->guard) {
        verdict = call->verdict;
        call->verdict = NGX_HTTP_MON_NO_VERDICT;

        ngx_http_mon_gate_end(call);

        call->verdict = verdict;
        call->attempts--;
    }

    ngx_http_mon_gate_hand_back(call, pc);
}


void
ngx_http_mon_gate_told(ngx_http_mon_call_t *call, ngx_http_mon_guard_t *guard)
{
    ngx_log_t            *log;
    ngx_http_mon_gate_t  *gate;

    gate = call->attempt.origin->hook->gate;
    log = call->attempt.request->connection->log;

    if (gate->on == 0) {
        return;
    }

    if (call->trial) {
        call->trial = 0;
        guard->trial = NULL;
        ngx_http_mon_guard_trial(gate, guard, call->verdict,
                                 ngx_current_msec, log);
        return;
    }

    if (call->verdict != NGX_HTTP_MON_NO_VERDICT) {
        ngx_http_mon_guard_failure(gate, guard, ngx_current_msec, log);
    }
}


void
ngx_http_mon_gate_header(ngx_http_mon_call_t *call)
{
    ngx_uint_t             status;
    ngx_http_mon_gate_t   *gate;
    ngx_http_mon_guard_t  *guard;

    guard = call->guard;

    if (guard == NULL) {
        return;
    }

    gate = call->attempt.origin->hook->gate;
    status = call->attempt.status;

    /* a tunnel may stay for days */

    if (status == NGX_HTTP_SWITCHING_PROTOCOLS) {
        call->trial = 0;
        ngx_http_mon_guard_trial(gate, guard, 0, ngx_current_msec,
                                 call->attempt.request->connection->log);
        return;
    }

    if (!(ngx_http_mon_verdict(status, ngx_http_mon_attempt_5xx(status))
          & gate->on))
    {
        guard->trial = call;
        guard->answered = ngx_current_msec;
    }
}
