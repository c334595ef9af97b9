
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_OUTLIER_H_INCLUDED_
#define _NGX_MON_OUTLIER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_mon_window.h"


/*
 * Which peers of an upstream get traffic: words that many processes share,
 * changed by compare-and-swap.  Times are milliseconds of a clock that all
 * of them share, and may differ by a little between two.  Nothing that is
 * read from shared memory is trusted further than it would be if random.
 */


/* 1 is 10000 */
#define NGX_MON_OUTLIER_ONE       10000

/* thousandths of a standard deviation */
#define NGX_MON_OUTLIER_SIGMA     1000

/* the least share of a peer that came back */
#define NGX_MON_OUTLIER_FLOOR     (NGX_MON_OUTLIER_ONE / 10)

/* what stdev needs: so many peers with so many calls in the window */
#define NGX_MON_OUTLIER_PEERS     5
#define NGX_MON_OUTLIER_VOLUME    100

#define NGX_MON_GUARD_ROW_MAX     255


typedef struct {
    /* calls that failed in a row; 0 is off */
    uint64_t                  consecutive;

    /* ten thousandths of the calls in the window, of which there are min */
    uint64_t                  ratio;
    uint64_t                  min;
    uint64_t                  window;

    /* thousandths of the standard deviation; 0 is off */
    uint64_t                  stdev;

    /* for so long at first, and at most; not 0 */
    uint64_t                  eject;
    uint64_t                  max_eject;

    /* ten thousandths of the peers */
    uint64_t                  max_ejected;

    /* until a peer that came back has its whole share; 0 is off */
    uint64_t                  slow_start;
} ngx_mon_outlier_conf_t;


/* the word "check" */

#define NGX_MON_GUARD_UNCHECKED  0
#define NGX_MON_GUARD_FAILED     1
#define NGX_MON_GUARD_PASSED     2


/*
 * A peer's words, all zeros to begin with: a peer that was never out.
 *
 *     admission:  out 1 | times in a row 8 | time 55
 *
 * The time is until when the peer is out; once it is over the peer is on
 * trial: one attempt at a time, until one of them tells.  Of a peer that is
 * in, it is since when, or 0.
 */

typedef struct {
    uint64_t                  admission;

    /* ejected by hand, until it is restored */
    uint64_t                  forced;

    /* NGX_MON_GUARD_*, and words that active checks keep for themselves */
    uint64_t                  check;
    uint64_t                  checks[15];

    /* the process that has the attempt of a peer on trial, or 0 */
    uint64_t                  permit;

    /* failures in a row */
    uint64_t                  consecutive;

    ngx_mon_window_shared_t   window;
    uint64_t                  reserved[6];
} ngx_mon_guard_t;


/* An upstream's words. */

typedef struct {
    /* grows whenever a peer's words or panic changed */
    uint64_t                  epoch;

    /* the process that decides about ejecting, or 0 */
    uint64_t                  deciding;

    /* until when ejected peers are used, 0 when they are not; how often */
    uint64_t                  panic;
    uint64_t                  panics;

    /* when success rates were last compared, or 0 */
    uint64_t                  swept;
    uint64_t                  reserved[3];

    /* of mon_retry */
    uint64_t                  retry[8];
} ngx_mon_pool_t;


/* how a peer is, see ngx_mon_guard_mode() */

#define NGX_MON_GUARD_IN         0
#define NGX_MON_GUARD_RAMP       1
#define NGX_MON_GUARD_TRIAL      2
#define NGX_MON_GUARD_EJECTED    3
#define NGX_MON_GUARD_FORCED     4
#define NGX_MON_GUARD_UNHEALTHY  5

/* whether the word "check" counts, and a peer is out until its first pass */

#define NGX_MON_GUARD_CHECKED    0x01
#define NGX_MON_GUARD_MANDATORY  0x02


/* why a peer is to be ejected */

#define NGX_MON_OUTLIER_NONE         0
#define NGX_MON_OUTLIER_CONSECUTIVE  1
#define NGX_MON_OUTLIER_RATIO        2
#define NGX_MON_OUTLIER_STDEV        3
#define NGX_MON_OUTLIER_TRIAL        4


/*
 * How the peer is at now: NGX_MON_GUARD_*, of those that apply the last.
 * flags: NGX_MON_GUARD_CHECKED|NGX_MON_GUARD_MANDATORY or fewer.
 */
ngx_uint_t ngx_mon_guard_mode(const ngx_mon_guard_t *g,
    const ngx_mon_outlier_conf_t *conf, ngx_uint_t flags, uint64_t now);

/*
 * The share of its traffic that a peer that is in gets at now, of
 * NGX_MON_OUTLIER_ONE: a tenth when it came back, then linear.
 */
uint64_t ngx_mon_guard_share(const ngx_mon_guard_t *g,
    const ngx_mon_outlier_conf_t *conf, uint64_t now);

