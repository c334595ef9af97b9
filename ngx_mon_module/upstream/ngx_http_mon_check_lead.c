
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_check.h"


/* what is overdue is spread over so long, milliseconds */
#define NGX_HTTP_MON_CHECK_SPREAD  1000


static void ngx_http_mon_check_scan(ngx_http_mon_check_conf_t *ccf);
static void ngx_http_mon_check_see(ngx_http_mon_check_conf_t *ccf,
    ngx_http_upstream_rr_peer_t *peer);
static ngx_http_mon_checker_t *ngx_http_mon_check_find(
    ngx_http_mon_check_conf_t *ccf, ngx_str_t *name);
static ngx_http_mon_checker_t *ngx_http_mon_check_add(
    ngx_http_mon_check_conf_t *ccf, ngx_http_upstream_rr_peer_t *peer);
static void ngx_http_mon_check_first(ngx_uint_t n);
static void ngx_http_mon_check_drop(ngx_http_mon_checker_t *ck);
static void ngx_http_mon_check_timer(ngx_event_t *ev);


/* checkers in the order in which they were listed last */
static ngx_queue_t        ngx_http_mon_checkers;
static ngx_queue_t       *ngx_http_mon_check_hint;
static ngx_uint_t         ngx_http_mon_check_walk;

/* what the timers belong to */
static ngx_connection_t   ngx_http_mon_check_dumb;


void
ngx_http_mon_check_tick(ngx_cycle_t *cycle, ngx_uint_t leader)
{
    ngx_uint_t                        i, fresh;
    ngx_queue_t                      *q;
    ngx_http_mon_checker_t           *ck;
    ngx_http_mon_check_conf_t       **ccf;
    ngx_http_mon_check_main_conf_t   *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_mon_check_module);

    /* without a master nginx has no connections after a reload */

    if (mcf == NULL || !leader || !ngx_mon_active
        || cycle->connections == NULL
        || ngx_exiting || ngx_quit || ngx_terminate)
    {
        ngx_http_mon_check_stop();
        return;
    }

    if (ngx_http_mon_checkers.next == NULL) {
        ngx_queue_init(&ngx_http_mon_checkers);
        ngx_http_mon_check_dumb.fd = (ngx_socket_t) -1;
    }

    ngx_http_mon_check_walk++;
    ngx_http_mon_check_hint = ngx_queue_head(&ngx_http_mon_checkers);

    ccf = mcf->checks.elts;

    for (i = 0; i < mcf->checks.nelts; i++) {
        ngx_http_mon_check_scan(ccf[i]);
    }

    fresh = 0;
    q = ngx_queue_head(&ngx_http_mon_checkers);

    while (q != ngx_queue_sentinel(&ngx_http_mon_checkers)) {

        ck = ngx_queue_data(q, ngx_http_mon_checker_t, queue);
        q = ngx_queue_next(q);

        if (ck->seen != ngx_http_mon_check_walk) {
            ngx_http_mon_check_drop(ck);
            continue;
        }

        fresh += (ck->timer.handler == NULL);
    }

    if (fresh) {
        ngx_http_mon_check_first(fresh);
    }
}


void
ngx_http_mon_check_stop(void)
{
    ngx_queue_t  *q;

    if (ngx_http_mon_checkers.next == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_http_mon_checkers)) {
        q = ngx_queue_head(&ngx_http_mon_checkers);
        ngx_http_mon_check_drop(ngx_queue_data(q, ngx_http_mon_checker_t,
                                               queue));
    }
}


static void
ngx_http_mon_check_scan(ngx_http_mon_check_conf_t *ccf)
{
    ngx_http_upstream_rr_peer_t   *peer;
    ngx_http_upstream_rr_peers_t  *peers;

    for (peers = ccf->uscf->peer.data; peers; peers = peers->next) {

        ngx_http_upstream_rr_peers_rlock(peers);

        for (peer = peers->peer; peer; peer = peer->next) {
            ngx_http_mon_check_see(ccf, peer);
        }

        ngx_http_upstream_rr_peers_unlock(peers);
    }
}


static void
ngx_http_mon_check_see(ngx_http_mon_check_conf_t *ccf,
    ngx_http_upstream_rr_peer_t *peer)
{
    ngx_http_mon_checker_t  *ck;

    /* down by configuration */

    if (peer->down & ~(ngx_uint_t) NGX_HTTP_MON_GATE_BIT) {
        return;
    }

    ck = ngx_http_mon_check_find(ccf, &peer->name);

    if (ck == NULL) {
        ck = ngx_http_mon_check_add(ccf, peer);
    }

    if (ck) {
        ck->seen = ngx_http_mon_check_walk;
        ngx_http_mon_check_hint = ngx_queue_next(&ck->queue);
    }
}


/* they tend to come in the order of the last time */

