
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_BREAKER_H_INCLUDED_
#define _NGX_MON_BREAKER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_mon_row.h"
#include "ngx_mon_trial.h"
#include "ngx_mon_window.h"


/*
 * A circuit breaker that many processes share without a lock.  Its state is
 * one word, which changes by compare-and-swap: of those who come to the same
 * conclusion one wins, and is told what it did.
 *
 *     closed      calls pass, and are judged by the window
 *     open        nothing passes before "until"; who comes then makes it
 *     half open   so many attempts may be made in all, each holding a slot:
 *                 when all were good the circuit closes, when a call on
 *                 trial fails it opens for twice as long
 *
 * Each state is of a generation.  A verdict on a call that was let through
 * in another one changes nothing; but one that is just being counted while
 * all of open and half open pass may be a call of the window after that.
 * Times are milliseconds of a clock that all processes share, of 40 bits.
 */

#define NGX_MON_BREAKER_CLOSED     0
#define NGX_MON_BREAKER_OPEN       1
#define NGX_MON_BREAKER_HALF_OPEN  2

/* times that it opened in a row, at most */
#define NGX_MON_BREAKER_ROW        31

#define NGX_MON_BREAKER_PROBES     64   /* of a trial, at most */

/* a trial whose answer has begun well for so long is a good one, ms */
#define NGX_MON_BREAKER_GRACE      1000

/* what a refused call is to wait where nobody knows, ms */
#define NGX_MON_BREAKER_WAIT       1000


typedef struct {
    /* of calls that failed, or were slow, millionths; 0: never mind */
    uint64_t                  ratio;
    uint64_t                  slow_ratio;
    /* calls in the window before a ratio counts, 1 or more */
    uint64_t                  min;
    /* failures in a row, 0: never mind */
    uint64_t                  consecutive;
    /* a call longer than so many microseconds is slow; 0: none is */
    uint64_t                  slow;
    /* milliseconds, see ngx_mon_window_init() */
    uint64_t                  window;
    /* milliseconds, 1 to 2^32, open <= max_open */
    uint64_t                  open;
    uint64_t                  max_open;
    /* 1 to NGX_MON_BREAKER_PROBES */
    uint64_t                  probes;
} ngx_mon_breaker_conf_t;


/* in shared memory; zeros are a closed circuit without calls */

typedef struct {
    /* kind 2 | forced 1 | row 5 | generation 16 | until 40 */
    uint64_t                  state;
    /* failures in a row, see ngx_mon_row.h */
    uint64_t                  consecutive;
    /* a ratio is met, but not yet the least number of calls */
    uint64_t                  pending;
    ngx_mon_window_shared_t   window;
    /* see ngx_mon_trial.h */
    uint64_t                  slots[NGX_MON_BREAKER_PROBES];
} ngx_mon_breaker_shared_t;


/* private to a process */

typedef struct {
    ngx_mon_breaker_shared_t      *shared;
    const ngx_mon_breaker_conf_t  *conf;
    ngx_mon_window_t               window;
    uint64_t                       random;
    uint32_t                       pid;
} ngx_mon_breaker_t;


/* a call that was let through; slot is -1 unless it is on trial */

typedef struct {
    uint64_t                  generation;
    ngx_int_t                 slot;
} ngx_mon_breaker_pass_t;


#define NGX_MON_BREAKER_BY_RATIO        0
#define NGX_MON_BREAKER_BY_SLOW         1
#define NGX_MON_BREAKER_BY_CONSECUTIVE  2
#define NGX_MON_BREAKER_BY_TRIAL        3
#define NGX_MON_BREAKER_BY_FORCE        4

/* a transition that this process made, and the figures that led to it */

typedef struct {
    ngx_uint_t                from;
    ngx_uint_t                to;
    ngx_uint_t                cause;
    ngx_mon_window_sum_t      sum;
    uint64_t                  consecutive;
    /* times that it opened in a row, and for how long now, milliseconds */
    uint64_t                  row;
    uint64_t                  ms;
} ngx_mon_breaker_change_t;


