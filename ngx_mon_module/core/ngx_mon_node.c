
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"


static u_char *ngx_mon_key_add(u_char *p, u_char *last, const ngx_str_t *name,
    const ngx_str_t *value);
static void ngx_mon_node_relist_locked(ngx_mon_zone_t *z, ngx_mon_node_t *n);
static void ngx_mon_node_list_locked(ngx_mon_zone_t *z, ngx_mon_node_t *n);
static void ngx_mon_node_unlist_locked(ngx_mon_zone_t *z, ngx_mon_node_t *n);


static ngx_inline ngx_mon_node_t **
ngx_mon_bucket(ngx_mon_zone_t *z, uint32_t hash)
{
    return &z->buckets[hash & (z->nbuckets - 1)];
}


size_t
ngx_mon_block_size(ngx_uint_t group, const ngx_mon_bounds_t *b)
{
    ngx_mon_group_t  *g;

    g = &ngx_mon_groups[group];

    return sizeof(ngx_mon_block_t)
           + (g->cells + (g->hists ? g->hists * ngx_mon_hist_cells(b->n) : 0))
             * sizeof(uint64_t);
}


size_t
ngx_mon_node_size(size_t len)
{
    return offsetof(ngx_mon_node_t, key) + len;
}


size_t
ngx_mon_key(u_char *key, ngx_uint_t group, ngx_uint_t skip,
    const ngx_str_t *names, const ngx_str_t *values, ngx_uint_t n)
{
    u_char      *p, *last, *next, *end;
    ngx_str_t    name;
    ngx_uint_t   i;

    p = key;
    last = key + NGX_MON_KEY_MAX;

    next = ngx_mon_groups[group].labels.data;
    end = next + ngx_mon_groups[group].labels.len;

    for (i = 0; names == NULL && i < skip && next < end; i++) {
        while (next < end && *next++ != ',') { /* void */ }
    }

    for (i = 0; i < n; i++) {

        if (names) {
            name = names[i];

        } else {
            name.data = next;
            while (next < end && *next != ',') { next++; }
            name.len = next - name.data;
            next++;
        }

        p = ngx_mon_key_add(p, last, &name, &values[i]);
    }

    return p - key;
}


static u_char *
ngx_mon_key_add(u_char *p, u_char *last, const ngx_str_t *name,
    const ngx_str_t *value)
{
    size_t  len;

    len = ngx_min(name->len, 255);

    if ((size_t) (last - p) < 2 + len + NGX_MON_LABEL_LEN) {
        return p;
    }

    *p++ = (u_char) len;
    p = ngx_cpymem(p, name->data, len);

    len = ngx_mon_utf8_clean(p + 1, value->data, value->len,
                             NGX_MON_LABEL_LEN);
    *p = (u_char) len;

    return p + 1 + len;
}


uint32_t
ngx_mon_key_hash(ngx_uint_t group, ngx_mon_node_t *parent, u_char *key,
    size_t len)
{
    return ngx_murmur_hash2(key, len) ^ (uint32_t) (group * 0x9e3779b1)
           ^ (parent ? parent->hash * 31 : 0);
}


/* from n on in its bucket, a node that is not dead */

static ngx_mon_node_t *
ngx_mon_node_match(ngx_mon_node_t *n, ngx_uint_t group, ngx_mon_node_t *parent,
    uint32_t hash, u_char *key, size_t len)
{
    while (n) {

        if (n->hash == hash && n->group == group && n->parent == parent
            && n->len == len && ngx_memcmp(n->key, key, len) == 0
            && n->state != NGX_MON_DEAD_NODE)
        {
            break;
        }

        n = __atomic_load_n(&n->chain, __ATOMIC_ACQUIRE);
    }

    return n;
}


ngx_mon_node_t *
ngx_mon_node_peek(ngx_mon_zone_t *z, ngx_uint_t group, ngx_mon_node_t *parent,
    uint32_t hash, u_char *key, size_t len)
{
    return ngx_mon_node_match(__atomic_load_n(ngx_mon_bucket(z, hash),
                                              __ATOMIC_ACQUIRE),
                              group, parent, hash, key, len);
}


ngx_mon_node_t *
ngx_mon_node_find(ngx_mon_zone_t *z, ngx_uint_t group, ngx_mon_node_t *parent,
    uint32_t hash, u_char *key, size_t len)
{
    ngx_mon_node_t  *n;

    n = ngx_mon_node_peek(z, group, parent, hash, key, len);

    while (n) {

        /* it is wanted again: a reaper that comes later fails */

        (void) ngx_atomic_cmp_set(&n->state, NGX_MON_DYING_NODE,
                                  NGX_MON_LIVE_NODE);

        if (n->state == NGX_MON_LIVE_NODE) {
            break;
        }

        n = ngx_mon_node_match(__atomic_load_n(&n->chain, __ATOMIC_ACQUIRE),
                               group, parent, hash, key, len);
    }

    return n;
}


