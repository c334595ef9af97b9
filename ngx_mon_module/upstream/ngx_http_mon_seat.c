
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_seat.h"


_Static_assert(sizeof(ngx_mon_guard_t)
               == NGX_MON_WORDS_GUARD * sizeof(uint64_t), "guard");
_Static_assert(sizeof(ngx_mon_pool_t)
               == NGX_MON_WORDS_POOL * sizeof(uint64_t), "pool");


/* the list of a balancer as it is copied: peers, and their names */

typedef struct {
    ngx_http_mon_seat_t           *seats;
    ngx_str_t                     *names;
    ngx_uint_t                     n;
    u_char                        *p;
} ngx_http_mon_seating_t;


static void ngx_http_mon_gate_attach(ngx_http_mon_gate_t *gate);
static ngx_int_t ngx_http_mon_gate_build(ngx_http_mon_gate_t *gate);
static ngx_http_mon_seat_t *ngx_http_mon_gate_copy(ngx_http_mon_gate_t *gate,
    ngx_http_mon_seating_t *seating);
static void ngx_http_mon_gate_copy_list(ngx_http_mon_seating_t *seating,
    ngx_http_upstream_rr_peers_t *peers, ngx_uint_t backup);
static void ngx_http_mon_gate_index(ngx_http_mon_gate_t *gate,
    ngx_http_mon_seating_t *seating);
static ngx_http_mon_guard_t *ngx_http_mon_guard_make(
    ngx_http_mon_gate_t *gate, ngx_str_t *name);
static void ngx_http_mon_guard_sweep(ngx_http_mon_gate_t *gate);
static void ngx_http_mon_gate_modes(ngx_http_mon_gate_t *gate, uint64_t now);
static void ngx_http_mon_gate_apply(ngx_http_mon_gate_t *gate, uint64_t now);
static ngx_uint_t ngx_http_mon_gate_shut(ngx_http_mon_gate_t *gate,
    ngx_http_mon_seat_t *seat, ngx_uint_t mode, uint64_t now);


#define ngx_http_mon_gate_peers(gate)                                         \
    ((ngx_http_upstream_rr_peers_t *) (gate)->hook->uscf->peer.data)

/* peers that nginx itself does not use are none of ours */

#define ngx_http_mon_seat_down(seat)                                          \
    ((seat)->peer->down & ~(ngx_uint_t) NGX_HTTP_MON_GATE_BIT)


void
ngx_http_mon_gate_sync(ngx_http_mon_gate_t *gate, uint64_t now)
{
    if (gate->guards == NULL) {
        ngx_http_mon_gate_attach(gate);
    }

    if (gate->seats == NULL || *gate->versionp != gate->version) {

        if (gate->guards == NULL || ngx_http_mon_gate_build(gate) != NGX_OK) {

            /* without memory the peers stay as they are for a while */

            gate->nseats = 0;
            gate->out = 0;
            gate->gated = 0;
            gate->busy = 0;
            gate->ejected = 0;
            gate->table = &gate->empty;
            gate->mask = 0;
            gate->epoch = gate->pool->epoch;
            gate->version = *gate->versionp;
            gate->wake = now + 1000;

            return;
        }
    }

    gate->epoch = __atomic_load_n(&gate->pool->epoch, __ATOMIC_SEQ_CST);

    if (ngx_http_mon_gate_lock(gate) != NGX_OK) {
        return;
    }

    ngx_http_mon_gate_modes(gate, now);

    if (gate->usable == 0 && gate->ejected) {
        ngx_http_mon_gate_alarm(gate, now, ngx_cycle->log);
    }

    ngx_http_mon_gate_apply(gate, now);

    ngx_http_mon_gate_unlock(gate);
}


/* in a worker, once */

static void
ngx_http_mon_gate_attach(ngx_http_mon_gate_t *gate)
{
    ngx_mon_series_t  *s;

    s = ngx_mon_get(NGX_MON_G_POOL, NULL, NULL, &gate->hook->upstream->label,
                    1, NGX_MON_PIN|NGX_MON_SHARED);

    if (s->overflow == NULL) {
        gate->pool = (ngx_mon_pool_t *) s->cells;
    }

#if (NGX_HTTP_UPSTREAM_ZONE && nginx_version >= 1027003)
    if (ngx_http_mon_gate_peers(gate)->config) {
        gate->versionp = ngx_http_mon_gate_peers(gate)->config;
    }
#endif

    gate->guards = ngx_calloc(NGX_HTTP_MON_GUARD_BUCKETS
                              * sizeof(ngx_http_mon_guard_t *),
                              ngx_cycle->log);
}


