
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_breaker.h"


/* how often a breaker without room asks for it again, milliseconds */
#define NGX_HTTP_MON_BREAKER_RETRY  1000


_Static_assert(sizeof(ngx_mon_breaker_shared_t)
               <= NGX_MON_WORDS_CIRCUIT * sizeof(uint64_t), "circuit");


static ngx_uint_t ngx_http_mon_breaker_slow(ngx_http_mon_breaker_t *b,
    uint64_t us);
static u_char *ngx_http_mon_breaker_cause(u_char *p, u_char *last,
    ngx_http_mon_breaker_t *b, ngx_mon_breaker_change_t *change);
static u_char *ngx_http_mon_breaker_time(u_char *p, u_char *last,
    uint64_t ms);


ngx_int_t
ngx_http_mon_breaker_ready(ngx_http_mon_breaker_t *b)
{
    ngx_mon_series_t  *s;

    if (b->state.shared) {
        return NGX_OK;
    }

    if (!ngx_mon_active
        || (b->asked
            && ngx_current_msec - b->asked < NGX_HTTP_MON_BREAKER_RETRY))
    {
        return NGX_DECLINED;
    }

    b->asked = ngx_current_msec;
    b->series = ngx_mon_get(NGX_MON_G_BREAKER, NULL, NULL, &b->name, 1,
                            NGX_MON_PIN);

    s = ngx_mon_get(NGX_MON_G_CIRCUIT, NULL, NULL, &b->name, 1,
                    NGX_MON_PIN|NGX_MON_SHARED);

    if (s->overflow) {
        return NGX_DECLINED;
    }

    ngx_mon_breaker_init(&b->state, (ngx_mon_breaker_shared_t *) s->cells,
                         &b->conf, b->version,
                         ngx_mon_now() ^ (uint64_t) ngx_pid << 32, ngx_pid);

    return NGX_OK;
}


ngx_int_t
ngx_http_mon_breaker_admit(ngx_http_request_t *r, ngx_http_mon_breaker_t *b,
    ngx_http_mon_pass_t *pass)
{
    ngx_int_t                 rc;
    ngx_mon_breaker_change_t  change;

    pass->breaker = NULL;

    if (ngx_http_mon_breaker_ready(b) != NGX_OK) {
        return NGX_OK;
    }

    rc = ngx_mon_breaker_enter(&b->state, ngx_current_msec, &pass->pass,
                               &change);

    if (rc != NGX_OK && change.from != change.to) {
        ngx_http_mon_breaker_moved(b, r->connection->log, &change);
    }

    if (rc == NGX_BUSY) {
        return NGX_BUSY;
    }

    pass->breaker = b;

    return NGX_OK;
}


static ngx_inline ngx_uint_t
ngx_http_mon_breaker_slow(ngx_http_mon_breaker_t *b, uint64_t us)
{
    return b->conf.slow && us > b->conf.slow;
}


void
ngx_http_mon_breaker_verdict(ngx_http_request_t *r, ngx_http_mon_pass_t *pass,
    ngx_uint_t verdict, uint64_t us)
{
    ngx_http_mon_breaker_t    *b;
    ngx_mon_breaker_change_t   change;

    b = pass->breaker;
    pass->breaker = NULL;

    if (!ngx_mon_active) {
        return;
    }

    if (verdict == NGX_HTTP_MON_NO_VERDICT) {
        ngx_mon_breaker_cancel(&b->state, &pass->pass);
        return;
    }

    if (ngx_mon_breaker_leave(&b->state, ngx_current_msec, &pass->pass,
                              (verdict & b->on) != 0,
                              ngx_http_mon_breaker_slow(b, us), &change))
    {
        ngx_http_mon_breaker_moved(b, r->connection->log, &change);
    }
}


