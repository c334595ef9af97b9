
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_quota.h"


static ngx_int_t ngx_http_mon_quota_charge(ngx_http_mon_call_t *call);
static void ngx_http_mon_quota_tried(ngx_http_mon_charge_t *charge,
    ngx_http_mon_guard_t *guard);
static ngx_uint_t ngx_http_mon_quota_was_tried(ngx_http_mon_charge_t *charge,
    ngx_http_mon_guard_t *guard);
static ngx_http_mon_guard_t *ngx_http_mon_quota_usable(
    ngx_http_mon_gate_t *gate, ngx_uint_t i);
static ngx_int_t ngx_http_mon_quota_hold(ngx_http_mon_call_t *call,
    ngx_uint_t tried, ngx_uint_t *seen);
static ngx_int_t ngx_http_mon_quota_try(ngx_http_mon_charge_t *charge,
    ngx_http_mon_guard_t *guard, ngx_mon_allowance_t *a, uint64_t now);


ngx_mon_allowance_t *
ngx_http_mon_quota_of(ngx_http_mon_quota_t *q, ngx_http_mon_guard_t *guard)
{
    if (ngx_mon_likely(guard->allotted != NULL)) {
        return &guard->allowance;
    }

    return ngx_http_mon_quota_open(q, &guard->allowance, &guard->allotted,
                                   &guard->asked, &guard->name);
}


/*
 * A peer that is passed over is tried for the balancer, which thus comes to
 * all others.  The first time it is made sure that there is one: its share is
 * held until it is chosen, or another one that has some, too.
 */

ngx_int_t
ngx_http_mon_quota_choose(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_int_t               rc;
    ngx_str_t              *last;
    ngx_uint_t              n;
    ngx_http_mon_charge_t  *charge;

    last = NULL;
    charge = call->charge;

    /* some may be seen twice: among those that are in slow start, too */

    for (n = 2 * call->attempt.origin->hook->gate->nseats + 2; n; n--) {
        rc = ngx_http_mon_call_choose(call, pc);

        if (rc != NGX_OK && rc != NGX_DONE) {

            if (rc != NGX_BUSY || charge->passed_over == 0) {
                return rc;
            }

            break;
        }

        if (ngx_http_mon_quota_charge(call) == NGX_OK) {
            ngx_http_mon_quota_count(call->attempt.origin->hook->quota,
                                     charge->passed_over
                                     ? NGX_MON_QUOTA_DIVERTED
                                     : NGX_MON_QUOTA_PASSED);
            return rc;
        }

        ngx_http_mon_quota_tried(charge, call->guard);
        ngx_http_mon_gate_release(call, pc);

        if (charge->held == NULL
            && ngx_http_mon_quota_reserve(call, 0) != NGX_OK)
        {
            break;
        }

        if (last == pc->name) {

            /* the balancer has no other one */

            break;
        }

        charge->passed_over++;
        last = pc->name;
    }

    return ngx_http_mon_quota_refuse(call, pc);
}


/* the share of the peer that was chosen */

static ngx_int_t
ngx_http_mon_quota_charge(ngx_http_mon_call_t *call)
{
    ngx_mon_gcra_t          g;
    ngx_mon_allowance_t    *a;
    ngx_http_mon_guard_t   *guard;
    ngx_http_mon_charge_t  *charge;

    guard = call->guard;
    charge = call->charge;

    if (guard && guard == charge->guard) {
        ngx_http_mon_quota_tried(charge, guard);
        ngx_http_mon_quota_use(charge);
        return NGX_OK;
    }

    a = guard ? ngx_http_mon_quota_of(call->attempt.origin->hook->quota,
                                      guard)
              : NULL;

    if (a && ngx_mon_allowance_take(a, ngx_http_mon_quota_now(), &g)
             == NGX_OK)
    {
        if (!g.allowed) {
            charge->wait = g.wait;
            return NGX_DECLINED;
        }

        ngx_http_mon_quota_tried(charge, guard);

    } else {
        a = NULL;
    }

    ngx_http_mon_quota_release(charge);
    charge->used = a;

    return NGX_OK;
}


static void
ngx_http_mon_quota_tried(ngx_http_mon_charge_t *charge,
    ngx_http_mon_guard_t *guard)
{
    if (charge->ntried < NGX_HTTP_MON_QUOTA_TRIED) {
        charge->tried[charge->ntried++] = guard;
    }
}


