
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"


/* slots to a worker: generations overlap while old workers drain */
#define NGX_MON_SLOTS    4
#define NGX_MON_MEMBERS  16


static ngx_int_t ngx_mon_zone_fits(ngx_shm_zone_t *shm_zone,
    ngx_mon_main_conf_t *mcf);
static ngx_int_t ngx_mon_zone_new(ngx_mon_main_conf_t *mcf);
static ngx_slab_pool_t *ngx_mon_zone_previous(ngx_shm_zone_t *shm_zone);
static ngx_slab_pool_t *ngx_mon_zone_same(ngx_shm_zone_t *shm_zone,
    ngx_shm_zone_t *old);
static ngx_int_t ngx_mon_zone_fill(ngx_mon_main_conf_t *mcf);
static ngx_int_t ngx_mon_zone_others_locked(ngx_mon_main_conf_t *mcf);
static ngx_mon_node_t *ngx_mon_declared_locked(ngx_mon_main_conf_t *mcf,
    ngx_mon_declared_t *d);


static ngx_uint_t
ngx_mon_zone_workers(ngx_mon_main_conf_t *mcf)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(mcf->cycle->conf_ctx,
                                           ngx_core_module);

    return ccf->worker_processes > 0 ? ccf->worker_processes : 1;
}


ngx_int_t
ngx_mon_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_mon_zone_t       *z;
    ngx_slab_pool_t      *pool, *old;
    ngx_mon_main_conf_t  *mcf, *omcf;

    mcf = shm_zone->data;
    omcf = data;

    pool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    mcf->shpool = pool;

    if (ngx_mon_zone_fits(shm_zone, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    old = NULL;

    if (omcf) {
        mcf->zone = omcf->zone;

    } else if (shm_zone->shm.exists) {
        mcf->zone = pool->data;

    } else {
        if (ngx_mon_zone_new(mcf) != NGX_OK) {
            return NGX_ERROR;
        }

        old = ngx_mon_zone_previous(shm_zone);
    }

    z = mcf->zone;

    if (z->magic != NGX_MON_MAGIC || z->layout != NGX_MON_LAYOUT
        || z->registry != ngx_mon_registry_hash())
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "mon zone \"%V\" was made by another version, "
                      "restart nginx or rename the zone",
                      &shm_zone->shm.name);
        return NGX_ERROR;
    }

    if (ngx_mon_zone_fill(mcf) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "mon zone \"%V\" has no room left for this "
                      "configuration, give it another size",
                      &shm_zone->shm.name);
        return NGX_ERROR;
    }

    if (old) {
        ngx_mon_fold(z, pool, old, shm_zone->shm.log);
    }

    return NGX_OK;
}


/*
 * Room for every series of the configuration in every worker, for the first
 * statuses of each, and a little more.
 */

static ngx_int_t
ngx_mon_zone_fits(ngx_shm_zone_t *shm_zone, ngx_mon_main_conf_t *mcf)
{
    size_t               size, one, child;
    ngx_uint_t           i, workers;
    ngx_mon_declared_t  *d;

    workers = ngx_mon_zone_workers(mcf);

    child = 2 * NGX_MON_UNIT + workers * NGX_MON_UNIT;
    size = 16 * ngx_pagesize
           + workers * (NGX_MON_SLOTS + NGX_MON_MEMBERS)
             * sizeof(ngx_mon_member_t);

    for (i = 0; i < NGX_MON_NGROUPS; i++) {
        size += 2 * NGX_MON_UNIT + ngx_mon_block_size(i, &mcf->bounds);
    }

    d = mcf->declared->elts;

    for (i = 0; i < mcf->declared->nelts; i++) {
        one = ngx_mon_block_size(d[i].group, &mcf->bounds);
        size += ngx_mon_node_size(128) + workers * ngx_align(one, NGX_MON_UNIT);

        if (d[i].group == NGX_MON_G_LOCATION
            || d[i].group == NGX_MON_G_UPSTREAM)
        {
            size += child;
        }
    }

    /* the pool's pages, the index and the map take a share of their own */

    if (size <= shm_zone->shm.size - shm_zone->shm.size / 48) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                  "mon zone \"%V\" of %uzk is too small for the %ui series "
                  "of this configuration in %ui workers, use at least %uzk",
                  &shm_zone->shm.name, shm_zone->shm.size / 1024,
                  mcf->declared->nelts, workers,
                  (size + size / 8) / 1024 + 1);

    return NGX_ERROR;
}


