
/*
 * Copyright (C) The ngx_mon authors
 */


/* the inside of the gate: what a worker knows of a balancer's list */


#ifndef _NGX_HTTP_MON_SEAT_H_INCLUDED_
#define _NGX_HTTP_MON_SEAT_H_INCLUDED_


#include "ngx_http_mon_gate.h"
#include "ngx_mon_allowance.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


/* so long ejected peers are used before it is looked at again, ms */
#define NGX_HTTP_MON_PANIC_HOLD  3000

#define NGX_HTTP_MON_GUARD_BUCKETS  256


/* a peer by its name; those not seated are freed once refs is 0 */

struct ngx_http_mon_guard_s {
    ngx_mon_guard_t              *shared;
    ngx_mon_window_t              window;

    /* NGX_MON_GUARD_*, as of the last sync */
    ngx_uint_t                    mode;
    /* attempts */
    ngx_uint_t                    refs;

    /* on trial: the call that has a good answer, and since when; or NULL */
    ngx_http_mon_call_t          *trial;
    ngx_msec_t                    answered;

    ngx_uint_t                    seated;
    ngx_uint_t                    counted;

    ngx_mon_series_t             *series;
    /* the peer's metrics, where they are pinned, or NULL */
    ngx_mon_series_t             *recorded;

    /* see ngx_http_mon_quota_open(); NULL until used, and without per=peer */
    ngx_mon_series_t             *allotted;
    ngx_mon_allowance_t           allowance;
    ngx_msec_t                    asked;

    ngx_http_mon_guard_t         *next;
    ngx_str_t                     name;
};


/* a peer in the balancer's list */

typedef struct {
    ngx_http_upstream_rr_peer_t  *peer;

    /* NULL where there was no room: it is always in */
    ngx_http_mon_guard_t         *guard;

    /* the first with that name that nginx uses; among the backup ones */
    unsigned                      first:1;
    unsigned                      backup:1;
    /* let through by this get, and by a permit that it has */
    unsigned                      open:1;
    unsigned                      permit:1;
} ngx_http_mon_seat_t;


/* of an upstream{} */

typedef struct {
    /* mon_outlier stands here */
    ngx_uint_t                    outlier;
    ngx_uint_t                    on;

    /* of it slow_start is that of mon_slow_start */
    ngx_mon_outlier_conf_t        conf;
} ngx_http_mon_outlier_srv_conf_t;


typedef struct {
    /* the first directive, for the error that says what it lacks */
    ngx_str_t                     directive;
    ngx_str_t                     file;
    ngx_uint_t                    line;

    ngx_uint_t                    gates;
} ngx_http_mon_outlier_main_conf_t;


extern ngx_module_t  ngx_http_mon_outlier_module;


struct ngx_http_mon_gate_s {
    /* as of the last sync */
    uint64_t                      epoch;
    uint64_t                      wake;
    ngx_uint_t                    version;

    /* in the balancer's list; a zero where the list never changes */
    ngx_uint_t                   *versionp;
    ngx_mon_pool_t               *pool;

    /* seats: out; those of them panic would use; on trial or in slow start */
    ngx_uint_t                    out;
    ngx_uint_t                    ejected;
    ngx_uint_t                    gated;
    /* there are some of either */
    ngx_uint_t                    busy;
    /* in, of the list and of the backup one; those in slow start, too */
    ngx_uint_t                    in[2];
    ngx_uint_t                    usable;

    /* verdicts that are failures, 0: no mon_outlier; those not good */
    ngx_uint_t                    on;
    ngx_uint_t                    bad;
    ngx_mon_outlier_conf_t        conf;

    /* NGX_MON_GUARD_CHECKED, _MANDATORY */
    ngx_uint_t                    flags;

    ngx_http_mon_hook_t          *hook;
    ngx_http_mon_seat_t          *seats;
    ngx_uint_t                    nseats;
    ngx_http_mon_seat_t         **table;
    ngx_uint_t                    mask;
    ngx_http_mon_guard_t        **guards;

    /* of this configuration, see ngx_mon_window_init() */
    uint64_t                      made;

