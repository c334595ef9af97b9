
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_gate.h"


/* peers resolved at run time whose state is shown */
#define NGX_HTTP_MON_RESOLVED_MAX  1024

/* a refresh holds for so long at most, milliseconds */
#define NGX_HTTP_MON_REFRESH_MAX  100

/* after so many refreshes without it a resolved peer's place is reused */
#define NGX_HTTP_MON_RESOLVED_KEEP  64


static ngx_uint_t ngx_http_mon_peer_key(ngx_str_t *name);
static ngx_mon_series_t *ngx_http_mon_peer_get(ngx_http_mon_upstream_t *up,
    ngx_http_mon_peer_t *peer, ngx_str_t *name);
static void ngx_http_mon_peer_scan(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_http_mon_hook_t *hook);
static void ngx_http_mon_peer_note(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_http_mon_hook_t *hook, ngx_http_upstream_rr_peer_t *peer);
static ngx_http_mon_peer_t *ngx_http_mon_peer_resolved(
    ngx_http_mon_upstream_main_conf_t *mcf, ngx_http_mon_upstream_t *up,
    ngx_str_t *name);
static ngx_http_mon_peer_t *ngx_http_mon_peer_place(
    ngx_http_mon_upstream_main_conf_t *mcf);


static ngx_inline uint64_t
ngx_http_mon_peer_differ(u_char *a, u_char *b)
{
    uint64_t  x, y;

    ngx_memcpy(&x, a, 8);
    ngx_memcpy(&y, b, 8);

    return x ^ y;
}


static ngx_inline ngx_uint_t
ngx_http_mon_peer_named(ngx_http_mon_peer_t *peer, ngx_str_t *name)
{
    size_t   len;
    u_char  *a, *b;

    len = name->len;

    if (peer->name.len != len) {
        return 0;
    }

    a = peer->name.data;
    b = name->data;

    if (len < 8 || len > 24) {
        return ngx_memcmp(a, b, len) == 0;
    }

    /* an address: three words cover it */

    return !(ngx_http_mon_peer_differ(a, b)
             | ngx_http_mon_peer_differ(a + len / 2 - 4, b + len / 2 - 4)
             | ngx_http_mon_peer_differ(a + len - 8, b + len - 8));
}


/* all of an IPv4 address and its port, samples of anything longer */

static ngx_uint_t
ngx_http_mon_peer_key(ngx_str_t *name)
{
    u_char    *p;
    uint64_t   a, b, c;

    p = name->data;

    if (name->len < 8) {
        return ngx_hash_key(p, name->len);
    }

    ngx_memcpy(&a, p, 8);
    ngx_memcpy(&b, p + name->len / 2 - 4, 8);
    ngx_memcpy(&c, p + name->len - 8, 8);

    a = (a ^ name->len) * 0x9e3779b97f4a7c15ULL;
    a = (a ^ (a >> 32) ^ b) * 0x9e3779b97f4a7c15ULL;
    a = (a ^ (a >> 32) ^ c) * 0x9e3779b97f4a7c15ULL;

    return a >> 32;
}


ngx_http_mon_peer_t *
ngx_http_mon_peer_find(ngx_http_mon_upstream_t *up, ngx_str_t *name)
{
    ngx_uint_t            i;
    ngx_http_mon_peer_t  *peer;

    i = ngx_http_mon_peer_key(name) & up->mask;

    while ((peer = up->table[i]) != NULL) {

        if (ngx_http_mon_peer_named(peer, name)) {
            break;
        }

        i = (i + 1) & up->mask;
    }

    return peer;
}


ngx_int_t
ngx_http_mon_peer_add(ngx_conf_t *cf, ngx_http_mon_upstream_t *up,
    ngx_str_t *name)
{
    ngx_uint_t                          i;
    ngx_http_mon_peer_t                *peer, **peerp;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_upstream_module);

    if (ngx_http_mon_peer_find(up, name)) {
        return NGX_OK;
    }

    peer = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_peer_t));
    peerp = ngx_array_push(&mcf->peers);

    if (peer == NULL || peerp == NULL) {
        return NGX_ERROR;
    }

    peer->name = *name;
    peer->upstream = up;

    *peerp = peer;

    i = ngx_http_mon_peer_key(name) & up->mask;

    while (up->table[i]) {
        i = (i + 1) & up->mask;
    }

    up->table[i] = peer;

    return NGX_OK;
}