ngx_int_t
ngx_http_mon_gate_lock(ngx_http_mon_gate_t *gate)
{
    ngx_http_upstream_rr_peers_t  *peers;

    if (gate->versionp == &gate->zero) {
        return NGX_OK;
    }

    for (peers = ngx_http_mon_gate_peers(gate); peers; peers = peers->next) {
        ngx_http_upstream_rr_peers_rlock(peers);
    }

    if (*gate->versionp == gate->version) {
        return NGX_OK;
    }

    ngx_http_mon_gate_unlock(gate);

    return NGX_DECLINED;
}


void
ngx_http_mon_gate_unlock(ngx_http_mon_gate_t *gate)
{
    ngx_http_upstream_rr_peers_t  *peers;

    if (gate->versionp == &gate->zero) {
        return;
    }

    for (peers = ngx_http_mon_gate_peers(gate); peers; peers = peers->next) {
        ngx_http_upstream_rr_peers_unlock(peers);
    }
}


static ngx_int_t
ngx_http_mon_gate_build(ngx_http_mon_gate_t *gate)
{
    ngx_uint_t               size;
    ngx_http_mon_seat_t     *old, **table;
    ngx_http_mon_seating_t   seating;

    old = ngx_http_mon_gate_copy(gate, &seating);
    if (old == NULL) {
        return NGX_ERROR;
    }

    for (size = 4; size < 2 * seating.n; size *= 2) { /* void */ }

    table = ngx_calloc(size * sizeof(ngx_http_mon_seat_t *), ngx_cycle->log);
    if (table == NULL) {
        ngx_free(seating.seats);
        return NGX_ERROR;
    }

    if (gate->table != &gate->empty) {
        ngx_free(gate->table);
    }

    if (gate->seats) {
        ngx_free(gate->seats);
    }

    gate->seats = seating.seats;
    gate->nseats = seating.n;
    gate->table = table;
    gate->mask = size - 1;

    ngx_http_mon_gate_index(gate, &seating);
    ngx_http_mon_guard_sweep(gate);

    return NGX_OK;
}


/* the names are copied, too: guards take the lock of the zone */

static ngx_http_mon_seat_t *
ngx_http_mon_gate_copy(ngx_http_mon_gate_t *gate,
    ngx_http_mon_seating_t *seating)
{
    size_t                         len;
    ngx_uint_t                     n;
    ngx_http_upstream_rr_peer_t   *peer;
    ngx_http_upstream_rr_peers_t  *primary, *peers;

    n = 1;
    len = 0;
    primary = ngx_http_mon_gate_peers(gate);

    for (peers = primary; peers; peers = peers->next) {
        ngx_http_upstream_rr_peers_wlock(peers);

        for (peer = peers->peer; peer; peer = peer->next) {
            n++;
            len += peer->name.len;
        }
    }

    seating->n = 0;
    seating->seats = ngx_calloc(n * (sizeof(ngx_http_mon_seat_t)
                                     + sizeof(ngx_str_t))
                                + len, ngx_cycle->log);

    if (seating->seats) {
        seating->names = (ngx_str_t *) &seating->seats[n];
        seating->p = (u_char *) &seating->names[n];

        for (peers = primary; peers; peers = peers->next) {
            ngx_http_mon_gate_copy_list(seating, peers, peers != primary);
        }
    }

    gate->version = *gate->versionp;

    for (peers = primary; peers; peers = peers->next) {
        ngx_http_upstream_rr_peers_unlock(peers);
    }

    return seating->seats;
}


static void
ngx_http_mon_gate_copy_list(ngx_http_mon_seating_t *seating,
    ngx_http_upstream_rr_peers_t *peers, ngx_uint_t backup)
{
    ngx_str_t                    *name;
    ngx_uint_t                    tries;
    ngx_http_mon_seat_t          *seat;
    ngx_http_upstream_rr_peer_t  *peer;

    tries = 0;

    for (peer = peers->peer; peer; peer = peer->next) {
        seat = &seating->seats[seating->n];
        name = &seating->names[seating->n++];

        seat->peer = peer;
        seat->backup = backup;

        name->data = seating->p;
        name->len = peer->name.len;
        seating->p = ngx_cpymem(seating->p, peer->name.data, name->len);

        seat->first = ngx_http_mon_seat_down(seat) == 0;
        tries += seat->first;
    }

    /* nginx does not count a peer that it removes while our bit is set */

    peers->tries = tries;
}


