
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_trial.h"


/* generations that a slot may be ahead of a process that is late */
#define NGX_MON_TRIAL_AHEAD  64

#define NGX_MON_TRIAL_UNIT   8
#define NGX_MON_TRIAL_UNITS  0x3fff


static ngx_inline uint64_t
ngx_mon_trial_slot(uint64_t generation, ngx_uint_t use, uint64_t now,
    uint32_t pid)
{
    return generation << 48 | (uint64_t) use << 46
           | (now >> NGX_MON_TRIAL_UNIT & NGX_MON_TRIAL_UNITS) << 32 | pid;
}


static ngx_inline ngx_uint_t
ngx_mon_trial_use(uint64_t slot, uint64_t generation)
{
    return slot >> 48 == generation ? slot >> 46 & 3 : NGX_MON_TRIAL_FREE;
}


static ngx_inline ngx_uint_t
ngx_mon_trial_held(uint64_t slot, uint64_t generation)
{
    ngx_uint_t  use;

    use = ngx_mon_trial_use(slot, generation);

    return use == NGX_MON_TRIAL_HELD || use == NGX_MON_TRIAL_BEGAN;
}


static ngx_inline ngx_uint_t
ngx_mon_trial_swap(uint64_t *slot, uint64_t old, uint64_t new)
{
    return __atomic_compare_exchange_n(slot, &old, new, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}


ngx_int_t
ngx_mon_trial_take(uint64_t *slots, ngx_uint_t n, uint64_t generation,
    uint32_t pid)
{
    int16_t     ahead;
    uint64_t    old, slot;
    ngx_uint_t  i;

    slot = ngx_mon_trial_slot(generation, NGX_MON_TRIAL_HELD, 0, pid);

    for (i = 0; i < n; i++) {
        old = __atomic_load_n(&slots[i], __ATOMIC_ACQUIRE);
        ahead = (int16_t) ((old >> 48) - generation);

        if (ahead > 0 && ahead <= NGX_MON_TRIAL_AHEAD) {
            return -1;
        }

        if (ngx_mon_trial_use(old, generation) == NGX_MON_TRIAL_FREE
            && ngx_mon_trial_swap(&slots[i], old, slot))
        {
            return i;
        }
    }

    return -1;
}


void
ngx_mon_trial_turn(uint64_t *slot, uint64_t generation, uint32_t pid,
    ngx_uint_t use, uint64_t now)
{
    uint64_t  old;

    old = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

    if (ngx_mon_trial_held(old, generation) && (uint32_t) old == pid) {
        (void) ngx_mon_trial_swap(slot, old,
                                  ngx_mon_trial_slot(generation, use, now,
                                                     pid));
    }
}


ngx_uint_t
ngx_mon_trial_count(const uint64_t *slots, ngx_uint_t n, uint64_t generation,
    ngx_uint_t *done)
{
    uint64_t    slot;
    ngx_uint_t  i, held;

    held = 0;
    *done = 0;

    for (i = 0; i < n; i++) {
        slot = __atomic_load_n(&slots[i], __ATOMIC_ACQUIRE);

        held += ngx_mon_trial_held(slot, generation);
        *done += ngx_mon_trial_use(slot, generation) == NGX_MON_TRIAL_DONE;
    }

    return held;
}


static ngx_uint_t
ngx_mon_trial_long(uint64_t slot, uint64_t now, uint64_t grace)
{
    uint64_t  age;

    age = ((now >> NGX_MON_TRIAL_UNIT) - (slot >> 32)) & NGX_MON_TRIAL_UNITS;

    /* else a clock is behind; the unit that began is not over */

    return age > 0 && age <= NGX_MON_TRIAL_UNITS / 2
           && (age - 1) << NGX_MON_TRIAL_UNIT >= grace;
}


void
ngx_mon_trial_sweep(uint64_t *slots, ngx_uint_t n, uint64_t generation,
    uint64_t now, uint64_t grace, ngx_uint_t (*dead)(uint32_t pid))
{
    uint64_t    old, slot;
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        old = __atomic_load_n(&slots[i], __ATOMIC_ACQUIRE);

        if (!ngx_mon_trial_held(old, generation)) {
            continue;
        }

        if (dead((uint32_t) old)) {
            slot = ngx_mon_trial_slot(generation, NGX_MON_TRIAL_FREE, 0, 0);

        } else if (ngx_mon_trial_use(old, generation) == NGX_MON_TRIAL_BEGAN
                   && ngx_mon_trial_long(old, now, grace))
        {
            slot = ngx_mon_trial_slot(generation, NGX_MON_TRIAL_DONE, now, 0);

        } else {
            continue;
        }

        (void) ngx_mon_trial_swap(&slots[i], old, slot);
    }
}
