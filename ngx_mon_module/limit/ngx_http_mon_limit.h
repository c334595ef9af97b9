
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The inside of mon_limit.  A request is judged once, by the limits of the
 * location that it comes to first: all of them are asked, and charged only
 * when none refuses.
 *
 * The aux of a key is the unit of its word, see ngx_mon_gcra.h.  When a
 * request comes with a rate of another unit both are changed at once, by
 * ngx_mon_keys_change(), and the word always comes to be another one; so who
 * reads the word first, then aux, and then changes the word by compare-and-
 * swap has done so with the right unit.
 */


#ifndef _NGX_HTTP_MON_LIMIT_H_INCLUDED_
#define _NGX_HTTP_MON_LIMIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_mon.h"
#include "ngx_mon_api.h"
#include "ngx_mon_gcra.h"
#include "ngx_mon_keys.h"
#include "ngx_mon_param.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


#define NGX_HTTP_MON_LIMIT_COST_MAX  0xffffffff

/* of mon_limit_zone */

typedef struct {
    ngx_mon_keys_t             keys;

    ngx_str_t                  name;
    /* the same, as a string of structured fields */
    ngx_str_t                  quoted;
    ssize_t                    size;

    ngx_http_complex_value_t   key;
    /* of the variable, where that is all of the key, or NGX_ERROR */
    ngx_int_t                  index;
    /* that is $binary_remote_addr */
    ngx_uint_t                 address;

    ngx_mon_rate_t             rate;
    /* as they are written */
    ngx_str_t                  text;      /* of the rate */
    ngx_str_t                  burst;     /* data NULL: none */

    /*
     * The largest allowance of its limits, nanoseconds; varies: there are
     * others that come by variables.
     */
    uint64_t                   most;
    ngx_uint_t                 varies;
} ngx_http_mon_limit_zone_t;


/* of mon_limit */

typedef struct {
    ngx_http_mon_limit_zone_t  *zone;
    ngx_shm_zone_t             *shm_zone;

    /* what is constant of rate, burst and cost, else that of the zone */
    ngx_mon_rate_t              rate;
    ngx_str_t                   text;
    ngx_int_t                   burst;     /* NGX_CONF_UNSET: the zone's */
    ngx_uint_t                  cost;

    /* what holds variables, or NULL */
    ngx_http_complex_value_t   *rate_value;
    ngx_http_complex_value_t   *burst_value;
    ngx_http_complex_value_t   *cost_value;

    ngx_uint_t                  status;

    /* RateLimit-Policy of this rate; and what RateLimit begins with */
    ngx_str_t                   policy;
    ngx_str_t                   item;

    ngx_uint_t                  delay;
    ngx_uint_t                  dry_run;
    ngx_uint_t                  refuse;
    ngx_uint_t                  headers;

    /* no variables but the key, no delay, no dry run: most limits are so */
    ngx_uint_t                  simple;

    /* where it stands; the word of its burst or rate */
    ngx_str_t                   file;
    ngx_uint_t                  line;
    ngx_str_t                   word;
} ngx_http_mon_limit_t;


typedef struct {
    ngx_array_t                 zones;     /* ngx_http_mon_limit_zone_t * */
    ngx_array_t                 limits;    /* ngx_http_mon_limit_t * */

    /* the first directive of either kind, for a message */
    ngx_str_t                   name;
    ngx_str_t                   file;
    ngx_uint_t                  line;
} ngx_http_mon_limit_main_conf_t;


typedef struct {
    /* ngx_http_mon_limit_t *; NULL: inherits */
    ngx_array_t                *limits;
} ngx_http_mon_limit_loc_conf_t;


/* what a limit has to say to a request */

typedef struct {
    ngx_http_mon_limit_t       *limit;
    const ngx_mon_rate_t       *rate;
    ngx_mon_rate_t              own;       /* where it comes by variables */
    uint64_t                    cost;

    uint64_t                    hash;
    ngx_str_t                   text;

    /* NULL: it is not there */
    ngx_mon_key_t              *key;

    /* its word before, and what follows from that */
    uint64_t                    word;
    ngx_mon_gcra_t              g;

    unsigned                    charged:1;
    unsigned                    refused:1;
    /* there was no room: g says nothing */
    unsigned                    full:1;
} ngx_http_mon_limit_try_t;


/* bits of ctx->outcome */

#define NGX_HTTP_MON_LIMIT_PASSED    (1 << NGX_MON_LIMIT_RATE)
#define NGX_HTTP_MON_LIMIT_DELAYED   (1 << NGX_MON_LIMIT_RATE_DELAYED)
#define NGX_HTTP_MON_LIMIT_REJECTED  (1 << NGX_MON_LIMIT_RATE_REJECTED)
#define NGX_HTTP_MON_LIMIT_DRY_RUN   (1 << NGX_MON_LIMIT_RATE_DRY)


