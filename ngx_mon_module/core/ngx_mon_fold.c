
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"


static ngx_mon_node_t *ngx_mon_fold_node_locked(ngx_mon_zone_t *z,
    ngx_slab_pool_t *pool, ngx_mon_node_t *n);
static ngx_int_t ngx_mon_fold_cells_locked(ngx_mon_zone_t *z,
    ngx_slab_pool_t *pool, ngx_mon_node_t *node, ngx_mon_node_t *old,
    const u_char *gauges);
static void ngx_mon_fold_gauges(ngx_uint_t group, u_char *gauges);


void
ngx_mon_fold(ngx_mon_zone_t *z, ngx_slab_pool_t *pool,
    ngx_slab_pool_t *oldpool, ngx_log_t *log)
{
    u_char           gauges[NGX_MON_CELLS_MAX];
    ngx_uint_t       g, lost;
    ngx_mon_node_t  *n, *node;
    ngx_mon_zone_t  *old;

    old = oldpool->data;
    lost = 0;

    /* the master is no member: the lock keeps the old series where they are */

    ngx_mon_lock(oldpool);
    ngx_mon_lock(pool);

    z->started = old->started;
    z->restarts = old->restarts;
    z->reloads = old->reloads;
    z->conf = old->conf;

    for (g = 0; g < NGX_MON_NGROUPS; g++) {

        z->lists[g].overflow = old->lists[g].overflow;

        ngx_mon_fold_gauges(g, gauges);

        for (n = old->lists[g].head; n; n = n->next) {

            if (n->state == NGX_MON_DEAD_NODE) {
                continue;
            }

            node = ngx_mon_fold_node_locked(z, pool, n);

            if (node == NULL
                || ngx_mon_fold_cells_locked(z, pool, node, n, gauges)
                   != NGX_OK)
            {
                lost++;
            }
        }
    }

    ngx_mon_unlock(pool);
    ngx_mon_unlock(oldpool);

    if (lost) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "mon zone is too small for %ui of the series of the "
                      "zone before it", lost);
    }
}


static ngx_mon_node_t *
ngx_mon_fold_node_locked(ngx_mon_zone_t *z, ngx_slab_pool_t *pool,
    ngx_mon_node_t *n)
{
    uint32_t         hash;
    ngx_mon_node_t  *parent, *node;

    parent = NULL;

    if (n->parent) {
        parent = ngx_mon_fold_node_locked(z, pool, n->parent);

        if (parent == NULL) {
            return NULL;
        }
    }

    hash = ngx_mon_key_hash(n->group, parent, n->key, n->len);

    node = ngx_mon_node_make_locked(z, pool, n->group, parent, hash, n->key,
                                    n->len, 0);

    if (node && node->conf == NGX_MON_FOREVER) {
        node->view |= n->view;

    } else if (node && node->conf == 0) {
        /* counts as configured until the new configuration says which are */
        node->conf = n->conf;
        node->view = n->view;
    }

    return node;
}


static ngx_int_t
ngx_mon_fold_cells_locked(ngx_mon_zone_t *z, ngx_slab_pool_t *pool,
    ngx_mon_node_t *node, ngx_mon_node_t *old, const u_char *gauges)
{
    ngx_uint_t               i, n, cells;
    ngx_mon_block_t         *b, *sum;
    const ngx_mon_bounds_t  *bounds;

    cells = ngx_mon_groups[old->group].cells;

    for (b = old->blocks; b; b = b->next) {

        bounds = NULL;
        n = cells;

        if (b->bounds) {
            bounds = ngx_mon_layout_locked(z, pool, b->bounds);

            if (bounds == NULL) {
                return NGX_ERROR;
            }

            n += ngx_mon_groups[old->group].hists
                 * ngx_mon_hist_cells(bounds->n);
        }

        sum = ngx_mon_block_make_locked(z, pool, node, NGX_MON_SLOT_SHARED,
                                        bounds);
        if (sum == NULL) {
            return NGX_ERROR;
        }

        for (i = 0; i < n; i++) {
            if (i >= NGX_MON_CELLS_MAX || !gauges[i]) {
                sum->cells[i] += __atomic_load_n(&b->cells[i],
                                                 __ATOMIC_RELAXED);
            }
        }
    }

    return NGX_OK;
}


/* which cells of the group are gauges */

static void
ngx_mon_fold_gauges(ngx_uint_t group, u_char *gauges)
{
    ngx_uint_t               i, n;
    const ngx_mon_metric_t  *m;

    ngx_memzero(gauges, NGX_MON_CELLS_MAX);

    m = ngx_mon_metrics(&n);

    for (i = 0; i < n; i++) {
        if (m[i].group == group && m[i].type == NGX_MON_GAUGE) {
            ngx_memset(&gauges[m[i].cell], 1, m[i].vec->n);
        }
    }
}
