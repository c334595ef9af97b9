
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Handshakes with clients, told by OpenSSL itself: begun and done by the info
 * callback of each server's context, failed when a connection is freed that
 * was begun and never done.
 */


#include "ngx_mon_collect.h"


#if (NGX_HTTP_SSL)

typedef void (*ngx_mon_tls_info_pt)(const ngx_ssl_conn_t *ssl, int where,
    int ret);


/* an nginx may be without it */
#pragma weak ngx_http_ssl_module


/* kept by each connection of ours, by address; made once in a process */

static char  ngx_mon_tls_begun;
static char  ngx_mon_tls_done;

static int   ngx_mon_tls_state = -1;

/* and by each context: the callback that was there before */
static int   ngx_mon_tls_before = -1;


static void
ngx_mon_tls_info(const ngx_ssl_conn_t *conn, int where, int ret)
{
    void                 *state;
    SSL                  *ssl;
    ngx_mon_tls_info_pt   before;

    ssl = (SSL *) conn;

    before = (ngx_mon_tls_info_pt) (uintptr_t)
                 SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl),
                                     ngx_mon_tls_before);
    if (before) {
        before(conn, where, ret);
    }

    if (!ngx_mon_active
        || !(where & (SSL_CB_HANDSHAKE_START|SSL_CB_HANDSHAKE_DONE)))
    {
        return;
    }

    /* renegotiation and session tickets begin and end again: once is enough */

    state = SSL_get_ex_data(ssl, ngx_mon_tls_state);

    if (state == &ngx_mon_tls_done) {
        return;
    }

    if (where & SSL_CB_HANDSHAKE_START) {
        (void) SSL_set_ex_data(ssl, ngx_mon_tls_state, &ngx_mon_tls_begun);
        return;
    }

    (void) SSL_set_ex_data(ssl, ngx_mon_tls_state, &ngx_mon_tls_done);

    ngx_mon_add(ngx_mon_nginx(), NGX_MON_TLS_HANDSHAKES, 1);

    if (SSL_session_reused(ssl)) {
        ngx_mon_add(ngx_mon_nginx(), NGX_MON_TLS_REUSES, 1);
    }
}


static void
ngx_mon_tls_free(void *parent, void *state, CRYPTO_EX_DATA *ad, int idx,
    long argl, void *argp)
{
    if (ngx_mon_active && state == &ngx_mon_tls_begun) {
        ngx_mon_add(ngx_mon_nginx(), NGX_MON_TLS_FAILED, 1);
    }
}


static ngx_int_t
ngx_mon_tls_install(ngx_conf_t *cf, SSL_CTX *ctx)
{
    ngx_mon_tls_info_pt  before;

    before = SSL_CTX_get_info_callback(ctx);

    if (before == ngx_mon_tls_info) {
        return NGX_OK;
    }

    if (SSL_CTX_set_ex_data(ctx, ngx_mon_tls_before,
                            (void *) (uintptr_t) before)
        == 0)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_ex_data() failed");
        return NGX_ERROR;
    }

    SSL_CTX_set_info_callback(ctx, ngx_mon_tls_info);

    return NGX_OK;
}


static ngx_int_t
ngx_mon_tls_indexes(ngx_conf_t *cf)
{
    if (ngx_mon_tls_before != -1) {
        return NGX_OK;
    }

    ngx_mon_tls_state = SSL_get_ex_new_index(0, NULL, NULL, NULL,
                                             ngx_mon_tls_free);
    ngx_mon_tls_before = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);

    if (ngx_mon_tls_state == -1 || ngx_mon_tls_before == -1) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_get_ex_new_index() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}

#endif


ngx_int_t
ngx_mon_tls_init(ngx_conf_t *cf)
{
#if (NGX_HTTP_SSL)

    ngx_uint_t                   s;
    ngx_http_ssl_srv_conf_t     *sscf;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;

    if (&ngx_http_ssl_module == NULL) {
        return NGX_OK;
    }

    if (ngx_mon_tls_indexes(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    for (s = 0; s < cmcf->servers.nelts; s++) {

        sscf = cscfp[s]->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

        if (sscf->ssl.ctx != NULL
            && ngx_mon_tls_install(cf, sscf->ssl.ctx) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

#endif

    return NGX_OK;
}
