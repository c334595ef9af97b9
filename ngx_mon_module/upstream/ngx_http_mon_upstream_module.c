
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_upstream.h"


static void *ngx_http_mon_upstream_create_main_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_mon_upstream_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_mon_upstream_hooks(ngx_conf_t *cf,
    ngx_http_mon_upstream_main_conf_t *mcf);
static ngx_int_t ngx_http_mon_upstream_hook(ngx_conf_t *cf,
    ngx_http_mon_upstream_main_conf_t *mcf, ngx_http_mon_hook_t *hook,
    ngx_http_upstream_srv_conf_t *uscf);
static ngx_int_t ngx_http_mon_upstream_label(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *uscf, ngx_str_t *label);
static ngx_http_mon_upstream_t *ngx_http_mon_upstream_named(
    ngx_http_mon_upstream_main_conf_t *mcf, ngx_str_t *label);
static ngx_uint_t ngx_http_mon_upstream_stock(
    ngx_http_upstream_srv_conf_t *uscf);
static ngx_uint_t ngx_http_mon_upstream_naddrs(
    ngx_http_upstream_srv_conf_t *uscf);
static ngx_int_t ngx_http_mon_upstream_table(ngx_conf_t *cf,
    ngx_http_mon_upstream_t *up);
static ngx_int_t ngx_http_mon_upstream_peers(ngx_conf_t *cf,
    ngx_http_mon_upstream_main_conf_t *mcf, ngx_http_mon_hook_t *hook);
static ngx_int_t ngx_http_mon_upstream_declare(ngx_conf_t *cf,
    ngx_http_mon_upstream_main_conf_t *mcf);


static ngx_http_module_t  ngx_http_mon_upstream_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_mon_upstream_init,            /* postconfiguration */

    ngx_http_mon_upstream_create_main_conf, /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_mon_upstream_module = {
    NGX_MODULE_V1,
    &ngx_http_mon_upstream_module_ctx,     /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_mon_upstream_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_upstream_main_conf_t));
}


