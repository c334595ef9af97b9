
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_row.h"


#define NGX_MON_ROW_CALLS  (((uint64_t) 1 << 48) - 1)

/* generations that the word may be ahead of a process that is late */
#define NGX_MON_ROW_AHEAD  64


static ngx_inline ngx_uint_t
ngx_mon_row_later(uint64_t word, uint64_t generation)
{
    int16_t  ahead;

    ahead = (int16_t) ((word >> 48) - generation);

    return word && ahead > 0 && ahead <= NGX_MON_ROW_AHEAD;
}


uint64_t
ngx_mon_row_failed(uint64_t *row, uint64_t generation)
{
    uint64_t  word, next;

    word = __atomic_load_n(row, __ATOMIC_RELAXED);

    do {
        if (ngx_mon_row_later(word, generation)) {
            return 0;
        }

        next = (word >> 48 == generation) ? word + 1 : generation << 48 | 1;

    } while (!__atomic_compare_exchange_n(row, &word, next, 1,
                                          __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));

    return next & NGX_MON_ROW_CALLS;
}


void
ngx_mon_row_fine(uint64_t *row, uint64_t generation)
{
    uint64_t  word;

    word = __atomic_load_n(row, __ATOMIC_RELAXED);

    /* where it fails another call has ended since */

    if (word && !ngx_mon_row_later(word, generation)) {
        (void) __atomic_compare_exchange_n(row, &word, 0, 0, __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED);
    }
}


uint64_t
ngx_mon_row_count(const uint64_t *row, uint64_t generation)
{
    uint64_t  word;

    word = __atomic_load_n(row, __ATOMIC_RELAXED);

    return word >> 48 == generation ? word & NGX_MON_ROW_CALLS : 0;
}