ngx_mon_series_t *
ngx_http_mon_peer_series(ngx_http_mon_upstream_t *up, ngx_str_t *name)
{
    ngx_http_mon_peer_t  *peer, **recent;

    recent = &up->recent[(uintptr_t) name->data / 16 & up->mask];
    peer = *recent;

    /* memory of a peer that is gone may be another's: so the name is read */

    if (peer && ngx_http_mon_peer_named(peer, name)) {
        return peer->series;
    }

    peer = ngx_http_mon_peer_find(up, name);

    if (peer && peer->series) {
        *recent = peer;
        return peer->series;
    }

    return ngx_http_mon_peer_get(up, peer, name);
}


static ngx_mon_series_t *
ngx_http_mon_peer_get(ngx_http_mon_upstream_t *up, ngx_http_mon_peer_t *peer,
    ngx_str_t *name)
{
    ngx_str_t          values[2];
    ngx_mon_series_t  *s;

    values[0] = up->label;
    values[1] = *name;

    s = ngx_mon_get(NGX_MON_G_UPSTREAM, NULL, NULL, values, 2,
                    peer ? NGX_MON_PIN : 0);

    if (peer && s->overflow == NULL) {
        peer->series = s;
    }

    return s;
}


ngx_int_t
ngx_http_mon_peer_source(ngx_uint_t group, ngx_uint_t i, int64_t *cells,
    ngx_str_t *values)
{
    ngx_uint_t                          k;
    ngx_http_mon_peer_t                *peer;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    mcf = ngx_http_mon_peer_refresh();

    if (mcf == NULL || i >= mcf->peers.nelts) {
        return NGX_DONE;
    }

    peer = ((ngx_http_mon_peer_t **) mcf->peers.elts)[i];

    if (peer->seen != mcf->refreshed) {
        return NGX_DECLINED;
    }

    for (k = 0; k < NGX_MON_STATE_N; k++) {
        cells[NGX_MON_PEER_STATE + k] = (peer->state == k);
    }

    cells[NGX_MON_PEER_WEIGHT] = peer->weight;

    values[0] = peer->upstream->label;
    values[1] = peer->name;

    return NGX_OK;
}


/*
 * Reads the balancers' lists, once in an iteration of the event loop, and
 * where there are thousands of peers less often, so that a scrape does not
 * spend its time here.  A peer keeps its place from one refresh to the next:
 * no scrape shows it twice.
 */

ngx_http_mon_upstream_main_conf_t *
ngx_http_mon_peer_refresh(void)
{
    uint64_t                            start, cost;
    ngx_uint_t                          i;
    ngx_http_mon_upstream_t            *up;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                              ngx_http_mon_upstream_module);

    if (mcf == NULL || mcf->hooks == NULL) {
        return NULL;
    }

    if (mcf->refreshed
        && ngx_current_msec - mcf->refreshed_at < mcf->refreshed_for)
    {
        return mcf;
    }

    start = ngx_mon_now();

    mcf->refreshed++;
    mcf->refreshed_at = ngx_current_msec;

    up = mcf->upstreams.elts;

    for (i = 0; i < mcf->upstreams.nelts; i++) {
        up[i].total = 0;
        up[i].usable = 0;
    }

    for (i = 0; i <= mcf->mask; i++) {
        if (mcf->hooks[i].stock) {
            ngx_http_mon_peer_scan(mcf, &mcf->hooks[i]);
        }
    }

    /* a twentieth of the time; twice in a row, lest something came between */

    cost = ngx_mon_now() - start;

    mcf->refreshed_for = ngx_min(ngx_min(cost, mcf->cost) / 50,
                                 NGX_HTTP_MON_REFRESH_MAX);
    mcf->refreshed_for = ngx_max(mcf->refreshed_for, 1);
    mcf->cost = cost;

    return mcf;
}


static void
ngx_http_mon_peer_scan(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_http_mon_hook_t *hook)
{
    ngx_http_upstream_rr_peer_t   *peer;
    ngx_http_upstream_rr_peers_t  *peers;

    if (hook->gate) {
        ngx_http_mon_gate_update(hook->gate);
    }

    for (peers = hook->uscf->peer.data; peers; peers = peers->next) {

        ngx_http_upstream_rr_peers_rlock(peers);

        for (peer = peers->peer; peer; peer = peer->next) {
            ngx_http_mon_peer_note(mcf, hook, peer);
        }

        ngx_http_upstream_rr_peers_unlock(peers);
    }
}


