
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_permit.h"


/* lists of 1, 2, 4 ... nodes */
#define NGX_MON_PERMIT_BINS  21


static void ngx_mon_permit_resolve(ngx_mon_permit_t *p,
    ngx_mon_permit_proc_t *proc, uint32_t number);
static void ngx_mon_permit_search(ngx_mon_permit_t *p,
    ngx_mon_permit_node_t *n, uint32_t number, uint32_t tag);
static void ngx_mon_permit_refree(ngx_mon_permit_t *p);
static void ngx_mon_permit_requeue(ngx_mon_permit_t *p, uint32_t entry);
static uint32_t ngx_mon_permit_sorted(ngx_mon_permit_t *p, uint32_t entry,
    uint64_t *count);
static uint32_t ngx_mon_permit_merge(ngx_mon_permit_t *p, uint32_t a,
    uint32_t b);
static void ngx_mon_permit_free_locked(ngx_mon_permit_t *p, uint32_t node);


void
ngx_mon_permit_repair_locked(ngx_mon_permit_t *p)
{
    uint32_t                i;
    ngx_mon_permit_proc_t  *proc;

    for (i = 1; i <= NGX_MON_PERMIT_PROCS; i++) {

        proc = ngx_mon_permit_proc(p, i);

        if (i != p->self && proc->pid && proc->pending
            && p->gone(proc->pid, proc->start))
        {
            ngx_mon_permit_resolve(p, proc, i);
        }
    }

    ngx_mon_permit_refree(p);
    ngx_mon_permit_requeue(p, p->shared->at);
}


/*
 * What the process was about to do was done if its number is in the word, or
 * if who has replaced it there has marked it: in this order, since the mark
 * comes first.
 */

static void
ngx_mon_permit_resolve(ngx_mon_permit_t *p, ngx_mon_permit_proc_t *proc,
    uint32_t number)
{
    uint64_t                w, pending;
    ngx_uint_t              done;
    ngx_mon_permit_node_t  *n;

    pending = __atomic_load_n(&proc->pending, __ATOMIC_ACQUIRE);
    n = ngx_mon_permit_at(p, pending & 0xfffffff);

    if (n == NULL) {
        proc->pending = 0;
        return;
    }

    if (n->entry == NGX_MON_PERMIT_NEW) {
        ngx_mon_permit_search(p, n, number, pending >> 32 & 0x3fff);
    }

    w = ngx_mon_permit_word(p, n->entry);
    pending = __atomic_load_n(&proc->pending, __ATOMIC_ACQUIRE);

    done = (pending & 1U << 31)
           || (w != NGX_MON_PERMIT_GONE && ngx_mon_permit_by(w) == number
               && ngx_mon_permit_number(w) == (pending >> 32 & 0x3fff));

    switch (pending >> 28 & 7) {

    case NGX_MON_PERMIT_TAKE:
        ngx_mon_permit_set(&n->state, done ? NGX_MON_PERMIT_HELD
                                           : NGX_MON_PERMIT_FREE);
        break;

    case NGX_MON_PERMIT_GIVE:
        if (done) {
            ngx_mon_permit_set(&n->state, NGX_MON_PERMIT_FREE);
        }

        break;

    case NGX_MON_PERMIT_GRANT:
        if (done) {
            ngx_mon_permit_set(&n->state, NGX_MON_PERMIT_GRANTED);
        }

        break;
    }

    __atomic_store_n(&proc->pending, 0, __ATOMIC_RELEASE);
}


/* it may have made an entry that it did not come to know */

static void
ngx_mon_permit_search(ngx_mon_permit_t *p, ngx_mon_permit_node_t *n,
    uint32_t number, uint32_t tag)
{
    uint32_t  i, new;
    uint64_t  w;

    for (i = 0; i < p->nentries; i++) {

        w = ngx_mon_permit_word(p, i);

        if (w != NGX_MON_PERMIT_GONE && ngx_mon_permit_by(w) == number
            && ngx_mon_permit_number(w) == tag)
        {
            /* unless who has replaced the word has set it */

            new = NGX_MON_PERMIT_NEW;
            (void) __atomic_compare_exchange_n(&n->entry, &new, i, 0,
                                               __ATOMIC_ACQ_REL,
                                               __ATOMIC_RELAXED);
            return;
        }
    }
}


static void
ngx_mon_permit_refree(ngx_mon_permit_t *p)
{
    uint32_t                i, free;
    ngx_mon_permit_node_t  *n;

    free = 0;

    for (i = 1; i <= p->shared->top; i++) {

        n = ngx_mon_permit_at(p, i);

        if (n == NULL) {
            break;
        }

        if (n->owner == 0) {
            n->next = free;
            free = i;
        }
    }

    p->shared->free = free;
}


