
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * A call is one pass of a request through a hooked upstream, from peer.init
 * to finalize_request, with an attempt at a peer or several.  What protects
 * upstreams takes part in the calls of upstreams that are guarded: each
 * capability is asked at the places below, in this order.
 *
 *     peer.init          breaker_enter, quota_enter, gate_init, retry_init
 *     get                retry_get, quota_get around gate_get around the
 *                        balancer's
 *     response header    breaker_began, retry_header, or quota_header
 *     free               quota_free, gate_end after the balancer's, then
 *                        retry_end, or quota_end
 *     the call's end     breaker_leave, retry_leave, quota_leave
 */


#ifndef _NGX_HTTP_MON_CALL_H_INCLUDED_
#define _NGX_HTTP_MON_CALL_H_INCLUDED_


#include "ngx_http_mon_upstream.h"
#include "ngx_mon_breaker.h"
#include "ngx_mon_param.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


/*
 * A verdict on an attempt or a call: 0 for a good answer, or what on= calls
 * the failure.
 */

#define NGX_HTTP_MON_ON_ERROR           0x0001
#define NGX_HTTP_MON_ON_TIMEOUT         0x0002
#define NGX_HTTP_MON_ON_INVALID_HEADER  0x0004
#define NGX_HTTP_MON_ON_500             0x0008
#define NGX_HTTP_MON_ON_502             0x0010
#define NGX_HTTP_MON_ON_503             0x0020
#define NGX_HTTP_MON_ON_504             0x0040
#define NGX_HTTP_MON_ON_429             0x0080
#define NGX_HTTP_MON_ON_403             0x0100
#define NGX_HTTP_MON_ON_404             0x0200

/* neither good nor bad: the client left first; no bit of on= */
#define NGX_HTTP_MON_NO_VERDICT         0x8000

/* on= by default */
#define NGX_HTTP_MON_ON_DEFAULT                                               \
    (NGX_HTTP_MON_ON_ERROR|NGX_HTTP_MON_ON_TIMEOUT                            \
     |NGX_HTTP_MON_ON_INVALID_HEADER|NGX_HTTP_MON_ON_502                      \
     |NGX_HTTP_MON_ON_503|NGX_HTTP_MON_ON_504)


/* a circuit that a call was let through, see ngx_http_mon_breaker.h */

typedef struct {
    ngx_http_mon_breaker_t          *breaker;
    ngx_mon_breaker_pass_t           pass;
} ngx_http_mon_pass_t;


struct ngx_http_mon_call_s {
    ngx_http_mon_attempt_t           attempt;

    /* of the first attempt, and of the last one's response header, or 0 */
    uint64_t                         start;
    uint64_t                         header;

    /* of the last attempt; ON_ERROR before there was one */
    ngx_uint_t                       verdict;

    unsigned                         entered:1;
    unsigned                         refused:1;
    unsigned                         finishing:1;
    unsigned                         left:1;

    /* a circuit of the call is half-open */
    unsigned                         probing:1;

    /* the circuits of the upstream and of the location */
    ngx_http_mon_pass_t              pass[2];

    /* of the attempt: the peer, or NULL, and whether it is on trial */
    ngx_http_mon_guard_t            *guard;
    ngx_uint_t                       trial;

    /* attempts so far; how many tries more than pc->tries there may be */
    ngx_uint_t                       attempts;
    ngx_uint_t                       spare;

    /* NULL: not retried; see ngx_http_mon_retry.h */
    ngx_http_mon_retrial_t          *retrial;

    /* where the call counts as in flight, or NULL */
    ngx_mon_series_t                *counted;

    /* NULL: not limited; see ngx_http_mon_quota.h */
    ngx_http_mon_charge_t           *charge;
};


/* ngx_http_mon_call.c */

/* At peer.init, behind the balancer's: NGX_OK, or NGX_ERROR for it. */
ngx_int_t ngx_http_mon_call_begin(ngx_http_mon_call_t *call);

/* For the peer's get and free. */
ngx_int_t ngx_http_mon_call_get(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);
void ngx_http_mon_call_free(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc, ngx_uint_t state);

/* Has the gate and the balancer choose a peer: get's result. */
ngx_int_t ngx_http_mon_call_choose(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);

