
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * http/upstreams of the API: upstreams by their label, each with its peers by
 * their name.  A walk is at
 *
 *     [0]  the upstream, by number
 *     [1]  what comes next of it, NGX_HTTP_MON_API_*
 *     [2]  the peer, by number
 */


#include "ngx_http_mon_upstream.h"


#define NGX_HTTP_MON_API_HEAD    0
#define NGX_HTTP_MON_API_PEERS   1

/* peers of others that one step passes by */
#define NGX_HTTP_MON_API_STEP    256


static ngx_int_t ngx_http_mon_api_find(const ngx_mon_walk_t *w);
static ngx_int_t ngx_http_mon_api_emit(ngx_mon_walk_t *w, ngx_mon_emit_t *e);
static ngx_uint_t ngx_http_mon_api_writes(const ngx_mon_walk_t *w);
static ngx_int_t ngx_http_mon_api_write(ngx_mon_walk_t *w, ngx_uint_t method,
    const char **message);
static ngx_http_mon_upstream_t *ngx_http_mon_api_upstream(
    ngx_http_mon_upstream_main_conf_t *mcf, const ngx_str_t *label);
static ngx_http_mon_peer_t *ngx_http_mon_api_named(
    ngx_http_mon_upstream_main_conf_t *mcf, ngx_http_mon_upstream_t *up,
    const ngx_str_t *name);
static ngx_uint_t ngx_http_mon_api_there(
    ngx_http_mon_upstream_main_conf_t *mcf, ngx_http_mon_peer_t *peer);
static ngx_int_t ngx_http_mon_api_all(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_mon_walk_t *w, ngx_mon_emit_t *e);
static ngx_int_t ngx_http_mon_api_one(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_http_mon_upstream_t *up, ngx_mon_walk_t *w, ngx_mon_emit_t *e);
static void ngx_http_mon_api_head(ngx_http_mon_upstream_t *up,
    ngx_mon_emit_t *e);
static ngx_int_t ngx_http_mon_api_peers(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_http_mon_upstream_t *up, ngx_mon_walk_t *w, ngx_mon_emit_t *e);


const ngx_mon_branch_t  ngx_http_mon_api_upstreams = {
    ngx_string("http/upstreams"),
    ngx_http_mon_api_find,
    ngx_http_mon_api_emit,
    ngx_http_mon_api_writes,
    ngx_http_mon_api_write
};