ngx_int_t
ngx_http_mon_breaker_request(ngx_http_mon_call_t *call)
{
    ngx_http_request_t               *r;
    ngx_http_mon_breaker_t           *b;
    ngx_http_mon_breaker_ctx_t       *ctx;
    ngx_http_mon_breaker_loc_conf_t  *blcf;

    r = call->attempt.request;
    blcf = ngx_http_get_module_loc_conf(r, ngx_http_mon_breaker_module);

    call->pass[0].breaker = NULL;
    call->pass[1].breaker = NULL;
    call->probing = 1;

    b = call->attempt.origin->hook->breaker;

    if (b && ngx_http_mon_breaker_admit(r, b, &call->pass[0]) != NGX_OK) {
        return ngx_http_mon_refuse_upstream(r, b);
    }

    b = blcf->breaker;

    if (b == NULL) {
        return NGX_OK;
    }

    if (blcf->variable) {

        /* the content handler has let it through, not knowing what to */

        ctx = ngx_http_mon_refuse_ctx(r);

        if (ctx && ctx->pass.breaker == b) {
            call->pass[1] = ctx->pass;
            ctx->pass.breaker = NULL;
            return NGX_OK;
        }
    }

    if (ngx_http_mon_breaker_admit(r, b, &call->pass[1]) == NGX_OK) {
        return NGX_OK;
    }

    if (call->pass[0].breaker) {
        ngx_http_mon_breaker_verdict(r, &call->pass[0],
                                     NGX_HTTP_MON_NO_VERDICT, 0);
    }

    return ngx_http_mon_refuse_upstream(r, b);
}