typedef struct {
    ngx_uint_t                kind;
    ngx_uint_t                forced;
    uint64_t                  row;
    /* until a trial is let through, milliseconds; 0 unless open */
    uint64_t                  left;
    uint64_t                  consecutive;
    ngx_mon_window_sum_t      sum;
    /* slots of the trial */
    ngx_uint_t                held;
    ngx_uint_t                done;
} ngx_mon_breaker_info_t;


/*
 * Makes b the breaker over shared memory, both of which, as conf, outlive it.
 * version grows with each configuration; random is any number; pid is the
 * process that will hold the slots, not 0.
 */
void ngx_mon_breaker_init(ngx_mon_breaker_t *b,
    ngx_mon_breaker_shared_t *shared, const ngx_mon_breaker_conf_t *conf,
    uint64_t version, uint64_t random, uint32_t pid);


/* The part of ngx_mon_breaker_enter() where the circuit is not closed. */
ngx_int_t ngx_mon_breaker_ask(ngx_mon_breaker_t *b, uint64_t now,
    ngx_mon_breaker_pass_t *pass, ngx_mon_breaker_change_t *change);

/*
 * The part of ngx_mon_breaker_leave() that judges; row: how many failed in a
 * row, with this call.
 */
ngx_uint_t ngx_mon_breaker_settle(ngx_mon_breaker_t *b, uint64_t now,
    ngx_mon_breaker_pass_t *pass, ngx_uint_t failed, ngx_uint_t slow,
    ngx_mon_breaker_change_t *change);
ngx_uint_t ngx_mon_breaker_judge(ngx_mon_breaker_t *b, uint64_t now,
    uint64_t state, uint64_t row, ngx_mon_breaker_change_t *change);


static ngx_inline uint64_t
ngx_mon_breaker_load(const ngx_mon_breaker_t *b)
{
    return __atomic_load_n(&b->shared->state, __ATOMIC_ACQUIRE);
}


static ngx_inline ngx_uint_t
ngx_mon_breaker_kind(uint64_t state)
{
    return state >> 62;
}


static ngx_inline ngx_uint_t
ngx_mon_breaker_forced(uint64_t state)
{
    return state >> 61 & 1;
}


static ngx_inline uint64_t
ngx_mon_breaker_row(uint64_t state)
{
    return state >> 56 & NGX_MON_BREAKER_ROW;
}


static ngx_inline uint64_t
ngx_mon_breaker_generation(uint64_t state)
{
    return state >> 40 & 0xffff;
}


/*
 * Asks whether a call may be made now.  Returns NGX_OK; NGX_AGAIN: yes, on
 * trial; or NGX_BUSY.  After NGX_OK and NGX_AGAIN pass is to be given to
 * leave or to cancel, once.  Unless NGX_OK is returned, change says what this
 * call changed: from == to, if nothing.
 */
static ngx_inline ngx_int_t
ngx_mon_breaker_enter(ngx_mon_breaker_t *b, uint64_t now,
    ngx_mon_breaker_pass_t *pass, ngx_mon_breaker_change_t *change)
{
    uint64_t  state;

    state = __atomic_load_n(&b->shared->state, __ATOMIC_RELAXED);

    if (ngx_mon_breaker_kind(state) == NGX_MON_BREAKER_CLOSED) {
        pass->generation = ngx_mon_breaker_generation(state);
        pass->slot = -1;
        return NGX_OK;
    }

    return ngx_mon_breaker_ask(b, now, pass, change);
}


/*
 * A good call ended: counts it in a few instructions where that is all there
 * is to do.  Returns 1, or 0: ngx_mon_breaker_leave() is to be called.
 */