static ngx_uint_t
ngx_http_mon_quota_was_tried(ngx_http_mon_charge_t *charge,
    ngx_http_mon_guard_t *guard)
{
    ngx_uint_t  i;

    for (i = 0; i < charge->ntried; i++) {
        if (charge->tried[i] == guard) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_mon_quota_reserve(ngx_http_mon_call_t *call, ngx_uint_t anew)
{
    ngx_uint_t  seen;

    seen = 0;
    call->charge->wait = (uint64_t) -1;

    ngx_http_mon_gate_refresh(call->attempt.origin->hook->gate,
                              ngx_current_msec);

    if (ngx_http_mon_quota_hold(call, 0, &seen) == NGX_OK
        || (anew && ngx_http_mon_quota_hold(call, 1, &seen) == NGX_OK))
    {
        return NGX_OK;
    }

    if (seen == 0) {

        /* the list is not known: the balancer will tell */

        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_mon_quota_hold(ngx_http_mon_call_t *call, ngx_uint_t tried,
    ngx_uint_t *seen)
{
    uint64_t                now;
    ngx_uint_t              i, k;
    ngx_mon_gcra_t          g;
    ngx_mon_allowance_t    *a;
    ngx_http_mon_gate_t    *gate;
    ngx_http_mon_guard_t   *guard;
    ngx_http_mon_charge_t  *charge;

    gate = call->attempt.origin->hook->gate;
    charge = call->charge;

    now = ngx_http_mon_quota_now();
    k = gate->nseats ? ngx_random() % gate->nseats : 0;

    for (i = 0; i < gate->nseats; i++, k++) {
        guard = ngx_http_mon_quota_usable(gate, k % gate->nseats);

        if (guard == NULL) {
            continue;
        }

        *seen = 1;

        a = ngx_http_mon_quota_of(gate->hook->quota, guard);

        if (a == NULL) {
            return NGX_OK;
        }

        /* how long to wait is asked of all */

        if (ngx_http_mon_quota_was_tried(charge, guard) != tried) {

            if (ngx_mon_allowance_ask(a, now, &g) == NGX_OK && g.wait) {
                charge->wait = ngx_min(charge->wait, g.wait);
            }

            continue;
        }

        if (ngx_http_mon_quota_try(charge, guard, a, now) == NGX_OK) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_mon_quota_try(ngx_http_mon_charge_t *charge,
    ngx_http_mon_guard_t *guard, ngx_mon_allowance_t *a, uint64_t now)
{
    ngx_mon_gcra_t  g;

    if (ngx_mon_allowance_take(a, now, &g) != NGX_OK) {
        return NGX_OK;
    }

    if (!g.allowed) {
        charge->wait = ngx_min(charge->wait, g.wait);
        return NGX_DECLINED;
    }

    charge->held = a;
    charge->until = now + g.reset;
    charge->guard = guard;
    guard->refs++;

    return NGX_OK;
}


/* those that are out count only while nobody else is in */

static ngx_http_mon_guard_t *
ngx_http_mon_quota_usable(ngx_http_mon_gate_t *gate, ngx_uint_t i)
{
    ngx_http_mon_seat_t  *seat;

    seat = &gate->seats[i];

    if (!seat->first || seat->guard == NULL
        || (gate->usable && seat->guard->mode >= NGX_MON_GUARD_TRIAL))
    {
        return NULL;
    }

    return seat->guard;
}


uint64_t
ngx_http_mon_quota_wait(ngx_http_mon_quota_t *q, uint64_t now)
{
    uint64_t               wait;
    ngx_uint_t             i;
    ngx_mon_gcra_t         g;
    ngx_mon_allowance_t   *a;
    ngx_http_mon_gate_t   *gate;
    ngx_http_mon_guard_t  *guard;

    gate = q->hook->gate;
    wait = (uint64_t) -1;

    ngx_http_mon_gate_refresh(gate, ngx_current_msec);

    for (i = 0; i < gate->nseats; i++) {
        guard = ngx_http_mon_quota_usable(gate, i);

        if (guard == NULL) {
            continue;
        }

        a = ngx_http_mon_quota_of(q, guard);

        if (a == NULL || ngx_mon_allowance_ask(a, now, &g) != NGX_OK
            || g.allowed)
        {
            return 0;
        }

        wait = ngx_min(wait, g.wait);
    }

    return (wait == (uint64_t) -1) ? 0 : wait;
}
