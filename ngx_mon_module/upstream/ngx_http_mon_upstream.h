
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The inside of the upstream recorder.  Upstreams of the configuration, the
 * implicit ones of proxy_pass included, are hooked: every attempt at a peer
 * is recorded by its own clock.  What proxy_pass names by variables and no
 * upstream is called can't be hooked, and is read from r->upstream_states
 * once it is over.
 */


#ifndef _NGX_HTTP_MON_UPSTREAM_H_INCLUDED_
#define _NGX_HTTP_MON_UPSTREAM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_mon.h"
#include "ngx_mon_api.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


typedef struct ngx_http_mon_upstream_s  ngx_http_mon_upstream_t;
typedef struct ngx_http_mon_hook_s      ngx_http_mon_hook_t;

/* what protects an upstream, see ngx_http_mon_call.h */
typedef struct ngx_http_mon_call_s      ngx_http_mon_call_t;
typedef struct ngx_http_mon_breaker_s   ngx_http_mon_breaker_t;
typedef struct ngx_http_mon_gate_s      ngx_http_mon_gate_t;
typedef struct ngx_http_mon_guard_s     ngx_http_mon_guard_t;
typedef struct ngx_http_mon_retry_s     ngx_http_mon_retry_t;
typedef struct ngx_http_mon_retrial_s   ngx_http_mon_retrial_t;
typedef struct ngx_http_mon_quota_s     ngx_http_mon_quota_t;
typedef struct ngx_http_mon_charge_s    ngx_http_mon_charge_t;


/*
 * A peer: made by configuration, or found in the balancer's list where names
 * are resolved at run time; the latter are never freed but taken over.
 */

typedef struct {
    ngx_str_t                        name;
    ngx_http_mon_upstream_t         *upstream;

    /* of this worker, pinned; NULL until used, and for those resolved */
    ngx_mon_series_t                *series;

    /* as of the refresh of that number */
    ngx_uint_t                       seen;
    ngx_uint_t                       state;
    ngx_int_t                        weight;
} ngx_http_mon_peer_t;


/* all upstreams with one label */

struct ngx_http_mon_upstream_s {
    ngx_str_t                        label;

    /* the first of those with the label */
    ngx_http_mon_hook_t             *hook;
    /* the first of its configured peers, by number */
    ngx_uint_t                       first;

    /* configured peers by name: open addressing, NULL ends a search */
    ngx_http_mon_peer_t            **table;
    /* the ones used last, by the address of the balancer's name */
    ngx_http_mon_peer_t            **recent;
    ngx_uint_t                       mask;
    ngx_uint_t                       naddrs;

    /* as of the last refresh; known: the balancer's list can be read */
    ngx_uint_t                       known;
    ngx_uint_t                       total;
    ngx_uint_t                       usable;
};


/* what the balancer and the protocol have put into a hooked upstream */

typedef struct {
    ngx_http_mon_hook_t             *hook;

    ngx_event_get_peer_pt            get;
    ngx_event_free_peer_pt           free;
    ngx_output_chain_filter_pt       output_filter;
    void                           (*finalize_request)(ngx_http_request_t *r,
                                         ngx_int_t rc);
    ngx_event_notify_peer_pt         notify;
#if (NGX_HTTP_SSL)
    ngx_event_set_peer_session_pt    set_session;
    ngx_event_save_peer_session_pt   save_session;
#endif
} ngx_http_mon_origin_t;


/* an upstream that is hooked, found by its address */

struct ngx_http_mon_hook_s {
    ngx_http_upstream_srv_conf_t    *uscf;
    ngx_http_upstream_init_peer_pt   init;
    ngx_http_mon_upstream_t         *upstream;

    /* uscf->peer.data is the list of a stock balancer */
    ngx_uint_t                       stock;

    /* of the worker's first request; the next ones are the same */
    ngx_http_mon_origin_t            origin;

    /* protected, here or in some location; NULL: not by this */
    ngx_uint_t                       guarded;
    /* a call may be calm, see ngx_http_mon_calm.h */
    ngx_uint_t                       calm;
    ngx_http_mon_breaker_t          *breaker;
    ngx_http_mon_gate_t             *gate;
    ngx_http_mon_retry_t            *retry;
    ngx_http_mon_quota_t            *quota;
};


/*
 * What stands around an upstream's peer.  Attempts of a request follow each
 * other: each begins in get and ends in free.
 */

