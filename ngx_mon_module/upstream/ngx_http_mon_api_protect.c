
/*
 * Copyright (C) The ngx_mon authors
 */


/* What the API tells of what protects an upstream, and its peers. */


#include "ngx_http_mon_breaker.h"
#include "ngx_http_mon_check.h"
#include "ngx_http_mon_gate.h"
#include "ngx_http_mon_retry.h"
#include "ngx_mon_retry.h"


static void ngx_http_mon_api_retry(ngx_http_mon_upstream_t *up,
    ngx_mon_emit_t *e);
static void ngx_http_mon_api_retries(ngx_http_mon_upstream_t *up,
    ngx_mon_emit_t *e);
static void ngx_http_mon_api_outlier(ngx_http_mon_gate_peer_t *p,
    const int64_t *cells, ngx_mon_emit_t *e);
static void ngx_http_mon_api_check(ngx_http_mon_peer_t *peer,
    ngx_uint_t state, const int64_t *cells, ngx_mon_emit_t *e);
static void ngx_http_mon_api_checked(ngx_http_mon_check_info_t *info,
    ngx_mon_emit_t *e);


void
ngx_http_mon_api_protected(ngx_http_mon_upstream_t *up, ngx_mon_emit_t *e)
{
    ngx_http_mon_hook_t  *hook;

    hook = up->hook;

    if (hook->breaker) {
        ngx_mon_emit_text(e, "breaker", &hook->breaker->name);

    } else {
        ngx_mon_emit_word(e, "breaker", NULL);
    }

    ngx_mon_emit_flag(e, "panic", ngx_http_mon_gate_panic(hook));
    ngx_mon_emit_number(e, "panics", ngx_http_mon_gate_panics(hook));

    ngx_http_mon_api_retry(up, e);
    ngx_http_mon_api_quota(up, e);
}


static void
ngx_http_mon_api_retry(ngx_http_mon_upstream_t *up, ngx_mon_emit_t *e)
{
    ngx_http_mon_retry_facts_t  f;

    if (ngx_http_mon_retry_facts(up->hook, &f) != NGX_OK) {
        ngx_mon_emit_word(e, "retry", NULL);
        return;
    }

    ngx_mon_emit_open(e, "retry", '{');
    ngx_mon_emit_number(e, "calls_in_flight", f.active);
    ngx_mon_emit_number(e, "retries_in_flight", f.retries);
    ngx_mon_emit_number(e, "retries_allowed", f.limit);
    ngx_mon_emit_ratio(e, "budget", f.conf->budget, NGX_MON_RETRY_WHOLE);
    ngx_mon_emit_number(e, "min", f.conf->min);
    ngx_mon_emit_number(e, "attempts", f.conf->attempts);
    ngx_http_mon_api_retries(up, e);
    ngx_mon_emit_close(e, '}');
}


static void
ngx_http_mon_api_retries(ngx_http_mon_upstream_t *up, ngx_mon_emit_t *e)
{
    int64_t          cells[NGX_MON_CELLS_MAX];
    ngx_mon_node_t  *node;

    ngx_memzero(cells, sizeof(cells));

    node = ngx_mon_find(NGX_MON_G_RETRY, NULL, &up->label, 1);

    if (node) {
        ngx_mon_read(node, cells);
    }

    ngx_http_mon_api_vector(NGX_MON_G_RETRY, NGX_MON_RETRIES, cells, "retries",
                            e);
}


void
ngx_http_mon_api_guarded(ngx_http_mon_peer_t *peer, const int64_t *cells,
    ngx_mon_emit_t *e)
{
    ngx_int_t                  rc;
    ngx_http_mon_hook_t       *hook;
    ngx_http_mon_gate_peer_t   p;

    hook = peer->upstream->hook;

    ngx_memzero(&p, sizeof(p));

    rc = ngx_http_mon_gate_peer(hook, &peer->name, &p);

    ngx_mon_emit_flag(e, "forced", p.forced);
    ngx_mon_emit_flag(e, "trial", p.trial);

    if (rc == NGX_OK) {
        ngx_mon_emit_ratio(e, "share", p.share, NGX_MON_OUTLIER_ONE);

    } else {
        ngx_mon_emit_word(e, "share", NULL);
    }

    if (rc == NGX_OK && ngx_http_mon_gate_judges(hook)) {
        ngx_http_mon_api_outlier(&p, cells, e);

    } else {
        ngx_mon_emit_word(e, "outlier", NULL);
    }

    ngx_http_mon_api_check(peer, p.check, cells, e);
    ngx_http_mon_api_quota_peer(peer, e);
}


