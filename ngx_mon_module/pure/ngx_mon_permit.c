
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_permit.h"


/* nodes that a process takes at a time, and has at most for later */
#define NGX_MON_PERMIT_CHUNK  32
#define NGX_MON_PERMIT_HOARD  128


/* what each request calls is one function */
#define ngx_mon_permit_inline  static inline __attribute__((always_inline))
#define ngx_mon_permit_rare    static __attribute__((noinline))


ngx_mon_permit_rare void ngx_mon_permit_mark(ngx_mon_permit_t *p,
    uint32_t entry, uint64_t w);
static void ngx_mon_permit_fetch(ngx_mon_permit_t *p);
static uint32_t ngx_mon_permit_fetch_one(ngx_mon_permit_t *p);
static void ngx_mon_permit_return(ngx_mon_permit_t *p);


size_t
ngx_mon_permit_size(ngx_uint_t nnodes)
{
    return sizeof(ngx_mon_permit_shared_t)
           + nnodes * sizeof(ngx_mon_permit_node_t);
}


void
ngx_mon_permit_init(ngx_mon_permit_shared_t *s, ngx_uint_t nnodes)
{
    ngx_memzero(s, sizeof(ngx_mon_permit_shared_t));

    s->magic = NGX_MON_PERMIT_MAGIC;
    s->nnodes = nnodes;
    s->limit = 1;
}


