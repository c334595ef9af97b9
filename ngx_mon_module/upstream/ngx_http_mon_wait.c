
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_retry.h"


/*
 * Nginx connects to a peer at once.  A call that is to wait is given a
 * connection without a socket instead, that is still connecting for all
 * nginx knows: it then has its timers, sees the client leave and ends the
 * request as ever.  When the time has come an event of that connection makes
 * nginx read from it; that fails, and nginx goes on to the next upstream.
 */


/* past the end of a wait, milliseconds: never reached */
#define NGX_HTTP_MON_WAIT_TIMEOUT  60000


static void ngx_http_mon_wait_handler(ngx_event_t *ev);
static ssize_t ngx_http_mon_wait_recv(ngx_connection_t *c, u_char *buf,
    size_t size);
static ngx_int_t ngx_http_mon_wait_header(ngx_http_request_t *r);


/* nginx looks whether there is one, not into it */
static struct sockaddr  ngx_http_mon_wait_sockaddr;


ngx_int_t
ngx_http_mon_wait_begin(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_connection_t          *c;
    ngx_http_mon_wait_t       *w;
    ngx_http_mon_retrial_t    *t;
    ngx_http_upstream_conf_t  *conf;

    t = call->retrial;

    if (t->wait == NULL) {
        t->wait = ngx_palloc(call->attempt.request->pool,
                             sizeof(ngx_http_mon_wait_t));

        if (t->wait == NULL) {
            return NGX_ERROR;
        }
    }

    w = t->wait;
    ngx_memzero(w, sizeof(ngx_http_mon_wait_t));

    c = &w->connection;

    c->fd = (ngx_socket_t) -1;
    c->read = &w->read;
    c->write = &w->write;
    c->recv = ngx_http_mon_wait_recv;
    c->log = pc->log;

    w->read.data = c;
    w->read.log = pc->log;
    w->write.data = c;
    w->write.log = pc->log;
    w->write.write = 1;

    w->timer.data = call;
    w->timer.log = pc->log;
    w->timer.handler = ngx_http_mon_wait_handler;

    pc->connection = c;
    pc->cached = 0;
    pc->sockaddr = &ngx_http_mon_wait_sockaddr;
    pc->socklen = sizeof(struct sockaddr);

    if (pc->name == NULL) {
        pc->name = &call->attempt.origin->hook->uscf->host;
    }

    /* nginx sets this timer as for any connection */

    conf = call->attempt.request->upstream->conf;
    conf->connect_timeout = t->delay + NGX_HTTP_MON_WAIT_TIMEOUT;

    ngx_add_timer(&w->timer, t->delay);

    t->waiting = 1;

    return NGX_OK;
}


static void
ngx_http_mon_wait_handler(ngx_event_t *ev)
{
    ngx_connection_t     *c;
    ngx_http_upstream_t  *u;
    ngx_http_mon_wait_t  *w;
    ngx_http_mon_call_t  *call;

    call = ev->data;
    w = call->retrial->wait;
    u = call->attempt.request->upstream;
    c = &w->connection;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ev->log, 0, "mon retry");

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    /* there is no socket to ask whether it connected */

    u->request_sent = 1;

    w->process_header = u->process_header;
    u->process_header = ngx_http_mon_wait_header;

    c->read->handler(c->read);
}


static ssize_t
ngx_http_mon_wait_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    ngx_http_request_t  *r;

    r = c->data;
    r->upstream->request_sent = 0;

    return NGX_ERROR;
}


/* asked at once where nginx reads no header, as of a tunnel */

static ngx_int_t
ngx_http_mon_wait_header(ngx_http_request_t *r)
{
    r->upstream->request_sent = 0;

    return NGX_HTTP_UPSTREAM_INVALID_HEADER;
}


void
ngx_http_mon_wait_end(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    ngx_array_t          *states;
    ngx_http_upstream_t  *u;
    ngx_http_mon_wait_t  *w;

    u = call->attempt.request->upstream;
    w = call->retrial->wait;

    if (w->timer.timer_set) {
        ngx_del_timer(&w->timer);
    }

    if (w->write.timer_set) {
        ngx_del_timer(&w->write);
    }

    if (w->process_header) {
        u->process_header = w->process_header;
    }

    if (w->connection.pool) {
        ngx_destroy_pool(w->connection.pool);
    }

    pc->connection = NULL;

    /*
     * The wait is no attempt, $upstream_addr must not show it.  u->state may
     * still be written to: the memory is there.
     */

    states = call->attempt.request->upstream_states;

    if (states->nelts
        && u->state == (ngx_http_upstream_state_t *) states->elts
                       + states->nelts - 1)
    {
        states->nelts--;
    }

    call->retrial->waiting = 0;
}