static void
ngx_http_mon_api_outlier(ngx_http_mon_gate_peer_t *p, const int64_t *cells,
    ngx_mon_emit_t *e)
{
    ngx_mon_emit_open(e, "outlier", '{');
    ngx_mon_emit_number(e, "ejections", cells[NGX_MON_EJECTIONS]);
    ngx_mon_emit_number(e, "ejected_in_a_row", p->row);

    if (p->left) {
        ngx_mon_emit_ms(e, "trial_in", p->left);

    } else {
        ngx_mon_emit_word(e, "trial_in", NULL);
    }

    ngx_mon_emit_open(e, "window", '{');
    ngx_mon_emit_number(e, "calls", p->calls);
    ngx_mon_emit_number(e, "failed", p->failed);
    ngx_mon_emit_ratio(e, "failed_ratio", p->failed, p->calls);
    ngx_mon_emit_number(e, "failed_in_a_row", p->consecutive);
    ngx_mon_emit_close(e, '}');

    ngx_mon_emit_close(e, '}');
}


static void
ngx_http_mon_api_check(ngx_http_mon_peer_t *peer, ngx_uint_t state,
    const int64_t *cells, ngx_mon_emit_t *e)
{
    ngx_http_mon_check_info_t  info;

    /* by NGX_MON_GUARD_UNCHECKED and on */

    static const char         *states[] = { "unchecked", "failed", "passed" };

    if (ngx_http_mon_check_info(peer->upstream->hook, &peer->name, &info)
        != NGX_OK)
    {
        ngx_mon_emit_word(e, "check", NULL);
        return;
    }

    ngx_mon_emit_open(e, "check", '{');
    ngx_mon_emit_word(e, "state", states[ngx_min(state, 2)]);
    ngx_mon_emit_number(e, "passed", cells[NGX_MON_CHECKS
                                           + NGX_MON_CHECK_PASS]);
    ngx_mon_emit_number(e, "failed", cells[NGX_MON_CHECKS
                                           + NGX_MON_CHECK_FAIL]);
    ngx_mon_emit_number(e, "passed_in_a_row", info.passes);
    ngx_mon_emit_number(e, "failed_in_a_row", info.fails);
    ngx_mon_emit_ms(e, "next_in", info.due);

    if (info.checked) {
        ngx_http_mon_api_checked(&info, e);

    } else {
        ngx_mon_emit_word(e, "last", NULL);
    }

    ngx_mon_emit_close(e, '}');
}


static void
ngx_http_mon_api_checked(ngx_http_mon_check_info_t *info, ngx_mon_emit_t *e)
{
    ngx_str_t  text;

    ngx_mon_emit_open(e, "last", '{');
    ngx_mon_emit_flag(e, "passed", info->passed);

    if (info->passed) {
        ngx_mon_emit_word(e, "reason", NULL);

    } else {
        text.data = info->text;
        text.len = info->len;
        ngx_mon_emit_text(e, "reason", &text);
    }

    ngx_mon_emit_value(e, "duration", NGX_MON_MICRO_SECONDS, info->took);
    ngx_mon_emit_ms(e, "ago", info->ago);
    ngx_mon_emit_close(e, '}');
}


ngx_int_t
ngx_http_mon_api_command(ngx_http_mon_peer_t *peer, ngx_uint_t eject)
{
    return eject ? ngx_http_mon_gate_eject(peer->upstream->hook, &peer->name)
                 : ngx_http_mon_gate_restore(peer->upstream->hook,
                                             &peer->name);
}
