
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * A limit of the requests in flight that is found from their latency, by the
 * gradient of the latency without queueing, the base, and the one measured.
 *
 * What is known of others: Netflix' concurrency-limits (Gradient, Gradient2,
 * Vegas) and Envoy's gradient controller.  The one measures the base with the
 * limit pinned down, and loses most of the traffic meanwhile; the other takes
 * a long average for it, which rises under lasting overload, and the limit
 * with it.
 *
 * Here the base is measured where the limit is at work, every few seconds and
 * for two windows, with as many requests as are really being served by
 * Little's law, in_flight * base / latency, and a little less: the queue in
 * the backend drains, and the backend is kept busy.  A base that was too high
 * falls by each measurement, and one too low comes up where latency does not
 * follow the requests in flight, so that overload can't raise it, and what is
 * slower for good is learned.  Where the
 * limit is not at work the latency itself tells the base.
 *
 * Hosts that share a backend and know nothing of each other measure at the
 * same time, by the clock, or each would see the queue of the others.
 *
 * Latencies are averaged as logarithms: neither a few that are very slow nor
 * two kinds of requests make much noise.
 *
 * All of the state is in words of shared memory that any number of processes
 * change without a lock.  Samples are added to the current window; who comes
 * first past its end turns it, by compare-and-swap, and computes the limit.
 * A process that is killed at any instruction leaves a state that is valid:
 * at worst the samples of a window are lost.
 */


#ifndef _NGX_MON_GRADIENT_H_INCLUDED_
#define _NGX_MON_GRADIENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_MON_GRADIENT_MIN      10
#define NGX_MON_GRADIENT_MAX      1000

/* of a limit in a configuration */
#define NGX_MON_GRADIENT_MOST     65535

/* the limit before anything is known */
#define NGX_MON_GRADIENT_INITIAL  20

#define NGX_MON_GRADIENT_PPM      1000000

#define NGX_MON_GRADIENT_SAME     0
#define NGX_MON_GRADIENT_GREW     1
#define NGX_MON_GRADIENT_SHRANK   2


/* in shared memory; zeros are a state that has learned nothing */

typedef struct {
    uint64_t    turn;
    uint64_t    logs;
    uint64_t    load;
    uint64_t    limit;
    uint64_t    base;
    uint64_t    rtt;
    uint64_t    phase;
    uint64_t    due;
} ngx_mon_gradient_t;

_Static_assert(sizeof(ngx_mon_gradient_t) == 64, "ngx_mon_gradient_t");


/* 1 <= min <= max <= NGX_MON_GRADIENT_MOST */

typedef struct {
    ngx_uint_t  min;
    ngx_uint_t  max;
} ngx_mon_gradient_conf_t;


typedef struct {
    ngx_uint_t  limit;

    /* microseconds: of the base and the last window; 0, not known yet */
    uint64_t    base;
    uint64_t    rtt;

    /*
     * what the limit was last multiplied with, from 500000 to 1000000; below
     * 1000000, with queueing beyond what is tolerated
     */
    ngx_uint_t  gradient;

    /* 1 while the base is being measured */
    ngx_uint_t  probing;
} ngx_mon_gradient_facts_t;


/* Forgets everything: the same as zeros. */
void ngx_mon_gradient_init(ngx_mon_gradient_t *g);

/*
 * Adds the sample of a request at now, microseconds of a clock that all
 * processes share, more or less, and hosts too as far as may be: that of the
 * day.  One that steps is survived.  rtt is the
 * time in microseconds from where the request was let through to its answer,
 * in_flight how many requests there are at the time, this one included, of all
 * processes.
 *
 * failed is 1 for a request that had no good answer.  How fast it failed says
 * nothing, so it counts only if it took longer than requests do: what would
 * have been slower still was given up.
 *
 * Returns NGX_MON_GRADIENT_GREW or _SHRANK where the limit has changed by
 * this call, so that requests that wait may be let through, else _SAME.
 */
ngx_uint_t ngx_mon_gradient_sample(ngx_mon_gradient_t *g,
    const ngx_mon_gradient_conf_t *conf, uint64_t now, uint64_t rtt,
    ngx_uint_t in_flight, ngx_uint_t failed);

/*
 * The limit, from conf->min to conf->max whatever is in the words; a changed
 * configuration holds at once.
 */
ngx_uint_t ngx_mon_gradient_limit(const ngx_mon_gradient_t *g,
    const ngx_mon_gradient_conf_t *conf);

/* What is to be told of it; any process may ask at any time. */
void ngx_mon_gradient_facts(const ngx_mon_gradient_t *g,
    const ngx_mon_gradient_conf_t *conf, ngx_mon_gradient_facts_t *f);


#endif /* _NGX_MON_GRADIENT_H_INCLUDED_ */
