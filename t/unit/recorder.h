
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _RECORDER_H_INCLUDED_
#define _RECORDER_H_INCLUDED_


#include "unit.h"
#include "ngx_mon_hist.h"


/* for any bounds */
#define CELLS  ngx_mon_hist_cells(NGX_MON_BOUNDS_MAX)


static ngx_inline uint64_t
random_us(uint64_t *state)
{
    return unit_random(state) >> (unit_random(state) & 63);
}


static ngx_inline int
compare_us(const void *a, const void *b)
{
    uint64_t  x, y;

    x = *(const uint64_t *) a;
    y = *(const uint64_t *) b;

    return (x > y) - (x < y);
}


static ngx_inline void
random_bounds(ngx_mon_bounds_t *b, uint64_t *state)
{
    ngx_uint_t  i, n;

    n = unit_random(state) % (NGX_MON_BOUNDS_MAX + 1);

    for (i = 0; i < n; i++) {
        b->us[i] = 1 + (random_us(state) & 0x3ffffffff);
    }

    qsort(b->us, n, sizeof(uint64_t), compare_us);

    for (b->n = 0, i = 0; i < n; i++) {
        if (b->n == 0 || b->us[i] != b->us[b->n - 1]) {
            b->us[b->n++] = b->us[i];
        }
    }
}


/* as the core records */

static ngx_inline void
add(uint64_t *cell, uint64_t n)
{
    __atomic_store_n(cell, __atomic_load_n(cell, __ATOMIC_RELAXED) + n,
                     __ATOMIC_RELAXED);
}


static ngx_inline void
observe(const ngx_mon_hist_map_t *map, uint64_t *cells, uint64_t us)
{
    ngx_uint_t  i, k;

    i = ngx_mon_hist_bucket(map, us);
    k = ngx_mon_hist_classic(map, i, us);

    add(&cells[i], 1);
    add(&cells[NGX_MON_HIST_SUM], us);
    add(&cells[NGX_MON_HIST_CLASSIC + k], 1);
}


#endif /* _RECORDER_H_INCLUDED_ */
