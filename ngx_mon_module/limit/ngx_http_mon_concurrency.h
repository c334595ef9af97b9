
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * mon_concurrency: so many requests at a time, others wait in a queue.  What
 * is counted stands in a zone of each limiter, see ngx_mon_permit.h; what
 * a process needs to use it is its state, which outlives configurations.
 */


#ifndef _NGX_HTTP_MON_CONCURRENCY_H_INCLUDED_
#define _NGX_HTTP_MON_CONCURRENCY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_mon.h"
#include "ngx_mon_api.h"
#include "ngx_mon_gradient.h"
#include "ngx_mon_keys.h"
#include "ngx_mon_param.h"
#include "ngx_mon_permit.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


typedef struct ngx_http_mon_conc_s        ngx_http_mon_conc_t;
typedef struct ngx_http_mon_conc_state_s  ngx_http_mon_conc_state_t;
typedef struct ngx_http_mon_conc_ctx_s    ngx_http_mon_conc_ctx_t;


/* the zone begins with it; the keys are behind */

typedef struct {
    /* of the configuration whose limit it is */
    uint64_t                     version;
    ngx_mon_gradient_t           gradient;
    ngx_mon_permit_shared_t      permits;
} ngx_http_mon_conc_shared_t;


/* a directive, of which those with the same name= are one */

struct ngx_http_mon_conc_s {
    ngx_str_t                    name;
    ngx_uint_t                   max;
    ngx_uint_t                   adaptive;
    ngx_uint_t                   queue;
    ngx_msec_t                   timeout;
    ngx_uint_t                   status;

    /* NULL: all requests are limited together */
    ngx_http_complex_value_t    *key;
    /* of the variable that the key is, or NGX_ERROR */
    ngx_int_t                    variable;
    size_t                       size;

    /* where it was configured: its array of a location, and its number */
    ngx_uint_t                   level;
    ngx_uint_t                   labelled;
    void                       **loc_conf;
    ngx_array_t                 *array;
    ngx_uint_t                   index;
    ngx_str_t                    file;
    ngx_uint_t                   line;

    /* another one that stands for this one, or NULL */
    ngx_http_mon_conc_t         *same;

    ngx_http_mon_conc_shared_t  *shared;
    ngx_mon_keys_t               keys;

    /* of this process, NULL where it has none */
    ngx_http_mon_conc_state_t   *state;
};


struct ngx_http_mon_conc_state_s {
    ngx_mon_permit_t             permit;
    ngx_mon_keys_t               keys;

    /* NULL: the limit is fixed */
    ngx_mon_gradient_t          *gradient;

    /* of this process's configuration, and of the one in force */
    uint64_t                     version;
    uint64_t                    *newest;

    /* those that wait, by the number of their node; made for the first one */
    ngx_http_mon_conc_ctx_t    **waiting;
    ngx_uint_t                   nwaiting;

    /* in case that nobody could wake this process */
    ngx_event_t                  poll;

    /* the running configuration has it */
    ngx_uint_t                   used;
    ngx_uint_t                   ticks;

    ngx_http_mon_conc_state_t   *next;
};


typedef struct {
    ngx_http_mon_conc_state_t   *state;
    uint32_t                     node;
} ngx_http_mon_conc_permit_t;


/* the timeout, and what is posted when the wait is over */

typedef struct {
    ngx_event_t                  timer;
    ngx_event_t                  over;
} ngx_http_mon_conc_wait_t;


/* a request; those of its permits that are taken, and the one it waits for */

#define NGX_HTTP_MON_CONC_BEGAN    0
#define NGX_HTTP_MON_CONC_WAITS    1
#define NGX_HTTP_MON_CONC_GRANTED  2
#define NGX_HTTP_MON_CONC_EXPIRED  3
#define NGX_HTTP_MON_CONC_DONE     4

struct ngx_http_mon_conc_ctx_s {
    ngx_pool_cleanup_t           cleanup;

    ngx_http_request_t          *request;
    ngx_array_t                 *limits;
    ngx_uint_t                   state;
    ngx_uint_t                   outcome;     /* NGX_MON_LIMIT_CONC... */
    ngx_uint_t                   status;      /* it was refused with, or 0 */
    ngx_uint_t                   n;

    /* let through, for an adaptive limit, us; 0 once the answer was seen */
    uint64_t                     begun;
    ngx_msec_t                   begun_ms;

    /* NULL unless it has waited */
    ngx_http_mon_conc_wait_t    *wait;

    ngx_http_mon_conc_permit_t   permits[];
};


typedef struct {
    ngx_array_t                  limiters;    /* _conc_t * */

    /* any later configuration has a larger one */
    uint64_t                     version;
} ngx_http_mon_conc_main_conf_t;


