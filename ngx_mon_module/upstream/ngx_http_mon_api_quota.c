
/*
 * Copyright (C) The ngx_mon authors
 */


/* What the API tells of an upstream's mon_limit. */


#include "ngx_http_mon_gate.h"
#include "ngx_http_mon_quota.h"


static void ngx_http_mon_api_allowance(ngx_mon_allowance_t *a,
    ngx_mon_emit_t *e);
static void ngx_http_mon_api_quotas(ngx_http_mon_upstream_t *up,
    ngx_mon_emit_t *e);


void
ngx_http_mon_api_quota(ngx_http_mon_upstream_t *up, ngx_mon_emit_t *e)
{
    ngx_mon_allowance_t   *a;
    ngx_http_mon_quota_t  *q;

    static ngx_str_t       none = ngx_null_string;

    q = up->hook->quota;

    if (q == NULL) {
        ngx_mon_emit_word(e, "limit", NULL);
        return;
    }

    ngx_mon_emit_open(e, "limit", '{');
    ngx_mon_emit_text(e, "rate", &q->text);
    ngx_mon_emit_number(e, "burst", q->rate.burst);
    ngx_mon_emit_word(e, "per", q->peer ? "peer" : "upstream");
    ngx_mon_emit_number(e, "status", q->status);

    if (!q->peer) {
        a = q->allotted ? &q->allowance
                        : ngx_http_mon_quota_open(q, &q->allowance,
                                                  &q->allotted, &q->asked,
                                                  &none);
        ngx_http_mon_api_allowance(a, e);
    }

    ngx_http_mon_api_quotas(up, e);
    ngx_mon_emit_close(e, '}');
}


void
ngx_http_mon_api_quota_peer(ngx_http_mon_peer_t *peer, ngx_mon_emit_t *e)
{
    ngx_http_mon_quota_t  *q;
    ngx_http_mon_guard_t  *guard;

    q = peer->upstream->hook->quota;

    guard = q && q->peer ? ngx_http_mon_gate_guard(q->hook, &peer->name)
                         : NULL;

    if (guard == NULL) {
        ngx_mon_emit_word(e, "limit", NULL);
        return;
    }

    ngx_mon_emit_open(e, "limit", '{');
    ngx_http_mon_api_allowance(ngx_http_mon_quota_of(q, guard), e);
    ngx_mon_emit_close(e, '}');
}


static void
ngx_http_mon_api_allowance(ngx_mon_allowance_t *a, ngx_mon_emit_t *e)
{
    ngx_mon_gcra_t  g;

    if (a == NULL
        || ngx_mon_allowance_ask(a, ngx_http_mon_quota_now(), &g) != NGX_OK)
    {
        /* it does not limit just now */

        ngx_mon_emit_word(e, "remaining", NULL);
        ngx_mon_emit_word(e, "allowed_in", NULL);
        return;
    }

    /* the one that was asked about counts */

    ngx_mon_emit_number(e, "remaining", g.remaining + g.allowed);
    ngx_mon_emit_value(e, "allowed_in", NGX_MON_MICRO_SECONDS, g.wait / 1000);
}


static void
ngx_http_mon_api_quotas(ngx_http_mon_upstream_t *up, ngx_mon_emit_t *e)
{
    int64_t          cells[NGX_MON_CELLS_MAX];
    ngx_mon_node_t  *node;

    ngx_memzero(cells, sizeof(cells));

    node = ngx_mon_find(NGX_MON_G_QUOTA, NULL, &up->label, 1);

    if (node) {
        ngx_mon_read(node, cells);
    }

    ngx_http_mon_api_vector(NGX_MON_G_QUOTA, NGX_MON_QUOTAS, cells,
                            "attempts", e);
}
