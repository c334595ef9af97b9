
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The generic cell rate algorithm (ITU-T I.371, annex A; "virtual
 * scheduling"), exact: nothing is rounded.  A rate of n requests in a period
 * is reduced to cost / unit nanoseconds a request, and time is counted in
 * ticks, of which a nanosecond has unit.
 *
 * The state of a key is one word, its theoretical arrival time in ticks,
 * modulo 2^64; 0 is a key that was never used.  A word whose time lies behind
 * now is a key whose allowance is full.  Times more than 2^63 ticks apart
 * can't be told from each other: whoever keeps words must set those of the
 * past to 0, or to a nearer past, at least every NGX_MON_GCRA_SWEEP
 * milliseconds.  Nothing here writes a word: that is for a compare-and-swap
 * with the one that was judged.
 *
 * No state is ever 0 or (uint64_t) -1, which may mark a word that is gone:
 * where a time comes to be one of these, once in 2^64 ticks, it is 1.
 */


#ifndef _NGX_MON_GCRA_H_INCLUDED_
#define _NGX_MON_GCRA_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* 2^63 ticks of the largest unit are more than twice as long */
#define NGX_MON_GCRA_UNIT_MAX  (1 << 24)
#define NGX_MON_GCRA_SWEEP     120000

/* what (burst + 1) * cost must not exceed: there is room above it for now */
#define NGX_MON_GCRA_LIMIT     ((uint64_t) 1 << 62)

/*
 * Nanoseconds by which the clock of one process may be behind that of another
 * one, as it is when it was not run since it has read it.
 */
#define NGX_MON_GCRA_LAG       ((uint64_t) 1000000000)


typedef struct {
    /* ticks of a request, and of a nanosecond; of each other's prime */
    uint64_t     cost;
    uint32_t     unit;

    uint32_t     burst;

    /* (burst + 1) * cost: how far ahead of now the time may come to be */
    uint64_t     limit;
} ngx_mon_rate_t;


typedef struct {
    ngx_uint_t   allowed;

    /*
     * the state to come; of a request that is refused, or of none, the same
     * one, or that of the limit where it was too far ahead
     */
    uint64_t     next;

    /*
     * requests that are left, of cost 1 and at once, after this one where it
     * is allowed
     */
    uint64_t     remaining;

    /* nanoseconds, rounded up: until the allowance is full again */
    uint64_t     reset;

    /*
     * nanoseconds, rounded up: until it would be allowed, 0 where it is;
     * (uint64_t) -1, never: it costs more than burst + 1
     */
    uint64_t     wait;

    /*
     * nanoseconds, rounded up: by how much the request is ahead of its rate,
     * that is, how long to delay it so that the rate is kept without a burst;
     * whatever it costs itself
     */
    uint64_t     ahead;
} ngx_mon_gcra_t;


/*
 * Parses "10r/s", "300r/m", "1000r/h" or "5000r/d", n from 1 to 4294967295,
 * with a burst of 0 to 4294967295.  Returns NGX_OK, or NGX_ERROR where it is
 * no rate, or one whose unit or limit is out of range.
 */
ngx_int_t ngx_mon_rate_parse(ngx_mon_rate_t *rate, const ngx_str_t *s,
    uint64_t burst);

/*
 * What n requests at now, nanoseconds of a monotonic clock, find where the
 * state is tat.  n is 0 to 4294967295; 0 asks only, and is allowed.  A tat
 * that is further ahead than rate->limit and NGX_MON_GCRA_LAG, as after the
 * rate was raised or the burst lowered, is set back to rate->limit: whoever
 * refuses by this function alone must put g->next into the word, else nothing
 * is ever allowed before the old time has come.
 */
void ngx_mon_gcra_judge(const ngx_mon_rate_t *rate, uint64_t tat,
    uint64_t now, uint64_t n, ngx_mon_gcra_t *g);

/* The state after ticks that were taken are given back; 0 if it is 0. */
uint64_t ngx_mon_gcra_back(uint64_t tat, uint64_t ticks);

/* Whether the allowance is full again, at now: 1 or 0. */
ngx_uint_t ngx_mon_gcra_idle(uint32_t unit, uint64_t tat, uint64_t now);

/*
 * The state in ticks of another unit, of a key whose rate has changed: what
 * it has used stays the same time, rounded up to a tick, and NGX_MON_GCRA_LIMIT
 * at most.  0 where the allowance is full.
 */
uint64_t ngx_mon_gcra_convert(uint64_t tat, uint32_t from, uint32_t to,
    uint64_t now);


/*
 * Only g->next of ngx_mon_gcra_judge(), where it is allowed, else 0; n is not
 * 0.  It is all that most requests need, so it is compiled into its caller.
 */
static ngx_inline uint64_t
ngx_mon_gcra_next(const ngx_mon_rate_t *rate, uint64_t tat, uint64_t now,
    uint64_t n)
{
    uint64_t  t, ahead, used;

    if (n > (uint64_t) rate->burst + 1) {
        return 0;
    }

    t = now * rate->unit;
    used = n * rate->cost;
    ahead = tat - t;

    if (tat == 0 || (int64_t) ahead < 0) {
        ahead = 0;
    }

    if (ahead > rate->limit - used) {
        return 0;
    }

    t += ahead + used;

    return (t + 1 > 1) ? t : 1;
}


#endif /* _NGX_MON_GCRA_H_INCLUDED_ */
