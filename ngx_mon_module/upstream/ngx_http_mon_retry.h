
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Retries with a budget.  A call with mon_retry decides itself, by the
 * verdict on each attempt, whether another one follows, those that
 * proxy_next_upstream makes included; nginx then does it in its own way, as
 * if all failures were in proxy_next_upstream.
 *
 * Before a retry the call waits at a connection that is none, see
 * ngx_http_mon_wait.c.
 */


#ifndef _NGX_HTTP_MON_RETRY_H_INCLUDED_
#define _NGX_HTTP_MON_RETRY_H_INCLUDED_


#include "ngx_http_mon_call.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


/* mon_retry */

typedef struct {
    /* of NGX_MON_RETRY_WHOLE */
    ngx_uint_t                       budget;
    ngx_int_t                        min;
    /* in all, the first one too */
    ngx_uint_t                       attempts;
    ngx_msec_t                       backoff;
    ngx_msec_t                       max_backoff;
    /* NGX_HTTP_MON_ON_* */
    ngx_uint_t                       on;
    ngx_uint_t                       non_idempotent;
} ngx_http_mon_retry_conf_t;


/* of an upstream whose calls are counted: some mon_retry may apply there */

struct ngx_http_mon_retry_s {
    /* the upstream{}'s own, or NULL */
    ngx_http_mon_retry_conf_t       *conf;

    /* of this worker, pinned; NULL until used */
    ngx_mon_series_t                *series;
};


/* where a call waits instead of at a peer */

typedef struct {
    ngx_connection_t                 connection;
    ngx_event_t                      read;
    ngx_event_t                      write;
    ngx_event_t                      timer;
    ngx_int_t                      (*process_header)(ngx_http_request_t *r);
} ngx_http_mon_wait_t;


/* of a call that may be retried */

struct ngx_http_mon_retrial_s {
    ngx_http_mon_retry_conf_t       *conf;

    /* u->conf, and between two attempts the request's own in its place */
    ngx_http_upstream_conf_t        *original;
    ngx_http_upstream_conf_t        *copy;

    /* made so far; retries that waited, or will */
    ngx_uint_t                       attempts;
    ngx_uint_t                       waits;

    /* milliseconds, before the next attempt */
    ngx_msec_t                       delay;
    ngx_http_mon_wait_t             *wait;

    /* it waits: wait->connection stands for the peer's */
    unsigned                         waiting:1;
    /* it has waited, before the attempt that is to begin */
    unsigned                         waited:1;
    /* a response's status made for a retry, the attempt's free is to come */
    unsigned                         decided:1;
    /* a retry was granted that is not counted yet */
    unsigned                         granted:1;
    /* and it has not begun */
    unsigned                         pending:1;
    /* it holds a place of the budget */
    unsigned                         placed:1;
};


typedef struct {
    int64_t                          active;
    int64_t                          retries;
    int64_t                          limit;
    const ngx_http_mon_retry_conf_t *conf;
} ngx_http_mon_retry_facts_t;


extern ngx_module_t  ngx_http_mon_retry_module;


/* ngx_http_mon_retry_module.c */

/* The mon_retry in force for the request at the upstream, or NULL. */
ngx_http_mon_retry_conf_t *ngx_http_mon_retry_conf(ngx_http_request_t *r,
    ngx_http_mon_retry_t *retry);


/* ngx_http_mon_retry.c */

/*
 * The upstream's requests and retries in flight, and how many of these there
 * may be, by its own mon_retry.  NGX_DECLINED where it has none.
 */
ngx_int_t ngx_http_mon_retry_facts(ngx_http_mon_hook_t *hook,
    ngx_http_mon_retry_facts_t *f);


/* ngx_http_mon_wait.c */

/*
 * Puts the call to sleep for retrial->delay, from within get, which is then to
 * return NGX_AGAIN; u->conf is the request's own.  NGX_ERROR without memory.
 */
ngx_int_t ngx_http_mon_wait_begin(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);

/* From within free: the wait is over, or given up. */
void ngx_http_mon_wait_end(ngx_http_mon_call_t *call,
    ngx_peer_connection_t *pc);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_RETRY_H_INCLUDED_ */
