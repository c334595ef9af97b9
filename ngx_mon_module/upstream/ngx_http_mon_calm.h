
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Most calls find the circuit closed and all peers in, make one attempt, and
 * get a good answer.  Such a call is calm: it is no more than an attempt,
 * that is counted at its end.  Whatever else happens makes it a whole call,
 * as if it had been one from the beginning.
 */


#ifndef _NGX_HTTP_MON_CALM_H_INCLUDED_
#define _NGX_HTTP_MON_CALM_H_INCLUDED_


#include "ngx_http_mon_breaker.h"
#include "ngx_http_mon_seat.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


typedef struct {
    ngx_http_mon_attempt_t           attempt;

    /* of the attempt's peer, or NULL */
    ngx_http_mon_guard_t            *guard;
} ngx_http_mon_calm_t;


/*
 * Makes a whole call of it, in the place of the peer's data.  NULL without
 * memory, or where another module around ours holds the data: it is then a
 * call without a verdict.
 */
ngx_http_mon_call_t *ngx_http_mon_calm_end(ngx_http_mon_calm_t *calm);


static ngx_inline ngx_uint_t
ngx_http_mon_calm_closed(ngx_http_mon_breaker_t *b, uint64_t *state)
{
    if (b->state.shared == NULL) {
        return 0;
    }

    *state = __atomic_load_n(&b->state.shared->state, __ATOMIC_RELAXED);

    return *state >> 61 == 0;
}


static ngx_inline ngx_uint_t
ngx_http_mon_calm_gate(ngx_http_mon_gate_t *gate)
{
    return __atomic_load_n(&gate->pool->epoch, __ATOMIC_RELAXED)
           == gate->epoch
           && ngx_current_msec < gate->wake
           && *(volatile ngx_uint_t *) gate->versionp == gate->version
           && !gate->busy;
}


/*
 * Whether a call of the request is calm.  *b is its breaker, or NULL, and
 * *state what that was found in.
 */
static ngx_inline ngx_uint_t
ngx_http_mon_calm(ngx_http_request_t *r, ngx_http_mon_hook_t *hook,
    ngx_http_mon_breaker_t **b, uint64_t *state)
{
    ngx_http_mon_breaker_loc_conf_t  *blcf;

    blcf = ngx_http_get_module_loc_conf(r, ngx_http_mon_breaker_module);

    *b = hook->breaker;
    *state = 0;

    if (blcf->breaker) {

        if (*b || blcf->variable || blcf->breaker->conf.slow) {
            return 0;
        }

        *b = blcf->breaker;
    }

    return hook->calm
           && (*b == NULL || ngx_http_mon_calm_closed(*b, state))
           && (hook->gate == NULL || ngx_http_mon_calm_gate(hook->gate));
}


/*
 * The balancer has chosen.  Returns the series of the peer where it is known
 * by its place in the balancer's list, or NULL.
 */
static ngx_inline ngx_mon_series_t *
ngx_http_mon_calm_chosen(ngx_http_mon_calm_t *calm, ngx_peer_connection_t *pc)
{
    ngx_http_mon_gate_t   *gate;
    ngx_http_mon_seat_t   *seat;
    ngx_http_mon_guard_t  *guard;

    gate = calm->attempt.origin->hook->gate;

    if (gate == NULL) {
        return NULL;
    }

    seat = ngx_http_mon_seat_find(gate, (ngx_http_upstream_rr_peer_t *)
               ((u_char *) pc->name
                - offsetof(ngx_http_upstream_rr_peer_t, name)));

    if (ngx_mon_unlikely(seat == NULL || seat->guard == NULL)) {
        return NULL;
    }

    guard = seat->guard;
    guard->refs++;

    calm->guard = guard;

    return guard->recorded;
}


/* Remembers the series of the peer, where that stays: of a fixed list. */
static ngx_inline void
ngx_http_mon_calm_recorded(ngx_http_mon_calm_t *calm, ngx_mon_series_t *s)
{
    ngx_http_mon_gate_t  *gate;

    gate = calm->attempt.origin->hook->gate;

    if (calm->guard && s->pinned && s->overflow == NULL
        && gate->versionp == &gate->zero)
    {
        calm->guard->recorded = s;
    }
}


/* The circuit that the call was let through, or NULL. */
static ngx_inline ngx_http_mon_breaker_t *
ngx_http_mon_calm_breaker(ngx_http_mon_calm_t *calm)
{
    ngx_http_mon_breaker_t           *b;
    ngx_http_mon_breaker_loc_conf_t  *blcf;

    if (!calm->attempt.circuit) {
        return NULL;
    }

    b = calm->attempt.origin->hook->breaker;

    if (b == NULL) {
        blcf = ngx_http_get_module_loc_conf(calm->attempt.request,
                                            ngx_http_mon_breaker_module);
        b = blcf->breaker;
    }

    return b;
}


/* The attempt was good, and is over. */
static ngx_inline void
ngx_http_mon_calm_good(ngx_http_mon_calm_t *calm)
{
    uint64_t                  now;
    ngx_http_mon_guard_t     *guard;
    ngx_http_mon_breaker_t   *b;
    ngx_mon_breaker_pass_t    pass;
    ngx_mon_breaker_change_t  change;

    b = ngx_http_mon_calm_breaker(calm);
    guard = calm->guard;
    now = ngx_current_msec;

    if (guard) {
        guard->refs--;

        if (calm->attempt.origin->hook->gate->on) {
            (void) ngx_mon_window_add(&guard->window, now);
            ngx_mon_guard_fine(guard->shared);
        }
    }

    if (b) {
        pass.generation = calm->attempt.generation;
        pass.slot = -1;

        if (ngx_mon_breaker_leave(&b->state, now, &pass, 0, 0, &change)) {
            ngx_http_mon_breaker_moved(b,
                                       calm->attempt.request->connection->log,
                                       &change);
        }
    }
}


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_CALM_H_INCLUDED_ */