/*
 * Milliseconds, at least 1, until time alone makes the peer's mode another
 * one, or (uint64_t) -1.
 */
uint64_t ngx_mon_guard_wake(const ngx_mon_guard_t *g,
    const ngx_mon_outlier_conf_t *conf, uint64_t now);

/*
 * How many times in a row the peer was ejected, as of now: one less for
 * each period of eject that it was in.
 */
ngx_uint_t ngx_mon_guard_row(const ngx_mon_guard_t *g,
    const ngx_mon_outlier_conf_t *conf, uint64_t now);


/*
 * Takes a call at now that failed, and was added to the window.  Returns why
 * the peer is to be ejected, NGX_MON_OUTLIER_*, or NGX_MON_OUTLIER_NONE.
 * sum is set where the window was summed, else its calls are 0.
 */
ngx_uint_t ngx_mon_guard_fault(ngx_mon_guard_t *g, ngx_mon_window_t *w,
    const ngx_mon_outlier_conf_t *conf, uint64_t now,
    ngx_mon_window_sum_t *sum);


/* Takes a call that succeeded, and was added to the window. */
static ngx_inline void
ngx_mon_guard_fine(ngx_mon_guard_t *g)
{
    if (__atomic_load_n(&g->consecutive, __ATOMIC_RELAXED)) {
        __atomic_store_n(&g->consecutive, 0, __ATOMIC_RELAXED);
    }
}


/*
 * Ejects a peer that is in at now.  Returns for how many milliseconds, or 0:
 * it is out already, or another process did it.
 */
uint64_t ngx_mon_guard_eject(ngx_mon_guard_t *g, ngx_mon_window_t *w,
    const ngx_mon_outlier_conf_t *conf, uint64_t now);

/* The same for a peer on trial that failed. */
uint64_t ngx_mon_guard_again(ngx_mon_guard_t *g,
    const ngx_mon_outlier_conf_t *conf, uint64_t now);

/*
 * Lets a peer that is out in, at now; with NGX_MON_GUARD_AFRESH it counts as
 * one that was never ejected.  Returns 1, or 0 where it was in, or another
 * process did it.
 */
#define NGX_MON_GUARD_AFRESH  1

ngx_uint_t ngx_mon_guard_admit(ngx_mon_guard_t *g, uint64_t now,
    ngx_uint_t flags);

/* Begins slow start at now for a peer that is in. */
void ngx_mon_guard_restart(ngx_mon_guard_t *g, uint64_t now);


/*
 * An active check's result at now.  Returns 1 where the peer gets traffic
 * now that it did not get before, or the other way round, so that the epoch
 * is to grow; else 0.  A pass lets in whom mon_outlier ejected, too.
 */
ngx_uint_t ngx_mon_guard_passed(ngx_mon_guard_t *g, uint64_t now);
ngx_uint_t ngx_mon_guard_failed(ngx_mon_guard_t *g);


/*
 * A word that one process at a time has, by its number.  take returns 1 where
 * it could be had; free does nothing where another one has it.
 */
ngx_uint_t ngx_mon_guard_take(uint64_t *word, uint64_t pid);
void ngx_mon_guard_free(uint64_t *word, uint64_t pid);


/*
 * How many of n peers may be out at once: max_ejected of them, rounded down,
 * but one where there are two or more; never the only one.
 */
ngx_uint_t ngx_mon_outlier_limit(const ngx_mon_outlier_conf_t *conf,
    ngx_uint_t n);


/*
 * Success rates, millionths, of n peers that all had NGX_MON_OUTLIER_VOLUME
 * calls.  Returns below which rate a peer is to be ejected: stdev standard
 * deviations below the mean; 0 where no rate is, or n is too low.  The
 * algorithm is that of Envoy's success rate outlier detection.
 */
uint64_t ngx_mon_outlier_threshold(const ngx_mon_outlier_conf_t *conf,
    const uint64_t *rates, ngx_uint_t n);


/*
 * Panic is on at now.  begin returns 1 where it was off, and the caller is to
 * say so; it holds for the milliseconds given.  end returns 1 once it has not
 * been renewed for as long again.
 */
ngx_uint_t ngx_mon_pool_panic(const ngx_mon_pool_t *p, uint64_t now,
    uint64_t hold);
ngx_uint_t ngx_mon_pool_panic_begin(ngx_mon_pool_t *p, uint64_t now,
    uint64_t hold);
void ngx_mon_pool_panic_stop(ngx_mon_pool_t *p, uint64_t now);
ngx_uint_t ngx_mon_pool_panic_end(ngx_mon_pool_t *p, uint64_t now,
    uint64_t hold);

/*
 * Whether success rates are to be compared again at now: they never were, a
 * window has passed since, or the clock was set back.
 */
ngx_uint_t ngx_mon_pool_due(const ngx_mon_pool_t *p, uint64_t now,
    uint64_t window);


#endif /* _NGX_MON_OUTLIER_H_INCLUDED_ */