static void
ngx_http_mon_gate_index(ngx_http_mon_gate_t *gate,
    ngx_http_mon_seating_t *seating)
{
    ngx_uint_t             i, k;
    ngx_http_mon_seat_t   *seat;
    ngx_http_mon_guard_t  *guard;

    for (k = 0; k < NGX_HTTP_MON_GUARD_BUCKETS; k++) {
        for (guard = gate->guards[k]; guard; guard = guard->next) {
            guard->seated = 0;
            guard->counted = 0;
        }
    }

    for (i = 0; i < seating->n; i++) {
        seat = &gate->seats[i];

        guard = ngx_http_mon_guard_find(gate, &seating->names[i]);

        if (guard == NULL) {
            guard = ngx_http_mon_guard_make(gate, &seating->names[i]);
        }

        seat->guard = guard;

        if (guard) {
            seat->first &= !guard->counted;
            guard->counted |= seat->first;
            guard->seated = 1;
        }

        k = ngx_http_mon_seat_key(seat->peer) & gate->mask;

        while (gate->table[k]) {
            k = (k + 1) & gate->mask;
        }

        gate->table[k] = seat;
    }
}


static ngx_inline ngx_http_mon_guard_t **
ngx_http_mon_guard_bucket(ngx_http_mon_gate_t *gate, ngx_str_t *name)
{
    return &gate->guards[ngx_hash_key(name->data, name->len)
                         % NGX_HTTP_MON_GUARD_BUCKETS];
}


ngx_http_mon_guard_t *
ngx_http_mon_guard_find(ngx_http_mon_gate_t *gate, ngx_str_t *name)
{
    ngx_http_mon_guard_t  *guard;

    if (gate->guards == NULL) {
        return NULL;
    }

    for (guard = *ngx_http_mon_guard_bucket(gate, name);
         guard;
         guard = guard->next)
    {
        if (guard->name.len == name->len
            && ngx_memcmp(guard->name.data, name->data, name->len) == 0)
        {
            break;
        }
    }

    return guard;
}


static ngx_http_mon_guard_t *
ngx_http_mon_guard_make(ngx_http_mon_gate_t *gate, ngx_str_t *name)
{
    ngx_str_t              values[2];
    ngx_mon_series_t      *s;
    ngx_http_mon_guard_t  *guard, **bucket;

    values[0] = gate->hook->upstream->label;
    values[1] = *name;

    s = ngx_mon_get(NGX_MON_G_GUARD, NULL, NULL, values, 2, NGX_MON_SHARED);

    if (s->overflow) {
        return NULL;
    }

    guard = ngx_calloc(sizeof(ngx_http_mon_guard_t) + name->len,
                       ngx_cycle->log);
    if (guard == NULL) {
        return NULL;
    }

    s->refs++;

    guard->series = s;
    guard->shared = (ngx_mon_guard_t *) s->cells;
    guard->name.len = name->len;
    guard->name.data = (u_char *) guard + sizeof(ngx_http_mon_guard_t);
    ngx_memcpy(guard->name.data, name->data, name->len);

    ngx_mon_window_init(&guard->window, &guard->shared->window,
                        gate->conf.window, gate->made);

    bucket = ngx_http_mon_guard_bucket(gate, name);
    guard->next = *bucket;
    *bucket = guard;

    return guard;
}


/* those of peers that are gone */

static void
ngx_http_mon_guard_sweep(ngx_http_mon_gate_t *gate)
{
    ngx_uint_t             k;
    ngx_http_mon_guard_t  *guard, **link;

    for (k = 0; k < NGX_HTTP_MON_GUARD_BUCKETS; k++) {
        link = &gate->guards[k];

        while ((guard = *link) != NULL) {

            if (guard->seated || guard->refs) {
                link = &guard->next;
                continue;
            }

            *link = guard->next;
            guard->series->refs--;

            if (guard->allotted) {
                guard->allotted->refs--;
            }

            ngx_free(guard);
        }
    }
}


