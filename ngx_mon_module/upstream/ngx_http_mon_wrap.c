
/*
 * Copyright (C) The ngx_mon authors
 */


/* how the attempt comes to stand around what the balancer has set up */


#include "ngx_http_mon_quota.h"
#include "ngx_http_mon_calm.h"


static ngx_inline ngx_http_mon_hook_t *ngx_http_mon_attempt_hook(
    ngx_http_request_t *r, ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_mon_attempt_guarded(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_mon_attempt_limited(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
static ngx_mon_inline ngx_int_t ngx_http_mon_attempt_calmly(
    ngx_http_request_t *r, ngx_http_mon_hook_t *hook,
    ngx_http_mon_calm_t *calm, ngx_http_mon_breaker_t *b, uint64_t state,
    ngx_event_get_peer_pt get);
static ngx_mon_noinline ngx_int_t ngx_http_mon_attempt_call(
    ngx_http_request_t *r, ngx_http_mon_hook_t *hook);
static ngx_mon_inline ngx_int_t ngx_http_mon_attempt_setup(
    ngx_http_request_t *r, ngx_http_mon_hook_t *hook,
    ngx_http_mon_attempt_t *a, ngx_event_get_peer_pt get,
    ngx_event_free_peer_pt free);
static ngx_mon_inline ngx_int_t ngx_http_mon_attempt_wrap(
    ngx_http_mon_attempt_t *a, ngx_event_get_peer_pt get,
    ngx_event_free_peer_pt free);
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
    ngx_int_t                rc;
    ngx_http_mon_hook_t     *hook;
    ngx_http_mon_attempt_t  *a;

    hook = ngx_http_mon_attempt_hook(r, us);

    if (hook == NULL) {
        return NGX_ERROR;
    }

    if (ngx_mon_unlikely(hook->guarded)) {

        /* another module had wrapped peer.init before it was known */

        return hook->quota ? ngx_http_mon_attempt_limited(r, us)
                           : ngx_http_mon_attempt_guarded(r, us);
    }

    rc = hook->init(r, us);

    if (rc != NGX_OK || !ngx_mon_active) {
        return rc;
    }

    a = ngx_palloc(r->pool, sizeof(ngx_http_mon_attempt_t));
    if (a == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_mon_attempt_setup(r, hook, a, ngx_http_mon_attempt_get,
                                      ngx_http_mon_attempt_free);
}


void
ngx_http_mon_hook_guard(ngx_http_mon_hook_t *hook, ngx_uint_t calm)
{
    hook->calm = calm && (!hook->guarded || hook->calm);
    hook->guarded = 1;

    if (hook->uscf->peer.init == ngx_http_mon_attempt_init) {
        hook->uscf->peer.init = ngx_http_mon_attempt_guarded;
    }
}


void
ngx_http_mon_hook_limit(ngx_http_mon_hook_t *hook)
{
    if (hook->uscf->peer.init == ngx_http_mon_attempt_guarded) {
        hook->uscf->peer.init = ngx_http_mon_attempt_limited;
        return;
    }

    if (hook->uscf->peer.init != ngx_http_mon_attempt_limited) {

        /* another module around it knows one that does not charge */

        hook->calm = 0;
    }
}


/* peer.init of a guarded upstream */

static ngx_int_t
ngx_http_mon_attempt_guarded(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    uint64_t                 state;
    ngx_int_t                rc;
    ngx_http_mon_hook_t     *hook;
    ngx_http_mon_calm_t     *calm;
    ngx_http_mon_breaker_t  *b;

    hook = ngx_http_mon_attempt_hook(r, us);

    if (hook == NULL) {
        return NGX_ERROR;
    }

    rc = hook->init(r, us);

    if (rc != NGX_OK || !ngx_mon_active) {
        return rc;
    }

    if (ngx_mon_unlikely(!ngx_http_mon_calm(r, hook, &b, &state))) {
        return ngx_http_mon_attempt_call(r, hook);
    }

    calm = ngx_palloc(r->pool, sizeof(ngx_http_mon_calm_t));
    if (calm == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_mon_attempt_calmly(r, hook, calm, b, state,
                                       ngx_http_mon_attempt_calm_get);
}


/* of one with mon_limit: a call that is not calm takes its share itself */

static ngx_int_t
ngx_http_mon_attempt_limited(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    uint64_t                 state;
    ngx_int_t                rc;
    ngx_http_mon_hook_t     *hook;
    ngx_http_mon_calm_t     *calm;
    ngx_http_mon_breaker_t  *b;

    hook = ngx_http_mon_attempt_hook(r, us);

    if (hook == NULL) {
        return NGX_ERROR;
    }

    rc = hook->init(r, us);

    if (rc != NGX_OK || !ngx_mon_active) {
        return rc;
    }

    if (!ngx_http_mon_calm(r, hook, &b, &state)) {
        return ngx_http_mon_attempt_call(r, hook);
    }

    calm = ngx_palloc(r->pool, sizeof(ngx_http_mon_calm_t));
    if (calm == NULL) {
        return NGX_ERROR;
    }

    if (ngx_mon_unlikely(!ngx_http_mon_quota_quick(hook->quota))) {
        return ngx_http_mon_attempt_call(r, hook);
    }

    rc = ngx_http_mon_attempt_calmly(r, hook, calm, b, state,
                                     ngx_http_mon_attempt_limited_get);
    calm->attempt.limited = 1;

    return rc;
}


static ngx_mon_inline ngx_int_t
ngx_http_mon_attempt_calmly(ngx_http_request_t *r, ngx_http_mon_hook_t *hook,
    ngx_http_mon_calm_t *calm, ngx_http_mon_breaker_t *b, uint64_t state,
    ngx_event_get_peer_pt get)
{
    ngx_int_t  rc;

    rc = ngx_http_mon_attempt_setup(r, hook, &calm->attempt, get,
                                    ngx_http_mon_attempt_calm_free);

    calm->guard = NULL;

    calm->attempt.calm = 1;
    calm->attempt.circuit = (b != NULL);
    calm->attempt.generation = ngx_mon_breaker_generation(state);

    return rc;
}


static ngx_mon_noinline ngx_int_t
ngx_http_mon_attempt_call(ngx_http_request_t *r, ngx_http_mon_hook_t *hook)
{
    ngx_http_mon_call_t  *call;

    call = ngx_palloc(r->pool, sizeof(ngx_http_mon_call_t));
    if (call == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_mon_attempt_setup(r, hook, &call->attempt,
                                   ngx_http_mon_attempt_call_get,
                                   ngx_http_mon_attempt_call_free)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    call->attempt.guarded = 1;

    return ngx_http_mon_call_begin(call);
}


static ngx_inline ngx_http_mon_hook_t *
ngx_http_mon_attempt_hook(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_mon_upstream_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_mon_upstream_module);

    return ngx_http_mon_hook_find(mcf, us);
}


static ngx_mon_inline ngx_int_t
ngx_http_mon_attempt_setup(ngx_http_request_t *r, ngx_http_mon_hook_t *hook,
    ngx_http_mon_attempt_t *a, ngx_event_get_peer_pt get,
    ngx_event_free_peer_pt free)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    a->request = r;
    a->origin = &hook->origin;
    a->series = NULL;
    a->guarded = 0;
    a->calm = 0;
    a->limited = 0;

    a->filter_ctx = u->output.filter_ctx;

    return ngx_http_mon_attempt_wrap(a, get, free);
}


static ngx_mon_inline ngx_int_t
ngx_http_mon_attempt_wrap(ngx_http_mon_attempt_t *a,
    ngx_event_get_peer_pt get, ngx_event_free_peer_pt free)
{
    ngx_http_upstream_t    *u;
    ngx_http_mon_origin_t  *o;
    ngx_peer_connection_t  *pc;

    u = a->request->upstream;
    pc = &u->peer;
    o = &a->origin->hook->origin;

    if (ngx_mon_unlikely(o->get != pc->get || o->free != pc->free
                         || o->output_filter != u->output.output_filter
                         || o->finalize_request != u->finalize_request
                         || pc->notify)
#if (NGX_HTTP_SSL)
        || ngx_mon_unlikely(u->ssl)
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
    pc->get = get;
    pc->free = free;

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

    pc = &a->request->upstream->peer;
    o = &a->origin->hook->origin;

    ngx_memzero(&origin, sizeof(ngx_http_mon_origin_t));

    origin.hook = o->hook;
    origin.get = pc->get;
    origin.free = pc->free;
    origin.output_filter = a->request->upstream->output.output_filter;
    origin.finalize_request = a->request->upstream->finalize_request;
    origin.notify = pc->notify;

    if (pc->notify) {
        pc->notify = ngx_http_mon_attempt_notify;
    }

#if (NGX_HTTP_SSL)

    if (a->request->upstream->ssl) {
        ngx_http_mon_attempt_sessions(pc, &origin);
    }

#endif

    if (ngx_memcmp(o, &origin, sizeof(ngx_http_mon_origin_t)) == 0) {
        return o;
    }

    if (o->get) {
        o = ngx_palloc(a->request->upstream->output.pool,
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
ngx_http_mon_attempt_renew(ngx_http_mon_attempt_t *a)
{
    ngx_int_t               rc;
    ngx_http_request_t     *r;
    ngx_http_upstream_t    *u;
    ngx_http_mon_hook_t    *hook;
    ngx_peer_connection_t   peer;

    r = a->request;
    u = r->upstream;
    hook = a->origin->hook;

    if (u->peer.data != a) {
        return NGX_DECLINED;
    }

    peer = u->peer;

    /* what a request comes with */

    u->peer.data = NULL;
    u->peer.notify = NULL;
    u->output.output_filter = a->origin->output_filter;
    u->output.filter_ctx = a->filter_ctx;
    u->finalize_request = a->origin->finalize_request;

    rc = hook->init(r, hook->uscf);

    if (rc == NGX_OK) {
        rc = ngx_http_mon_attempt_wrap(a, peer.get, peer.free);
    }

    if (rc == NGX_OK) {
        u->peer.tries = peer.tries;

    } else {
        u->peer = peer;
    }

    ngx_http_mon_attempt_watch(a);

    return (rc == NGX_OK) ? NGX_OK : NGX_DECLINED;
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
