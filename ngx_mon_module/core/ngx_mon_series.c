
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"


/* after a failure to find room, none is asked for so long, milliseconds */
#define NGX_MON_FULL_PAUSE  1000

/* between two lines in the log, by whichever worker */
#define NGX_MON_FULL_LOG    60000


static ngx_mon_series_t *ngx_mon_series_find(ngx_uint_t group,
    ngx_mon_node_t *parent, uint32_t hash, u_char *key, size_t len,
    ngx_uint_t slot);
static ngx_int_t ngx_mon_series_make(ngx_uint_t group, ngx_mon_node_t *parent,
    uint32_t hash, u_char *key, size_t len, ngx_uint_t slot, ngx_uint_t max,
    ngx_mon_node_t **node, ngx_mon_block_t **block);
static ngx_mon_series_t *ngx_mon_series_add(ngx_mon_node_t *node,
    ngx_mon_block_t *block, uint32_t hash);
static void ngx_mon_series_bind(ngx_mon_series_t *s, ngx_mon_node_t *node,
    ngx_mon_block_t *block);
static void ngx_mon_series_full(void);


ngx_mon_zone_t           *ngx_mon_zone;
ngx_slab_pool_t          *ngx_mon_pool;
const ngx_mon_bounds_t   *ngx_mon_bounds;
ngx_mon_series_t         *ngx_mon_nginx_series;

static ngx_mon_series_t   ngx_mon_others[NGX_MON_NGROUPS];

/* handles by the hash of their key */
static ngx_mon_series_t **ngx_mon_table;
static ngx_uint_t         ngx_mon_mask;

static ngx_msec_t         ngx_mon_full_until;
static ngx_uint_t         ngx_mon_full;