typedef struct {
    uint64_t                    now;

    unsigned                    outcome:16;

    /* there are limits whose state clients are told */
    unsigned                    headers:1;

    /* the only try passed, and is still to be worked out */
    unsigned                    brief:1;

    unsigned                    ntries:14;

    /* behind this, or elsewhere */
    ngx_http_mon_limit_try_t   *tries;

    /* where it is brief */
    ngx_http_mon_limit_t       *limit;
    uint64_t                    word;

    /* found again after a redirect has wiped r->ctx */
    ngx_pool_cleanup_t          cleanup;
} ngx_http_mon_limit_ctx_t;


extern ngx_module_t  ngx_http_mon_limit_module;


/* Nanoseconds of CLOCK_MONOTONIC: of all times here. */
static ngx_inline uint64_t
ngx_http_mon_limit_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/* ngx_http_mon_limit_conf.c */

/* The directive mon_limit. */
char *ngx_http_mon_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* Remembers where the first directive of either kind stands. */
void ngx_http_mon_limit_first(ngx_conf_t *cf);

/*
 * What can be known only when all zones are: NGX_OK, or NGX_ERROR with a
 * message.
 */
ngx_int_t ngx_http_mon_limit_resolve(ngx_conf_t *cf, ngx_http_mon_limit_t *l);


/* ngx_http_mon_limit_zone.c */

/* The directive mon_limit_zone. */
char *ngx_http_mon_limit_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* The init callback of a zone. */
ngx_int_t ngx_http_mon_limit_init_zone(ngx_shm_zone_t *shm_zone, void *data);

/* The leader sweeps all zones. */
void ngx_http_mon_limit_tick(ngx_cycle_t *cycle, ngx_uint_t leader);

/* The source of the group LIMITER. */
ngx_int_t ngx_http_mon_limit_source(ngx_uint_t group, ngx_uint_t i,
    int64_t *cells, ngx_str_t *values);


/* ngx_http_mon_limit_rate.c */

/*
 * Works out the rate and the cost of a request.  What can't be used is
 * counted, and logged once a minute; NGX_ERROR only without memory.
 */
ngx_int_t ngx_http_mon_limit_rates(ngx_http_request_t *r,
    ngx_http_mon_limit_try_t *t);


/* ngx_http_mon_limit_key.c */

/* Looks the key up and judges: t->g. */
void ngx_http_mon_limit_check(ngx_http_mon_limit_try_t *t, uint64_t now);

/*
 * Charges what was judged: NGX_OK; NGX_DECLINED where it is refused by now,
 * NGX_BUSY where there is no room for the key.
 */
ngx_int_t ngx_http_mon_limit_charge(ngx_http_mon_limit_try_t *t,
    uint64_t now);

/*
 * Gives back what was charged, unless that has come back by itself; now is the
 * time just read.
 */
void ngx_http_mon_limit_refund(ngx_http_mon_limit_try_t *t, uint64_t now);


/* ngx_http_mon_limit_handler.c */

/* Of the preaccess phase. */
ngx_int_t ngx_http_mon_limit_handler(ngx_http_request_t *r);

/* The context of a main request, or NULL: no limit applied. */
ngx_http_mon_limit_ctx_t *ngx_http_mon_limit_ctx(ngx_http_request_t *r);

/*
 * The try that clients are to be told of, or, where shown is 0, the log: the
 * tightest of those that count.  NULL: nothing is told.
 */
ngx_http_mon_limit_try_t *ngx_http_mon_limit_tightest(ngx_http_request_t *r,
    ngx_http_mon_limit_ctx_t *ctx, ngx_uint_t shown);

/* See ngx_mon_add_limited() and ngx_mon_add_reason(). */
ngx_uint_t ngx_http_mon_limit_limited(ngx_http_request_t *r);
ngx_uint_t ngx_http_mon_limit_reason(ngx_http_request_t *r,
    ngx_uint_t status);


/* ngx_http_mon_limit_api.c */

/* http/limits/zones of the API. */
extern const ngx_mon_branch_t  ngx_http_mon_limit_api_zones;


/* ngx_http_mon_limit_delay.c */

/*
 * Makes the request wait for ms milliseconds: NGX_AGAIN, what the handler
 * returns, or NGX_DECLINED where it can't wait.
 */
ngx_int_t ngx_http_mon_limit_delay(ngx_http_request_t *r, ngx_msec_t ms);


/* ngx_http_mon_limit_filter.c */

/* Makes what is always the same: NGX_OK, or NGX_ERROR without memory. */
ngx_int_t ngx_http_mon_limit_policy(ngx_conf_t *cf, ngx_http_mon_limit_t *l);

/* Puts the filter of headers in its place.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_mon_limit_filter_init(ngx_conf_t *cf);


/* ngx_http_mon_limit_variables.c */

/* Of preconfiguration. */
ngx_int_t ngx_http_mon_limit_variables(ngx_conf_t *cf);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_LIMIT_H_INCLUDED_ */
