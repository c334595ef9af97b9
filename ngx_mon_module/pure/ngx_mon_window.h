
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_WINDOW_H_INCLUDED_
#define _NGX_MON_WINDOW_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Calls of the last so many milliseconds, counted by many processes without
 * a lock: a ring of buckets, each of a tenth of the window.  Time is divided
 * into slots of that width; a slot's bucket is its number modulo the ring,
 * and the rounds of the ring before it are its tag, 16 bits.
 *
 *   - calls:  tag 16 | number of calls 48;
 *   - faults: tag 16 | failed 24 | slow 24, each saturates.
 *
 * Who finds a tag of the past begins the bucket anew.  A process whose clock
 * is behind adds to the newer bucket that it finds; a tag further ahead than
 * any clock may be is one of the past, too.  The two words are turned apart,
 * so a reader may see one call more or less than there were.
 */

#define NGX_MON_WINDOW_BUCKETS  10
#define NGX_MON_WINDOW_WORDS    (2 + 2 * NGX_MON_WINDOW_BUCKETS)

/* rounds that the clock of another process may be ahead */
#define NGX_MON_WINDOW_AHEAD    8


/* in shared memory; zeros are a window without calls */

typedef struct {
    uint64_t                  calls;
    uint64_t                  faults;
} ngx_mon_window_bucket_t;

typedef struct {
    /* of the configuration that counts here: version 40 | width 24 */
    uint64_t                  conf;
    uint64_t                  reserved;
    ngx_mon_window_bucket_t   buckets[NGX_MON_WINDOW_BUCKETS];
} ngx_mon_window_shared_t;


/* private to a process: the window and its current bucket */

typedef struct {
    ngx_mon_window_shared_t  *shared;
    ngx_mon_window_bucket_t  *bucket;
    uint64_t                  width;
    uint64_t                  begin;
    uint64_t                  tag;
} ngx_mon_window_t;


typedef struct {
    uint64_t                  calls;
    uint64_t                  failed;
    uint64_t                  slow;
} ngx_mon_window_sum_t;


/*
 * Makes w a window of ms milliseconds, 10 to 160000000, over shared memory
 * that outlives it.  version grows with each configuration, 0 to 2^40 - 1:
 * where the width is another one than that of an older configuration the
 * window is emptied, and what processes of the older one count from then on is
 * dropped.
 */
void ngx_mon_window_init(ngx_mon_window_t *w, ngx_mon_window_shared_t *shared,
    uint64_t ms, uint64_t version);


/* The part of ngx_mon_window_add() that is rare. */
ngx_uint_t ngx_mon_window_turn(ngx_mon_window_t *w, uint64_t now);


/*
 * The part that is not, a few instructions: counts a call, unless there is
 * more to do.  Returns 1 where it did, else 0.
 */
static ngx_inline ngx_uint_t
ngx_mon_window_quick(ngx_mon_window_t *w, uint64_t now)
{
    uint64_t  calls;

    if (now - w->begin >= w->width) {
        return 0;
    }

    calls = __atomic_load_n(&w->bucket->calls, __ATOMIC_RELAXED);

    if ((calls ^ w->tag) >> 48) {
        return 0;
    }

    (void) __atomic_fetch_add(&w->bucket->calls, 1, __ATOMIC_RELAXED);

    return 1;
}


/*
 * Counts a call at now, milliseconds of a clock that all processes share.
 * Returns 1 where this process came to another bucket, so that others may
 * have left the window since it counted last, else 0.
 */
static ngx_inline ngx_uint_t
ngx_mon_window_add(ngx_mon_window_t *w, uint64_t now)
{
    return ngx_mon_window_quick(w, now) ? 0 : ngx_mon_window_turn(w, now);
}


/* Marks a call that was added at now as failed, as slow, or as both. */
void ngx_mon_window_fault(ngx_mon_window_t *w, uint64_t now,
    ngx_uint_t failed, ngx_uint_t slow);


/*
 * Sums what is in the window at now.  Neither failed nor slow is more than
 * calls.
 */
void ngx_mon_window_sum(const ngx_mon_window_t *w, uint64_t now,
    ngx_mon_window_sum_t *sum);


/* Empties the window. */
void ngx_mon_window_reset(ngx_mon_window_t *w);

/*
 * The same, of what was counted while *word was value, which it never comes to
 * be again: what is counted later stays, however late this process is, but for
 * a number that another process has emptied, and that is the same again.
 */
void ngx_mon_window_clear(ngx_mon_window_shared_t *shared,
    const uint64_t *word, uint64_t value);


#endif /* _NGX_MON_WINDOW_H_INCLUDED_ */