ngx_int_t
ngx_mon_series_init(ngx_cycle_t *cycle)
{
    ngx_uint_t        g;
    ngx_mon_node_t   *n;
    ngx_mon_block_t  *b;

    /*
     * Without a master a reload leaves the handles of before to the requests
     * that still use them.
     */

    ngx_mon_mask = ngx_mon_zone->nbuckets - 1;
    ngx_mon_full = 0;

    ngx_mon_table = ngx_calloc(ngx_mon_zone->nbuckets * sizeof(void *),
                               cycle->log);
    if (ngx_mon_table == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(ngx_mon_others, sizeof(ngx_mon_others));

    for (g = 0; g < NGX_MON_NGROUPS; g++) {

        n = ngx_mon_zone->lists[g].other;
        b = n ? ngx_mon_block_find(n, NGX_MON_SLOT_SHARED, ngx_mon_bounds)
              : NULL;

        if (b) {
            ngx_mon_series_bind(&ngx_mon_others[g], n, b);
            ngx_mon_others[g].pinned = 1;

            if (n->len) {
                ngx_mon_others[g].overflow = &ngx_mon_zone->lists[g].overflow;
            }
        }
    }

    ngx_mon_nginx_series = ngx_mon_get(NGX_MON_G_NGINX, NULL, NULL, NULL, 0,
                                       NGX_MON_PIN);

    return NGX_OK;
}


static void
ngx_mon_series_bind(ngx_mon_series_t *s, ngx_mon_node_t *node,
    ngx_mon_block_t *block)
{
    s->cells = block->cells;
    s->hists = block->cells + ngx_mon_groups[node->group].cells;
    s->shared = (block->slot == NGX_MON_SLOT_SHARED);
    s->group = node->group;
    s->node = node;
}


ngx_mon_series_t *
ngx_mon_other(ngx_uint_t group)
{
    ngx_mon_series_t  *s;

    s = &ngx_mon_others[group];

    if (s->node->view == 0) {
        s->node->view = NGX_MON_VIEW_ALL;
    }

    return s;
}


void
ngx_mon_overflow(ngx_uint_t group)
{
    (void) ngx_atomic_fetch_add(&ngx_mon_zone->lists[group].overflow, 1);
}


ngx_mon_series_t *
ngx_mon_get_max(ngx_uint_t group, ngx_mon_series_t *parent,
    const ngx_str_t *names, const ngx_str_t *values, ngx_uint_t nvalues,
    ngx_uint_t flags, ngx_uint_t max)
{
    u_char             key[NGX_MON_KEY_MAX];
    size_t             len;
    uint32_t           hash;
    ngx_uint_t         skip, slot;
    ngx_mon_node_t    *up, *node;
    ngx_mon_block_t   *block;
    ngx_mon_series_t  *s;

    up = NULL;
    skip = 0;

    if (parent) {
        up = parent->node;
        skip = ngx_mon_groups[parent->group].nlabels;
    }

    slot = (flags & NGX_MON_SHARED) ? NGX_MON_SLOT_SHARED : ngx_mon_slot;

    len = ngx_mon_key(key, group, skip, names, values, nvalues);
    hash = ngx_mon_key_hash(group, up, key, len);

    s = ngx_mon_series_find(group, up, hash, key, len, slot);

    if (s == NULL) {

        if (ngx_mon_series_make(group, up, hash, key, len, slot, max, &node,
                                &block)
            != NGX_OK)
        {
            return ngx_mon_other(group);
        }

        if (flags & NGX_MON_TRAFFIC) {
            node->view = NGX_MON_VIEW_TRAFFIC;
        }

        s = ngx_mon_series_add(node, block, hash);

        if (s == NULL) {
            return ngx_mon_other(group);
        }
    }

    if (flags & NGX_MON_PIN) {
        s->pinned = 1;
    }

    return s;
}


static ngx_mon_series_t *
ngx_mon_series_find(ngx_uint_t group, ngx_mon_node_t *parent, uint32_t hash,
    u_char *key, size_t len, ngx_uint_t slot)
{
    ngx_mon_node_t    *n;
    ngx_mon_series_t  *s;

    for (s = ngx_mon_table[hash & ngx_mon_mask]; s; s = s->next) {

        n = s->node;

        if (s->hash == hash && s->group == group && n->parent == parent
            && n->len == len && s->shared == (slot == NGX_MON_SLOT_SHARED)
            && ngx_memcmp(n->key, key, len) == 0)
        {
            return s;
        }
    }

    return NULL;
}


/* in shared memory; the lock is taken only where something is missing */

static ngx_int_t
ngx_mon_series_make(ngx_uint_t group, ngx_mon_node_t *parent, uint32_t hash,
    u_char *key, size_t len, ngx_uint_t slot, ngx_uint_t max,
    ngx_mon_node_t **node, ngx_mon_block_t **block)
{
    ngx_mon_zone_t  *z;

    z = ngx_mon_zone;

    *block = NULL;
    *node = ngx_mon_node_find(z, group, parent, hash, key, len);

    if (*node) {
        *block = ngx_mon_block_find(*node, slot, ngx_mon_bounds);

    } else if (max && parent->children >= max) {
        return NGX_DECLINED;
    }

    if (*block == NULL) {

        if (ngx_mon_full
            && (ngx_msec_int_t) (ngx_mon_full_until - ngx_current_msec) > 0)
        {
            return NGX_DECLINED;
        }

        ngx_mon_full = 0;

        ngx_mon_lock(ngx_mon_pool);

        *node = ngx_mon_node_make_locked(z, ngx_mon_pool, group, parent, hash,
                                         key, len, max);

        if (*node) {
            *block = ngx_mon_block_make_locked(z, ngx_mon_pool, *node, slot,
                                               ngx_mon_bounds);
        }

        ngx_mon_unlock(ngx_mon_pool);

        if (*block == NULL) {

            if (*node || max == 0 || parent->children < max) {
                ngx_mon_series_full();
            }

            return NGX_DECLINED;
        }
    }

    if ((*node)->view == 0) {
        (*node)->view = NGX_MON_VIEW_ALL;
    }

    return NGX_OK;
}


static ngx_mon_series_t *
ngx_mon_series_add(ngx_mon_node_t *node, ngx_mon_block_t *block, uint32_t hash)
{
    ngx_mon_series_t  *s, **head;

    s = ngx_calloc(sizeof(ngx_mon_series_t), ngx_cycle->log);
    if (s == NULL) {
        return NULL;
    }

    ngx_mon_series_bind(s, node, block);

    head = &ngx_mon_table[hash & ngx_mon_mask];

    s->hash = hash;
    s->next = *head;
    *head = s;

    return s;
}


static void
ngx_mon_series_full(void)
{
    ngx_atomic_uint_t  last, now;

    ngx_mon_full = 1;
    ngx_mon_full_until = ngx_current_msec + NGX_MON_FULL_PAUSE;

    now = ngx_current_msec ? ngx_current_msec : 1;
    last = ngx_mon_zone->logged;

    /* the cached time of another worker may be ahead */

    if (last && (ngx_msec_int_t) (now - last) < NGX_MON_FULL_LOG) {
        return;
    }

    if (ngx_atomic_cmp_set(&ngx_mon_zone->logged, last, now)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "mon zone \"%V\" is full, new series are counted "
                      "under \"other\"", &ngx_mon_conf->shm_zone->shm.name);
    }
}


void
ngx_mon_series_purge(void)
{
    ngx_uint_t          i, dropped;
    ngx_mon_node_t     *n;
    ngx_mon_series_t   *s, **sp;

    dropped = 0;

    for (i = 0; i <= ngx_mon_mask; i++) {

        sp = &ngx_mon_table[i];

        while ((s = *sp) != NULL) {

            n = s->node;

            if (n->state != NGX_MON_DYING_NODE) {
                sp = &s->next;
                continue;
            }

            if (s->pinned || s->refs
                || ngx_current_msec - ngx_mon_node_touched(n)
                   < ngx_mon_conf->inactive)
            {
                (void) ngx_atomic_cmp_set(&n->state, NGX_MON_DYING_NODE,
                                          NGX_MON_LIVE_NODE);
                sp = &s->next;
                continue;
            }

            *sp = s->next;
            ngx_free(s);
            dropped = 1;
        }
    }

    for (i = 0; dropped && i < NGX_MON_NGROUPS; i++) {
        ngx_memzero(ngx_mon_others[i].children,
                    sizeof(ngx_mon_others[i].children));
    }

    for (i = 0; dropped && i <= ngx_mon_mask; i++) {
        for (s = ngx_mon_table[i]; s; s = s->next) {
            ngx_memzero(s->children, sizeof(s->children));
        }
    }
}
