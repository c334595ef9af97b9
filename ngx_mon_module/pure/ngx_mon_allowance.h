
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_ALLOWANCE_H_INCLUDED_
#define _NGX_MON_ALLOWANCE_H_INCLUDED_


#include "ngx_mon_gcra.h"


/*
 * One rate with its state in shared memory, over configurations that change
 * the rate, its unit too: all processes, those of an older configuration as
 * well, go by the newest one.
 *
 * There are two states, of which one is in force.  Who comes first with a
 * newer configuration fills the other one, and makes that the one in force;
 * the word before is gone then, so that no request is charged to it.  Whoever
 * is late by two configurations finds a word in other ticks there: so a word
 * counts only if its rate is in force still after it was read.
 */

typedef struct {
    /* a word of ngx_mon_gcra.h; the rate: cost, and unit << 32 | burst */
    uint64_t                       word;
    uint64_t                       cost;
    uint64_t                       size;
} ngx_mon_allowance_state_t;


/* in shared memory; zeros are one that has no rate yet */

typedef struct {
    /* version << 1 | the state in force */
    uint64_t                       current;
    /* who fills the other one, or 0 */
    uint64_t                       claim;
    ngx_mon_allowance_state_t      states[2];
} ngx_mon_allowance_shared_t;


/* private to a process; zeros are one that has nothing */

typedef struct {
    ngx_mon_allowance_shared_t    *shared;

    /* as of shared->current */
    uint64_t                       current;
    uint64_t                      *word;
    ngx_mon_rate_t                 rate;
} ngx_mon_allowance_t;


/*
 * Makes a the allowance over shared memory, which outlives it, with the rate
 * or that of a newer configuration.  version grows with each configuration, 1
 * to 2^63 - 1; now: nanoseconds; pid is the process, not 0.  Returns NGX_OK,
 * or NGX_AGAIN: another process is just at it, or was killed there, until its
 * claim is taken from it.
 */
ngx_int_t ngx_mon_allowance_init(ngx_mon_allowance_t *a,
    ngx_mon_allowance_shared_t *shared, const ngx_mon_rate_t *rate,
    uint64_t version, uint64_t now, uint64_t pid);

/*
 * Takes one request at now, see ngx_mon_gcra_take().  NGX_OK, and g says what
 * came of it; NGX_DECLINED, and nothing was done: the rate changes right now,
 * or what stands in shared memory is none.
 */
ngx_int_t ngx_mon_allowance_take(ngx_mon_allowance_t *a, uint64_t now,
    ngx_mon_gcra_t *g);

/* The same of a request that is not sent: nothing is taken. */
ngx_int_t ngx_mon_allowance_ask(ngx_mon_allowance_t *a, uint64_t now,
    ngx_mon_gcra_t *g);

/*
 * Gives one request back that was taken, but for what has come back by itself:
 * until is when all of it has.  Both are nanoseconds.
 */
void ngx_mon_allowance_refund(ngx_mon_allowance_t *a, uint64_t until,
    uint64_t now);


/*
 * The usual case of ngx_mon_allowance_take(), nothing but this: a request was
 * taken, and has come back by itself in so many ticks, or 0, that is to be
 * asked what there is.
 */
static ngx_inline uint64_t
ngx_mon_allowance_quick(ngx_mon_allowance_t *a, uint64_t now)
{
    uint64_t  t, tat, next;

    t = now * a->rate.unit;
    tat = __atomic_load_n(a->word, __ATOMIC_ACQUIRE);

    if (__atomic_load_n(&a->shared->current, __ATOMIC_ACQUIRE) != a->current) {
        return 0;
    }

    next = ((int64_t) (tat - t) <= 0) ? t : tat;
    next += a->rate.cost;

    /* a word that is gone, or a state that is none, is not usual */

    return (next - t <= a->rate.limit && tat + 1 != 0 && next + 1 > 1
            && __atomic_compare_exchange_n(a->word, &tat, next, 0,
                                           __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
           ? next - t : 0;
}


/* The same, of ngx_mon_allowance_ask(): nothing is taken. */
static ngx_inline ngx_uint_t
ngx_mon_allowance_sure(ngx_mon_allowance_t *a, uint64_t now)
{
    uint64_t  tat, ahead;

    tat = __atomic_load_n(a->word, __ATOMIC_ACQUIRE);

    if (__atomic_load_n(&a->shared->current, __ATOMIC_ACQUIRE) != a->current) {
        return 0;
    }

    ahead = tat - now * a->rate.unit;

    return tat + 1 != 0 && ((int64_t) ahead <= 0
                            || ahead <= a->rate.limit - a->rate.cost);
}


/* At least every NGX_MON_GCRA_SWEEP milliseconds, by one process. */
void ngx_mon_allowance_sweep(ngx_mon_allowance_t *a, uint64_t now);


#endif /* _NGX_MON_ALLOWANCE_H_INCLUDED_ */
