
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_concurrency.h"


/* nodes are for what is held and waits, and for what workers keep */
#define NGX_HTTP_MON_CONC_NODES  65536
#define NGX_HTTP_MON_CONC_SPARE  32768

/* a waiting request that nobody could tell looks so often, ms */
#define NGX_HTTP_MON_CONC_POLL   10


static ngx_uint_t ngx_http_mon_conc_nodes(ngx_http_mon_conc_t *c);
static ngx_http_mon_conc_state_t *ngx_http_mon_conc_state(
    ngx_http_mon_conc_t *c);
static ngx_int_t ngx_http_mon_conc_claim(ngx_http_mon_conc_state_t *s);
static void ngx_http_mon_conc_abandon(ngx_http_mon_conc_state_t *s);
static ngx_uint_t ngx_http_mon_conc_gone(uint64_t pid, uint64_t start);
static void ngx_http_mon_conc_wake(ngx_mon_permit_t *p,
    const ngx_mon_permit_proc_t *proc);
static ngx_int_t ngx_http_mon_conc_waits(ngx_http_mon_conc_state_t *s,
    ngx_http_mon_conc_ctx_t *ctx, uint32_t node);
static void ngx_http_mon_conc_poll(ngx_event_t *ev);
static void ngx_http_mon_conc_read(ngx_http_mon_conc_state_t *s);
static void ngx_http_mon_conc_told(ngx_http_mon_conc_state_t *s,
    uint32_t node);


/* of this process, those that no configuration has any more among them */
static ngx_http_mon_conc_state_t  *ngx_http_mon_conc_states;

static ngx_connection_t            ngx_http_mon_conc_dumb;


/* it does not depend on max and queue as long as they are not very large */

static ngx_uint_t
ngx_http_mon_conc_nodes(ngx_http_mon_conc_t *c)
{
    ngx_uint_t  n;

    n = NGX_HTTP_MON_CONC_NODES;

    while (n < NGX_MON_PERMIT_MAX
           && n < c->max + c->queue + NGX_HTTP_MON_CONC_SPARE)
    {
        n *= 2;
    }

    return ngx_min(n, NGX_MON_PERMIT_MAX);
}


size_t
ngx_http_mon_conc_zone_size(ngx_http_mon_conc_t *c)
{
    size_t  size;

    size = ngx_mon_permit_size(ngx_http_mon_conc_nodes(c));

    /* and what nginx needs to keep account of its pages */

    return ngx_align(size + size / 64 + 16 * ngx_pagesize, 65536);
}


ngx_int_t
ngx_http_mon_conc_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_mon_conc_t  *c, *old;

    size_t                size;
    ngx_slab_pool_t      *shpool;

    c = shm_zone->data;
    old = data;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (old) {
        c->shared = old->shared;
        return NGX_OK;
    }

    if (shm_zone->shm.exists) {
        c->shared = shpool->data;
        return NGX_OK;
    }

    size = ngx_mon_permit_size(ngx_http_mon_conc_nodes(c));

    c->shared = ngx_slab_alloc(shpool, size);
    if (c->shared == NULL) {
        return NGX_ERROR;
    }

    ngx_mon_permit_init(c->shared, ngx_http_mon_conc_nodes(c));

    shpool->data = c->shared;

    return NGX_OK;
}


void
ngx_http_mon_conc_commit(ngx_http_mon_conc_main_conf_t *ccmf)
{
    ngx_uint_t             i;
    ngx_http_mon_conc_t  **c;

    c = ccmf->limiters.elts;

    for (i = 0; i < ccmf->limiters.nelts; i++) {
        if (c[i]->same == NULL && c[i]->shared) {
            ngx_mon_permit_limit(c[i]->shared, c[i]->max);
        }
    }
}


void
ngx_http_mon_conc_begin(ngx_cycle_t *cycle,
    ngx_http_mon_conc_main_conf_t *ccmf)
{
    ngx_uint_t                   i;
    ngx_http_mon_conc_t        **c;
    ngx_http_mon_conc_state_t   *s;

    for (s = ngx_http_mon_conc_states; s; s = s->next) {
        s->used = 0;
    }

    c = ccmf ? ccmf->limiters.elts : NULL;

    for (i = 0; ccmf && i < ccmf->limiters.nelts; i++) {

        if (c[i]->same || c[i]->shared == NULL) {
            continue;
        }

        s = ngx_http_mon_conc_state(c[i]);

        if (s == NULL) {
            ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                          "no place for this worker in \"%V\", it does not "
                          "limit concurrency", &c[i]->name);
            continue;
        }

        c[i]->state = s;
        s->used = 1;

        ngx_mon_permit_recover(&s->permit);
        ngx_mon_permit_serve(&s->permit);
    }

    for (s = ngx_http_mon_conc_states; s; s = s->next) {
        if (!s->used && s->permit.self) {
            ngx_http_mon_conc_abandon(s);
        }
    }
}


