
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_check.h"


#define NGX_HTTP_MON_CHECK_BUFFER  16384

/* reads before other events have their turn */
#define NGX_HTTP_MON_CHECK_READS   16

/* past the timeout: a lease must not end before the check does, milliseconds */
#define NGX_HTTP_MON_CHECK_GRACE   1000


static u_char *ngx_http_mon_check_log(ngx_log_t *log, u_char *buf, size_t len);
static ngx_int_t ngx_http_mon_check_connect(ngx_http_mon_checker_t *ck);
static void ngx_http_mon_check_connected(ngx_http_mon_checker_t *ck);
static void ngx_http_mon_check_event(ngx_event_t *ev);
static ngx_err_t ngx_http_mon_check_connect_error(ngx_connection_t *c);
static void ngx_http_mon_check_talk(ngx_http_mon_checker_t *ck);
static void ngx_http_mon_check_send(ngx_http_mon_checker_t *ck);
static size_t ngx_http_mon_check_write(ngx_http_mon_checker_t *ck, u_char *p,
    size_t n);
static ngx_int_t ngx_http_mon_check_feed(ngx_http_mon_checker_t *ck,
    u_char *p, size_t n);


/* only ever used within one handler */
static u_char  ngx_http_mon_check_buffer[NGX_HTTP_MON_CHECK_BUFFER];


void
ngx_http_mon_check_begin(ngx_http_mon_checker_t *ck)
{
    ngx_int_t  rc;

    ck->begun = ngx_current_msec;
    ck->start = ngx_mon_now();

    rc = ngx_http_mon_check_lease(ck, ck->conf->timeout
                                      + NGX_HTTP_MON_CHECK_GRACE);

    if (rc != NGX_OK) {

        /* soon again where another one is about to end */

        ngx_add_timer(&ck->timer, rc == NGX_BUSY
                                  ? ngx_min(ck->conf->interval, 1000)
                                  : ck->conf->interval);
        return;
    }

    rc = ngx_http_mon_check_connect(ck);

    if (rc == NGX_ERROR) {

        /* it is us, not the peer */

        ngx_http_mon_check_close(ck);
        ngx_http_mon_check_schedule(ck);
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_mon_check_done(ck, NGX_MON_PROBE_ERRNO, ngx_socket_errno);
        return;
    }

    ngx_add_timer(&ck->timer, ck->conf->timeout);

    if (rc == NGX_OK) {
        ngx_http_mon_check_connected(ck);
    }
}


static u_char *
ngx_http_mon_check_log(ngx_log_t *log, u_char *buf, size_t len)
{
    ngx_http_mon_checker_t  *ck;

    ck = log->data;

    return ngx_snprintf(buf, len, " while checking \"%V\" of upstream \"%V\"",
                        &ck->name, &ck->conf->uscf->host);
}


/* NGX_OK, NGX_AGAIN, NGX_DECLINED with an errno, or NGX_ERROR */

static ngx_int_t
ngx_http_mon_check_connect(ngx_http_mon_checker_t *ck)
{
    ngx_int_t               rc;
    ngx_log_t              *log;
    ngx_connection_t       *c;
    ngx_peer_connection_t  *pc;

    log = &ck->log;

    *log = *ngx_cycle->log;
    log->handler = ngx_http_mon_check_log;
    log->data = ck;
    log->connection = 0;

    /* what a peer does wrong is told once, when it changes */

    if (!(log->log_level & NGX_LOG_DEBUG_ALL)) {
        log->log_level = ngx_min(log->log_level, NGX_LOG_ALERT);
    }

    pc = &ck->pc;

    ngx_memzero(pc, sizeof(ngx_peer_connection_t));

    pc->sockaddr = ck->sockaddr;
    pc->socklen = ck->socklen;
    pc->name = &ck->name;
    pc->get = ngx_event_get_peer;
    pc->log = log;
    pc->log_error = NGX_ERROR_ERR;

    ngx_set_socket_errno(0);

    rc = ngx_event_connect_peer(pc);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        return rc == NGX_DECLINED ? NGX_DECLINED : NGX_ERROR;
    }

    c = pc->connection;

    c->data = ck;
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    log->connection = c->number;

    c->read->handler = ngx_http_mon_check_event;
    c->write->handler = ngx_http_mon_check_event;

    ck->sent = 0;
    ck->broken = 0;
    ck->connected = 0;

    return rc;
}


static void
ngx_http_mon_check_connected(ngx_http_mon_checker_t *ck)
{
    ngx_http_mon_check_conf_t  *ccf;

    ccf = ck->conf;
    ck->connected = 1;

    switch (ccf->type) {

    case NGX_HTTP_MON_CHECK_TCP:
        ngx_http_mon_check_done(ck, NGX_MON_PROBE_PASSED, 0);
        return;

#if (NGX_HTTP_SSL)
    case NGX_HTTP_MON_CHECK_TLS:
        ngx_http_mon_check_tls(ck);
        return;
#endif

    case NGX_HTTP_MON_CHECK_GRPC:
        ngx_mon_probe_grpc_init(&ck->answer.grpc);
        break;

    default:
        ngx_mon_probe_http_init(&ck->answer.http, &ccf->codes,
                                ccf->match.len ? &ccf->match : NULL);
    }

    ngx_http_mon_check_talk(ck);
}


