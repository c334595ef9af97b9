
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The gate decides which peers of an upstream the balancer may choose.  What
 * ejects peers, checks them, or is told to by an operator, changes the words
 * that workers share; each worker then brings the balancer's list in line by
 * a bit of ours in "down" of a peer, that all stock balancers honour.
 */


#ifndef _NGX_HTTP_MON_GATE_H_INCLUDED_
#define _NGX_HTTP_MON_GATE_H_INCLUDED_


#include "ngx_http_mon_call.h"
#include "ngx_mon_outlier.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


/* in ngx_http_upstream_rr_peer_t.down; the others are nginx's */
#define NGX_HTTP_MON_GATE_BIT  0x40000000


/*
 * Makes the upstream one that is gated, in the postconfiguration of a module
 * behind the upstream recorder; flags are NGX_MON_GUARD_CHECKED and
 * _MANDATORY, and add to those given before.  Returns NULL without memory,
 * without mon_zone, or where the balancer is not a stock one.
 */
ngx_http_mon_gate_t *ngx_http_mon_gate_add(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *uscf, ngx_uint_t flags);


/*
 * The result of an active check of the peer, in any worker.  NGX_OK, or
 * NGX_DECLINED: the upstream has no gate, or there is no room for the peer.
 */
ngx_int_t ngx_http_mon_gate_passed(ngx_http_mon_hook_t *hook,
    ngx_str_t *peer);
ngx_int_t ngx_http_mon_gate_failed(ngx_http_mon_hook_t *hook,
    ngx_str_t *peer);

/*
 * The words of a peer that workers share, or NULL: no gate, or no room.  To
 * be used within the handler that got them.
 */
ngx_mon_guard_t *ngx_http_mon_gate_words(ngx_http_mon_hook_t *hook,
    ngx_str_t *peer);


/* what an operator sees of a peer */

typedef struct {
    /* NGX_MON_STATE_*, and whether by hand */
    ngx_uint_t               state;
    ngx_uint_t               forced;
    ngx_uint_t               trial;

    /* NGX_MON_GUARD_UNCHECKED, _FAILED or _PASSED */
    ngx_uint_t               check;

    /* times ejected in a row; milliseconds until its trial, or 0 */
    ngx_uint_t               row;
    uint64_t                 left;

    uint64_t                 calls;
    uint64_t                 failed;
    uint64_t                 consecutive;

    /* of its traffic, ten thousandths: less than 10000 in slow start */
    uint64_t                 share;
} ngx_http_mon_gate_peer_t;


/*
 * Fills p with the peer of that name: NGX_OK, or NGX_DECLINED where the
 * upstream has no gate, or no room for the peer.
 */
ngx_int_t ngx_http_mon_gate_peer(ngx_http_mon_hook_t *hook, ngx_str_t *peer,
    ngx_http_mon_gate_peer_t *p);

/* The guard of a peer that has a seat now, or NULL. */
ngx_http_mon_guard_t *ngx_http_mon_gate_guard(ngx_http_mon_hook_t *hook,
    ngx_str_t *peer);

/* Whether ejected peers are used because no other is left; how often so. */
ngx_uint_t ngx_http_mon_gate_panic(ngx_http_mon_hook_t *hook);
uint64_t ngx_http_mon_gate_panics(ngx_http_mon_hook_t *hook);

/* Whether the upstream's peers are judged by mon_outlier. */
ngx_uint_t ngx_http_mon_gate_judges(ngx_http_mon_hook_t *hook);

/*
 * Takes a peer out until it is restored, or lets it in whatever put it out,
 * checks excepted.  NGX_OK, NGX_DECLINED: no gate, or no such peer.
 */
ngx_int_t ngx_http_mon_gate_eject(ngx_http_mon_hook_t *hook,
    ngx_str_t *peer);
ngx_int_t ngx_http_mon_gate_restore(ngx_http_mon_hook_t *hook,
    ngx_str_t *peer);


/* Brings what this worker knows up to date; no list must be locked. */
void ngx_http_mon_gate_update(ngx_http_mon_gate_t *gate);

/*
 * NGX_MON_STATE_UP, _EJECTED or _UNHEALTHY: what the gate says of a peer in
 * the balancer's list.
 */
ngx_uint_t ngx_http_mon_gate_state(ngx_http_mon_gate_t *gate,
    ngx_http_upstream_rr_peer_t *peer);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_GATE_H_INCLUDED_ */