static ngx_http_mon_conc_state_t *
ngx_http_mon_conc_state(ngx_http_mon_conc_t *c)
{
    ngx_http_mon_conc_state_t  *s;

    for (s = ngx_http_mon_conc_states; s; s = s->next) {
        if (s->permit.shared == c->shared && s->permit.self) {
            return s;
        }
    }

    s = ngx_calloc(sizeof(ngx_http_mon_conc_state_t), ngx_cycle->log);
    if (s == NULL) {
        return NULL;
    }

    s->permit.shared = c->shared;
    s->permit.gone = ngx_http_mon_conc_gone;
    s->permit.wake = ngx_http_mon_conc_wake;

    if (ngx_http_mon_conc_claim(s) != NGX_OK) {
        ngx_free(s);
        return NULL;
    }

    s->next = ngx_http_mon_conc_states;
    ngx_http_mon_conc_states = s;

    return s;
}


static ngx_int_t
ngx_http_mon_conc_claim(ngx_http_mon_conc_state_t *s)
{
    ngx_http_mon_conc_dumb.fd = (ngx_socket_t) -1;

    s->poll.handler = ngx_http_mon_conc_poll;
    s->poll.data = &ngx_http_mon_conc_dumb;
    s->poll.log = ngx_cycle->log;
    s->poll.cancelable = 1;

    return ngx_mon_permit_claim(&s->permit, ngx_pid,
                                ngx_mon_process_start(ngx_pid),
                                ngx_process_slot);
}


/*
 * Without a master a reload unmaps what is no longer configured: those that
 * wait go on, and nothing is given back.
 */

static void
ngx_http_mon_conc_abandon(ngx_http_mon_conc_state_t *s)
{
    uint32_t  i;

    for (i = 1; s->nwaiting && i <= s->permit.shared->nnodes; i++) {
        ngx_http_mon_conc_told(s, i);
    }

    s->permit.self = 0;
}


void
ngx_http_mon_conc_end(void)
{
    ngx_http_mon_conc_state_t  *s;

    for (s = ngx_http_mon_conc_states; s; s = s->next) {
        if (s->permit.self) {
            ngx_mon_permit_leave(&s->permit);
        }
    }
}


static ngx_uint_t
ngx_http_mon_conc_gone(uint64_t pid, uint64_t start)
{
    return ngx_mon_process_gone((ngx_pid_t) pid, start);
}


static void
ngx_http_mon_conc_wake(ngx_mon_permit_t *p, const ngx_mon_permit_proc_t *proc)
{
    (void) ngx_mon_wake((ngx_pid_t) proc->pid, proc->wake);
}


ngx_int_t
ngx_http_mon_conc_enter(ngx_http_mon_conc_ctx_t *ctx, ngx_http_mon_conc_t *c)
{
    uint32_t                     node;
    uint64_t                     w;
    ngx_int_t                    rc;
    ngx_http_mon_conc_state_t   *s;

    s = c->state;

    if (s == NULL || s->permit.self == 0) {
        return NGX_DECLINED;
    }

    node = ngx_mon_permit_node(&s->permit);

    if (node == 0) {
        return NGX_BUSY;
    }

    do {
        w = ngx_mon_permit_word(&s->permit, 0);
        rc = ngx_mon_permit_take(&s->permit, 0, node, w);

        if (rc == NGX_BUSY && c->queue) {
            rc = ngx_mon_permit_join(&s->permit, 0, node, w, c->queue);
        }

    } while (rc == NGX_AGAIN);

    if (rc == NGX_BUSY) {
        ngx_mon_permit_drop(&s->permit, node);
        return rc;
    }

    ctx->permits[ctx->n].state = s;
    ctx->permits[ctx->n].node = node;

    if (rc == NGX_DONE) {
        return ngx_http_mon_conc_waits(s, ctx, node);
    }

    return rc;
}


static ngx_int_t
ngx_http_mon_conc_waits(ngx_http_mon_conc_state_t *s,
    ngx_http_mon_conc_ctx_t *ctx, uint32_t node)
{
    if (s->waiting == NULL) {

        /* most of it is never touched */

        s->waiting = calloc(s->permit.shared->nnodes + 1, sizeof(void *));

        if (s->waiting == NULL) {

            if (ngx_mon_permit_quit(&s->permit, node) != NGX_OK) {
                ngx_http_mon_conc_read(s);
                ngx_mon_permit_give(&s->permit, node);
            }

            return NGX_BUSY;
        }
    }

    s->waiting[node] = ctx;
    s->nwaiting++;

    if (!s->poll.timer_set) {
        ngx_add_timer(&s->poll, NGX_HTTP_MON_CONC_POLL);
    }

    return NGX_DONE;
}