typedef struct {
    /* whose upstream it is */
    ngx_http_request_t               *request;

    /* the originals, and the hook */
    ngx_http_mon_origin_t            *origin;
    void                             *data;
    void                             *filter_ctx;
    ngx_int_t                       (*process_header)(ngx_http_request_t *r);

    /* of the attempt; NULL between two */
    ngx_mon_series_t                 *series;
    uint64_t                          start;
    short                             rc;
    /* of a calm one: of the circuit, see ngx_http_mon_calm.h */
    unsigned short                    generation;
    unsigned                          status:16;
    unsigned                          reused:1;
    unsigned                          header:1;
    unsigned                          invalid:1;

    /* it is the first member of a ngx_http_mon_call_t, or _calm_t */
    unsigned                          guarded:1;
    unsigned                          calm:1;
    /* a calm one at an upstream with mon_limit */
    unsigned                          limited:1;
    /* it was let through a circuit that is closed */
    unsigned                          circuit:1;
} ngx_http_mon_attempt_t;


/* The balancer's get and free. */
#define ngx_http_mon_attempt_pick(a, pc)                                      \
    (a)->origin->get(pc, (a)->data)
#define ngx_http_mon_attempt_drop(a, pc, state)                               \
    (a)->origin->free(pc, (a)->data, state)


typedef struct {
    ngx_array_t                      upstreams;  /* ngx_http_mon_upstream_t */
    ngx_array_t                      peers;      /* ngx_http_mon_peer_t * */
    ngx_uint_t                       configured; /* peers, the first ones */
    ngx_uint_t                       hint;       /* among the others */

    ngx_http_mon_hook_t             *hooks;      /* open addressing */
    ngx_uint_t                       mask;

    /* the number of the last refresh, when it was, how long it holds */
    ngx_uint_t                       refreshed;
    ngx_msec_t                       refreshed_at;
    ngx_msec_t                       refreshed_for;
    /* microseconds that it took */
    uint64_t                         cost;
} ngx_http_mon_upstream_main_conf_t;


extern ngx_module_t  ngx_http_mon_upstream_module;


/*
 * u->state->queue_time of an attempt that is recorded already, or will be;
 * nginx itself leaves the field 0.
 */
#define NGX_HTTP_MON_RECORDED  ((ngx_msec_t) -2)


/* A spread of the address of an upstream, for mcf->hooks. */
#define ngx_http_mon_hook_key(uscf)  ((uintptr_t) (uscf) / 64)


/*
 * The hook of an upstream, or NULL.  mcf must have hooks: it has them where
 * mon_zone is configured, from the postconfiguration of modules behind this
 * one on.
 */
static ngx_inline ngx_http_mon_hook_t *
ngx_http_mon_hook_find(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_uint_t  i;

    i = ngx_http_mon_hook_key(us) & mcf->mask;

    while (mcf->hooks[i].uscf != us) {

        if (mcf->hooks[i].uscf == NULL) {
            return NULL;
        }

        i = (i + 1) & mcf->mask;
    }

    return &mcf->hooks[i];
}


/* ngx_http_mon_peer.c */

/* The configured peer of that name, or NULL. */
ngx_http_mon_peer_t *ngx_http_mon_peer_find(ngx_http_mon_upstream_t *up,
    ngx_str_t *name);

/*
 * Adds a configured peer unless it is there; the table must have room.
 * NGX_OK, or NGX_ERROR without memory.
 */
ngx_int_t ngx_http_mon_peer_add(ngx_conf_t *cf, ngx_http_mon_upstream_t *up,
    ngx_str_t *name);

/*
 * The series of a peer.  It must not be kept past the handler unless its
 * refs are raised.
 */
ngx_mon_series_t *ngx_http_mon_peer_series(ngx_http_mon_upstream_t *up,
    ngx_str_t *name);

/*
 * The upstreams and peers as they are now, or NULL where there are none: what
 * is there has peer->seen == mcf->refreshed, and keeps its number as long as
 * it is.
 */
ngx_http_mon_upstream_main_conf_t *ngx_http_mon_peer_refresh(void);

/* NGX_MON_STATE_* of a peer in the balancer's list, which must be locked. */
ngx_uint_t ngx_http_mon_peer_state(ngx_http_mon_hook_t *hook,
    ngx_http_upstream_rr_peer_t *peer);

/* The source of the group PEER: state and weight. */
ngx_int_t ngx_http_mon_peer_source(ngx_uint_t group, ngx_uint_t i,
    int64_t *cells, ngx_str_t *values);