ngx_mon_node_t *
ngx_mon_node_make_locked(ngx_mon_zone_t *z, ngx_slab_pool_t *pool,
    ngx_uint_t group, ngx_mon_node_t *parent, uint32_t hash, u_char *key,
    size_t len, ngx_uint_t max)
{
    size_t            size;
    ngx_mon_node_t   *n, **bucket;

    n = ngx_mon_node_find(z, group, parent, hash, key, len);

    if (n) {
        if (!n->listed) {
            ngx_mon_node_relist_locked(z, n);
        }

        return n;
    }

    if (max && parent->children >= max) {
        return NULL;
    }

    size = ngx_mon_node_size(len);

    n = ngx_mon_alloc_locked(z, pool, size);
    if (n == NULL) {
        return NULL;
    }

    n->parent = parent;
    n->created = ngx_current_msec;
    n->hash = hash;
    n->units = (size + NGX_MON_UNIT - 1) / NGX_MON_UNIT;
    n->len = (uint16_t) len;
    n->group = (u_char) group;
    n->view = NGX_MON_VIEW_ALL;
    ngx_memcpy(n->key, key, len);

    if (parent) {
        (void) ngx_atomic_fetch_add(&parent->children, 1);
    }

    bucket = ngx_mon_bucket(z, hash);
    n->chain = *bucket;
    __atomic_store_n(bucket, n, __ATOMIC_RELEASE);

    ngx_mon_node_list_locked(z, n);

    return n;
}


/* who made it was killed on the way: it may be in the list or not */

static void
ngx_mon_node_relist_locked(ngx_mon_zone_t *z, ngx_mon_node_t *n)
{
    ngx_mon_node_t  *p;

    for (p = z->lists[n->group].head; p; p = p->next) {
        if (p == n) {
            n->listed = 1;
            return;
        }
    }

    ngx_mon_node_list_locked(z, n);
}


static void
ngx_mon_node_list_locked(ngx_mon_zone_t *z, ngx_mon_node_t *n)
{
    ngx_mon_list_t  *l;
    ngx_mon_node_t  *last;

    l = &z->lists[n->group];

    /* the tail lags behind where a process was killed */

    last = l->tail ? l->tail : l->head;

    while (last && last->next) {
        last = last->next;
    }

    n->prev = last;
    n->next = NULL;

    __atomic_store_n(last ? &last->next : &l->head, n, __ATOMIC_RELEASE);

    z->series++;

    l->tail = n;
    n->listed = 1;
}


/*
 * Where a process is killed, "tail" and "prev" lag behind, the former never
 * on a node that has left the list, and the latter never leads past one: what
 * is not as expected is looked for from the head.
 */

static void
ngx_mon_node_unlist_locked(ngx_mon_zone_t *z, ngx_mon_node_t *n)
{
    ngx_mon_list_t   *l;
    ngx_mon_node_t  **np, *prev;

    l = &z->lists[n->group];

    prev = n->prev;
    np = prev ? &prev->next : &l->head;

    if (*np != n) {
        prev = NULL;

        for (np = &l->head; *np && *np != n; np = &prev->next) {
            prev = *np;
        }

        if (*np == NULL) {
            return;
        }
    }

    if (l->tail == n) {
        l->tail = prev;
    }

    if (n->next) {
        n->next->prev = prev;
    }

    __atomic_store_n(np, n->next, __ATOMIC_RELEASE);

    z->series--;
}


void
ngx_mon_node_unlink_locked(ngx_mon_zone_t *z, ngx_mon_node_t *n)
{
    ngx_mon_node_t  **np;

    ngx_mon_node_unlist_locked(z, n);

    for (np = ngx_mon_bucket(z, n->hash); *np; np = &(*np)->chain) {

        if (*np == n) {
            __atomic_store_n(np, n->chain, __ATOMIC_RELEASE);
            break;
        }
    }

    if (n->parent) {
        (void) ngx_atomic_fetch_add(&n->parent->children, -1);
    }
}


void
ngx_mon_node_free_locked(ngx_mon_zone_t *z, ngx_mon_node_t *n)
{
    ngx_mon_block_t  *b, *next;

    for (b = n->blocks; b; b = next) {
        next = b->next;
        ngx_mon_free_locked(z, b, b->units * NGX_MON_UNIT);
    }

    ngx_mon_free_locked(z, n, n->units * NGX_MON_UNIT);
}


ngx_mon_block_t *
ngx_mon_block_find(ngx_mon_node_t *n, ngx_uint_t slot,
    const ngx_mon_bounds_t *bounds)
{
    ngx_mon_block_t  *b;

    if (ngx_mon_groups[n->group].hists == 0) {
        bounds = NULL;
    }

    b = __atomic_load_n(&n->blocks, __ATOMIC_ACQUIRE);

    while (b) {
        if (b->slot == slot && b->bounds == bounds) {
            break;
        }

        b = b->next;
    }

    return b;
}


ngx_mon_block_t *
ngx_mon_block_make_locked(ngx_mon_zone_t *z, ngx_slab_pool_t *pool,
    ngx_mon_node_t *n, ngx_uint_t slot, const ngx_mon_bounds_t *bounds)
{
    size_t            size;
    ngx_mon_block_t  *b;

    b = ngx_mon_block_find(n, slot, bounds);
    if (b) {
        return b;
    }

    size = ngx_mon_block_size(n->group, bounds);

    b = ngx_mon_alloc_locked(z, pool, size);
    if (b == NULL) {
        return NULL;
    }

    b->bounds = ngx_mon_groups[n->group].hists ? bounds : NULL;
    b->slot = (uint32_t) slot;
    b->units = (size + NGX_MON_UNIT - 1) / NGX_MON_UNIT;
    b->touched = ngx_current_msec;
    b->next = n->blocks;

    __atomic_store_n(&n->blocks, b, __ATOMIC_RELEASE);

    return b;
}


uint64_t
ngx_mon_node_touched(ngx_mon_node_t *n)
{
    uint64_t          t;
    ngx_mon_block_t  *b;

    t = n->created;

    b = __atomic_load_n(&n->blocks, __ATOMIC_ACQUIRE);

    for ( /* void */ ; b; b = b->next) {
        if (b->touched > t) {
            t = b->touched;
        }
    }

    return t;
}