ngx_int_t
ngx_http_mon_conc_quit(ngx_http_mon_conc_permit_t *permit)
{
    uint32_t                    node;
    ngx_http_mon_conc_state_t  *s;

    s = permit->state;
    node = permit->node;

    if (s->permit.self == 0) {
        ngx_http_mon_conc_told(s, node);
        return NGX_DECLINED;
    }

    if (ngx_mon_permit_quit(&s->permit, node) == NGX_OK) {
        s->waiting[node] = NULL;
        s->nwaiting--;
        return NGX_OK;
    }

    ngx_http_mon_conc_read(s);
    ngx_http_mon_conc_told(s, node);

    return NGX_DECLINED;
}


void
ngx_http_mon_conc_give(ngx_http_mon_conc_permit_t *permit)
{
    ngx_http_mon_conc_state_t  *s;

    s = permit->state;

    if (s && s->permit.self) {
        ngx_mon_permit_give(&s->permit, permit->node);
    }
}


static void
ngx_http_mon_conc_poll(ngx_event_t *ev)
{
    ngx_http_mon_conc_state_t  *s;

    s = (ngx_http_mon_conc_state_t *)
            ((u_char *) ev - offsetof(ngx_http_mon_conc_state_t, poll));

    if (s->nwaiting && s->permit.self) {
        ngx_http_mon_conc_read(s);
        ngx_add_timer(ev, NGX_HTTP_MON_CONC_POLL);
    }
}


void
ngx_http_mon_conc_loop(void)
{
    ngx_http_mon_conc_state_t  *s;

    for (s = ngx_http_mon_conc_states; s; s = s->next) {
        if (s->nwaiting && s->permit.self) {
            ngx_http_mon_conc_read(s);
        }
    }
}


static void
ngx_http_mon_conc_read(ngx_http_mon_conc_state_t *s)
{
    uint32_t  node, chain;

    chain = 0;

    for ( ;; ) {
        node = ngx_mon_permit_mail(&s->permit, &chain);

        if (node == 0) {
            return;
        }

        if (ngx_mon_permit_state(&s->permit, node) == NGX_MON_PERMIT_GRANTED) {
            ngx_http_mon_conc_told(s, node);
        }
    }
}


/* once: it waits no more then */

static void
ngx_http_mon_conc_told(ngx_http_mon_conc_state_t *s, uint32_t node)
{
    ngx_http_mon_conc_ctx_t  *ctx;

    if (s->waiting && s->waiting[node]) {

        ctx = s->waiting[node];

        s->waiting[node] = NULL;
        s->nwaiting--;

        ngx_http_mon_conc_granted(ctx);
    }
}


/*
 * Who was killed between the grant and the mail has told nobody; who was
 * killed with anything else gives it back here.
 */

void
ngx_http_mon_conc_tick(ngx_cycle_t *cycle, ngx_uint_t leader)
{
    uint32_t                    i;
    ngx_uint_t                  n;
    ngx_http_mon_conc_state_t  *s;

    for (s = ngx_http_mon_conc_states; s; s = s->next) {

        if (s->permit.self == 0) {
            continue;
        }

        n = s->nwaiting;

        for (i = 1; n && i <= s->permit.shared->nnodes; i++) {

            if (s->waiting[i] == NULL) {
                continue;
            }

            n--;

            if (ngx_mon_permit_granted(&s->permit, i)) {
                ngx_http_mon_conc_read(s);
                ngx_http_mon_conc_told(s, i);
            }
        }

        if (leader) {
            ngx_mon_permit_recover(&s->permit);
            ngx_mon_permit_serve(&s->permit);
        }
    }
}


ngx_int_t
ngx_http_mon_conc_source(ngx_uint_t group, ngx_uint_t i, int64_t *cells,
    ngx_str_t *values)
{
    ngx_http_mon_conc_t            *c;
    ngx_mon_permit_facts_t          f;
    ngx_http_mon_conc_main_conf_t  *ccmf;

    ccmf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                              ngx_http_mon_concurrency_module);

    if (ccmf == NULL || i >= ccmf->limiters.nelts) {
        return NGX_DONE;
    }

    c = ((ngx_http_mon_conc_t **) ccmf->limiters.elts)[i];

    if (c->same || c->state == NULL || c->state->permit.self == 0) {
        return NGX_DECLINED;
    }

    ngx_mon_permit_facts(&c->state->permit, &f);

    values[0] = c->name;
    cells[NGX_MON_CONC_LIMIT] = c->shared->limit;
    cells[NGX_MON_CONC_IN_FLIGHT] = f.held;
    cells[NGX_MON_CONC_QUEUED] = f.waiting;

    return NGX_OK;
}
