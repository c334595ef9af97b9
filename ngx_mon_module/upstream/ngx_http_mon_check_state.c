
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_check.h"


_Static_assert(sizeof(ngx_mon_tally_words_t)
               <= sizeof(((ngx_mon_guard_t *) NULL)->checks), "checks");
_Static_assert((int) NGX_MON_TALLY_UNCHECKED == (int) NGX_MON_GUARD_UNCHECKED
               && (int) NGX_MON_TALLY_FAILED == (int) NGX_MON_GUARD_FAILED
               && (int) NGX_MON_TALLY_PASSED == (int) NGX_MON_GUARD_PASSED,
               "states");


static void ngx_http_mon_check_changed(ngx_http_mon_checker_t *ck,
    ngx_uint_t meaning, const ngx_mon_probe_why_t *why, ngx_uint_t checks);


static const char  *ngx_http_mon_check_texts[NGX_MON_PROBE_N] = {
    "passed",
    "status %uD",
    "no match",
    "invalid answer",
    "header too large",
    "connection closed",
    "timed out",
    NULL,
    "TLS handshake failed",
    NULL,
    "no health status",
    "stream reset with code %uD",
    "connection given up with code %uD",
    "not sent"
};

/* ServingStatus of grpc.health.v1 */
static const char  *ngx_http_mon_check_serving[] = {
    "UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"
};


ngx_mon_tally_words_t *
ngx_http_mon_check_words(ngx_http_mon_hook_t *hook, ngx_str_t *peer)
{
    ngx_mon_guard_t  *g;

    /* without a master a reload may have left this process without a zone */

    g = ngx_mon_active ? ngx_http_mon_gate_words(hook, peer) : NULL;

    return g ? (ngx_mon_tally_words_t *) g->checks : NULL;
}


ngx_int_t
ngx_http_mon_check_lease(ngx_http_mon_checker_t *ck, ngx_msec_t msec)
{
    uint64_t                holder, now;
    ngx_mon_tally_words_t  *w;

    w = ngx_http_mon_check_words(ck->conf->hook, &ck->name);
    if (w == NULL) {
        return NGX_DECLINED;
    }

    now = ngx_current_msec;
    holder = ngx_mon_tally_holder(w, now);

    if (holder && holder != (uint64_t) ngx_pid
        && !(kill((ngx_pid_t) holder, 0) == -1 && ngx_errno == NGX_ESRCH))
    {
        return NGX_BUSY;
    }

    return ngx_mon_tally_take(w, holder, ngx_pid, now, msec)
           ? NGX_OK : NGX_BUSY;
}


void
ngx_http_mon_check_release(ngx_http_mon_checker_t *ck)
{
    ngx_mon_tally_words_t  *w;

    w = ngx_http_mon_check_words(ck->conf->hook, &ck->name);

    if (w) {
        ngx_mon_tally_free(w, ngx_pid);
    }
}


void
ngx_http_mon_check_note(ngx_http_mon_checker_t *ck,
    const ngx_mon_probe_why_t *why)
{
    uint64_t                    state;
    ngx_uint_t                  meaning;
    ngx_mon_guard_t            *g;
    ngx_mon_tally_t             t;
    ngx_mon_series_t           *s;
    ngx_http_mon_hook_t        *hook;
    ngx_mon_tally_words_t      *w;
    ngx_http_mon_check_conf_t  *ccf;

    ccf = ck->conf;
    hook = ccf->hook;

    s = ngx_http_mon_peer_series(hook->upstream, &ck->name);

    ngx_mon_add(s, NGX_MON_CHECKS + (why->reason == NGX_MON_PROBE_PASSED
                                     ? NGX_MON_CHECK_PASS
                                     : NGX_MON_CHECK_FAIL), 1);
    ngx_mon_touch(s);

    g = ngx_http_mon_gate_words(hook, &ck->name);
    if (g == NULL) {
        return;
    }

    w = (ngx_mon_tally_words_t *) g->checks;
    state = __atomic_load_n(&g->check, __ATOMIC_RELAXED);

    meaning = ngx_mon_tally_note(w, state, why, ngx_current_msec,
                                 ngx_mon_now() - ck->start, ccf->fall,
                                 ccf->rise, ccf->mandatory);

    if (meaning == NGX_MON_TALLY_FINE || meaning == NGX_MON_TALLY_ROSE) {
        (void) ngx_http_mon_gate_passed(hook, &ck->name);

    } else if (meaning == NGX_MON_TALLY_FELL) {
        (void) ngx_http_mon_gate_failed(hook, &ck->name);
    }

    /* that a peer is fine from the start is no news */

    if (meaning > NGX_MON_TALLY_FINE
        && (meaning != NGX_MON_TALLY_ROSE || ccf->mandatory
            || state != NGX_MON_GUARD_UNCHECKED))
    {
        ngx_mon_tally_read(w, &t);
        ngx_http_mon_check_changed(ck, meaning, why,
                                   meaning == NGX_MON_TALLY_ROSE ? t.passes
                                                                 : t.fails);
    }
}