static void
ngx_http_mon_gate_modes(ngx_http_mon_gate_t *gate, uint64_t now)
{
    uint64_t               wake;
    ngx_uint_t             i;
    ngx_http_mon_seat_t   *seat;
    ngx_http_mon_guard_t  *guard;

    gate->in[0] = 0;
    gate->in[1] = 0;
    gate->usable = 0;
    gate->ejected = 0;
    gate->wake = (uint64_t) -1;

    for (i = 0; i < gate->nseats; i++) {
        seat = &gate->seats[i];
        guard = seat->guard;

        if (guard) {
            guard->mode = ngx_mon_guard_mode(guard->shared, &gate->conf,
                                             gate->flags, now);

            wake = ngx_mon_guard_wake(guard->shared, &gate->conf, now);

            if (wake < gate->wake - now) {
                gate->wake = now + wake;
            }
        }

        if (ngx_http_mon_seat_down(seat)) {
            continue;
        }

        if (guard == NULL || guard->mode == NGX_MON_GUARD_IN) {
            gate->in[seat->backup]++;
            gate->usable++;

        } else if (guard->mode == NGX_MON_GUARD_RAMP) {
            gate->usable++;

        } else if (guard->mode == NGX_MON_GUARD_EJECTED
                   || guard->mode == NGX_MON_GUARD_TRIAL)
        {
            gate->ejected++;
        }
    }
}


static void
ngx_http_mon_gate_apply(ngx_http_mon_gate_t *gate, uint64_t now)
{
    uint64_t              until;
    ngx_uint_t            i, mode;
    ngx_http_mon_seat_t  *seat;

    gate->out = 0;
    gate->gated = 0;

    for (i = 0; i < gate->nseats; i++) {
        seat = &gate->seats[i];

        if (seat->guard == NULL) {
            continue;
        }

        ngx_http_mon_seat_apply(gate, seat, now);

        mode = seat->guard->mode;

        if (ngx_http_mon_seat_down(seat)
            || !ngx_http_mon_gate_shut(gate, seat, mode, now))
        {
            continue;
        }

        gate->out += mode != NGX_MON_GUARD_RAMP;
        gate->gated += mode == NGX_MON_GUARD_RAMP
                       || mode == NGX_MON_GUARD_TRIAL;
    }

    gate->busy = gate->out || gate->gated;

    until = __atomic_load_n(&gate->pool->panic, __ATOMIC_RELAXED);

    if (until > now && until < gate->wake) {
        gate->wake = until;
    }
}


/*
 * A change by another worker between the word and the bit would be undone
 * here: so the word is read again behind the bit.
 */

void
ngx_http_mon_seat_apply(ngx_http_mon_gate_t *gate, ngx_http_mon_seat_t *seat,
    uint64_t now)
{
    ngx_uint_t        i, mode, *down;
    ngx_mon_guard_t  *g;

    g = seat->guard->shared;
    down = &seat->peer->down;
    mode = ngx_mon_guard_mode(g, &gate->conf, gate->flags, now);

    for (i = 0; i < 4; i++) {

        if (ngx_http_mon_gate_shut(gate, seat, mode, now)) {
            (void) __atomic_or_fetch(down, NGX_HTTP_MON_GATE_BIT,
                                     __ATOMIC_SEQ_CST);

        } else if (__atomic_load_n(down, __ATOMIC_SEQ_CST)
                   & NGX_HTTP_MON_GATE_BIT)
        {
            ngx_http_mon_seat_open(seat);
        }

        seat->guard->mode = mode;
        mode = ngx_mon_guard_mode(g, &gate->conf, gate->flags, now);

        if (mode == seat->guard->mode) {
            break;
        }
    }
}


void
ngx_http_mon_seat_open(ngx_http_mon_seat_t *seat)
{
    (void) __atomic_and_fetch(&seat->peer->down,
                              ~(ngx_uint_t) NGX_HTTP_MON_GATE_BIT,
                              __ATOMIC_SEQ_CST);
}


static ngx_uint_t
ngx_http_mon_gate_shut(ngx_http_mon_gate_t *gate, ngx_http_mon_seat_t *seat,
    ngx_uint_t mode, uint64_t now)
{
    switch (mode) {

    case NGX_MON_GUARD_IN:
        return 0;

    case NGX_MON_GUARD_RAMP:

        /* there is nobody to spare it */

        return gate->in[seat->backup] != 0;

    case NGX_MON_GUARD_TRIAL:
    case NGX_MON_GUARD_EJECTED:
        return !ngx_mon_pool_panic(gate->pool, now, NGX_HTTP_MON_PANIC_HOLD);

    default: /* NGX_MON_GUARD_FORCED, NGX_MON_GUARD_UNHEALTHY */
        return 1;
    }
}
