
/*
 * Copyright (C) The ngx_mon authors
 */


/* What the API tells of a peer: its families, and what protects it. */


#include "ngx_http_mon_upstream.h"


#define NGX_HTTP_MON_STATUS_MAX  999


static void ngx_http_mon_api_state(ngx_http_mon_peer_t *peer,
    ngx_mon_emit_t *e);
static void ngx_http_mon_api_responses(ngx_mon_node_t *node,
    ngx_mon_emit_t *e);
static void ngx_http_mon_api_statuses(ngx_mon_node_t *node, uint64_t *counts);
static ngx_uint_t ngx_http_mon_api_status(ngx_mon_node_t *node,
    ngx_uint_t status, uint64_t *counts);
static void ngx_http_mon_api_histograms(ngx_mon_node_t *node,
    ngx_mon_emit_t *e);


void
ngx_http_mon_api_peer(ngx_http_mon_peer_t *peer, ngx_mon_emit_t *e)
{
    int64_t          cells[NGX_MON_CELLS_MAX];
    ngx_str_t        values[2];
    ngx_mon_node_t  *node;

    values[0] = peer->upstream->label;
    values[1] = peer->name;

    node = ngx_mon_find(NGX_MON_G_UPSTREAM, NULL, values, 2);

    ngx_memzero(cells, sizeof(cells));

    if (node) {
        ngx_mon_read(node, cells);
    }

    ngx_http_mon_api_state(peer, e);
    ngx_http_mon_api_guarded(peer, cells, e);

    ngx_mon_emit_number(e, "in_flight", cells[NGX_MON_PEER_IN_FLIGHT]);
    ngx_http_mon_api_responses(node, e);
    ngx_http_mon_api_vector(NGX_MON_G_UPSTREAM, NGX_MON_FAILURES, cells,
                            "failures", e);
    ngx_mon_emit_number(e, "sent_bytes", cells[NGX_MON_SENT_BYTES]);
    ngx_mon_emit_number(e, "received_bytes", cells[NGX_MON_RECEIVED_BYTES]);
    ngx_mon_emit_number(e, "connections_reused", cells[NGX_MON_REUSED]);
    ngx_http_mon_api_histograms(node, e);
}


static void
ngx_http_mon_api_state(ngx_http_mon_peer_t *peer, ngx_mon_emit_t *e)
{
    const ngx_mon_metric_t  *m;

    if (!peer->upstream->known) {
        ngx_mon_emit_word(e, "state", NULL);
        ngx_mon_emit_word(e, "weight", NULL);
        return;
    }

    m = ngx_mon_metric(NGX_MON_G_PEER, NGX_MON_PEER_STATE);

    ngx_mon_emit_text(e, "state", &m->vec->values[peer->state][0]);
    ngx_mon_emit_number(e, "weight", peer->weight);
}


/* by status, those that there are, and by class */

static void
ngx_http_mon_api_responses(ngx_mon_node_t *node, ngx_mon_emit_t *e)
{
    u_char      name[NGX_INT_T_LEN + 1];
    uint64_t    classes[NGX_HTTP_MON_STATUS_MAX / 100 + 1], total;
    ngx_uint_t  i;

    static uint64_t     counts[NGX_HTTP_MON_STATUS_MAX + 1];
    static const char  *names[] = { NULL, "1xx", "2xx", "3xx", "4xx", "5xx" };

    ngx_memzero(counts, sizeof(counts));
    ngx_memzero(classes, sizeof(classes));

    if (node) {
        ngx_http_mon_api_statuses(node, counts);
    }

    ngx_mon_emit_open(e, "responses", '{');
    ngx_mon_emit_open(e, "status", '{');

    for (total = 0, i = 0; i <= NGX_HTTP_MON_STATUS_MAX; i++) {

        if (counts[i]) {
            *ngx_sprintf(name, "%03ui", i) = '\0';
            ngx_mon_emit_number(e, (char *) name, counts[i]);

            classes[i / 100] += counts[i];
            total += counts[i];
        }
    }

    ngx_mon_emit_close(e, '}');

    for (i = 1; i <= 5; i++) {
        ngx_mon_emit_number(e, names[i], classes[i]);
    }

    ngx_mon_emit_number(e, "total", total);
    ngx_mon_emit_close(e, '}');
}


static void
ngx_http_mon_api_statuses(ngx_mon_node_t *node, uint64_t *counts)
{
    ngx_uint_t  i, n;

    /* most peers answer with these alone */

    static const ngx_uint_t  usual[] = {
        200, 304, 404, 500, 502, 503, 204, 206, 301, 302
    };

    n = ngx_mon_children(node);

    for (i = 0; n && i < sizeof(usual) / sizeof(usual[0]); i++) {
        n -= ngx_http_mon_api_status(node, usual[i], counts);
    }

    for (i = 0; n && i <= NGX_HTTP_MON_STATUS_MAX; i++) {
        if (counts[i] == 0) {
            n -= ngx_http_mon_api_status(node, i, counts);
        }
    }
}


/* returns 1 where the peer has answered so */

static ngx_uint_t
ngx_http_mon_api_status(ngx_mon_node_t *node, ngx_uint_t status,
    uint64_t *counts)
{
    u_char           buf[NGX_INT_T_LEN];
    int64_t          cells[NGX_MON_CELLS_MAX];
    ngx_str_t        value;
    ngx_mon_node_t  *child;

    value.data = buf;
    value.len = ngx_sprintf(buf, "%03ui", status) - buf;

    child = ngx_mon_find(NGX_MON_G_ATTEMPT, node, &value, 1);

    if (child == NULL) {
        return 0;
    }

    ngx_mon_read(child, cells);
    counts[status] = cells[NGX_MON_RESPONSES];

    return 1;
}


void
ngx_http_mon_api_vector(ngx_uint_t group, ngx_uint_t cell,
    const int64_t *cells, const char *name, ngx_mon_emit_t *e)
{
    int64_t                  total;
    ngx_uint_t               i;
    const ngx_mon_metric_t  *m;

    m = ngx_mon_metric(group, cell);

    ngx_mon_emit_open(e, name, '{');

    for (total = 0, i = 0; i < m->vec->n; i++) {
        ngx_mon_emit_key(e, &m->vec->values[i][0]);
        ngx_mon_emit_number(e, NULL, cells[cell + i]);
        total += cells[cell + i];
    }

    ngx_mon_emit_number(e, "total", total);
    ngx_mon_emit_close(e, '}');
}


static void
ngx_http_mon_api_histograms(ngx_mon_node_t *node, ngx_mon_emit_t *e)
{
    ngx_uint_t             i;

    static ngx_mon_hist_t  h;

    static const struct {
        const char        *name;
        ngx_uint_t         hist;
    } hists[] = {
        { "connect", NGX_MON_H_CONNECT },
        { "header", NGX_MON_H_HEADER },
        { "response", NGX_MON_H_RESPONSE }
    };

    for (i = 0; i < sizeof(hists) / sizeof(hists[0]); i++) {

        if (node) {
            ngx_mon_read_hist(node, hists[i].hist, &h);

        } else {
            ngx_memzero(&h, sizeof(ngx_mon_hist_t));
        }

        ngx_mon_emit_hist(e, hists[i].name, &h);
    }
}
