
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"


/*
 * A bit for each unit of the zone tells whether it is in use, so that what is
 * freed joins its neighbours by itself, and a process that is killed here
 * leaves units marked that nobody has, no more.
 */

#define NGX_MON_NOT_FOUND  ((ngx_uint_t) -1)


static ngx_uint_t ngx_mon_map_find(ngx_mon_zone_t *z, ngx_uint_t units);
static void ngx_mon_map_set(ngx_mon_zone_t *z, ngx_uint_t i, ngx_uint_t n,
    ngx_uint_t on);
static ngx_int_t ngx_mon_grow_locked(ngx_mon_zone_t *z, ngx_slab_pool_t *pool);


static ngx_inline ngx_uint_t
ngx_mon_units(size_t size)
{
    return (size + NGX_MON_UNIT - 1) / NGX_MON_UNIT;
}


ngx_int_t
ngx_mon_alloc_init(ngx_mon_zone_t *z, ngx_slab_pool_t *pool)
{
    size_t  size;

    size = ngx_align((pool->end - (u_char *) pool) / NGX_MON_UNIT / 8 + 1,
                     ngx_pagesize);

    z->map = ngx_slab_calloc(pool, size);
    if (z->map == NULL) {
        return NGX_ERROR;
    }

    z->used += size;

    return NGX_OK;
}


void *
ngx_mon_alloc_locked(ngx_mon_zone_t *z, ngx_slab_pool_t *pool, size_t size)
{
    u_char      *p;
    ngx_uint_t   i, units;

    units = ngx_mon_units(size);

    if (units > NGX_MON_CLASSES) {
        return NULL;
    }

    while ((i = ngx_mon_map_find(z, units)) == NGX_MON_NOT_FOUND) {
        if (ngx_mon_grow_locked(z, pool) != NGX_OK) {
            return NULL;
        }
    }

    ngx_mon_map_set(z, i, units, 1);

    z->first[units] = i + units;
    z->used += units * NGX_MON_UNIT;

    p = z->base + i * NGX_MON_UNIT;

    ngx_memzero(p, units * NGX_MON_UNIT);

    return p;
}


void
ngx_mon_free_locked(ngx_mon_zone_t *z, void *p, size_t size)
{
    ngx_uint_t  i, k, before, units;

    units = ngx_mon_units(size);
    i = ((u_char *) p - z->base) / NGX_MON_UNIT;

    /* a larger piece may now begin before this one */

    for (k = 1; k <= NGX_MON_CLASSES; k++) {
        before = i - ngx_min(i, k - 1);
        z->first[k] = ngx_min(z->first[k], before);
    }

    z->used -= units * NGX_MON_UNIT;

    ngx_memory_barrier();

    ngx_mon_map_set(z, i, units, 0);
}


/* the first of so many free units in a row; none begins before first[units] */

static ngx_uint_t
ngx_mon_map_find(ngx_mon_zone_t *z, ngx_uint_t units)
{
    uint64_t    word;
    ngx_uint_t  i, n, run, left;

    run = 0;
    i = z->first[units];

    while (i < z->nunits) {

        word = z->map[i / 64] >> (i % 64);
        left = 64 - i % 64;

        n = word ? (ngx_uint_t) __builtin_ctzll(word) : left;

        run += n;
        i += n;

        if (run >= units) {
            break;
        }

        if (n < left) {
            word = ~(word >> n);
            n = word ? (ngx_uint_t) __builtin_ctzll(word) : 64;

            run = 0;
            i += n;
        }
    }

    i -= run;

    if (run >= units && i + units <= z->nunits) {
        return i;
    }

    if (z->nunits >= units) {
        z->first[units] = z->nunits - units + 1;
    }

    return NGX_MON_NOT_FOUND;
}


static void
ngx_mon_map_set(ngx_mon_zone_t *z, ngx_uint_t i, ngx_uint_t n, ngx_uint_t on)
{
    uint64_t    mask;
    ngx_uint_t  bits;

    for ( /* void */ ; n; n -= bits, i += bits) {

        bits = ngx_min(n, 64 - i % 64);
        mask = ((uint64_t) -1 >> (64 - bits)) << (i % 64);

        if (on) {
            z->map[i / 64] |= mask;
        } else {
            z->map[i / 64] &= ~mask;
        }
    }
}


/*
 * More pages of the pool.  Nobody else allocates from it and no page is given
 * back, so that they follow those of before.
 */

static ngx_int_t
ngx_mon_grow_locked(ngx_mon_zone_t *z, ngx_slab_pool_t *pool)
{
    u_char  *p;
    size_t   size;

    p = NULL;
    size = NGX_MON_CHUNK;

    while (p == NULL && size >= ngx_pagesize) {
        p = ngx_slab_alloc_locked(pool, size);

        if (p == NULL) {
            size /= 2;
        }
    }

    if (p == NULL) {
        return NGX_ERROR;
    }

    if (z->base == NULL) {
        z->base = p;
    }

    if (p < z->base + z->nunits * NGX_MON_UNIT) {
        return NGX_ERROR;
    }

    /* pages that a killed process has left out are as good as free */

    z->nunits = (p + size - z->base) / NGX_MON_UNIT;

    return NGX_OK;
}