    /* stands in where the zone has no room */
    ngx_mon_pool_t                own;
    ngx_uint_t                    zero;
    ngx_http_mon_seat_t          *empty;
};


/* ngx_http_mon_seat.c */

/* Brings all up to date, at now. */
void ngx_http_mon_gate_sync(ngx_http_mon_gate_t *gate, uint64_t now);

/* Brings the peer's bit in line, at now. */
void ngx_http_mon_seat_apply(ngx_http_mon_gate_t *gate,
    ngx_http_mon_seat_t *seat, uint64_t now);

/* Lets a peer through that is out, until it is applied. */
void ngx_http_mon_seat_open(ngx_http_mon_seat_t *seat);

/*
 * Around what touches peers of the seats.  The list may be another one than
 * that of the last sync: then lock returns NGX_DECLINED, and holds nothing.
 */
ngx_int_t ngx_http_mon_gate_lock(ngx_http_mon_gate_t *gate);
void ngx_http_mon_gate_unlock(ngx_http_mon_gate_t *gate);

/* The guard of that name, or NULL. */
ngx_http_mon_guard_t *ngx_http_mon_guard_find(ngx_http_mon_gate_t *gate,
    ngx_str_t *name);


static ngx_inline ngx_uint_t
ngx_http_mon_seat_key(ngx_http_upstream_rr_peer_t *peer)
{
    return (uintptr_t) peer / 256 ^ (uintptr_t) peer / 16;
}


/* The seat of a peer of the balancer's list, or NULL. */
static ngx_inline ngx_http_mon_seat_t *
ngx_http_mon_seat_find(ngx_http_mon_gate_t *gate,
    ngx_http_upstream_rr_peer_t *peer)
{
    ngx_uint_t            i;
    ngx_http_mon_seat_t  *seat;

    i = ngx_http_mon_seat_key(peer) & gate->mask;

    while ((seat = gate->table[i]) != NULL && seat->peer != peer) {
        i = (i + 1) & gate->mask;
    }

    return seat;
}


/* Others are to sync, as this worker does when it comes next. */
static ngx_inline void
ngx_http_mon_gate_changed(ngx_http_mon_gate_t *gate)
{
    (void) __atomic_add_fetch(&gate->pool->epoch, 1, __ATOMIC_SEQ_CST);
}


/* Syncs where something may have changed since. */
static ngx_inline void
ngx_http_mon_gate_refresh(ngx_http_mon_gate_t *gate, uint64_t now)
{
    if (ngx_mon_unlikely(
            __atomic_load_n(&gate->pool->epoch, __ATOMIC_RELAXED)
            != gate->epoch
            || now >= gate->wake
            || *(volatile ngx_uint_t *) gate->versionp != gate->version))
    {
        ngx_http_mon_gate_sync(gate, now);
    }
}


/* ngx_http_mon_gate.c */

/* Has the call do with fewer tries: some peers are out. */
void ngx_http_mon_gate_tries(ngx_http_mon_call_t *call,
    ngx_http_mon_gate_t *gate);

/* The balancer's get where there is more to it; its result. */
ngx_int_t ngx_http_mon_gate_choose(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);

/*
 * What becomes of the balancer's result, rc; cached: the attempt before was
 * by a cached connection.
 */
ngx_int_t ngx_http_mon_gate_chose(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc, ngx_int_t rc, ngx_uint_t cached);

/*
 * The balancer's choice is handed back as if it had not been made, but it is
 * tried, so that the balancer chooses another one; of a call's hold of the
 * peer nothing is left after gate_release.
 */
void ngx_http_mon_gate_hand_back(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);
void ngx_http_mon_gate_release(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);

/* The header of the attempt's response was read. */
void ngx_http_mon_gate_header(ngx_http_mon_call_t *call);

/* The attempt's verdict is more than that a peer is well. */
void ngx_http_mon_gate_told(ngx_http_mon_call_t *call,
    ngx_http_mon_guard_t *guard);


/*
 * Who was chosen, or NULL: stock balancers give the address of the name in
 * their list.
 */
