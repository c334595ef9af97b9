
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_check.h"


#if (NGX_HTTP_SSL)


#define NGX_HTTP_MON_CHECK_PROTOCOLS                                          \
    (NGX_SSL_TLSv1|NGX_SSL_TLSv1_1|NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3)


static void ngx_http_mon_check_handshaken(ngx_connection_t *c);
static ngx_int_t ngx_http_mon_check_name(ngx_http_mon_checker_t *ck);


ngx_int_t
ngx_http_mon_check_tls_init(ngx_conf_t *cf, ngx_http_mon_check_conf_t *ccf)
{
    ngx_pool_cleanup_t  *cln;

    ccf->ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ccf->ssl == NULL) {
        return NGX_ERROR;
    }

    ccf->ssl->log = cf->log;

    if (ngx_ssl_create(ccf->ssl, NGX_HTTP_MON_CHECK_PROTOCOLS, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ccf->ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ccf->ssl;

    return NGX_OK;
}


void
ngx_http_mon_check_tls(ngx_http_mon_checker_t *ck)
{
    ngx_connection_t  *c;

    c = ck->pc.connection;

    ck->pool = ngx_create_pool(512, &ck->log);

    if (ck->pool == NULL) {
        ngx_http_mon_check_close(ck);
        ngx_http_mon_check_schedule(ck);
        return;
    }

    c->pool = ck->pool;
    c->sendfile = 0;

    if (ngx_ssl_create_connection(ck->conf->ssl, c,
                                  NGX_SSL_BUFFER|NGX_SSL_CLIENT)
        != NGX_OK
        || ngx_http_mon_check_name(ck) != NGX_OK)
    {
        ngx_http_mon_check_close(ck);
        ngx_http_mon_check_schedule(ck);
        return;
    }

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        c->ssl->handler = ngx_http_mon_check_handshaken;
        return;
    }

    ngx_http_mon_check_handshaken(c);
}


static void
ngx_http_mon_check_handshaken(ngx_connection_t *c)
{
    ngx_http_mon_checker_t  *ck;

    ck = c->data;

    ngx_http_mon_check_done(ck, c->ssl->handshaked ? NGX_MON_PROBE_PASSED
                                                   : NGX_MON_PROBE_HANDSHAKE,
                            0);
}


/* host= as the server's name, which an address can't be (RFC 6066, 3) */

static ngx_int_t
ngx_http_mon_check_name(ngx_http_mon_checker_t *ck)
{
#ifdef SSL_CTRL_SET_TLSEXT_HOSTNAME

    u_char      *p;
    ngx_str_t   *host;
    ngx_addr_t   addr;

    host = &ck->conf->host;

    if (host->len == 0
        || host->data[0] == '['
        || ngx_parse_addr(ck->pool, &addr, host->data, host->len) == NGX_OK)
    {
        return NGX_OK;
    }

    p = ngx_pnalloc(ck->pool, host->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(p, host->data, host->len + 1);

    if (SSL_set_tlsext_host_name(ck->pc.connection->ssl->connection,
                                 (char *) p)
        == 0)
    {
        return NGX_ERROR;
    }

#endif

    return NGX_OK;
}


#endif