static ngx_inline ngx_uint_t
ngx_mon_breaker_quick(ngx_mon_breaker_t *b, uint64_t now,
    const ngx_mon_breaker_pass_t *pass)
{
    ngx_mon_breaker_shared_t  *s;

    s = b->shared;

    /* closed, not forced, and of the generation */

    if (__atomic_load_n(&s->state, __ATOMIC_RELAXED) >> 40 != pass->generation
        || __atomic_load_n(&s->consecutive, __ATOMIC_RELAXED)
        || __atomic_load_n(&s->pending, __ATOMIC_RELAXED))
    {
        return 0;
    }

    return ngx_mon_window_quick(&b->window, now);
}


/*
 * The call ended at now: failed, slow, or good.  Returns 1 where it changed
 * the circuit, see change, else 0.
 */
static ngx_inline ngx_uint_t
ngx_mon_breaker_leave(ngx_mon_breaker_t *b, uint64_t now,
    ngx_mon_breaker_pass_t *pass, ngx_uint_t failed, ngx_uint_t slow,
    ngx_mon_breaker_change_t *change)
{
    uint64_t  state;

    state = __atomic_load_n(&b->shared->state, __ATOMIC_RELAXED);

    if (failed || slow || state >> 61
        || ngx_mon_breaker_generation(state) != pass->generation)
    {
        return ngx_mon_breaker_settle(b, now, pass, failed, slow, change);
    }

    if (__atomic_load_n(&b->shared->consecutive, __ATOMIC_RELAXED)) {
        ngx_mon_row_fine(&b->shared->consecutive, pass->generation);
    }

    if (ngx_mon_window_add(&b->window, now)
        || __atomic_load_n(&b->shared->pending, __ATOMIC_RELAXED))
    {
        return ngx_mon_breaker_judge(b, now, state, 0, change);
    }

    return 0;
}


/* The call ended, and tells nothing: who is on trial gives the slot back. */
void ngx_mon_breaker_cancel(ngx_mon_breaker_t *b,
    ngx_mon_breaker_pass_t *pass);


/*
 * An attempt of the call failed: may it make another one?  Returns NGX_OK,
 * or NGX_BUSY where the circuit is open by now, or the call is on trial and
 * no slot is left.
 */
ngx_int_t ngx_mon_breaker_again(ngx_mon_breaker_t *b,
    ngx_mon_breaker_pass_t *pass);


/*
 * The answer to a call on trial has begun well: should it take longer than
 * NGX_MON_BREAKER_GRACE the trial does not wait for its end.
 */
void ngx_mon_breaker_began(ngx_mon_breaker_t *b, uint64_t now,
    ngx_mon_breaker_pass_t *pass);


/*
 * Milliseconds to wait before a call has a chance, 0: now.  Lets nothing
 * through.
 */
uint64_t ngx_mon_breaker_wait(ngx_mon_breaker_t *b, uint64_t now);


/*
 * To be called each second or so by one process: frees the slots of
 * processes that dead() tells are gone, and ends the trial where only long
 * answers go on.  Returns 1 where this closed the circuit, see change.
 */
ngx_uint_t ngx_mon_breaker_sweep(ngx_mon_breaker_t *b, uint64_t now,
    ngx_uint_t (*dead)(uint32_t pid), ngx_mon_breaker_change_t *change);


/*
 * Opens or closes the circuit for good: it does not move by itself then.
 * Returns 1 where that was not so already, see change; from == to if it was
 * the same state, but not forced.
 */
ngx_uint_t ngx_mon_breaker_force(ngx_mon_breaker_t *b, uint64_t now,
    ngx_uint_t kind, ngx_mon_breaker_change_t *change);

/* Closes the circuit, forced or not, and forgets what was counted. */
ngx_uint_t ngx_mon_breaker_reset(ngx_mon_breaker_t *b, uint64_t now,
    ngx_mon_breaker_change_t *change);


void ngx_mon_breaker_info(const ngx_mon_breaker_t *b, uint64_t now,
    ngx_mon_breaker_info_t *info);


#endif /* _NGX_MON_BREAKER_H_INCLUDED_ */