static void
ngx_http_mon_peer_note(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_http_mon_hook_t *hook, ngx_http_upstream_rr_peer_t *peer)
{
    ngx_uint_t                state;
    ngx_http_mon_peer_t      *p;
    ngx_http_mon_upstream_t  *up;

    up = hook->upstream;
    state = ngx_http_mon_peer_state(hook, peer);

    up->total++;
    up->usable += (state == NGX_MON_STATE_UP);

    p = ngx_http_mon_peer_find(up, &peer->name);

    if (p == NULL) {
        p = ngx_http_mon_peer_resolved(mcf, up, &peer->name);

        if (p == NULL) {
            return;
        }
    }

    if (p->seen == mcf->refreshed) {

        /* one address twice: it is as well as the better of the two */

        p->weight += peer->weight;

        if (state == NGX_MON_STATE_UP) {
            p->state = state;
        }

        return;
    }

    p->seen = mcf->refreshed;
    p->weight = peer->weight;
    p->state = state;
}


ngx_uint_t
ngx_http_mon_peer_state(ngx_http_mon_hook_t *hook,
    ngx_http_upstream_rr_peer_t *peer)
{
    ngx_uint_t  down, state;

    down = peer->down & ~(ngx_uint_t) NGX_HTTP_MON_GATE_BIT;

#ifdef NGX_HTTP_UPSTREAM_DRAINING
    if (down == NGX_HTTP_UPSTREAM_DRAINING) {
        return NGX_MON_STATE_DRAINING;
    }
#endif

    if (down) {
        return NGX_MON_STATE_DOWN;
    }

    if (hook->gate) {
        state = ngx_http_mon_gate_state(hook->gate, peer);

        if (state != NGX_MON_STATE_UP) {
            return state;
        }
    }

    if (peer->max_fails
        && peer->fails >= peer->max_fails
        && ngx_time() - peer->checked <= peer->fail_timeout)
    {
        return NGX_MON_STATE_UNHEALTHY;
    }

    return NGX_MON_STATE_UP;
}


/* the place of a peer that the configuration does not have */

static ngx_http_mon_peer_t *
ngx_http_mon_peer_resolved(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_http_mon_upstream_t *up, ngx_str_t *name)
{
    ngx_uint_t             i, k, n;
    ngx_http_mon_peer_t   *p, *old, **peers;

    if (name->len > NGX_SOCKADDR_STRLEN) {
        return NULL;
    }

    old = NULL;
    peers = mcf->peers.elts;
    peers += mcf->configured;
    n = mcf->peers.nelts - mcf->configured;

    /* they tend to come in the order of the last time */

    for (k = 0; k < n; k++) {
        i = (mcf->hint + k) % n;
        p = peers[i];

        if (p->upstream == up && ngx_http_mon_peer_named(p, name)) {
            mcf->hint = i + 1;
            return p;
        }

        if (mcf->refreshed - p->seen > NGX_HTTP_MON_RESOLVED_KEEP) {
            old = p;
        }
    }

    p = old ? old : ngx_http_mon_peer_place(mcf);

    if (p) {
        p->upstream = up;
        p->name.len = name->len;
        ngx_memcpy(p->name.data, name->data, name->len);
    }

    return p;
}


static ngx_http_mon_peer_t *
ngx_http_mon_peer_place(ngx_http_mon_upstream_main_conf_t *mcf)
{
    ngx_http_mon_peer_t  *p, **peerp;

    if (mcf->peers.nelts - mcf->configured == NGX_HTTP_MON_RESOLVED_MAX) {
        return NULL;
    }

    p = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_http_mon_peer_t)
                                     + NGX_SOCKADDR_STRLEN);
    if (p == NULL) {
        return NULL;
    }

    peerp = ngx_array_push(&mcf->peers);
    if (peerp == NULL) {
        return NULL;
    }

    *peerp = p;
    p->name.data = (u_char *) p + sizeof(ngx_http_mon_peer_t);

    return p;
}


void
ngx_http_mon_peer_check(ngx_mon_check_t *c)
{
    u_char                             *p, *last;
    ngx_uint_t                          i, n;
    ngx_http_mon_upstream_t            *up;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    mcf = ngx_http_mon_peer_refresh();

    if (mcf == NULL) {
        return;
    }

    n = 0;
    p = c->message;
    last = p + sizeof(c->message);
    up = mcf->upstreams.elts;

    for (i = 0; i < mcf->upstreams.nelts; i++) {

        if (!up[i].known || 2 * up[i].usable >= ngx_max(up[i].total, 1)) {
            continue;
        }

        if (up[i].usable == 0) {
            c->status = NGX_MON_UNHEALTHY;
            c->ready = 0;

        } else if (c->status == NGX_MON_HEALTHY) {
            c->status = NGX_MON_DEGRADED;
        }

        p = ngx_slprintf(p, last, "%s%V: %ui of %ui peers usable",
                         n++ ? ", " : "", &up[i].label, up[i].usable,
                         up[i].total);
    }

    if (n == 0) {
        p = ngx_slprintf(p, last, "%ui upstreams", mcf->upstreams.nelts);
    }

    c->len = p - c->message;
}