static ngx_int_t
ngx_mon_zone_new(ngx_mon_main_conf_t *mcf)
{
    size_t            size;
    ngx_uint_t        workers;
    ngx_mon_zone_t   *z;
    ngx_slab_pool_t  *pool;

    pool = mcf->shpool;
    workers = ngx_mon_zone_workers(mcf);

    pool->log_nomem = 0;

    z = ngx_slab_calloc(pool, sizeof(ngx_mon_zone_t));
    if (z == NULL) {
        return NGX_ERROR;
    }

    z->nslots = ngx_max(workers * NGX_MON_SLOTS, 8);
    z->nmembers = z->nslots + ngx_max(workers * NGX_MON_MEMBERS, 64);

    size = (z->nmembers + 1) * sizeof(ngx_mon_member_t);
    z->used = ngx_align(sizeof(ngx_mon_zone_t), ngx_pagesize)
              + ngx_align(size, ngx_pagesize);

    z->members = ngx_slab_calloc(pool, size);
    if (z->members == NULL || ngx_mon_alloc_init(z, pool) != NGX_OK) {
        return NGX_ERROR;
    }

    for (z->nbuckets = 512;
         z->nbuckets * 2048 < (size_t) (pool->end - (u_char *) pool);
         z->nbuckets *= 2) { /* void */ }

    size = z->nbuckets * sizeof(ngx_mon_node_t *);
    z->used += ngx_align(size, ngx_pagesize);

    z->buckets = ngx_slab_calloc(pool, size);
    if (z->buckets == NULL) {
        return NGX_ERROR;
    }

    z->generation = 1;
    z->started = ngx_time();
    z->layout = NGX_MON_LAYOUT;
    z->registry = ngx_mon_registry_hash();
    z->magic = NGX_MON_MAGIC;

    pool->data = z;
    mcf->zone = z;

    return NGX_OK;
}


/* the zone of this name and of another size, that still serves */

static ngx_slab_pool_t *
ngx_mon_zone_previous(ngx_shm_zone_t *shm_zone)
{
    ngx_uint_t        i;
    ngx_shm_zone_t   *old;
    ngx_slab_pool_t  *pool;
    ngx_list_part_t  *part;

    part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;
    old = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            old = part->elts;
            i = 0;

            if (part->nelts == 0) {
                return NULL;
            }
        }

        pool = ngx_mon_zone_same(shm_zone, &old[i]);

        if (pool) {
            return pool;
        }
    }
}


static ngx_slab_pool_t *
ngx_mon_zone_same(ngx_shm_zone_t *shm_zone, ngx_shm_zone_t *old)
{
    ngx_mon_zone_t   *z;
    ngx_slab_pool_t  *pool;

    if (old->tag != shm_zone->tag || old == shm_zone || old->shm.addr == NULL
        || old->shm.name.len != shm_zone->shm.name.len
        || ngx_strncmp(old->shm.name.data, shm_zone->shm.name.data,
                       shm_zone->shm.name.len)
           != 0)
    {
        return NULL;
    }

    pool = (ngx_slab_pool_t *) old->shm.addr;
    z = pool->data;

    if (z && z->magic == NGX_MON_MAGIC && z->layout == NGX_MON_LAYOUT
        && z->registry == ngx_mon_registry_hash())
    {
        return pool;
    }

    return NULL;
}


static ngx_int_t
ngx_mon_zone_fill(ngx_mon_main_conf_t *mcf)
{
    ngx_int_t            rc;
    ngx_uint_t           i;
    ngx_mon_declared_t  *d;

    ngx_mon_lock(mcf->shpool);

    rc = NGX_ERROR;

    mcf->layout = ngx_mon_layout_locked(mcf->zone, mcf->shpool, &mcf->bounds);
    if (mcf->layout == NULL) {
        goto done;
    }

    if (ngx_mon_zone_others_locked(mcf) != NGX_OK) {
        goto done;
    }

    d = mcf->declared->elts;

    for (i = 0; i < mcf->declared->nelts; i++) {
        if (ngx_mon_declared_locked(mcf, &d[i]) == NULL) {
            goto done;
        }
    }

    rc = NGX_OK;

done:

    ngx_mon_unlock(mcf->shpool);

    return rc;
}