/* The header of the attempt's response was read, at now. */
void ngx_http_mon_call_header(ngx_http_mon_call_t *call, uint64_t now);

/* Around the original finalize_request. */
void ngx_http_mon_call_finish(ngx_http_mon_call_t *call,
    ngx_http_request_t *r, ngx_int_t rc);

/*
 * The call's end, said once: what still holds a permit gives it back.  To be
 * called where no finalize_request will come.
 */
void ngx_http_mon_call_leave(ngx_http_mon_call_t *call);


/* ngx_http_mon_verdict.c */

/*
 * The setter of on=, a list of NGX_HTTP_MON_ON_* by names, parted by commas,
 * into an ngx_uint_t.  NGX_ERROR: after a message that names the word.
 */
ngx_int_t ngx_http_mon_set_on(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf);

/*
 * The verdict on an attempt with this status, 0 for none, and this failure,
 * NGX_MON_FAILURE_* or NGX_DECLINED.
 */
ngx_uint_t ngx_http_mon_verdict(ngx_uint_t status, ngx_int_t failure);


/* ngx_http_mon_breaker.c; the rest is in ngx_http_mon_breaker.h */

/*
 * An attempt failed, and another one is to follow.  Returns NGX_OK, or
 * NGX_DECLINED where the circuit is on trial and has no attempt to spare.
 */
ngx_int_t ngx_http_mon_breaker_again(ngx_http_mon_call_t *call);


/* ngx_http_mon_retry.c */

/* NGX_OK, or NGX_ERROR without memory. */
ngx_int_t ngx_http_mon_retry_init(ngx_http_mon_call_t *call);

/* NGX_OK to ask the balancer, or what get is to return: NGX_AGAIN waits. */
ngx_int_t ngx_http_mon_retry_get(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);

/*
 * The balancer has no peer for the call.  NGX_OK: it has begun anew, to be
 * asked once more; NGX_BUSY: that is the answer.
 */
ngx_int_t ngx_http_mon_retry_busy(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);

/* The wait ended, or the request did while it waited. */
void ngx_http_mon_retry_free(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);

/* Whether the call waits, so that what is freed is no attempt. */
ngx_uint_t ngx_http_mon_retry_waits(ngx_http_mon_call_t *call);

/* Before nginx tests the status for proxy_next_upstream. */
void ngx_http_mon_retry_header(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);

/*
 * After an attempt failed that is not known to be the last; asks
 * breaker_again itself, where another one is wanted.
 */
void ngx_http_mon_retry_end(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc, ngx_uint_t state);

/* The call ended. */
void ngx_http_mon_retry_leave(ngx_http_mon_call_t *call);

/* What proxy_next_upstream calls the verdict, NGX_HTTP_UPSTREAM_FT_*, or 0. */
ngx_uint_t ngx_http_mon_retry_next(ngx_uint_t verdict);


/* ngx_http_mon_quota.c */

/*
 * Takes the first attempt's share.  NGX_OK; or refused, and the call has
 * ended: NGX_BUSY where an expired answer of the cache is to be served, else
 * NGX_DONE, and peer.init must return NGX_ERROR, as after NGX_ERROR.
 */
ngx_int_t ngx_http_mon_quota_enter(ngx_http_mon_call_t *call);

/* Around ngx_http_mon_call_choose(): get's result. */
ngx_int_t ngx_http_mon_quota_get(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);

/* Before nginx tests the status, where retry_header does not decide. */
void ngx_http_mon_quota_header(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);

/* The attempt is over; call->guard is still its peer. */
void ngx_http_mon_quota_free(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);

/* After an attempt that need not be the last, where retry_end is not asked. */
void ngx_http_mon_quota_end(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);

/*
 * Another attempt is to follow: takes its share.  NGX_OK, or NGX_DECLINED,
 * there is none.
 */
ngx_int_t ngx_http_mon_quota_again(ngx_http_mon_call_t *call);

/* Whether a peer was passed over in this get. */
ngx_uint_t ngx_http_mon_quota_passed_over(ngx_http_mon_call_t *call);

/* The call ended. */
void ngx_http_mon_quota_leave(ngx_http_mon_call_t *call);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_CALL_H_INCLUDED_ */