static void
ngx_http_mon_check_event(ngx_event_t *ev)
{
    ngx_err_t                err;
    ngx_connection_t        *c;
    ngx_http_mon_checker_t  *ck;

    c = ev->data;
    ck = c->data;

    if (c->close) {

        /* worker_shutdown_timeout: nothing has happened at the peer */

        ngx_http_mon_check_close(ck);
        return;
    }

    if (ck->connected) {
        ngx_http_mon_check_talk(ck);
        return;
    }

    err = ngx_http_mon_check_connect_error(c);

    if (err) {
        ngx_http_mon_check_done(ck, NGX_MON_PROBE_ERRNO, err);
        return;
    }

    ngx_http_mon_check_connected(ck);
}


static ngx_err_t
ngx_http_mon_check_connect_error(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    return err;
}


/* sends what there is to send, and reads what there is */

static void
ngx_http_mon_check_talk(ngx_http_mon_checker_t *ck)
{
    ssize_t            n;
    ngx_int_t          rc;
    ngx_uint_t         i;
    ngx_connection_t  *c;

    c = ck->pc.connection;

    ngx_http_mon_check_send(ck);

    for (i = 0; i < NGX_HTTP_MON_CHECK_READS; i++) {

        n = c->recv(c, ngx_http_mon_check_buffer, NGX_HTTP_MON_CHECK_BUFFER);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_http_mon_check_done(ck, NGX_MON_PROBE_ERRNO,
                                    ngx_socket_errno);
            return;
        }

        rc = ngx_http_mon_check_feed(ck, ngx_http_mon_check_buffer, n);

        if (rc != NGX_AGAIN) {
            return;
        }

        ngx_http_mon_check_send(ck);
    }

    if (i == NGX_HTTP_MON_CHECK_READS) {
        ngx_post_event(c->read, &ngx_posted_next_events);
        return;
    }

    /* an answer may have come nevertheless, and did not */

    if (ck->broken) {
        ngx_http_mon_check_done(ck, NGX_MON_PROBE_ERRNO, ck->broken);
        return;
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK
        || ngx_handle_write_event(c->write, 0) != NGX_OK)
    {
        ngx_http_mon_check_close(ck);
        ngx_http_mon_check_schedule(ck);
    }
}


static void
ngx_http_mon_check_send(ngx_http_mon_checker_t *ck)
{
    ngx_str_t             *request;
    ngx_mon_probe_grpc_t  *g;

    request = &ck->conf->request;

    if (ck->sent < request->len) {
        ck->sent += ngx_http_mon_check_write(ck, request->data + ck->sent,
                                             request->len - ck->sent);
    }

    if (ck->conf->type == NGX_HTTP_MON_CHECK_GRPC
        && ck->sent == request->len)
    {
        g = &ck->answer.grpc;

        if (g->nout) {
            ngx_mon_probe_grpc_sent(g, ngx_http_mon_check_write(ck, g->out,
                                                                g->nout));
        }
    }
}


static size_t
ngx_http_mon_check_write(ngx_http_mon_checker_t *ck, u_char *p, size_t n)
{
    ssize_t            rc;
    ngx_connection_t  *c;

    if (ck->broken) {
        return 0;
    }

    c = ck->pc.connection;
    rc = c->send(c, p, n);

    if (rc == NGX_ERROR) {
        ck->broken = ngx_socket_errno ? ngx_socket_errno : NGX_ECONNRESET;
    }

    return rc > 0 ? rc : 0;
}


/* NGX_AGAIN, or NGX_DONE where that was the end of the check */

static ngx_int_t
ngx_http_mon_check_feed(ngx_http_mon_checker_t *ck, u_char *p, size_t n)
{
    ngx_int_t            rc;
    ngx_mon_probe_why_t  why;

    if (ck->conf->type == NGX_HTTP_MON_CHECK_GRPC) {
        rc = n ? ngx_mon_probe_grpc(&ck->answer.grpc, p, n)
               : ngx_mon_probe_grpc_end(&ck->answer.grpc);
        why = ck->answer.grpc.why;

    } else {
        rc = n ? ngx_mon_probe_http(&ck->answer.http, p, n)
               : ngx_mon_probe_http_end(&ck->answer.http);
        why = ck->answer.http.why;
    }

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    ngx_http_mon_check_done(ck, why.reason, why.detail);

    return NGX_DONE;
}


void
ngx_http_mon_check_timeout(ngx_http_mon_checker_t *ck)
{
    ngx_http_mon_check_done(ck, NGX_MON_PROBE_TIMEOUT, !ck->connected);
}


void
ngx_http_mon_check_close(ngx_http_mon_checker_t *ck)
{
    ngx_connection_t  *c;

    c = ck->pc.connection;

    if (c) {

#if (NGX_HTTP_SSL)
        if (c->ssl) {
            c->ssl->no_wait_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }
#endif

        ngx_close_connection(c);
        ck->pc.connection = NULL;

        if (ck->timer.timer_set) {
            ngx_del_timer(&ck->timer);
        }
    }

    if (ck->pool) {
        ngx_destroy_pool(ck->pool);
        ck->pool = NULL;
    }

    ngx_http_mon_check_release(ck);
}


void
ngx_http_mon_check_done(ngx_http_mon_checker_t *ck, ngx_uint_t reason,
    ngx_uint_t detail)
{
    ngx_mon_probe_why_t  why;

    why.reason = reason;
    why.detail = detail;

    ngx_http_mon_check_note(ck, &why);
    ngx_http_mon_check_close(ck);
    ngx_http_mon_check_schedule(ck);
}
