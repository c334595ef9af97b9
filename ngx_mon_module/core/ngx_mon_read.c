
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"


ngx_mon_node_t *
ngx_mon_find(ngx_uint_t group, ngx_mon_node_t *parent, const ngx_str_t *values,
    ngx_uint_t nvalues)
{
    u_char      key[NGX_MON_KEY_MAX];
    size_t      len;
    ngx_uint_t  skip;

    skip = parent ? ngx_mon_groups[parent->group].nlabels : 0;

    len = ngx_mon_key(key, group, skip, NULL, values, nvalues);

    return ngx_mon_node_peek(ngx_mon_zone, group, parent,
                             ngx_mon_key_hash(group, parent, key, len), key,
                             len);
}


ngx_uint_t
ngx_mon_children(ngx_mon_node_t *n)
{
    return n->children;
}


const ngx_mon_metric_t *
ngx_mon_metric(ngx_uint_t group, ngx_uint_t cell)
{
    ngx_uint_t               i, n;
    const ngx_mon_metric_t  *m;

    m = ngx_mon_metrics(&n);

    for (i = 0; i < n; i++) {
        if (m[i].group == group && m[i].cell == cell
            && m[i].type != NGX_MON_HISTOGRAM)
        {
            return &m[i];
        }
    }

    return NULL;
}


void
ngx_mon_read(ngx_mon_node_t *node, int64_t *cells)
{
    ngx_uint_t               i, k, n;
    const ngx_mon_metric_t  *m;

    m = ngx_mon_metrics(&n);

    for (i = 0; i < n; i++) {

        if (m[i].group != node->group || m[i].type == NGX_MON_HISTOGRAM) {
            continue;
        }

        for (k = 0; k < m[i].vec->n; k++) {
            cells[m[i].cell + k] = ngx_mon_read_cell(node, m[i].merge,
                                                     m[i].cell + k);
        }
    }
}


int64_t
ngx_mon_read_cell(ngx_mon_node_t *n, ngx_uint_t merge, ngx_uint_t cell)
{
    int64_t           sum;
    ngx_mon_block_t  *b;

    sum = 0;

    b = __atomic_load_n(&n->blocks, __ATOMIC_ACQUIRE);

    for ( /* void */ ; b; b = b->next) {

        if (merge == NGX_MON_LIVE
            && !ngx_mon_slot_alive(ngx_mon_zone, b->slot))
        {
            continue;
        }

        sum += (int64_t) __atomic_load_n(&b->cells[cell], __ATOMIC_RELAXED);
    }

    return sum;
}


int64_t
ngx_mon_live(ngx_mon_series_t *s, ngx_uint_t cell)
{
    return ngx_mon_read_cell(s->node, NGX_MON_LIVE, cell);
}


void
ngx_mon_read_hist(ngx_mon_node_t *n, ngx_uint_t hist, ngx_mon_hist_t *h)
{
    ngx_uint_t        cells;
    ngx_mon_block_t  *b;

    ngx_mon_hist_init(h, ngx_mon_bounds);

    cells = ngx_mon_groups[n->group].cells;

    b = __atomic_load_n(&n->blocks, __ATOMIC_ACQUIRE);

    for ( /* void */ ; b; b = b->next) {
        ngx_mon_hist_merge(h, b->cells + cells
                              + hist * ngx_mon_hist_cells(b->bounds->n),
                           b->bounds);
    }
}