typedef struct {
    /* of _conc_t *; NGX_CONF_UNSET_PTR until merged; NULL: none */
    ngx_array_t                 *limits;
} ngx_http_mon_conc_loc_conf_t;


extern ngx_module_t  ngx_http_mon_concurrency_module;


/* ngx_http_mon_concurrency_conf.c */

/* Parses the parameters of the directive into c, which is zeros. */
char *ngx_http_mon_conc_parse(ngx_conf_t *cf, ngx_http_mon_conc_t *c);

/*
 * Gives all of the configuration their names, zones and series.  NGX_OK, or
 * NGX_ERROR after a message.
 */
ngx_int_t ngx_http_mon_conc_declare(ngx_conf_t *cf,
    ngx_http_mon_conc_main_conf_t *ccmf);


/* ngx_http_mon_concurrency_state.c */

/* Makes this process use what is in the zones; those of old are kept. */
void ngx_http_mon_conc_begin(ngx_cycle_t *cycle,
    ngx_http_mon_conc_main_conf_t *ccmf);

/* See ngx_mon_keys_idle_pt. */
ngx_uint_t ngx_http_mon_conc_idle(const ngx_mon_key_t *key, uint64_t word,
    uint64_t now);

/* The process ends. */
void ngx_http_mon_conc_end(void);

/*
 * Waits no longer: NGX_OK, or NGX_DECLINED where the permit had been granted:
 * then that has been told to the request, which has it.
 */
ngx_int_t ngx_http_mon_conc_quit(ngx_http_mon_conc_permit_t *permit);

/* Gives a permit back. */
void ngx_http_mon_conc_give(ngx_http_mon_conc_permit_t *permit);

/* See ngx_mon_add_loop(), ngx_mon_add_tick(). */
void ngx_http_mon_conc_loop(void);
void ngx_http_mon_conc_tick(ngx_cycle_t *cycle, ngx_uint_t leader);


/* The request waits at this node: NGX_DONE, or NGX_BUSY without memory. */
ngx_int_t ngx_http_mon_conc_waits(ngx_http_mon_conc_state_t *s,
    ngx_http_mon_conc_ctx_t *ctx, uint32_t node);


/* ngx_http_mon_concurrency_take.c */

/*
 * Takes a permit for the request, or its place in the queue: NGX_OK, NGX_DONE
 * where it waits, NGX_BUSY, or NGX_DECLINED where there is nothing to limit.
 */
ngx_int_t ngx_http_mon_conc_enter(ngx_http_mon_conc_ctx_t *ctx,
    ngx_http_mon_conc_t *c);


/* ngx_http_mon_concurrency_zone.c */

/* Adds the zone of a limiter.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_mon_conc_zone(ngx_conf_t *cf, ngx_http_mon_conc_t *c);

/*
 * The configuration took effect: its limits hold, unless a later one has some
 * by now, as a process sees that has not been told to end yet.
 */
void ngx_http_mon_conc_commit(ngx_http_mon_conc_main_conf_t *ccmf);

/* See ngx_mon_set_source(). */
ngx_int_t ngx_http_mon_conc_source(ngx_uint_t group, ngx_uint_t i,
    int64_t *cells, ngx_str_t *values);


/* ngx_http_mon_concurrency_api.c */

/* http/limits/concurrency of the API. */
extern const ngx_mon_branch_t  ngx_http_mon_conc_api;


/* ngx_http_mon_concurrency.c */

/* What there is of the request, or NULL. */
ngx_http_mon_conc_ctx_t *ngx_http_mon_conc_find(ngx_http_request_t *r);

/* The handler of the phase. */
ngx_int_t ngx_http_mon_conc_handler(ngx_http_request_t *r);

/* The request was granted the permit that it waits for. */
void ngx_http_mon_conc_granted(ngx_http_mon_conc_ctx_t *ctx);

/* See ngx_mon_add_limited(), ngx_mon_add_reason(). */
ngx_uint_t ngx_http_mon_conc_limited(ngx_http_request_t *r);
ngx_uint_t ngx_http_mon_conc_reason(ngx_http_request_t *r,
    ngx_uint_t status);


/* ngx_http_mon_concurrency_adapt.c */

/* The limits of an adaptive limit. */
extern const ngx_mon_gradient_conf_t  ngx_http_mon_conc_gradient;

/* Puts the filter in place that sees the answers.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_mon_conc_filter_init(ngx_conf_t *cf);

/* The request has all of its permits; it ends, maybe without an answer. */
extern ngx_mon_hot ngx_uint_t  ngx_http_mon_conc_adaptive;
void ngx_http_mon_conc_through(ngx_http_mon_conc_ctx_t *ctx);
void ngx_http_mon_conc_left(ngx_http_mon_conc_ctx_t *ctx);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_CONCURRENCY_H_INCLUDED_ */
