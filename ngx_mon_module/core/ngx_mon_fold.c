
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"


static ngx_mon_node_t *ngx_mon_fold_node_locked(ngx_mon_zone_t *z,
    ngx_slab_pool_t *pool, ngx_mon_node_t *n);
static ngx_int_t ngx_mon_fold_cells_locked(ngx_mon_zone_t *z,
    ngx_slab_pool_t *pool, ngx_mon_node_t *n, ngx_mon_node_t *old);
static ngx_uint_t ngx_mon_fold_gauge(ngx_uint_t group, ngx_uint_t cell);


void
ngx_mon_fold(ngx_mon_zone_t *z, ngx_slab_pool_t *pool, ngx_mon_zone_t *old,
    ngx_log_t *log)
{
    ngx_uint_t       g, lost;
    ngx_mon_node_t  *n, *node;

    z->started = old->started;
    z->restarts = old->restarts;
    z->reloads = old->reloads;
    z->conf = old->conf;

    lost = 0;

    ngx_shmtx_lock(&pool->mutex);

    for (g = 0; g < NGX_MON_NGROUPS; g++) {

        z->lists[g].overflow = old->lists[g].overflow;

        for (n = old->lists[g].head; n; n = n->next) {

            node = ngx_mon_fold_node_locked(z, pool, n);

            if (node == NULL
                || ngx_mon_fold_cells_locked(z, pool, node, n) != NGX_OK)
            {
                lost++;
            }
        }
    }

    ngx_shmtx_unlock(&pool->mutex);

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

    if (node && node->conf == 0) {
        /* counts as configured until the new configuration says which are */
        node->conf = n->conf;
        node->view = n->view;
    }

    return node;
}


static ngx_int_t
ngx_mon_fold_cells_locked(ngx_mon_zone_t *z, ngx_slab_pool_t *pool,
    ngx_mon_node_t *node, ngx_mon_node_t *old)
{
    ngx_uint_t               i, n;
    ngx_mon_block_t         *b, *sum;
    const ngx_mon_bounds_t  *bounds;

    for (b = old->blocks; b; b = b->next) {

        bounds = NULL;
        n = ngx_mon_groups[old->group].cells;

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
            if (!ngx_mon_fold_gauge(old->group, i)) {
                sum->cells[i] += __atomic_load_n(&b->cells[i],
                                                 __ATOMIC_RELAXED);
            }
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_mon_fold_gauge(ngx_uint_t group, ngx_uint_t cell)
{
    ngx_uint_t               i, n;
    const ngx_mon_metric_t  *m;

    m = ngx_mon_metrics(&n);

    for (i = 0; i < n; i++) {
        if (m[i].group == group && m[i].type == NGX_MON_GAUGE
            && cell >= m[i].cell && cell < m[i].cell + m[i].vec->n)
        {
            return 1;
        }
    }

    return 0;
}
