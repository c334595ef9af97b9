
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_concurrency.h"


/* a waiting request that nobody could tell looks so often, ms */
#define NGX_HTTP_MON_CONC_POLL   10

static ngx_http_mon_conc_state_t *ngx_http_mon_conc_state(
    ngx_http_mon_conc_t *c);
static ngx_int_t ngx_http_mon_conc_claim(ngx_http_mon_conc_state_t *s);
static void ngx_http_mon_conc_abandon(ngx_http_mon_conc_state_t *s);
static ngx_uint_t ngx_http_mon_conc_gone(uint64_t pid, uint64_t start);
static void ngx_http_mon_conc_wake(ngx_mon_permit_t *p,
    const ngx_mon_permit_proc_t *proc);
static void ngx_http_mon_conc_poll(ngx_event_t *ev);
static void ngx_http_mon_conc_read(ngx_http_mon_conc_state_t *s);
static void ngx_http_mon_conc_told(ngx_http_mon_conc_state_t *s,
    uint32_t node);


/* of this process, those that no configuration has any more among them */
static ngx_http_mon_conc_state_t  *ngx_http_mon_conc_states;

/* of all of them */
static ngx_uint_t                  ngx_http_mon_conc_nwaiting;

static ngx_connection_t            ngx_http_mon_conc_dumb;


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
        s->gradient = c[i]->adaptive ? &c[i]->shared->gradient : NULL;
        s->version = ccmf->version;
        s->newest = &c[i]->shared->version;

        (void) ngx_mon_permit_recover(&s->permit, 1);
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
        if (s->permit.shared == &c->shared->permits && s->permit.self) {
            return s;
        }
    }

    s = ngx_calloc(sizeof(ngx_http_mon_conc_state_t), ngx_cycle->log);
    if (s == NULL) {
        return NULL;
    }

    s->permit.shared = &c->shared->permits;
    s->permit.gone = ngx_http_mon_conc_gone;
    s->permit.wake = ngx_http_mon_conc_wake;

    if (c->key) {
        s->keys = c->keys;
        s->permit.entries = (u_char *) c->keys.cells;
        s->permit.stride = sizeof(ngx_mon_key_t);
        s->permit.nentries = c->keys.ncells;
    }

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


ngx_uint_t
ngx_http_mon_conc_idle(const ngx_mon_key_t *key, uint64_t word, uint64_t now)
{
    ngx_http_mon_conc_state_t  *s;

    for (s = ngx_http_mon_conc_states; s; s = s->next) {

        if (s->permit.self && s->keys.cells && key >= s->keys.cells
            && key < s->keys.cells + s->keys.ncells)
        {
            return ngx_mon_permit_idle(&s->permit,
                                       (const ngx_mon_permit_entry_t *) key,
                                       word);
        }
    }

    return 0;
}


ngx_int_t
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
    ngx_http_mon_conc_nwaiting++;

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
        ngx_http_mon_conc_nwaiting--;
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

    if (ngx_http_mon_conc_nwaiting == 0) {
        return;
    }

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
        ngx_http_mon_conc_nwaiting--;

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

    if (leader) {

        /* who was killed, or is of old, may have left another limit */

        ngx_http_mon_conc_commit(ngx_http_cycle_get_module_main_conf(cycle,
                                             ngx_http_mon_concurrency_module));
    }

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
            (void) ngx_mon_permit_recover(&s->permit,
                                         (++s->ticks % 16) == 0);
            ngx_mon_permit_serve(&s->permit);

            if (s->keys.cells) {
                ngx_mon_keys_sweep(&s->keys, ngx_mon_now() * 1000);
            }
        }
    }
}