static ngx_int_t
ngx_http_mon_upstream_init(ngx_conf_t *cf)
{
    ngx_http_mon_upstream_main_conf_t  *mcf;

    if (!ngx_mon_configured(cf)) {
        return NGX_OK;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_upstream_module);

    if (ngx_http_mon_upstream_hooks(cf, mcf) != NGX_OK
        || ngx_http_mon_upstream_declare(cf, mcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_mon_follow = ngx_http_mon_state_follow;

    ngx_mon_set_source(NGX_MON_G_PEER, ngx_http_mon_peer_source);
    ngx_mon_add_check("upstreams", ngx_http_mon_peer_check);
    ngx_mon_add_branch(&ngx_http_mon_api_upstreams);

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_upstream_hooks(ngx_conf_t *cf,
    ngx_http_mon_upstream_main_conf_t *mcf)
{
    ngx_uint_t                       i, n, size;
    ngx_http_mon_hook_t             *hooks;
    ngx_http_upstream_srv_conf_t   **uscfp;
    ngx_http_upstream_main_conf_t   *umcf;

    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);

    uscfp = umcf->upstreams.elts;
    n = umcf->upstreams.nelts;

    for (size = 4; size < 2 * n; size *= 2) { /* void */ }

    mcf->mask = size - 1;
    mcf->hooks = ngx_pcalloc(cf->pool, size * sizeof(ngx_http_mon_hook_t));
    hooks = ngx_pcalloc(cf->temp_pool, (n + 1) * sizeof(ngx_http_mon_hook_t));

    /* no upstream may move once a hook points at it */

    if (mcf->hooks == NULL || hooks == NULL
        || ngx_array_init(&mcf->upstreams, cf->pool, n + 1,
                          sizeof(ngx_http_mon_upstream_t))
           != NGX_OK
        || ngx_array_init(&mcf->peers, cf->pool, 2 * n + 1,
                          sizeof(ngx_http_mon_peer_t *))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_mon_upstream_hook(cf, mcf, &hooks[i], uscfp[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_mon_upstream_peers(cf, mcf, &hooks[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_upstream_hook(ngx_conf_t *cf,
    ngx_http_mon_upstream_main_conf_t *mcf, ngx_http_mon_hook_t *hook,
    ngx_http_upstream_srv_conf_t *uscf)
{
    ngx_str_t                 label;
    ngx_uint_t                i;
    ngx_http_mon_upstream_t  *up;

    if (ngx_http_mon_upstream_label(cf, uscf, &label) != NGX_OK) {
        return NGX_ERROR;
    }

    up = ngx_http_mon_upstream_named(mcf, &label);

    if (up == NULL) {
        up = ngx_array_push(&mcf->upstreams);
        if (up == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(up, sizeof(ngx_http_mon_upstream_t));
        up->label = label;
    }

    hook->uscf = uscf;
    hook->init = uscf->peer.init;
    hook->upstream = up;
    hook->stock = ngx_http_mon_upstream_stock(uscf);

    up->naddrs += ngx_http_mon_upstream_naddrs(uscf);
    up->known |= hook->stock;

    i = ngx_http_mon_hook_key(uscf) & mcf->mask;

    while (mcf->hooks[i].uscf) {
        i = (i + 1) & mcf->mask;
    }

    mcf->hooks[i] = *hook;
    mcf->hooks[i].origin.hook = &mcf->hooks[i];

    if (up->hook == NULL) {
        up->hook = &mcf->hooks[i];
    }

    uscf->peer.init = ngx_http_mon_attempt_init;

    return NGX_OK;
}


/* the name of an upstream{}, or what proxy_pass says */

static ngx_int_t
ngx_http_mon_upstream_label(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *uscf, ngx_str_t *label)
{
    ngx_http_upstream_server_t  *server;

    *label = uscf->host;

    if (uscf->flags & NGX_HTTP_UPSTREAM_CREATE) {
        return NGX_OK;
    }

    if (uscf->servers && uscf->servers->nelts) {
        server = uscf->servers->elts;

        if (server->naddrs && server->addrs->sockaddr->sa_family == AF_UNIX) {
            *label = server->addrs->name;
            return NGX_OK;
        }
    }

    if (uscf->no_port || uscf->port == 0) {
        return NGX_OK;
    }

    label->data = ngx_pnalloc(cf->pool,
                              uscf->host.len + sizeof(":65535") - 1);
    if (label->data == NULL) {
        return NGX_ERROR;
    }

    label->len = ngx_sprintf(label->data, "%V:%d", &uscf->host,
                             (int) uscf->port)
                 - label->data;

    return NGX_OK;
}


static ngx_http_mon_upstream_t *
ngx_http_mon_upstream_named(ngx_http_mon_upstream_main_conf_t *mcf,
    ngx_str_t *label)
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


/*
 * All stock balancers keep round robin's list, that names the upstream by
 * the address of its host.  What a foreign one keeps there is not known.
 */

static ngx_uint_t
ngx_http_mon_upstream_stock(ngx_http_upstream_srv_conf_t *uscf)
{
    ngx_http_upstream_rr_peers_t  *peers;

    peers = uscf->peer.data;

    return peers && peers->name == &uscf->host;
}


static ngx_uint_t
ngx_http_mon_upstream_naddrs(ngx_http_upstream_srv_conf_t *uscf)
{
    ngx_uint_t                     i, n;
    ngx_http_upstream_server_t    *server;
    ngx_http_upstream_rr_peers_t  *peers;

    if (uscf->servers == NULL) {
        peers = uscf->peer.data;
        return ngx_http_mon_upstream_stock(uscf) ? peers->number : 0;
    }

    n = 0;
    server = uscf->servers->elts;

    for (i = 0; i < uscf->servers->nelts; i++) {
        n += server[i].naddrs;
    }

    return n;
}


static ngx_int_t
ngx_http_mon_upstream_table(ngx_conf_t *cf, ngx_http_mon_upstream_t *up)
{
    ngx_uint_t  size;

    for (size = 4; size < 2 * up->naddrs; size *= 2) { /* void */ }

    up->mask = size - 1;
    up->table = ngx_pcalloc(cf->pool, size * sizeof(ngx_http_mon_peer_t *));
    up->recent = ngx_pcalloc(cf->pool, size * sizeof(ngx_http_mon_peer_t *));

    return up->table && up->recent ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_mon_upstream_peers(ngx_conf_t *cf,
    ngx_http_mon_upstream_main_conf_t *mcf, ngx_http_mon_hook_t *hook)
{
    ngx_uint_t                     i, n;
    ngx_http_mon_upstream_t       *up;
    ngx_http_upstream_server_t    *server;
    ngx_http_upstream_rr_peer_t   *peer;
    ngx_http_upstream_rr_peers_t  *peers;

    up = hook->upstream;

    if (up->table == NULL) {

        if (ngx_http_mon_upstream_table(cf, up) != NGX_OK) {
            return NGX_ERROR;
        }

        up->first = mcf->peers.nelts;
    }

    if (hook->uscf->servers == NULL) {

        if (!hook->stock) {
            return NGX_OK;
        }

        peers = hook->uscf->peer.data;

        for (peer = peers->peer; peer; peer = peer->next) {
            if (ngx_http_mon_peer_add(cf, up, &peer->name) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        return NGX_OK;
    }

    server = hook->uscf->servers->elts;

    for (i = 0; i < hook->uscf->servers->nelts; i++) {
        for (n = 0; n < server[i].naddrs; n++) {

            /* a server to be resolved at run time has no name yet */

            if (server[i].addrs[n].name.len
                && ngx_http_mon_peer_add(cf, up, &server[i].addrs[n].name)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_upstream_declare(ngx_conf_t *cf,
    ngx_http_mon_upstream_main_conf_t *mcf)
{
    ngx_str_t              values[2];
    ngx_uint_t             i;
    ngx_http_mon_peer_t  **peers;

    mcf->configured = mcf->peers.nelts;

    peers = mcf->peers.elts;

    for (i = 0; i < mcf->configured; i++) {
        values[0] = peers[i]->upstream->label;
        values[1] = peers[i]->name;

        if (ngx_mon_declare(cf, NGX_MON_G_UPSTREAM, values, 2,
                            NGX_MON_VIEW_ALL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