static void
ngx_http_mon_check_changed(ngx_http_mon_checker_t *ck, ngx_uint_t meaning,
    const ngx_mon_probe_why_t *why, ngx_uint_t checks)
{
    u_char     buf[NGX_HTTP_MON_CHECK_TEXT];
    ngx_str_t  text;

    if (meaning == NGX_MON_TALLY_ROSE) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "peer \"%V\" of upstream \"%V\" is healthy, "
                      "%ui checks in a row passed",
                      &ck->name, &ck->conf->uscf->host, checks);
        return;
    }

    text.data = buf;
    text.len = ngx_http_mon_check_text(buf, buf + sizeof(buf), why) - buf;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "peer \"%V\" of upstream \"%V\" is unhealthy, "
                  "%ui checks in a row failed, the last one: %V",
                  &ck->name, &ck->conf->uscf->host, checks, &text);
}


u_char *
ngx_http_mon_check_text(u_char *p, u_char *last,
    const ngx_mon_probe_why_t *why)
{
    u_char  *text;

    switch (why->reason) {

    case NGX_MON_PROBE_ERRNO:
        if (why->detail == 0) {
            return ngx_slprintf(p, last, "connection failed");
        }

        text = p;
        p = ngx_strerror(why->detail, p, last - p);
        *text = ngx_tolower(*text);

        return p;

    case NGX_MON_PROBE_NOT_SERVING:
        if (why->detail < 4) {
            return ngx_slprintf(p, last, "status %s",
                                ngx_http_mon_check_serving[why->detail]);
        }

        return ngx_slprintf(p, last, "status %uD", why->detail);

    case NGX_MON_PROBE_TIMEOUT:
        return ngx_slprintf(p, last, "%s", why->detail
                                           ? "timed out while connecting"
                                           : "timed out");

    default:
        return ngx_slprintf(p, last, ngx_http_mon_check_texts[why->reason],
                            why->detail);
    }
}


ngx_int_t
ngx_http_mon_check_info(ngx_http_mon_hook_t *hook, ngx_str_t *peer,
    ngx_http_mon_check_info_t *info)
{
    uint64_t                    now, time, due;
    ngx_mon_tally_t             t;
    ngx_mon_tally_words_t      *w;
    ngx_http_mon_check_conf_t  *ccf;

    ngx_memzero(info, sizeof(ngx_http_mon_check_info_t));

    if (hook->uscf->srv_conf == NULL) {
        return NGX_DECLINED;
    }

    ccf = ngx_http_conf_upstream_srv_conf(hook->uscf,
                                          ngx_http_mon_check_module);
    w = ccf->type ? ngx_http_mon_check_words(hook, peer) : NULL;

    if (w == NULL) {
        return NGX_DECLINED;
    }

    now = ngx_current_msec;
    time = __atomic_load_n(&w->time, __ATOMIC_RELAXED);
    due = __atomic_load_n(&w->due, __ATOMIC_RELAXED);

    info->due = due > now ? due - now : 0;

    if (time == 0) {
        return NGX_OK;
    }

    ngx_mon_tally_read(w, &t);

    info->checked = 1;
    info->passed = (t.why.reason == NGX_MON_PROBE_PASSED);
    info->fails = t.fails;
    info->passes = t.passes;
    info->took = __atomic_load_n(&w->took, __ATOMIC_RELAXED);
    info->ago = now > time ? now - time : 0;
    info->len = ngx_http_mon_check_text(info->text, info->text
                                        + NGX_HTTP_MON_CHECK_TEXT, &t.why)
                - info->text;

    return NGX_OK;
}