static ngx_http_mon_checker_t *
ngx_http_mon_check_find(ngx_http_mon_check_conf_t *ccf, ngx_str_t *name)
{
    ngx_queue_t             *q, *end;
    ngx_http_mon_checker_t  *ck;

    end = ngx_queue_sentinel(&ngx_http_mon_checkers);
    q = ngx_http_mon_check_hint;

    do {

        if (q != end) {
            ck = ngx_queue_data(q, ngx_http_mon_checker_t, queue);

            if (ck->conf == ccf && ck->name.len == name->len
                && ngx_memcmp(ck->name.data, name->data, name->len) == 0)
            {
                return ck;
            }
        }

        q = ngx_queue_next(q);

    } while (q != ngx_http_mon_check_hint);

    return NULL;
}


static ngx_http_mon_checker_t *
ngx_http_mon_check_add(ngx_http_mon_check_conf_t *ccf,
    ngx_http_upstream_rr_peer_t *peer)
{
    u_char                  *p;
    ngx_http_mon_checker_t  *ck;

    ck = ngx_calloc(sizeof(ngx_http_mon_checker_t) + sizeof(ngx_sockaddr_t)
                    + peer->name.len, ngx_cycle->log);

    if (ck == NULL || peer->socklen > (socklen_t) sizeof(ngx_sockaddr_t)) {
        ngx_free(ck);
        return NULL;
    }

    p = (u_char *) ck + sizeof(ngx_http_mon_checker_t);

    ck->conf = ccf;
    ck->sockaddr = (struct sockaddr *) p;
    ck->socklen = peer->socklen;
    ngx_memcpy(p, peer->sockaddr, peer->socklen);

    ck->name.data = p + sizeof(ngx_sockaddr_t);
    ck->name.len = peer->name.len;
    ngx_memcpy(ck->name.data, peer->name.data, peer->name.len);

    if (ccf->port && ck->sockaddr->sa_family != AF_UNIX) {
        ngx_inet_set_port(ck->sockaddr, ccf->port);
    }

    /* before the one that was expected here */

    ngx_queue_insert_tail(ngx_http_mon_check_hint, &ck->queue);

    return ck;
}


/*
 * The first check of n new checkers: when the words say, or spread over a
 * while what is overdue, or was never checked.
 */

static void
ngx_http_mon_check_first(ngx_uint_t n)
{
    uint64_t                 delay, spread;
    ngx_uint_t               i;
    ngx_queue_t             *q;
    ngx_mon_tally_words_t   *w;
    ngx_http_mon_checker_t  *ck;

    i = 0;

    for (q = ngx_queue_head(&ngx_http_mon_checkers);
         q != ngx_queue_sentinel(&ngx_http_mon_checkers);
         q = ngx_queue_next(q))
    {
        ck = ngx_queue_data(q, ngx_http_mon_checker_t, queue);

        if (ck->timer.handler) {
            continue;
        }

        ck->timer.handler = ngx_http_mon_check_timer;
        ck->timer.data = &ngx_http_mon_check_dumb;
        ck->timer.log = ngx_cycle->log;
        ck->timer.cancelable = 1;

        spread = ngx_min(ck->conf->interval, NGX_HTTP_MON_CHECK_SPREAD);
        w = ngx_http_mon_check_words(ck->conf->hook, &ck->name);
        delay = w ? ngx_mon_tally_due(w, ngx_current_msec, ck->conf->interval)
                  : 0;

        if (delay == 0) {
            delay = spread * i++ / n;
        }

        ngx_add_timer(&ck->timer, delay);
    }
}


void
ngx_http_mon_check_schedule(ngx_http_mon_checker_t *ck)
{
    uint64_t                due, now;
    ngx_mon_tally_words_t  *w;

    now = ngx_current_msec;
    due = ck->begun + ngx_mon_tally_jitter(ck->conf->interval, ngx_random());

    w = ngx_http_mon_check_words(ck->conf->hook, &ck->name);

    if (w) {
        __atomic_store_n(&w->due, due, __ATOMIC_RELAXED);
    }

    ngx_add_timer(&ck->timer, due > now ? due - now : 1);
}


static void
ngx_http_mon_check_drop(ngx_http_mon_checker_t *ck)
{
    ngx_http_mon_check_close(ck);

    if (ck->timer.timer_set) {
        ngx_del_timer(&ck->timer);
    }

    ngx_queue_remove(&ck->queue);
    ngx_free(ck);
}


static void
ngx_http_mon_check_timer(ngx_event_t *ev)
{
    ngx_http_mon_checker_t  *ck;

    ck = ngx_queue_data(ev, ngx_http_mon_checker_t, timer);

    if (ck->pc.connection) {
        ngx_http_mon_check_timeout(ck);
        return;
    }

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        return;
    }

    ngx_http_mon_check_begin(ck);
}