const ngx_mon_bounds_t *
ngx_mon_layout_locked(ngx_mon_zone_t *z, ngx_slab_pool_t *pool,
    const ngx_mon_bounds_t *bounds)
{
    ngx_mon_layout_t  *l;

    for (l = z->layouts; l; l = l->next) {
        if (l->bounds.n == bounds->n
            && ngx_memcmp(l->bounds.us, bounds->us,
                          bounds->n * sizeof(uint64_t)) == 0)
        {
            return &l->bounds;
        }
    }

    l = ngx_mon_alloc_locked(z, pool, sizeof(ngx_mon_layout_t));
    if (l == NULL) {
        return NULL;
    }

    l->bounds = *bounds;
    l->next = z->layouts;

    ngx_memory_barrier();
    z->layouts = l;

    return &l->bounds;
}


/* what stands for the series that find no room must have some before */

static ngx_int_t
ngx_mon_zone_others_locked(ngx_mon_main_conf_t *mcf)
{
    u_char            key[NGX_MON_KEY_MAX];
    size_t            len;
    uint32_t          hash;
    ngx_str_t         values[4];
    ngx_uint_t        g, i;
    ngx_mon_zone_t   *z;
    ngx_mon_node_t   *n;

    z = mcf->zone;

    for (g = 0; g < NGX_MON_NGROUPS; g++) {

        if (ngx_mon_groups[g].source) {
            continue;
        }

        for (i = 0; i < 4; i++) {
            ngx_str_set(&values[i], "other");
        }

        len = ngx_mon_key(key, g, 0, NULL, values, ngx_mon_groups[g].nlabels);
        hash = ngx_mon_key_hash(g, NULL, key, len);

        n = ngx_mon_node_make_locked(z, mcf->shpool, g, NULL, hash, key, len,
                                     0);

        if (n == NULL
            || ngx_mon_block_make_locked(z, mcf->shpool, n,
                                         NGX_MON_SLOT_SHARED, mcf->layout)
               == NULL)
        {
            return NGX_ERROR;
        }

        if (n->conf != NGX_MON_FOREVER) {
            /* not shown until it is used */
            n->view = 0;
            n->conf = NGX_MON_FOREVER;
        }

        z->lists[g].other = n;
    }

    return NGX_OK;
}


static ngx_mon_node_t *
ngx_mon_declared_locked(ngx_mon_main_conf_t *mcf, ngx_mon_declared_t *d)
{
    u_char           key[NGX_MON_KEY_MAX];
    size_t           len;
    uint32_t         hash;
    ngx_mon_node_t  *n;

    len = ngx_mon_key(key, d->group, 0, NULL, d->values, d->nvalues);
    hash = ngx_mon_key_hash(d->group, NULL, key, len);

    n = ngx_mon_node_find(mcf->zone, d->group, NULL, hash, key, len);

    if (n == NULL) {
        n = ngx_mon_node_make_locked(mcf->zone, mcf->shpool, d->group, NULL,
                                     hash, key, len, 0);
        if (n) {
            /* not shown until the configuration has taken effect */
            n->view = 0;
        }
    }

    /* state that all share must have room whatever is full later */

    if (n && ngx_mon_groups[d->group].raw
        && ngx_mon_block_make_locked(mcf->zone, mcf->shpool, n,
                                     NGX_MON_SLOT_SHARED, mcf->layout)
           == NULL)
    {
        return NULL;
    }

    return n;
}


void
ngx_mon_zone_commit(ngx_mon_main_conf_t *mcf)
{
    ngx_time_t          *tp;
    ngx_uint_t           i;
    ngx_mon_node_t      *n;
    ngx_mon_zone_t      *z;
    ngx_mon_declared_t  *d;

    z = mcf->zone;
    tp = ngx_timeofday();

    ngx_mon_lock(mcf->shpool);

    if (z->conf) {
        (void) ngx_atomic_fetch_add(&z->reloads, 1);
    }

    d = mcf->declared->elts;

    for (i = 0; i < mcf->declared->nelts; i++) {

        n = ngx_mon_declared_locked(mcf, &d[i]);

        if (n && n->conf != NGX_MON_FOREVER) {
            n->view = (n->conf == z->conf + 1) ? n->view | d[i].view
                                               : d[i].view;
            n->conf = z->conf + 1;
        }
    }

    z->loaded = (uint64_t) tp->sec * 1000000 + tp->msec * 1000;
    z->conf++;

    ngx_mon_unlock(mcf->shpool);
}
