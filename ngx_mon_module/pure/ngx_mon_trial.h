
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_TRIAL_H_INCLUDED_
#define _NGX_MON_TRIAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The slots of a trial: shared words, each of which stands for one attempt
 * that may be made.  A word that is not of the generation at hand is free,
 * so that a new trial needs no clearing.
 *
 *     generation 16 | use 2 | time 14, units of 256 ms | process 32
 */

#define NGX_MON_TRIAL_FREE   0
#define NGX_MON_TRIAL_HELD   1
/* held, and the answer has begun well */
#define NGX_MON_TRIAL_BEGAN  2
#define NGX_MON_TRIAL_DONE   3


/*
 * Takes a free one of n slots for the process pid, not 0.  Returns its
 * number; -1 where there is none, or another generation is on already.
 */
ngx_int_t ngx_mon_trial_take(uint64_t *slots, ngx_uint_t n,
    uint64_t generation, uint32_t pid);

/*
 * Changes the use of a slot that pid holds; at now, milliseconds.  Does
 * nothing where it is not held.
 */
void ngx_mon_trial_turn(uint64_t *slot, uint64_t generation, uint32_t pid,
    ngx_uint_t use, uint64_t now);

/* Returns how many of n slots are held, and in *done how many are done. */
ngx_uint_t ngx_mon_trial_count(const uint64_t *slots, ngx_uint_t n,
    uint64_t generation, ngx_uint_t *done);

/*
 * Frees the slots of processes of which dead() says that they are gone; what
 * began well more than grace milliseconds ago, up to half an hour, is done.
 */
void ngx_mon_trial_sweep(uint64_t *slots, ngx_uint_t n, uint64_t generation,
    uint64_t now, uint64_t grace, ngx_uint_t (*dead)(uint32_t pid));


#endif /* _NGX_MON_TRIAL_H_INCLUDED_ */