ngx_int_t
ngx_mon_permit_claim(ngx_mon_permit_t *p, uint64_t pid, uint64_t start,
    uint32_t wake)
{
    uint32_t                i;
    uint64_t                none;
    ngx_mon_permit_proc_t  *proc;

    for (i = 1; i <= NGX_MON_PERMIT_PROCS; i++) {

        none = 0;
        proc = ngx_mon_permit_proc(p, i);

        if (__atomic_compare_exchange_n(&proc->pid, &none, pid, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        {
            proc->wake = wake;
            __atomic_store_n(&proc->start, start, __ATOMIC_RELEASE);

            p->self = i;
            p->number = 0;
            p->free = 0;
            p->nfree = 0;

            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


void
ngx_mon_permit_leave(ngx_mon_permit_t *p)
{
    p->free = 0;
    p->nfree = 0;

    ngx_mon_permit_lock(p);
    ngx_mon_permit_recover_locked(p, p->self);
    ngx_mon_permit_unlock(p);

    __atomic_store_n(&p->shared->procs[p->self - 1].pid, 0,
                     __ATOMIC_RELEASE);

    p->self = 0;
}


ngx_mon_permit_inline uint64_t
ngx_mon_permit_make(ngx_mon_permit_t *p, uint64_t held, uint64_t waiting)
{
    return held | waiting << 20 | (uint64_t) p->self << 40
           | (uint64_t) p->number << 50;
}


/* the number is another one than that in the word */

ngx_mon_permit_inline void
ngx_mon_permit_announce(ngx_mon_permit_t *p, ngx_uint_t what, uint32_t node,
    uint64_t w)
{
    p->number += 1 + (w >> 50 == ((p->number + 1) & 0x3fff));

    __atomic_store_n(&p->shared->procs[p->self - 1].pending,
                     (uint64_t) p->number << 32 | what << 28 | node,
                     __ATOMIC_RELEASE);
}


ngx_mon_permit_inline void
ngx_mon_permit_known(ngx_mon_permit_t *p)
{
    __atomic_store_n(&p->shared->procs[p->self - 1].pending, 0,
                     __ATOMIC_RELEASE);
}


ngx_mon_permit_inline ngx_uint_t
ngx_mon_permit_change(ngx_mon_permit_t *p, ngx_mon_permit_entry_t *e,
    uint32_t entry, uint64_t w, uint64_t held, uint64_t waiting)
{
    if (ngx_mon_permit_by(w) != p->self) {
        ngx_mon_permit_mark(p, entry, w);
    }

    return __atomic_compare_exchange_n(&e->word, &w,
                                       ngx_mon_permit_make(p, held, waiting),
                                       0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}


void
ngx_mon_permit_begin(ngx_mon_permit_t *p, ngx_uint_t what, uint32_t node,
    uint64_t w)
{
    ngx_mon_permit_announce(p, what, node, w);
}


void
ngx_mon_permit_end(ngx_mon_permit_t *p)
{
    ngx_mon_permit_known(p);
}


ngx_uint_t
ngx_mon_permit_swap(ngx_mon_permit_t *p, uint32_t entry, uint64_t w,
    uint64_t held, uint64_t waiting)
{
    return ngx_mon_permit_change(p, ngx_mon_permit_entry(p, entry), entry, w,
                                 held, waiting);
}


/* whose word it is may be killed before it knows that it has done it */

ngx_mon_permit_rare void
ngx_mon_permit_mark(ngx_mon_permit_t *p, uint32_t entry, uint64_t w)
{
    uint32_t                new;
    uint64_t                pending;
    ngx_mon_permit_node_t  *n;
    ngx_mon_permit_proc_t  *proc;

    proc = ngx_mon_permit_proc(p, ngx_mon_permit_by(w));

    if (proc == NULL) {
        return;
    }

    pending = __atomic_load_n(&proc->pending, __ATOMIC_ACQUIRE);

    if (pending == 0 || (pending & 1U << 31)
        || (pending >> 32 & 0x3fff) != ngx_mon_permit_number(w))
    {
        return;
    }

    n = ngx_mon_permit_at(p, pending & 0xfffffff);

    if (n == NULL) {
        return;
    }

    new = NGX_MON_PERMIT_NEW;

    if (__atomic_compare_exchange_n(&n->entry, &new, entry, 0,
                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
        || new == entry)
    {
        (void) __atomic_compare_exchange_n(&proc->pending, &pending,
                                           pending | 1U << 31, 0,
                                           __ATOMIC_ACQ_REL,
                                           __ATOMIC_RELAXED);
    }
}


ngx_int_t
ngx_mon_permit_take(ngx_mon_permit_t *p, uint32_t entry, uint32_t node,
    uint64_t w)
{
    ngx_uint_t              rc;
    ngx_mon_permit_node_t  *n;

    if (ngx_mon_permit_waiting(w)
        || ngx_mon_permit_held(w) >= __atomic_load_n(&p->shared->limit,
                                                     __ATOMIC_RELAXED))
    {
        return NGX_BUSY;
    }

    /* its own, it has been looked at */

    n = &p->shared->nodes[node - 1];

    ngx_mon_permit_set(&n->entry, entry);
    ngx_mon_permit_announce(p, NGX_MON_PERMIT_TAKE, node, w);

    rc = ngx_mon_permit_change(p, ngx_mon_permit_entry(p, entry), entry, w,
                               ngx_mon_permit_held(w) + 1, 0);

    if (rc) {
        ngx_mon_permit_set(&n->state, NGX_MON_PERMIT_HELD);
    }

    ngx_mon_permit_known(p);

    return rc ? NGX_OK : NGX_AGAIN;
}


uint32_t
ngx_mon_permit_quick(ngx_mon_permit_t *p)
{
    uint32_t                  node;
    uint64_t                  w;
    ngx_uint_t                rc;
    ngx_mon_permit_node_t    *n;
    ngx_mon_permit_shared_t  *s;

    s = p->shared;
    node = p->free;

    w = __atomic_load_n(&s->entry.word, __ATOMIC_ACQUIRE);

    if (node - 1 >= s->nnodes || ngx_mon_permit_waiting(w)
        || ngx_mon_permit_held(w) >= __atomic_load_n(&s->limit,
                                                     __ATOMIC_RELAXED))
    {
        return 0;
    }

    n = &s->nodes[node - 1];

    ngx_mon_permit_set(&n->entry, 0);
    ngx_mon_permit_announce(p, NGX_MON_PERMIT_TAKE, node, w);

    rc = ngx_mon_permit_change(p, &s->entry, 0, w, ngx_mon_permit_held(w) + 1,
                               0);
    if (rc) {
        ngx_mon_permit_set(&n->state, NGX_MON_PERMIT_HELD);

        p->free = n->next;
        p->nfree--;
    }

    ngx_mon_permit_known(p);

    return rc ? node : 0;
}


uint64_t
ngx_mon_permit_new(ngx_mon_permit_t *p, uint32_t node)
{
    ngx_mon_permit_set(&ngx_mon_permit_at(p, node)->entry,
                       NGX_MON_PERMIT_NEW);

    ngx_mon_permit_begin(p, NGX_MON_PERMIT_TAKE, node, 0);

    return ngx_mon_permit_make(p, 1, 0);
}


void
ngx_mon_permit_made(ngx_mon_permit_t *p, uint32_t node, uint32_t entry)
{
    ngx_mon_permit_node_t  *n;

    n = ngx_mon_permit_at(p, node);

    ngx_mon_permit_set(&n->entry, entry);
    ngx_mon_permit_set(&n->state, NGX_MON_PERMIT_HELD);

    ngx_mon_permit_end(p);
}


ngx_uint_t
ngx_mon_permit_idle(const ngx_mon_permit_t *p,
    const ngx_mon_permit_entry_t *e, uint64_t w)
{
    uint32_t  by;
    uint64_t  pending;

    if (ngx_mon_permit_held(w) || ngx_mon_permit_waiting(w) || e->ends) {
        return 0;
    }

    by = ngx_mon_permit_by(w);

    if (by == 0) {
        return 1;
    }

    pending = __atomic_load_n(&p->shared->procs[by - 1].pending,
                              __ATOMIC_ACQUIRE);

    return pending == 0 || (pending & 1U << 31)
           || (pending >> 32 & 0x3fff) != ngx_mon_permit_number(w);
}


void
ngx_mon_permit_give(ngx_mon_permit_t *p, uint32_t node)
{
    uint32_t                 entry;
    uint64_t                 w;
    ngx_uint_t               rc;
    ngx_mon_permit_node_t   *n;
    ngx_mon_permit_entry_t  *e;

    n = &p->shared->nodes[node - 1];
    entry = n->entry;
    e = ngx_mon_permit_entry(p, entry);

    do {
        w = e ? __atomic_load_n(&e->word, __ATOMIC_ACQUIRE)
              : NGX_MON_PERMIT_GONE;

        if (ngx_mon_permit_waiting(w) || ngx_mon_permit_held(w) == 0) {

            ngx_mon_permit_lock(p);
            ngx_mon_permit_give_locked(p, node);
            ngx_mon_permit_grant_locked(p, entry);
            ngx_mon_permit_unlock(p);

            break;
        }

        ngx_mon_permit_announce(p, NGX_MON_PERMIT_GIVE, node, w);

        rc = ngx_mon_permit_change(p, e, entry, w, ngx_mon_permit_held(w) - 1,
                                   0);
        if (rc) {
            ngx_mon_permit_set(&n->state, NGX_MON_PERMIT_FREE);
        }

        ngx_mon_permit_known(p);

    } while (!rc);

    ngx_mon_permit_drop(p, node);
}


ngx_uint_t
ngx_mon_permit_state(ngx_mon_permit_t *p, uint32_t node)
{
    return ngx_mon_permit_get(&ngx_mon_permit_at(p, node)->state);
}


uint32_t
ngx_mon_permit_node(ngx_mon_permit_t *p)
{
    uint32_t                node;
    ngx_mon_permit_node_t  *n;

    if (p->free == 0) {
        ngx_mon_permit_lock(p);
        ngx_mon_permit_fetch(p);
        ngx_mon_permit_unlock(p);
    }

    node = p->free;
    n = ngx_mon_permit_at(p, node);

    if (n == NULL) {
        p->free = 0;
        p->nfree = 0;
        return 0;
    }

    p->free = n->next;
    p->nfree--;

    return node;
}


void
ngx_mon_permit_drop(ngx_mon_permit_t *p, uint32_t node)
{
    p->shared->nodes[node - 1].next = p->free;

    p->free = node;
    p->nfree++;

    if (p->nfree >= NGX_MON_PERMIT_HOARD) {
        ngx_mon_permit_lock(p);
        ngx_mon_permit_return(p);
        ngx_mon_permit_unlock(p);
    }
}


static void
ngx_mon_permit_fetch(ngx_mon_permit_t *p)
{
    uint32_t    node;
    ngx_uint_t  i;

    for (i = 0; i < NGX_MON_PERMIT_CHUNK; i++) {

        node = ngx_mon_permit_fetch_one(p);

        if (node == 0) {
            return;
        }

        ngx_mon_permit_at(p, node)->next = p->free;
        p->free = node;
        p->nfree++;
    }
}


/* its owner is set before it leaves the list, which repair makes anew */

static uint32_t
ngx_mon_permit_fetch_one(ngx_mon_permit_t *p)
{
    uint32_t                  node;
    ngx_mon_permit_node_t    *n;
    ngx_mon_permit_shared_t  *s;

    s = p->shared;
    node = s->free;
    n = ngx_mon_permit_at(p, node);

    if (n) {
        ngx_mon_permit_set(&n->owner, p->self);
        ngx_mon_permit_set(&s->free, n->next);

        return node;
    }

    if (s->top >= s->nnodes) {
        return 0;
    }

    node = s->top + 1;
    n = ngx_mon_permit_at(p, node);

    ngx_memzero(n, sizeof(ngx_mon_permit_node_t));

    n->owner = p->self;
    ngx_mon_permit_set(&s->top, node);

    return node;
}


static void
ngx_mon_permit_return(ngx_mon_permit_t *p)
{
    uint32_t                node;
    ngx_mon_permit_node_t  *n;

    while (p->nfree > NGX_MON_PERMIT_HOARD / 2) {

        node = p->free;
        n = ngx_mon_permit_at(p, node);

        if (n == NULL) {
            p->nfree = 0;
            break;
        }

        p->free = n->next;
        p->nfree--;

        ngx_mon_permit_set(&n->owner, 0);
        ngx_mon_permit_set(&n->next, p->shared->free);
        ngx_mon_permit_set(&p->shared->free, node);
    }
}