/* The health check "upstreams". */
void ngx_http_mon_peer_check(ngx_mon_check_t *c);


/* ngx_http_mon_wrap.c */

/*
 * Makes an upstream one that is guarded; by all that protects it, calm tells
 * whether its calls may be calm.
 */
void ngx_http_mon_hook_guard(ngx_http_mon_hook_t *hook, ngx_uint_t calm);

/* The same of one with mon_limit, that is guarded; hook->quota is set. */
void ngx_http_mon_hook_limit(ngx_http_mon_hook_t *hook);

/* The hook's peer.init: the original one, then ours around it. */
ngx_int_t ngx_http_mon_attempt_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);

/*
 * The balancer begins anew, as if no peer had been tried, with the tries that
 * are left; between two attempts only.  Returns NGX_OK, or NGX_DECLINED where
 * it could not, and nothing is changed.
 */
ngx_int_t ngx_http_mon_attempt_renew(ngx_http_mon_attempt_t *a);


/* ngx_http_mon_attempt.c */

/*
 * The peer's get and free: of an attempt, a calm one, and a call's; get of a
 * calm one that was charged, too.
 */
ngx_int_t ngx_http_mon_attempt_get(ngx_peer_connection_t *pc, void *data);
void ngx_http_mon_attempt_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);
ngx_int_t ngx_http_mon_attempt_calm_get(ngx_peer_connection_t *pc,
    void *data);
ngx_int_t ngx_http_mon_attempt_limited_get(ngx_peer_connection_t *pc,
    void *data);
void ngx_http_mon_attempt_calm_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);
ngx_int_t ngx_http_mon_attempt_call_get(ngx_peer_connection_t *pc,
    void *data);
void ngx_http_mon_attempt_call_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);

/* Follows the request through what its protocol may have set anew. */
void ngx_http_mon_attempt_watch(ngx_http_mon_attempt_t *a);

/* Records the end of an attempt; NGX_MON_FAILURE_*, or NGX_DECLINED. */
ngx_int_t ngx_http_mon_attempt_end(ngx_http_mon_attempt_t *a,
    ngx_peer_connection_t *pc, ngx_uint_t state);

/* Counts a response of the status at the peer of the series. */
void ngx_http_mon_attempt_response(ngx_mon_series_t *s, ngx_uint_t status);

/* The NGX_MON_FAILURE_* of a 5xx status, or NGX_DECLINED. */
ngx_int_t ngx_http_mon_attempt_5xx(ngx_uint_t status);


/* ngx_http_mon_state.c: upstreams by variables, not hooked */

/* Records the attempts of a request's upstream, see ngx_mon_follow. */
void ngx_http_mon_state_follow(ngx_http_request_t *r, ngx_uint_t when);


/* ngx_http_mon_api.c */

/* http/upstreams of the API. */
extern const ngx_mon_branch_t  ngx_http_mon_api_upstreams;


/* ngx_http_mon_api_peer.c */

/* Emits the members of a peer that is there, and state if up->known. */
void ngx_http_mon_api_peer(ngx_http_mon_peer_t *peer, ngx_mon_emit_t *e);

/* Emits an object of a vector's values, by name, and "total", their sum. */
void ngx_http_mon_api_vector(ngx_uint_t group, ngx_uint_t cell,
    const int64_t *cells, const char *name, ngx_mon_emit_t *e);


/* ngx_http_mon_api_protect.c */

/* Emits the members of an upstream that say what protects it. */
void ngx_http_mon_api_protected(ngx_http_mon_upstream_t *up,
    ngx_mon_emit_t *e);

/* The same of a peer; cells: of the group UPSTREAM. */
void ngx_http_mon_api_guarded(ngx_http_mon_peer_t *peer, const int64_t *cells,
    ngx_mon_emit_t *e);

/* Ejects or restores the peer: NGX_OK, or NGX_DECLINED without a gate. */
ngx_int_t ngx_http_mon_api_command(ngx_http_mon_peer_t *peer,
    ngx_uint_t eject);


/* ngx_http_mon_api_quota.c */

/* Emits the member "limit" of an upstream, or of a peer. */
void ngx_http_mon_api_quota(ngx_http_mon_upstream_t *up, ngx_mon_emit_t *e);
void ngx_http_mon_api_quota_peer(ngx_http_mon_peer_t *peer,
    ngx_mon_emit_t *e);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_UPSTREAM_H_INCLUDED_ */