static void
ngx_mon_permit_requeue(ngx_mon_permit_t *p, uint32_t entry)
{
    uint32_t                 node, first, last;
    uint64_t                 w, count, ends;
    ngx_mon_permit_node_t   *n;
    ngx_mon_permit_entry_t  *e;

    e = ngx_mon_permit_entry(p, entry);
    w = ngx_mon_permit_word(p, entry);

    if (w == NGX_MON_PERMIT_GONE) {
        return;
    }

    ends = e->ends;
    last = 0;
    first = ngx_mon_permit_sorted(p, entry, &count);

    for (node = first; node; node = n->next) {
        n = ngx_mon_permit_at(p, node);
        n->prev = last;
        last = node;
    }

    while (!__atomic_compare_exchange_n(&e->word, &w,
                                        (w & ~((uint64_t) 0xfffff << 20))
                                        | count << 20,
                                        0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
    {
        if (w == NGX_MON_PERMIT_GONE) {
            return;
        }
    }

    /* with ends set it is not idle, so it is the same entry still */

    (void) __atomic_compare_exchange_n(&e->ends, &ends,
                                       (uint64_t) last << 32 | first, 0,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}


/* the first of those that wait for the entry, as they came */

static uint32_t
ngx_mon_permit_sorted(ngx_mon_permit_t *p, uint32_t entry, uint64_t *count)
{
    uint32_t                i, list, bins[NGX_MON_PERMIT_BINS];
    ngx_uint_t              k;
    ngx_mon_permit_node_t  *n;

    *count = 0;
    ngx_memzero(bins, sizeof(bins));

    for (i = 1; i <= p->shared->top; i++) {

        n = ngx_mon_permit_at(p, i);

        if (n == NULL) {
            break;
        }

        if (n->state != NGX_MON_PERMIT_WAITING || n->entry != entry) {
            continue;
        }

        (*count)++;

        list = i;
        n->next = 0;

        for (k = 0; k < NGX_MON_PERMIT_BINS - 1 && bins[k]; k++) {
            list = ngx_mon_permit_merge(p, bins[k], list);
            bins[k] = 0;
        }

        bins[k] = list;
    }

    list = 0;

    for (k = 0; k < NGX_MON_PERMIT_BINS; k++) {
        list = ngx_mon_permit_merge(p, bins[k], list);
    }

    return list;
}


static uint32_t
ngx_mon_permit_merge(ngx_mon_permit_t *p, uint32_t a, uint32_t b)
{
    uint32_t                list, *last;
    ngx_mon_permit_node_t  *n, *m;

    last = &list;

    while (a && b) {

        n = ngx_mon_permit_at(p, a);
        m = ngx_mon_permit_at(p, b);

        if (n->ticket < m->ticket) {
            *last = a;
            last = &n->next;
            a = n->next;

        } else {
            *last = b;
            last = &m->next;
            b = m->next;
        }
    }

    *last = a ? a : b;

    return list;
}


ngx_uint_t
ngx_mon_permit_recover(ngx_mon_permit_t *p, ngx_uint_t reused)
{
    uint32_t                i;
    ngx_uint_t              n;
    ngx_mon_permit_proc_t  *proc;

    n = 0;

    for (i = 1; i <= NGX_MON_PERMIT_PROCS; i++) {

        proc = ngx_mon_permit_proc(p, i);

        if (i == p->self || proc->pid == 0
            || !p->gone(proc->pid, reused ? proc->start : 0))
        {
            continue;
        }

        ngx_mon_permit_lock(p);

        /* nobody else has done it, and the number is not in use again */

        if (proc->pid && p->gone(proc->pid, proc->start)) {
            ngx_mon_permit_recover_locked(p, i);
            __atomic_store_n(&proc->pid, 0, __ATOMIC_RELEASE);
            n++;
        }

        ngx_mon_permit_unlock(p);
    }

    return n;
}


void
ngx_mon_permit_recover_locked(ngx_mon_permit_t *p, uint32_t number)
{
    uint32_t                i, entry;
    ngx_mon_permit_node_t  *n;
    ngx_mon_permit_proc_t  *proc;

    proc = ngx_mon_permit_proc(p, number);

    ngx_mon_permit_resolve(p, proc, number);

    /* first those that nothing is to be granted to */

    for (i = 1; i <= p->shared->top; i++) {

        n = ngx_mon_permit_at(p, i);

        if (n && n->owner == number && n->state == NGX_MON_PERMIT_WAITING) {
            ngx_mon_permit_quit_locked(p, i);
        }
    }

    for (i = 1; i <= p->shared->top; i++) {

        n = ngx_mon_permit_at(p, i);

        if (n == NULL || n->owner != number) {
            continue;
        }

        entry = n->entry;

        if (n->state != NGX_MON_PERMIT_FREE) {
            ngx_mon_permit_give_locked(p, i);
            ngx_mon_permit_grant_locked(p, entry);
        }

        ngx_mon_permit_free_locked(p, i);
    }

    proc->mail = 0;
    __atomic_store_n(&proc->start, 0, __ATOMIC_RELEASE);
}


static void
ngx_mon_permit_free_locked(ngx_mon_permit_t *p, uint32_t node)
{
    ngx_mon_permit_node_t  *n;

    n = ngx_mon_permit_at(p, node);

    ngx_mon_permit_set(&n->owner, 0);
    ngx_mon_permit_set(&n->next, p->shared->free);
    ngx_mon_permit_set(&p->shared->free, node);
}


void
ngx_mon_permit_facts(ngx_mon_permit_t *p, ngx_mon_permit_facts_t *f)
{
    uint32_t                i;
    uint64_t                w;
    ngx_uint_t              state;
    ngx_mon_permit_node_t  *n;

    if (p->entries == NULL) {
        w = ngx_mon_permit_word(p, 0);
        f->held = ngx_mon_permit_held(w);
        f->waiting = ngx_mon_permit_waiting(w);
        return;
    }

    f->held = 0;
    f->waiting = 0;

    for (i = 1; i <= p->shared->top; i++) {

        n = ngx_mon_permit_at(p, i);
        state = n ? ngx_mon_permit_get(&n->state) : NGX_MON_PERMIT_FREE;

        f->held += (state == NGX_MON_PERMIT_HELD
                    || state == NGX_MON_PERMIT_GRANTED);
        f->waiting += (state == NGX_MON_PERMIT_WAITING);
    }
}