static ngx_int_t
ngx_http_mon_api_find(const ngx_mon_walk_t *w)
{
    ngx_http_mon_upstream_t            *up;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    mcf = ngx_http_mon_peer_refresh();

    if (mcf == NULL || w->nrest > 3) {
        return NGX_DECLINED;
    }

    up = ngx_http_mon_api_upstream(mcf, &w->rest[0]);

    if (up == NULL
        || (w->nrest > 1 && !ngx_mon_path_is(&w->rest[1], "peers"))
        || (w->nrest > 2
            && ngx_http_mon_api_named(mcf, up, &w->rest[2]) == NULL))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* {u}/peers/{p}/eject, and restore */

static ngx_uint_t
ngx_http_mon_api_writes(const ngx_mon_walk_t *w)
{
    ngx_mon_walk_t  peer;

    if (w->nrest != 4
        || (!ngx_mon_path_is(&w->rest[3], "eject")
            && !ngx_mon_path_is(&w->rest[3], "restore")))
    {
        return 0;
    }

    peer = *w;
    peer.nrest = 3;

    return ngx_http_mon_api_find(&peer) == NGX_OK ? NGX_HTTP_POST : 0;
}


static ngx_int_t
ngx_http_mon_api_write(ngx_mon_walk_t *w, ngx_uint_t method,
    const char **message)
{
    ngx_int_t                           rc;
    ngx_http_mon_peer_t                *peer;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    mcf = ngx_http_mon_peer_refresh();
    peer = ngx_http_mon_api_named(mcf, ngx_http_mon_api_upstream(mcf,
                                                         &w->rest[0]),
                                  &w->rest[2]);

    rc = ngx_http_mon_api_command(peer, ngx_mon_path_is(&w->rest[3], "eject"));

    if (rc != NGX_OK) {
        *message = "peers are ejected in an upstream with mon_outlier, "
                   "mon_check or mon_slow_start only";
        return rc;
    }

    /* what was read of the balancer's list is no longer true */

    mcf->refreshed_for = 0;

    w->nrest = 3;

    return NGX_OK;
}


static ngx_http_mon_upstream_t *
ngx_http_mon_api_upstream(ngx_http_mon_upstream_main_conf_t *mcf,
    const ngx_str_t *label)
{
    ngx_uint_t                i;
    ngx_http_mon_upstream_t  *up;

    up = mcf->upstreams.elts;

    for (i = 0; i < mcf->upstreams.nelts; i++) {
        if (up[i].label.len == label->len
            && ngx_memcmp(up[i].label.data, label->data, label->len) == 0)
        {
            return &up[i];
        }
    }

    return NULL;
}


static ngx_http_mon_peer_t *
ngx_http_mon_api_named(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_http_mon_upstream_t *up, const ngx_str_t *name)
{
    ngx_str_t              s;
    ngx_uint_t             i;
    ngx_http_mon_peer_t   *peer, **peers;

    s = *name;
    peer = ngx_http_mon_peer_find(up, &s);

    if (peer) {
        return ngx_http_mon_api_there(mcf, peer) ? peer : NULL;
    }

    peers = mcf->peers.elts;

    for (i = mcf->configured; i < mcf->peers.nelts; i++) {
        if (peers[i]->upstream == up
            && peers[i]->name.len == s.len
            && ngx_memcmp(peers[i]->name.data, s.data, s.len) == 0
            && ngx_http_mon_api_there(mcf, peers[i]))
        {
            return peers[i];
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_mon_api_there(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_http_mon_peer_t *peer)
{
    return !peer->upstream->known || peer->seen == mcf->refreshed;
}


static ngx_int_t
ngx_http_mon_api_emit(ngx_mon_walk_t *w, ngx_mon_emit_t *e)
{
    ngx_http_mon_peer_t                *peer;
    ngx_http_mon_upstream_t            *up;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    mcf = ngx_http_mon_peer_refresh();

    if (w->nrest == 0) {
        return ngx_http_mon_api_all(mcf, w, e);
    }

    up = mcf ? ngx_http_mon_api_upstream(mcf, &w->rest[0]) : NULL;

    if (up && w->nrest < 3) {
        return ngx_http_mon_api_one(mcf, up, w, e);
    }

    peer = up ? ngx_http_mon_api_named(mcf, up, &w->rest[2]) : NULL;

    ngx_mon_emit_open(e, NULL, '{');

    if (peer) {
        ngx_http_mon_api_peer(peer, e);
    }

    ngx_mon_emit_close(e, '}');

    return NGX_DONE;
}


static ngx_int_t
ngx_http_mon_api_all(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_mon_walk_t *w, ngx_mon_emit_t *e)
{
    ngx_http_mon_upstream_t  *up;

    if (w->at[0] == 0 && w->at[1] == NGX_HTTP_MON_API_HEAD) {
        ngx_mon_emit_open(e, NULL, '{');
    }

    if (mcf == NULL || w->at[0] >= mcf->upstreams.nelts) {
        ngx_mon_emit_close(e, '}');
        return NGX_DONE;
    }

    up = mcf->upstreams.elts;
    up += w->at[0];

    if (w->at[1] == NGX_HTTP_MON_API_HEAD) {
        ngx_mon_emit_key(e, &up->label);
    }

    if (ngx_http_mon_api_one(mcf, up, w, e) == NGX_DONE) {
        w->at[0]++;
        w->at[1] = NGX_HTTP_MON_API_HEAD;
        w->at[2] = 0;
    }

    return NGX_AGAIN;
}


/* an upstream, or with a second segment its peers alone */

static ngx_int_t
ngx_http_mon_api_one(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_http_mon_upstream_t *up, ngx_mon_walk_t *w, ngx_mon_emit_t *e)
{
    if (w->at[1] == NGX_HTTP_MON_API_HEAD) {

        if (w->nrest < 2) {
            ngx_http_mon_api_head(up, e);
        }

        ngx_mon_emit_open(e, w->nrest < 2 ? "peers" : NULL, '{');

        w->at[1] = NGX_HTTP_MON_API_PEERS;
        w->at[2] = up->first;

        return NGX_AGAIN;
    }

    if (ngx_http_mon_api_peers(mcf, up, w, e) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    ngx_mon_emit_close(e, '}');

    if (w->nrest < 2) {
        ngx_mon_emit_close(e, '}');
    }

    return NGX_DONE;
}


static void
ngx_http_mon_api_head(ngx_http_mon_upstream_t *up, ngx_mon_emit_t *e)
{
    ngx_mon_emit_open(e, NULL, '{');

    if (up->known) {
        ngx_mon_emit_number(e, "total", up->total);
        ngx_mon_emit_number(e, "usable", up->usable);

    } else {
        ngx_mon_emit_word(e, "total", NULL);
        ngx_mon_emit_word(e, "usable", NULL);
    }

    ngx_http_mon_api_protected(up, e);
}


/* the next peer: the configured ones stand together, then those resolved */

static ngx_int_t
ngx_http_mon_api_peers(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_http_mon_upstream_t *up, ngx_mon_walk_t *w, ngx_mon_emit_t *e)
{
    ngx_uint_t             n;
    ngx_http_mon_peer_t  **peers;

    peers = mcf->peers.elts;

    for (n = 0; n < NGX_HTTP_MON_API_STEP; n++, w->at[2]++) {

        if (w->at[2] >= mcf->peers.nelts) {
            return NGX_DONE;
        }

        if (peers[w->at[2]]->upstream == up
            && ngx_http_mon_api_there(mcf, peers[w->at[2]]))
        {
            ngx_mon_emit_key(e, &peers[w->at[2]]->name);
            ngx_mon_emit_open(e, NULL, '{');
            ngx_http_mon_api_peer(peers[w->at[2]], e);
            ngx_mon_emit_close(e, '}');

            w->at[2]++;
            break;
        }
    }

    return NGX_AGAIN;
}
