
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_calm.h"
#include "ngx_http_mon_quota.h"


ngx_http_mon_call_t *
ngx_http_mon_calm_end(ngx_http_mon_calm_t *calm)
{
    ngx_http_request_t      *r;
    ngx_http_mon_call_t     *call;
    ngx_http_upstream_t     *u;
    ngx_http_mon_attempt_t  *a;

    r = calm->attempt.request;
    u = r->upstream;

    call = (u->peer.data == calm)
           ? ngx_pcalloc(r->pool, sizeof(ngx_http_mon_call_t)) : NULL;

    if (call == NULL) {

        if (calm->guard) {
            calm->guard->refs--;
            calm->guard = NULL;
        }

        calm->attempt.circuit = 0;

        return NULL;
    }

    a = &call->attempt;

    *a = calm->attempt;
    a->calm = 0;
    a->limited = 0;
    a->guarded = 1;

    call->verdict = NGX_HTTP_MON_ON_ERROR;
    call->start = a->series ? a->start : 0;
    call->header = a->header ? call->start : 0;

    call->entered = 1;
    call->pass[0].breaker = ngx_http_mon_calm_breaker(calm);
    call->pass[0].pass.generation = a->generation;
    call->pass[0].pass.slot = -1;

    call->charge = ngx_http_mon_quota_charged(call, calm->attempt.limited);
    call->guard = calm->guard;
    call->attempts = (calm->guard != NULL);

    u->peer.data = call;
    u->peer.get = ngx_http_mon_attempt_call_get;
    u->peer.free = ngx_http_mon_attempt_call_free;

    if (u->output.filter_ctx == calm) {
        u->output.filter_ctx = call;
    }

    /* the end of a call is to be seen even if no attempt is made */

    ngx_http_mon_attempt_watch(a);

    return call;
}
