
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * mon_limit of an upstream: how often something is sent there.  Each attempt
 * of a call takes its share, from the allowance of the upstream, or of the
 * peer that was chosen; one without is passed over for another.  The share of
 * another attempt is taken before nginx gives up the answer of the last one,
 * so that the client gets that where there is none.
 */


#ifndef _NGX_HTTP_MON_QUOTA_H_INCLUDED_
#define _NGX_HTTP_MON_QUOTA_H_INCLUDED_


#include "ngx_http_mon_breaker.h"
#include "ngx_http_mon_seat.h"
#include "ngx_mon_allowance.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


/* peers tried by a call that it remembers */
#define NGX_HTTP_MON_QUOTA_TRIED  8


struct ngx_http_mon_quota_s {
    ngx_mon_rate_t                   rate;
    ngx_str_t                        text;      /* of the rate */
    ngx_uint_t                       burst;
    ngx_uint_t                       status;

    /* per=peer; then the hook has a gate */
    ngx_uint_t                       peer;

    uint64_t                         version;

    ngx_http_upstream_srv_conf_t    *uscf;
    ngx_http_mon_hook_t             *hook;

    /* of this worker; NULL until used */
    ngx_mon_series_t                *series;

    /* the upstream's, see ngx_http_mon_quota_open() */
    ngx_mon_series_t                *allotted;
    ngx_mon_allowance_t              allowance;
    ngx_msec_t                       asked;
};


/* of a call */

struct ngx_http_mon_charge_s {
    /* taken, but not yet used by an attempt, or NULL; of a peer that is held */
    ngx_mon_allowance_t             *held;
    ngx_http_mon_guard_t            *guard;
    /* when it has come back by itself, nanoseconds */
    uint64_t                         until;
    /* by an attempt that came to nothing */
    ngx_uint_t                       carried;

    /* what the last attempt used, or NULL */
    ngx_mon_allowance_t             *used;

    /* peers passed over in this get; how long to wait, nanoseconds */
    ngx_uint_t                       passed_over;
    uint64_t                         wait;

    /* or passed over, with their addresses only */
    ngx_uint_t                       ntried;
    ngx_http_mon_guard_t            *tried[NGX_HTTP_MON_QUOTA_TRIED];
};


typedef struct {
    ngx_array_t                      quotas;    /* _quota_t * */

    /* the first directive, for the error that says what it lacks */
    ngx_str_t                        file;
    ngx_uint_t                       line;
} ngx_http_mon_quota_main_conf_t;


typedef struct {
    ngx_http_mon_quota_t            *quota;
} ngx_http_mon_quota_srv_conf_t;


/* of a location that passes to an upstream with mon_limit */

typedef struct {
    ngx_http_mon_quota_t            *quota;
    ngx_http_upstream_conf_t        *pass;
    ngx_http_handler_pt              handler;
} ngx_http_mon_quota_loc_conf_t;


extern ngx_module_t  ngx_http_mon_quota_module;


/* Nanoseconds of CLOCK_MONOTONIC. */
static ngx_inline uint64_t
ngx_http_mon_quota_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


/* ngx_http_mon_quota.c */

/*
 * Makes the allowance a ready in this worker: that of the upstream, or of the
 * peer of that name.  Returns it, or NULL where there is no room, or its rate
 * changes just now: nothing is limited then.
 */
ngx_mon_allowance_t *ngx_http_mon_quota_open(ngx_http_mon_quota_t *q,
    ngx_mon_allowance_t *a, ngx_mon_series_t **allotted, ngx_msec_t *asked,
    ngx_str_t *peer);


/*
 * Takes the share of a calm call, see ngx_http_mon_calm.h: 1, or 0 where that
 * is to become a whole one, which finds out more.
 */
static ngx_inline ngx_uint_t
ngx_http_mon_quota_quick(ngx_http_mon_quota_t *q)
{
    return q->allotted
           && ngx_mon_allowance_quick(&q->allowance, ngx_http_mon_quota_now());
}


/*
 * The charge of a call that was calm, with its attempt: NULL without memory,
 * or where it was not limited.
 */
ngx_http_mon_charge_t *ngx_http_mon_quota_charged(ngx_http_mon_call_t *call,
    ngx_uint_t limited);

/* Counts NGX_MON_QUOTA_*. */
void ngx_http_mon_quota_count(ngx_http_mon_quota_t *q, ngx_uint_t outcome);

/* Refuses a call, from get: its result. */
ngx_int_t ngx_http_mon_quota_refuse(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);

/* Makes the held allowance that of the attempt. */
void ngx_http_mon_quota_use(ngx_http_mon_charge_t *charge);

/* Gives it back where it was not used. */
void ngx_http_mon_quota_release(ngx_http_mon_charge_t *charge);

/* Of the precontent phase. */
ngx_int_t ngx_http_mon_quota_handler(ngx_http_request_t *r);

/* Sweeps the allowances, and frees what dead workers hold. */
void ngx_http_mon_quota_tick(ngx_cycle_t *cycle, ngx_uint_t leader);


/* ngx_http_mon_quota_peer.c: of per=peer */

/* The allowance of a peer, or NULL: it is not limited. */
ngx_mon_allowance_t *ngx_http_mon_quota_of(ngx_http_mon_quota_t *q,
    ngx_http_mon_guard_t *guard);

/* Around ngx_http_mon_call_choose(): get's result. */
ngx_int_t ngx_http_mon_quota_choose(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);

/*
 * Holds a share of a peer that was not tried yet, or of any where anew is set
 * and there is no such.  NGX_OK, also where it is not known what there is; or
 * NGX_DECLINED, and charge->wait tells how long to wait.
 */
ngx_int_t ngx_http_mon_quota_reserve(ngx_http_mon_call_t *call,
    ngx_uint_t anew);

/*
 * How long to wait until a peer may get something, nanoseconds; 0 where one
 * may now, or it is not known.
 */
uint64_t ngx_http_mon_quota_wait(ngx_http_mon_quota_t *q, uint64_t now);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_QUOTA_H_INCLUDED_ */
