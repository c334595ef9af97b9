
/*
 * Copyright (C) The ngx_mon authors
 */


/* how the attempt comes to stand around what the balancer has set up */


#include "ngx_http_mon_call.h"


static ngx_mon_inline ngx_int_t ngx_http_mon_attempt_wrap(
    ngx_http_mon_attempt_t *a);
static ngx_http_mon_origin_t *ngx_http_mon_attempt_origin(
    ngx_http_mon_attempt_t *a);
static void ngx_http_mon_attempt_notify(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type);
#if (NGX_HTTP_SSL)
static void ngx_http_mon_attempt_sessions(ngx_peer_connection_t *pc,
    ngx_http_mon_origin_t *o);
static ngx_int_t ngx_http_mon_attempt_set_session(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_mon_attempt_save_session(ngx_peer_connection_t *pc,
    void *data);
#endif


ngx_int_t
ngx_http_mon_attempt_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_int_t                           rc;
    ngx_http_upstream_t                *u;
    ngx_http_mon_hook_t                *hook;
    ngx_http_mon_attempt_t             *a;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_mon_upstream_module);

    hook = ngx_http_mon_hook_find(mcf, us);

    if (hook == NULL) {
        return NGX_ERROR;
    }

    rc = hook->init(r, us);

    if (rc != NGX_OK || !ngx_mon_active) {
        return rc;
    }

    a = ngx_palloc(r->pool, hook->guarded ? sizeof(ngx_http_mon_call_t)
                                          : sizeof(ngx_http_mon_attempt_t));
    if (a == NULL) {
        return NGX_ERROR;
    }

    u = r->upstream;

    a->upstream = u;
    a->hook = hook;
    a->series = NULL;
    a->guarded = 0;

    a->output_filter = u->output.output_filter;
    a->filter_ctx = u->output.filter_ctx;

    if (ngx_http_mon_attempt_wrap(a) != NGX_OK) {
        return NGX_ERROR;
    }

    if (hook->guarded) {
        a->guarded = 1;
        return ngx_http_mon_call_begin((ngx_http_mon_call_t *) a, r);
    }

    return NGX_OK;
}


static ngx_mon_inline ngx_int_t
ngx_http_mon_attempt_wrap(ngx_http_mon_attempt_t *a)
{
    ngx_http_mon_origin_t  *o;
    ngx_peer_connection_t  *pc;

    pc = &a->upstream->peer;
    o = &a->hook->origin;

    if (ngx_mon_unlikely(o->get != pc->get || o->free != pc->free
                         || pc->notify)
#if (NGX_HTTP_SSL)
        || ngx_mon_unlikely(a->upstream->ssl)
#endif
       )
    {
        o = ngx_http_mon_attempt_origin(a);
        if (o == NULL) {
            return NGX_ERROR;
        }
    }

    a->origin = o;
    a->data = pc->data;

    pc->data = a;
    pc->get = ngx_http_mon_attempt_get;
    pc->free = ngx_http_mon_attempt_free;

    return NGX_OK;
}


/*
 * For the first request, for one whose balancer is another, and where there is
 * more to wrap: of sessions nobody asks without TLS.
 */

static ngx_http_mon_origin_t *
ngx_http_mon_attempt_origin(ngx_http_mon_attempt_t *a)
{
    ngx_http_mon_origin_t   origin, *o;
    ngx_peer_connection_t  *pc;

    pc = &a->upstream->peer;
    o = &a->hook->origin;

    ngx_memzero(&origin, sizeof(ngx_http_mon_origin_t));

    origin.get = pc->get;
    origin.free = pc->free;
    origin.notify = pc->notify;

    if (pc->notify) {
        pc->notify = ngx_http_mon_attempt_notify;
    }

#if (NGX_HTTP_SSL)

    if (a->upstream->ssl) {
        ngx_http_mon_attempt_sessions(pc, &origin);
    }

#endif

    if (ngx_memcmp(o, &origin, sizeof(ngx_http_mon_origin_t)) == 0) {
        return o;
    }

    if (o->get) {
        o = ngx_palloc(a->upstream->output.pool,
                       sizeof(ngx_http_mon_origin_t));
        if (o == NULL) {
            return NULL;
        }
    }

    *o = origin;

    return o;
}


#if (NGX_HTTP_SSL)

static void
ngx_http_mon_attempt_sessions(ngx_peer_connection_t *pc,
    ngx_http_mon_origin_t *o)
{
    o->set_session = pc->set_session;
    o->save_session = pc->save_session;

    if (pc->set_session) {
        pc->set_session = ngx_http_mon_attempt_set_session;
    }

    if (pc->save_session) {
        pc->save_session = ngx_http_mon_attempt_save_session;
    }
}

#endif


ngx_int_t
ngx_http_mon_attempt_renew(ngx_http_mon_attempt_t *a, ngx_http_request_t *r)
{
    ngx_peer_connection_t  *pc, peer;

    pc = &a->upstream->peer;

    if (pc->data != a) {
        return NGX_DECLINED;
    }

    peer = *pc;

    pc->data = NULL;
    pc->notify = NULL;

    if (a->hook->init(r, a->hook->uscf) != NGX_OK) {
        *pc = peer;
        return NGX_DECLINED;
    }

    if (ngx_http_mon_attempt_wrap(a) != NGX_OK) {
        *pc = peer;
        return NGX_DECLINED;
    }

    pc->tries = peer.tries;

    return NGX_OK;
}


static void
ngx_http_mon_attempt_notify(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type)
{
    ngx_http_mon_attempt_t  *a = data;

    a->origin->notify(pc, a->data, type);
}


#if (NGX_HTTP_SSL)

static ngx_int_t
ngx_http_mon_attempt_set_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_mon_attempt_t  *a = data;

    return a->origin->set_session(pc, a->data);
}


static void
ngx_http_mon_attempt_save_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_mon_attempt_t  *a = data;

    a->origin->save_session(pc, a->data);
}

#endif
