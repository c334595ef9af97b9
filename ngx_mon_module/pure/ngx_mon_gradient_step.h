
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * What becomes of the adaptive limit at the end of a window: the arithmetic
 * behind ngx_mon_gradient.h, without any shared memory.
 *
 * Logarithms are to the base of 2 with 10 bits of fraction, and so is a limit.
 */


#ifndef _NGX_MON_GRADIENT_STEP_H_INCLUDED_
#define _NGX_MON_GRADIENT_STEP_H_INCLUDED_


#include "ngx_mon_gradient.h"


#define NGX_MON_GRADIENT_BITS     10
#define NGX_MON_GRADIENT_ONE      (1 << NGX_MON_GRADIENT_BITS)

/* of a window: samples, or more of them where the base is measured */
#define NGX_MON_GRADIENT_ENOUGH   50
#define NGX_MON_GRADIENT_PLENTY   100

/* of a window: microseconds */
#define NGX_MON_GRADIENT_SHORT    100000
#define NGX_MON_GRADIENT_LONG     10000000

/* between probes: windows, and microseconds */
#define NGX_MON_GRADIENT_REST     20
#define NGX_MON_GRADIENT_PERIOD   4000000
#define NGX_MON_GRADIENT_SECOND   1000000


enum {
    NGX_MON_GRADIENT_START = 0,
    NGX_MON_GRADIENT_STEADY,
    NGX_MON_GRADIENT_DRAIN,
    NGX_MON_GRADIENT_MEASURE
};


/* a window that is over */

typedef struct {
    ngx_uint_t  samples;
    ngx_uint_t  log;           /* mean */
    ngx_uint_t  in_flight;     /* mean */
    ngx_uint_t  reached;       /* samples that found the limit reached */

    /* the limit is at work: it was reached now and then, or nearly so */
    unsigned    busy:1;
    unsigned    near:1;
} ngx_mon_gradient_window_t;


/* the state, unpacked */

typedef struct {
    uint64_t    limit;
    ngx_uint_t  base;
    ngx_uint_t  rtt;
    ngx_uint_t  gradient;
    ngx_uint_t  phase;
    ngx_uint_t  strain;
    ngx_uint_t  ease;
    ngx_uint_t  doubt;
    ngx_uint_t  solo;
    ngx_uint_t  before;
    uint64_t    back;
    uint64_t    due;
    uint64_t    now;
} ngx_mon_gradient_state_t;


/* The logarithm of n, which is taken for 1 to 2^32 - 1. */
ngx_uint_t ngx_mon_gradient_log(uint64_t n);

/*
 * n * 2^log, within 1 %; n is at most 2^21, and the logarithm is taken for -40
 * to 32.
 */
uint64_t ngx_mon_gradient_exp(uint64_t n, ngx_int_t log);

/* How long the window that begins is to be, in microseconds. */
uint64_t ngx_mon_gradient_width(const ngx_mon_gradient_state_t *s);

/*
 * The end of a window, at s->now: changes the state, the limit among it, which
 * may leave what is configured.
 */
void ngx_mon_gradient_step(ngx_mon_gradient_state_t *s,
    const ngx_mon_gradient_window_t *w);


#endif /* _NGX_MON_GRADIENT_STEP_H_INCLUDED_ */
