
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * What nginx keeps in shared memory, read at scrape time.  No lock is taken:
 * the values are single words, and a scrape must not wait for a cache.
 */


#include "ngx_mon_collect.h"


/* of the smallest slab, in every zone: see ngx_init_zone_pool() */
#define NGX_MON_ZONES_MIN_SHIFT  3


/* an nginx may be without any of these */

extern ngx_atomic_t  *ngx_stat_accepted __attribute__((weak));
extern ngx_atomic_t  *ngx_stat_handled __attribute__((weak));
extern ngx_atomic_t  *ngx_stat_active __attribute__((weak));
extern ngx_atomic_t  *ngx_stat_reading __attribute__((weak));
extern ngx_atomic_t  *ngx_stat_writing __attribute__((weak));
extern ngx_atomic_t  *ngx_stat_waiting __attribute__((weak));

extern ngx_module_t   ngx_http_proxy_module __attribute__((weak));
extern ngx_module_t   ngx_http_fastcgi_module __attribute__((weak));
extern ngx_module_t   ngx_http_uwsgi_module __attribute__((weak));
extern ngx_module_t   ngx_http_scgi_module __attribute__((weak));


/* The i-th shared zone of the running configuration, or NULL. */
static ngx_shm_zone_t *
ngx_mon_zones_at(ngx_uint_t i)
{
    ngx_list_part_t  *part;
    ngx_shm_zone_t   *zones;

    for (part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;
         part != NULL;
         part = part->next)
    {
        if (i < part->nelts) {
            zones = part->elts;
            return &zones[i];
        }

        i -= part->nelts;
    }

    return NULL;
}


static ngx_int_t
ngx_mon_zones_connections(ngx_uint_t group, ngx_uint_t i, int64_t *cells,
    ngx_str_t *values)
{
    if (i != 0 || &ngx_stat_accepted == NULL) {
        return NGX_DONE;
    }

    cells[NGX_MON_CONN_ACCEPTED] = *ngx_stat_accepted;
    cells[NGX_MON_CONN_HANDLED] = *ngx_stat_handled;
    cells[NGX_MON_CONN_ACTIVE] = *ngx_stat_active;
    cells[NGX_MON_CONN_READING] = *ngx_stat_reading;
    cells[NGX_MON_CONN_WRITING] = *ngx_stat_writing;
    cells[NGX_MON_CONN_WAITING] = *ngx_stat_waiting;

    return NGX_OK;
}


static ngx_int_t
ngx_mon_zones_size(ngx_uint_t group, ngx_uint_t i, int64_t *cells,
    ngx_str_t *values)
{
    size_t            free;
    ngx_shm_zone_t   *zn;
    ngx_slab_pool_t  *pool;

    zn = ngx_mon_zones_at(i);

    if (zn == NULL) {
        return NGX_DONE;
    }

    pool = (ngx_slab_pool_t *) zn->shm.addr;

    if (pool == NULL) {
        return NGX_DECLINED;
    }

    free = pool->pfree * ngx_pagesize;

    cells[NGX_MON_ZONE_SIZE] = zn->shm.size;
    cells[NGX_MON_ZONE_USED] = zn->shm.size - free;
    cells[NGX_MON_ZONE_FREE] = free;

    values[0] = zn->shm.name;

    return NGX_OK;
}


static ngx_int_t
ngx_mon_zones_slab(ngx_uint_t group, ngx_uint_t i, int64_t *cells,
    ngx_str_t *values)
{
    static u_char  size[NGX_INT_T_LEN];

    ngx_uint_t        n, slot;
    ngx_shm_zone_t   *zn;
    ngx_slab_pool_t  *pool;
    ngx_slab_stat_t  *stat;

    /* from there to half a page */

    n = ngx_pagesize_shift - NGX_MON_ZONES_MIN_SHIFT;
    slot = i % n;

    zn = ngx_mon_zones_at(i / n);

    if (zn == NULL) {
        return NGX_DONE;
    }

    pool = (ngx_slab_pool_t *) zn->shm.addr;

    if (pool == NULL) {
        return NGX_DECLINED;
    }

    stat = &pool->stats[slot];

    cells[NGX_MON_SLAB_USED] = stat->used;
    cells[NGX_MON_SLAB_TOTAL] = stat->total;
    cells[NGX_MON_SLAB_REQS] = stat->reqs;
    cells[NGX_MON_SLAB_FAILS] = stat->fails;

    values[0] = zn->shm.name;
    values[1].data = size;
    values[1].len = ngx_sprintf(size, "%ui",
                                (ngx_uint_t) 1
                                << (slot + NGX_MON_ZONES_MIN_SHIFT))
                    - size;

    return NGX_OK;
}


#if (NGX_HTTP_CACHE)

/* The cache in a zone, or NULL if it holds something else. */
static ngx_http_file_cache_t *
ngx_mon_zones_cache(ngx_shm_zone_t *zn)
{
    ngx_uint_t              i;
    ngx_http_file_cache_t  *cache;

    /* of these modules no other zone but those of their *_cache_path */

    ngx_module_t  *tags[] = {
        &ngx_http_proxy_module, &ngx_http_fastcgi_module,
        &ngx_http_uwsgi_module, &ngx_http_scgi_module
    };

    for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {

        if (tags[i] != NULL && zn->tag == tags[i]) {
            cache = zn->data;
            return cache && cache->sh ? cache : NULL;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_mon_zones_bytes(ngx_uint_t group, ngx_uint_t i, int64_t *cells,
    ngx_str_t *values)
{
    ngx_shm_zone_t         *zn;
    ngx_http_file_cache_t  *cache;

    zn = ngx_mon_zones_at(i);

    if (zn == NULL) {
        return NGX_DONE;
    }

    cache = ngx_mon_zones_cache(zn);

    if (cache == NULL) {
        return NGX_DECLINED;
    }

    /* both are kept in blocks of the file system; no limit is a huge one */

    cells[NGX_MON_CACHE_BYTES] = cache->sh->size * cache->bsize;
    cells[NGX_MON_CACHE_MAX_BYTES] = 0;

    if (cache->max_size < (off_t) (NGX_MAX_OFF_T_VALUE / cache->bsize)) {
        cells[NGX_MON_CACHE_MAX_BYTES] = cache->max_size * cache->bsize;
    }

    values[0] = zn->shm.name;

    return NGX_OK;
}

#endif


void
ngx_mon_zones_init(void)
{
    ngx_mon_set_source(NGX_MON_G_CONNECTION, ngx_mon_zones_connections);
    ngx_mon_set_source(NGX_MON_G_ZONE, ngx_mon_zones_size);
    ngx_mon_set_source(NGX_MON_G_SLAB, ngx_mon_zones_slab);

#if (NGX_HTTP_CACHE)
    ngx_mon_set_source(NGX_MON_G_CACHE_SIZE, ngx_mon_zones_bytes);
#endif
}
