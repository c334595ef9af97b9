
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"


/* the whole index is gone through in so many ticks at most */
#define NGX_MON_REAP_TICKS  60


static uint64_t ngx_mon_reap_seen(ngx_mon_zone_t *z);
static ngx_uint_t ngx_mon_reap_limbo(ngx_mon_zone_t *z, uint64_t seen);
static ngx_uint_t ngx_mon_reap_bucket(ngx_mon_zone_t *z, ngx_uint_t i,
    uint64_t seen);
static ngx_uint_t ngx_mon_reap_idle(ngx_mon_zone_t *z, ngx_mon_node_t *n);
static ngx_uint_t ngx_mon_reap_in_use(ngx_mon_node_t *n);


void
ngx_mon_reap(ngx_uint_t leader)
{
    uint64_t            seen;
    ngx_uint_t          n, ticks, changed;
    ngx_mon_zone_t     *z;
    ngx_atomic_uint_t   generation;

    z = ngx_mon_zone;

    generation = z->generation;
    ngx_memory_barrier();

    if (z->members[ngx_mon_self].seen != generation) {
        ngx_mon_series_purge();
        ngx_mon_cursors_purge();

        ngx_memory_barrier();
        z->members[ngx_mon_self].seen = generation;
    }

    if (!leader) {
        return;
    }

    ticks = ngx_mon_conf->inactive / 2000;
    ticks = ngx_max(ngx_min(ticks, NGX_MON_REAP_TICKS), 1);

    seen = ngx_mon_reap_seen(z);

    ngx_mon_lock(ngx_mon_pool);

    changed = ngx_mon_reap_limbo(z, seen);

    for (n = z->nbuckets / ticks + 1; n; n--) {
        z->reaped = (z->reaped + 1) & (z->nbuckets - 1);
        changed |= ngx_mon_reap_bucket(z, z->reaped, seen);
    }

    ngx_mon_unlock(ngx_mon_pool);

    if (changed) {
        (void) ngx_atomic_fetch_add(&z->generation, 1);
    }
}


/* the generation that every worker acknowledged */

static uint64_t
ngx_mon_reap_seen(ngx_mon_zone_t *z)
{
    uint64_t    seen;
    ngx_uint_t  i;

    ngx_mon_slot_sweep(1);

    seen = z->generation;

    for (i = 1; i <= z->nmembers; i++) {
        if (z->members[i].pid && z->members[i].seen < seen) {
            seen = z->members[i].seen;
        }
    }

    return seen;
}


static ngx_uint_t
ngx_mon_reap_limbo(ngx_mon_zone_t *z, uint64_t seen)
{
    ngx_uint_t        changed;
    ngx_mon_node_t   *n, **np;

    changed = 0;
    np = &z->limbo;

    while ((n = *np) != NULL) {

        if (n->generation > seen) {
            changed |= (n->generation > z->generation);
            np = &n->limbo;
            continue;
        }

        *np = n->limbo;
        ngx_memory_barrier();

        ngx_mon_node_free_locked(z, n);
    }

    return changed;
}


static ngx_uint_t
ngx_mon_reap_bucket(ngx_mon_zone_t *z, ngx_uint_t i, uint64_t seen)
{
    ngx_uint_t       changed;
    ngx_mon_node_t  *n, *next;

    changed = 0;

    for (n = z->buckets[i]; n; n = next) {

        next = n->chain;

        if (n->state == NGX_MON_LIVE_NODE) {

            if (ngx_mon_reap_idle(z, n)) {
                n->generation = z->generation + 1;
                ngx_memory_barrier();
                n->state = NGX_MON_DYING_NODE;
                changed = 1;
            }

            continue;
        }

        if (n->generation > seen || n->children) {
            /* who marked it may have been killed before the generation grew */
            changed |= (n->generation > z->generation);
            continue;
        }

        /* a dead one is here where who unlinked it was killed */

        if (n->state == NGX_MON_DEAD_NODE
            || ngx_atomic_cmp_set(&n->state, NGX_MON_DYING_NODE,
                                  NGX_MON_DEAD_NODE))
        {
            ngx_mon_node_unlink_locked(z, n);

            n->generation = z->generation + 1;
            n->limbo = z->limbo;
            z->limbo = n;

            changed = 1;
        }
    }

    return changed;
}


static ngx_uint_t
ngx_mon_reap_idle(ngx_mon_zone_t *z, ngx_mon_node_t *n)
{
    uint64_t  touched;

    if (n->conf == NGX_MON_FOREVER || n->conf == z->conf) {
        return 0;
    }

    if (n->conf) {
        /* the configuration had it until now, or nearly so */
        n->conf = 0;

        if (n->blocks) {
            n->blocks->touched = ngx_current_msec;
        }
    }

    touched = ngx_mon_node_touched(n);

    if (ngx_current_msec < touched
        || ngx_current_msec - touched < ngx_mon_conf->inactive)
    {
        return 0;
    }

    return n->children == 0 && !ngx_mon_reap_in_use(n);
}


/* a gauge that is not 0, of a worker that lives */

static ngx_uint_t
ngx_mon_reap_in_use(ngx_mon_node_t *n)
{
    ngx_uint_t               i, k, count;
    ngx_mon_block_t         *b;
    const ngx_mon_metric_t  *m;

    if (n->group != NGX_MON_G_LOCATION && n->group != NGX_MON_G_UPSTREAM) {
        return 0;
    }

    m = ngx_mon_metrics(&count);

    for (i = 0; i < count; i++) {

        if (m[i].merge != NGX_MON_LIVE || m[i].group != n->group) {
            continue;
        }

        for (b = n->blocks; b; b = b->next) {
            for (k = 0; k < m[i].vec->n; k++) {
                if (b->cells[m[i].cell + k]
                    && ngx_mon_slot_alive(ngx_mon_zone, b->slot))
                {
                    return 1;
                }
            }
        }
    }

    return 0;
}