ngx_int_t
ngx_http_mon_breaker_again(ngx_http_mon_call_t *call)
{
    ngx_uint_t            i;
    ngx_http_mon_pass_t  *pass;

    if (!ngx_mon_active) {
        return NGX_OK;
    }

    for (i = 0; i < 2; i++) {
        pass = &call->pass[i];

        if (pass->breaker
            && ngx_mon_breaker_again(&pass->breaker->state, &pass->pass)
               != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


void
ngx_http_mon_breaker_began(ngx_http_mon_call_t *call)
{
    ngx_uint_t            i, status, verdict;
    ngx_http_mon_pass_t  *pass;

    status = call->attempt.status;
    verdict = ngx_http_mon_verdict(status, ngx_http_mon_attempt_5xx(status));

    for (i = 0; i < 2; i++) {
        pass = &call->pass[i];

        if (pass->breaker == NULL || (verdict & pass->breaker->on)
            || ngx_http_mon_breaker_slow(pass->breaker,
                                         call->header - call->start))
        {
            continue;
        }

        ngx_mon_breaker_began(&pass->breaker->state, ngx_current_msec,
                              &pass->pass);
    }
}


void
ngx_http_mon_breaker_answered(ngx_http_request_t *r, ngx_uint_t verdict,
    uint64_t us)
{
    ngx_http_mon_breaker_t      *b;
    ngx_http_mon_breaker_ctx_t  *ctx;

    ctx = ngx_http_mon_refuse_ctx(r);
    b = ctx ? ctx->pass.breaker : NULL;

    if (b && !(verdict & b->on) && !ngx_http_mon_breaker_slow(b, us)) {
        ngx_mon_breaker_began(&b->state, ngx_current_msec, &ctx->pass.pass);
    }
}


void
ngx_http_mon_breaker_end(ngx_http_mon_call_t *call)
{
    uint64_t    us, end;
    ngx_uint_t  i;

    us = 0;

    if (call->start) {
        end = call->header ? call->header : ngx_mon_now();
        us = end - call->start;
    }

    for (i = 0; i < 2; i++) {
        if (call->pass[i].breaker) {
            ngx_http_mon_breaker_verdict(call->attempt.request, &call->pass[i],
                                         call->verdict, us);
        }
    }
}


void
ngx_http_mon_breaker_followed(ngx_http_request_t *r, ngx_uint_t verdict,
    uint64_t us)
{
    ngx_http_mon_breaker_ctx_t  *ctx;

    ctx = ngx_http_mon_refuse_ctx(r);

    if (ctx && ctx->pass.breaker) {
        ngx_http_mon_breaker_verdict(r, &ctx->pass, verdict, us);
    }
}


void
ngx_http_mon_breaker_moved(ngx_http_mon_breaker_t *b, ngx_log_t *log,
    ngx_mon_breaker_change_t *change)
{
    u_char  *p, buf[NGX_MAX_ERROR_STR / 8];

    if (change->from != change->to) {
        ngx_mon_add(b->series, NGX_MON_TRANSITIONS + change->to, 1);
        ngx_mon_touch(b->series);
    }

    p = ngx_http_mon_breaker_cause(buf, buf + sizeof(buf), b, change);

    ngx_log_error(NGX_LOG_WARN, log, 0, "breaker \"%V\" %*s",
                  &b->name, (size_t) (p - buf), buf);
}


void
ngx_http_mon_breaker_commanded(ngx_http_mon_breaker_t *b, ngx_log_t *log,
    const char *what, ngx_mon_breaker_change_t *change)
{
    if (change->from != change->to) {
        ngx_mon_add(b->series, NGX_MON_TRANSITIONS + change->to, 1);
        ngx_mon_touch(b->series);
    }

    ngx_log_error(NGX_LOG_WARN, log, 0, "breaker \"%V\" %s by request",
                  &b->name, what);
}


static u_char *
ngx_http_mon_breaker_cause(u_char *p, u_char *last, ngx_http_mon_breaker_t *b,
    ngx_mon_breaker_change_t *change)
{
    ngx_mon_window_sum_t  *sum;

    sum = &change->sum;

    switch (change->to) {

    case NGX_MON_BREAKER_CLOSED:
        return ngx_slprintf(p, last, "closed: %uL trial calls succeeded",
                            sum->calls);

    case NGX_MON_BREAKER_HALF_OPEN:
        return ngx_slprintf(p, last, "half-open: %uL trial calls may pass",
                            b->conf.probes);

    default: /* NGX_MON_BREAKER_OPEN */
        break;
    }

    switch (change->cause) {

    case NGX_MON_BREAKER_BY_TRIAL:
        p = ngx_slprintf(p, last,
                         "opened: a trial call %s, %uL times in a row",
                         sum->failed ? "failed" : "was slow", change->row);
        break;

    case NGX_MON_BREAKER_BY_SLOW:
        p = ngx_slprintf(p, last, "opened: %uL of %uL calls slow in ",
                         sum->slow, sum->calls);
        p = ngx_http_mon_breaker_time(p, last, b->conf.window);
        p = ngx_slprintf(p, last, ", %uL failed", sum->failed);
        break;

    case NGX_MON_BREAKER_BY_CONSECUTIVE:
        p = ngx_slprintf(p, last, "opened: %uL failures in a row, ",
                         change->consecutive);
        p = ngx_slprintf(p, last, "%uL of %uL calls failed in ",
                         sum->failed, sum->calls);
        p = ngx_http_mon_breaker_time(p, last, b->conf.window);
        p = ngx_slprintf(p, last, ", %uL slow", sum->slow);
        break;

    default: /* NGX_MON_BREAKER_BY_RATIO */
        p = ngx_slprintf(p, last, "opened: %uL of %uL calls failed in ",
                         sum->failed, sum->calls);
        p = ngx_http_mon_breaker_time(p, last, b->conf.window);
        p = ngx_slprintf(p, last, ", %uL slow", sum->slow);
        break;
    }

    p = ngx_slprintf(p, last, ", for ");

    return ngx_http_mon_breaker_time(p, last, change->ms);
}


/* "10s", "9.7s", "250ms" */

static u_char *
ngx_http_mon_breaker_time(u_char *p, u_char *last, uint64_t ms)
{
    if (ms < 1000) {
        return ngx_slprintf(p, last, "%uLms", ms);
    }

    if (ms % 1000 < 100) {
        return ngx_slprintf(p, last, "%uLs", ms / 1000);
    }

    return ngx_slprintf(p, last, "%uL.%uLs", ms / 1000, ms % 1000 / 100);
}
