
/*
 * Copyright (C) The ngx_mon authors
 */


/* Whether all is in order with permits, in one process or several. */


#ifndef _PERMIT_JUDGE_H_INCLUDED_
#define _PERMIT_JUDGE_H_INCLUDED_


#include "unit.h"
#include "ngx_mon_permit.h"


#define PERMIT_KEYS  8


/* the words, the queues and the nodes agree, and no node is lost */

static void
permit_judge_all(ngx_mon_permit_t *p, ngx_uint_t nkeys)
{
    uint32_t                 i, k, n, prev;
    uint64_t                 w, ticket;
    uint64_t                 held[PERMIT_KEYS], waiting[PERMIT_KEYS];
    ngx_uint_t               count;
    ngx_mon_permit_node_t   *node;
    ngx_mon_permit_entry_t  *e;

    ngx_memzero(held, sizeof(held));
    ngx_memzero(waiting, sizeof(waiting));

    for (i = 1; i <= p->shared->top; i++) {

        node = ngx_mon_permit_at(p, i);

        if (node->state == NGX_MON_PERMIT_FREE) {
            continue;
        }

        check(node->entry < nkeys);

        held[node->entry] += (node->state == NGX_MON_PERMIT_HELD
                              || node->state == NGX_MON_PERMIT_GRANTED);
        waiting[node->entry] += (node->state == NGX_MON_PERMIT_WAITING);
    }

    for (k = 0; k < nkeys; k++) {

        e = ngx_mon_permit_entry(p, k);
        w = e->word;

        if (w == NGX_MON_PERMIT_GONE) {
            check(held[k] == 0 && waiting[k] == 0 && e->ends == 0);
            continue;
        }

        check(ngx_mon_permit_held(w) == held[k]);
        check(ngx_mon_permit_waiting(w) == waiting[k]);

        prev = 0;
        ticket = 0;
        count = 0;

        for (n = (uint32_t) e->ends; n; n = node->next) {
            node = ngx_mon_permit_at(p, n);

            check(node->state == NGX_MON_PERMIT_WAITING);
            check(node->entry == k);
            check(node->prev == prev);
            check(node->ticket > ticket);

            prev = n;
            ticket = node->ticket;
            count++;
        }

        check(e->ends >> 32 == prev);
        check(count == waiting[k]);
    }

    count = 0;

    for (n = p->shared->free; n; n = ngx_mon_permit_at(p, n)->next) {
        check(ngx_mon_permit_at(p, n)->owner == 0);
        check(++count <= p->shared->nnodes);
    }

    for (i = 1; i <= p->shared->top; i++) {
        count -= (ngx_mon_permit_at(p, i)->owner == 0);
    }

    check(count == 0);
    check(p->shared->lock == 0);
}


#endif /* _PERMIT_JUDGE_H_INCLUDED_ */