static ngx_inline ngx_http_mon_guard_t *
ngx_http_mon_gate_chosen(ngx_http_mon_gate_t *gate, ngx_peer_connection_t *pc,
    ngx_int_t rc)
{
    ngx_http_mon_seat_t  *seat;

    if (ngx_mon_unlikely(rc != NGX_OK && rc != NGX_DONE)) {
        return NULL;
    }

    seat = ngx_http_mon_seat_find(gate, (ngx_http_upstream_rr_peer_t *)
               ((u_char *) pc->name
                - offsetof(ngx_http_upstream_rr_peer_t, name)));

    return seat ? seat->guard : NULL;
}


static ngx_inline void
ngx_http_mon_gate_hold(ngx_http_mon_call_t *call, ngx_http_mon_guard_t *guard)
{
    call->guard = guard;
    call->attempts++;
    guard->refs++;
}


/* At peer.init: brings the list up to date; may lower pc->tries. */
static ngx_inline void
ngx_http_mon_gate_init(ngx_http_mon_call_t *call)
{
    ngx_http_mon_gate_t  *gate;

    gate = call->attempt.origin->hook->gate;

    ngx_http_mon_gate_refresh(gate, ngx_current_msec);

    if (ngx_mon_unlikely(gate->out)) {
        ngx_http_mon_gate_tries(call, gate);
    }
}


/* The balancer's get, with the peers that are let through; its result. */
static ngx_inline ngx_int_t
ngx_http_mon_gate_get(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_int_t              rc;
    ngx_http_mon_gate_t   *gate;
    ngx_http_mon_guard_t  *guard;

    gate = call->attempt.origin->hook->gate;

    if (ngx_mon_unlikely(gate->gated | call->attempts)) {
        return ngx_http_mon_gate_choose(call, pc);
    }

    rc = ngx_http_mon_attempt_pick(&call->attempt, pc);
    guard = ngx_http_mon_gate_chosen(gate, pc, rc);

    if (ngx_mon_likely(guard && guard->mode < NGX_MON_GUARD_TRIAL)) {
        ngx_http_mon_gate_hold(call, guard);
        return rc;
    }

    return ngx_http_mon_gate_chose(call, pc, rc, 0);
}


/* The attempt at call->guard came to call->verdict. */
static ngx_inline void
ngx_http_mon_gate_end(ngx_http_mon_call_t *call)
{
    ngx_http_mon_gate_t   *gate;
    ngx_http_mon_guard_t  *guard;

    guard = call->guard;

    if (guard == NULL) {
        return;
    }

    gate = call->attempt.origin->hook->gate;

    call->guard = NULL;
    guard->refs--;

    if (ngx_mon_unlikely(call->trial | (call->verdict & gate->bad))) {
        ngx_http_mon_gate_told(call, guard);
        return;
    }

    (void) ngx_mon_window_add(&guard->window, ngx_current_msec);
    ngx_mon_guard_fine(guard->shared);
}


/* ngx_http_mon_eject.c */

/* The peer failed: ejects it where that is due and allowed. */
void ngx_http_mon_guard_failure(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *guard, uint64_t now, ngx_log_t *log);

/* The attempt of a peer on trial told: verdict is as ngx_http_mon_verdict. */
void ngx_http_mon_guard_trial(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *guard, ngx_uint_t verdict, uint64_t now,
    ngx_log_t *log);

/* The peer is let in, for that reason; it is said in the log. */
void ngx_http_mon_guard_return(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *guard, const char *why, ngx_log_t *log);

/* Ejected peers are used from now on. */
void ngx_http_mon_gate_alarm(ngx_http_mon_gate_t *gate, uint64_t now,
    ngx_log_t *log);

/* Frees a word that names a process where that is gone. */
void ngx_http_mon_gate_bury(uint64_t *word);

/* The tick, of one gate. */
void ngx_http_mon_gate_tick(ngx_http_mon_gate_t *gate, uint64_t now,
    ngx_uint_t leader);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_SEAT_H_INCLUDED_ */
