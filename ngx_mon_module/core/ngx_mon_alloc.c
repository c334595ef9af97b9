
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"


static ngx_int_t ngx_mon_chunk_locked(ngx_mon_zone_t *z, ngx_slab_pool_t *pool,
    size_t size);
static void *ngx_mon_split_locked(ngx_mon_zone_t *z, ngx_uint_t units);


static ngx_inline void
ngx_mon_push_free(ngx_mon_zone_t *z, void *p, ngx_uint_t units)
{
    *(void **) p = z->free[units];
    ngx_memory_barrier();
    z->free[units] = p;
}


static ngx_inline void *
ngx_mon_pop_free(ngx_mon_zone_t *z, ngx_uint_t units)
{
    void  *p;

    p = z->free[units];

    if (p) {
        z->free[units] = *(void **) p;
    }

    return p;
}


void *
ngx_mon_alloc_locked(ngx_mon_zone_t *z, ngx_slab_pool_t *pool, size_t size)
{
    u_char      *p;
    ngx_uint_t   units;

    units = (size + NGX_MON_UNIT - 1) / NGX_MON_UNIT;

    if (units > NGX_MON_CLASSES) {
        return NULL;
    }

    size = units * NGX_MON_UNIT;

    p = ngx_mon_pop_free(z, units);

    if (p == NULL
        && (z->chunk == NULL
            || (size_t) (z->chunk->end - z->chunk->pos) < size))
    {
        p = ngx_mon_split_locked(z, units);

        if (p == NULL && ngx_mon_chunk_locked(z, pool, size) != NGX_OK) {
            return NULL;
        }
    }

    if (p == NULL) {
        p = z->chunk->pos;
        z->chunk->pos += size;
    }

    z->used += size;

    ngx_memzero(p, size);

    return p;
}


void
ngx_mon_free_locked(ngx_mon_zone_t *z, void *p, size_t size)
{
    ngx_uint_t  units;

    units = (size + NGX_MON_UNIT - 1) / NGX_MON_UNIT;

    z->used -= units * NGX_MON_UNIT;

    ngx_mon_push_free(z, p, units);
}


/*
 * A new chunk, published by one store; what was left of the one before goes
 * to the free pieces.
 */

static ngx_int_t
ngx_mon_chunk_locked(ngx_mon_zone_t *z, ngx_slab_pool_t *pool, size_t size)
{
    size_t            n;
    ngx_uint_t        units, left;
    ngx_mon_chunk_t  *c, *last;

    c = NULL;
    size += NGX_MON_UNIT;

    for (n = NGX_MON_CHUNK; n >= size && n >= ngx_pagesize; n /= 2) {

        c = ngx_slab_alloc_locked(pool, n);

        if (c) {
            break;
        }
    }

    if (c == NULL) {
        return NGX_ERROR;
    }

    c->pos = (u_char *) c + NGX_MON_UNIT;
    c->end = (u_char *) c + n;

    last = z->chunk;

    ngx_memory_barrier();
    z->chunk = c;

    if (last == NULL) {
        return NGX_OK;
    }

    left = (last->end - last->pos) / NGX_MON_UNIT;

    while (left) {
        units = ngx_min(left, NGX_MON_CLASSES);
        ngx_mon_push_free(z, last->end - left * NGX_MON_UNIT, units);
        left -= units;
    }

    return NGX_OK;
}


/* a larger free piece, of which the rest stays free */

static void *
ngx_mon_split_locked(ngx_mon_zone_t *z, ngx_uint_t units)
{
    u_char      *p;
    ngx_uint_t   n;

    for (n = units + 1; n <= NGX_MON_CLASSES; n++) {

        p = ngx_mon_pop_free(z, n);

        if (p) {
            ngx_mon_push_free(z, p + units * NGX_MON_UNIT, n - units);
            return p;
        }
    }

    return NULL;
}
