
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_TALLY_H_INCLUDED_
#define _NGX_MON_TALLY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_mon_probe.h"


/*
 * What is known of a peer's checks, in words that all workers share; one
 * process at a time checks and writes, others read.  Times are milliseconds
 * of a clock that all share; 0 is never.
 */

typedef struct {
    uint64_t                  lease;       /* of a check in flight */
    uint64_t                  due;         /* of the next one */
    uint64_t                  time;        /* when the last one ended */
    uint64_t                  took;        /* it, microseconds */
    uint64_t                  last;        /* ngx_mon_tally_t, packed */
    uint64_t                  reserved[10];
} ngx_mon_tally_words_t;


typedef struct {
    ngx_mon_probe_why_t       why;         /* of the last check */
    ngx_uint_t                fails;       /* in a row, up to 65535 */
    ngx_uint_t                passes;
} ngx_mon_tally_t;


/* how the peer was before a check; equal to NGX_MON_GUARD_* */

#define NGX_MON_TALLY_UNCHECKED  0
#define NGX_MON_TALLY_FAILED     1
#define NGX_MON_TALLY_PASSED     2


/* what a check's outcome means */

#define NGX_MON_TALLY_NONE       0
/* it passed, as those before it did */
#define NGX_MON_TALLY_FINE       1
/* the peer is healthy from now on, or unhealthy */
#define NGX_MON_TALLY_ROSE       2
#define NGX_MON_TALLY_FELL       3
/* it fell that never was up: out it is already */
#define NGX_MON_TALLY_STAYED     4


/* Reads the word "last", of a zone that is new, too. */
void ngx_mon_tally_read(const ngx_mon_tally_words_t *w, ngx_mon_tally_t *t);

/*
 * Notes a check that ended at now, after took microseconds, and says what it
 * means for a peer that was in state before.  fall failures in a row make it
 * unhealthy, rise passes healthy; the first pass of one that was never
 * judged, or with mandatory that never passed, is enough.
 */
ngx_uint_t ngx_mon_tally_note(ngx_mon_tally_words_t *w, ngx_uint_t state,
    const ngx_mon_probe_why_t *why, uint64_t now, uint64_t took,
    ngx_uint_t fall, ngx_uint_t rise, ngx_uint_t mandatory);

/*
 * The lease: a process number, below 2^22, and until when it holds.  holder
 * returns the process that has it at now, or 0.  take returns 1 where the
 * lease could be had from the holder seen, which may be 0 or dead; free gives
 * it back where it is ours.
 */
uint64_t ngx_mon_tally_holder(const ngx_mon_tally_words_t *w, uint64_t now);
ngx_uint_t ngx_mon_tally_take(ngx_mon_tally_words_t *w, uint64_t holder,
    uint64_t pid, uint64_t now, uint64_t msec);
void ngx_mon_tally_free(ngx_mon_tally_words_t *w, uint64_t pid);

/*
 * Milliseconds from now to the next check, by the word "due": not more than
 * interval and a tenth; 0 where it is over, or there was none.
 */
uint64_t ngx_mon_tally_due(const ngx_mon_tally_words_t *w, uint64_t now,
    uint64_t interval);

/*
 * interval, more or less by a tenth, by a random number: checks of many peers
 * and many hosts do not stay in step.
 */
uint64_t ngx_mon_tally_jitter(uint64_t interval, uint64_t random);


#endif /* _NGX_MON_TALLY_H_INCLUDED_ */
