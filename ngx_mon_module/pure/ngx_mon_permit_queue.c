
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_permit.h"


#define NGX_MON_PERMIT_SPIN  1024


static ngx_inline uint32_t ngx_mon_permit_holder(ngx_mon_permit_t *p,
    uint32_t proc);
static void ngx_mon_permit_post(ngx_mon_permit_t *p, uint32_t node);
static uint32_t ngx_mon_permit_reverse(ngx_mon_permit_t *p, uint32_t node);


/* what stands in the lock while the process has it */

static ngx_inline uint32_t
ngx_mon_permit_holder(ngx_mon_permit_t *p, uint32_t proc)
{
    return (uint32_t) __atomic_load_n(&p->shared->procs[proc - 1].pid,
                                      __ATOMIC_ACQUIRE) << 10 | proc;
}


void
ngx_mon_permit_lock(ngx_mon_permit_t *p)
{
    uint32_t                holder, none, mine, *lock;
    ngx_uint_t              i;
    ngx_mon_permit_proc_t  *proc;

    lock = &p->shared->lock;
    mine = ngx_mon_permit_holder(p, p->self);

    for ( ;; ) {

        for (i = 0; i < NGX_MON_PERMIT_SPIN; i++) {

            none = 0;

            if (__atomic_compare_exchange_n(lock, &none, mine, 0,
                                            __ATOMIC_ACQUIRE,
                                            __ATOMIC_RELAXED))
            {
                return;
            }

            ngx_cpu_pause();
        }

        holder = none;
        proc = ngx_mon_permit_proc(p, holder & NGX_MON_PERMIT_PROCS);

        if (holder != mine && proc
            && holder == ngx_mon_permit_holder(p,
                                               holder & NGX_MON_PERMIT_PROCS)
            && !p->gone(proc->pid, proc->start))
        {
            ngx_sched_yield();
            continue;
        }

        /* it is not that of another process in the same place, by its pid */

        if (__atomic_compare_exchange_n(lock, &holder, mine, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        {
            ngx_mon_permit_repair_locked(p);
            return;
        }
    }
}


/* who was granted something is woken when the lock is free */

void
ngx_mon_permit_unlock(ngx_mon_permit_t *p)
{
    ngx_uint_t  i;

    ngx_mon_permit_set(&p->shared->lock, 0);

    for (i = 0; i < p->nwoken; i++) {
        p->wake(p, ngx_mon_permit_proc(p, p->woken[i]));
    }

    p->nwoken = 0;
}


ngx_int_t
ngx_mon_permit_join(ngx_mon_permit_t *p, uint32_t entry, uint32_t node,
    uint64_t w, uint64_t max)
{
    ngx_int_t                rc;
    ngx_mon_permit_node_t   *n;
    ngx_mon_permit_entry_t  *e;

    ngx_mon_permit_lock(p);

    p->shared->at = entry;

    rc = ngx_mon_permit_take(p, entry, node, w);

    if (rc != NGX_BUSY || ngx_mon_permit_waiting(w) >= max) {
        ngx_mon_permit_unlock(p);
        return rc;
    }

    n = ngx_mon_permit_at(p, node);
    e = ngx_mon_permit_entry(p, entry);

    n->entry = entry;
    n->ticket = ++p->shared->ticket;
    ngx_mon_permit_set(&n->state, NGX_MON_PERMIT_WAITING);

    /* the queue is the entry's as long as the word says that somebody waits */

    if (__atomic_compare_exchange_n(&e->word, &w, w + (1 << 20), 0,
                                    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
    {
        ngx_mon_permit_link_locked(p, node);
        rc = NGX_DONE;

    } else {
        ngx_mon_permit_set(&n->state, NGX_MON_PERMIT_FREE);
        rc = NGX_AGAIN;
    }

    ngx_mon_permit_unlock(p);

    return rc;
}


ngx_int_t
ngx_mon_permit_quit(ngx_mon_permit_t *p, uint32_t node)
{
    ngx_uint_t  state;

    ngx_mon_permit_lock(p);

    state = ngx_mon_permit_state(p, node);

    if (state == NGX_MON_PERMIT_WAITING) {
        ngx_mon_permit_quit_locked(p, node);
    }

    ngx_mon_permit_unlock(p);

    if (state != NGX_MON_PERMIT_WAITING) {
        return NGX_DECLINED;
    }

    ngx_mon_permit_drop(p, node);

    return NGX_OK;
}


void
ngx_mon_permit_quit_locked(ngx_mon_permit_t *p, uint32_t node)
{
    uint64_t                 w;
    ngx_mon_permit_node_t   *n;
    ngx_mon_permit_entry_t  *e;

    n = ngx_mon_permit_at(p, node);
    e = ngx_mon_permit_entry(p, n->entry);

    p->shared->at = n->entry;

    ngx_mon_permit_unlink_locked(p, node);
    ngx_mon_permit_set(&n->state, NGX_MON_PERMIT_FREE);

    w = ngx_mon_permit_word(p, n->entry);

    while (w != NGX_MON_PERMIT_GONE && ngx_mon_permit_waiting(w)
           && !__atomic_compare_exchange_n(&e->word, &w, w - (1 << 20), 0,
                                           __ATOMIC_ACQ_REL,
                                           __ATOMIC_ACQUIRE))
    {
        /* void */
    }
}


void
ngx_mon_permit_give_locked(ngx_mon_permit_t *p, uint32_t node)
{
    uint64_t                w, held;
    ngx_uint_t              rc;
    ngx_mon_permit_node_t  *n;

    n = ngx_mon_permit_at(p, node);

    do {
        w = ngx_mon_permit_word(p, n->entry);
        held = ngx_mon_permit_held(w);

        if (w == NGX_MON_PERMIT_GONE || held == 0) {
            ngx_mon_permit_set(&n->state, NGX_MON_PERMIT_FREE);
            return;
        }

        ngx_mon_permit_begin(p, NGX_MON_PERMIT_GIVE, node, w);

        rc = ngx_mon_permit_swap(p, n->entry, w, held - 1,
                                 ngx_mon_permit_waiting(w));

        if (rc) {
            ngx_mon_permit_set(&n->state, NGX_MON_PERMIT_FREE);
        }

        ngx_mon_permit_end(p);

    } while (!rc);
}


void
ngx_mon_permit_grant_locked(ngx_mon_permit_t *p, uint32_t entry)
{
    uint32_t                node;
    uint64_t                w, held;
    ngx_uint_t              rc;
    ngx_mon_permit_node_t  *n;

    p->shared->at = entry;

    for ( ;; ) {

        w = ngx_mon_permit_word(p, entry);
        held = ngx_mon_permit_held(w);

        if (w == NGX_MON_PERMIT_GONE || ngx_mon_permit_waiting(w) == 0
            || held >= __atomic_load_n(&p->shared->limit, __ATOMIC_RELAXED))
        {
            return;
        }

        node = (uint32_t) ngx_mon_permit_entry(p, entry)->ends;
        n = ngx_mon_permit_at(p, node);

        if (n == NULL || n->state != NGX_MON_PERMIT_WAITING) {
            return;
        }

        ngx_mon_permit_begin(p, NGX_MON_PERMIT_GRANT, node, w);

        rc = ngx_mon_permit_swap(p, entry, w, held + 1,
                                 ngx_mon_permit_waiting(w) - 1);

        if (rc) {
            /* whose it is may give it back as soon as it sees the state */

            ngx_mon_permit_unlink_locked(p, node);
            ngx_mon_permit_set(&n->state, NGX_MON_PERMIT_GRANTED);
        }

        ngx_mon_permit_end(p);

        if (rc) {
            ngx_mon_permit_post(p, node);
        }
    }
}


static void
ngx_mon_permit_post(ngx_mon_permit_t *p, uint32_t node)
{
    uint32_t                mail;
    ngx_mon_permit_node_t  *n;
    ngx_mon_permit_proc_t  *proc;

    n = ngx_mon_permit_at(p, node);
    proc = ngx_mon_permit_proc(p, n->owner);

    if (proc == NULL) {
        return;
    }

    mail = ngx_mon_permit_get(&proc->mail);

    do {
        n->mail = mail;
    } while (!__atomic_compare_exchange_n(&proc->mail, &mail, node, 0,
                                          __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));

    if (mail != 0) {
        /* it has been woken already */
        return;
    }

    if (p->nwoken == NGX_MON_PERMIT_WOKEN) {
        p->wake(p, proc);
        return;
    }

    p->woken[p->nwoken++] = n->owner;
}


ngx_uint_t
ngx_mon_permit_granted(ngx_mon_permit_t *p, uint32_t node)
{
    if (ngx_mon_permit_state(p, node) != NGX_MON_PERMIT_GRANTED) {
        return 0;
    }

    /* who grants it may be about to post it */

    ngx_mon_permit_lock(p);
    ngx_mon_permit_unlock(p);

    return 1;
}


uint32_t
ngx_mon_permit_mail(ngx_mon_permit_t *p, uint32_t *chain)
{
    uint32_t                node;
    ngx_mon_permit_node_t  *n;
    ngx_mon_permit_proc_t  *proc;

    if (*chain == 0) {
        proc = ngx_mon_permit_proc(p, p->self);

        if (ngx_mon_permit_get(&proc->mail) == 0) {
            return 0;
        }

        *chain = ngx_mon_permit_reverse(p, __atomic_exchange_n(&proc->mail, 0,
                                                          __ATOMIC_ACQ_REL));
    }

    node = *chain;
    n = ngx_mon_permit_at(p, node);

    *chain = n ? n->mail : 0;

    return n ? node : 0;
}


/* who came last is on top */

static uint32_t
ngx_mon_permit_reverse(ngx_mon_permit_t *p, uint32_t node)
{
    uint32_t                chain, next;
    ngx_uint_t              i;
    ngx_mon_permit_node_t  *n;

    chain = 0;

    for (i = 0; i < p->shared->nnodes; i++) {

        n = ngx_mon_permit_at(p, node);

        if (n == NULL) {
            break;
        }

        next = n->mail;
        n->mail = chain;
        chain = node;
        node = next;
    }

    return chain;
}


void
ngx_mon_permit_limit(ngx_mon_permit_shared_t *s, uint64_t limit)
{
    __atomic_store_n(&s->limit, limit, __ATOMIC_SEQ_CST);
}


void
ngx_mon_permit_serve(ngx_mon_permit_t *p)
{
    uint32_t                i, entry;
    uint64_t                w;
    ngx_mon_permit_node_t  *n;

    for (i = 1; i <= p->shared->top; i++) {

        n = ngx_mon_permit_at(p, i);

        if (n == NULL) {
            return;
        }

        if (ngx_mon_permit_get(&n->state) != NGX_MON_PERMIT_WAITING) {
            continue;
        }

        entry = n->entry;
        w = ngx_mon_permit_word(p, entry);

        if (ngx_mon_permit_held(w) < p->shared->limit) {
            ngx_mon_permit_lock(p);
            ngx_mon_permit_grant_locked(p, entry);
            ngx_mon_permit_unlock(p);
        }

        if (p->entries == NULL) {
            return;
        }
    }
}


void
ngx_mon_permit_link_locked(ngx_mon_permit_t *p, uint32_t node)
{
    uint32_t                 last;
    ngx_mon_permit_node_t   *n, *l;
    ngx_mon_permit_entry_t  *e;

    n = ngx_mon_permit_at(p, node);
    e = ngx_mon_permit_entry(p, n->entry);

    last = e->ends >> 32;
    l = ngx_mon_permit_at(p, last);

    n->prev = l ? last : 0;
    n->next = 0;

    if (l) {
        l->next = node;
        e->ends = (uint64_t) node << 32 | (uint32_t) e->ends;

    } else {
        e->ends = (uint64_t) node << 32 | node;
    }
}


void
ngx_mon_permit_unlink_locked(ngx_mon_permit_t *p, uint32_t node)
{
    uint32_t                 first, last;
    ngx_mon_permit_node_t   *n, *prev, *next;
    ngx_mon_permit_entry_t  *e;

    n = ngx_mon_permit_at(p, node);
    e = ngx_mon_permit_entry(p, n->entry);

    if (ngx_mon_permit_word(p, n->entry) == NGX_MON_PERMIT_GONE) {
        return;
    }

    prev = ngx_mon_permit_at(p, n->prev);
    next = ngx_mon_permit_at(p, n->next);

    first = (uint32_t) e->ends;
    last = e->ends >> 32;

    if (prev) {
        prev->next = n->next;

    } else {
        first = n->next;
    }

    if (next) {
        next->prev = n->prev;

    } else {
        last = n->prev;
    }

    e->ends = (uint64_t) last << 32 | first;
}
