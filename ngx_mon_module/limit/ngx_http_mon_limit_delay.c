
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_limit.h"


static void ngx_http_mon_limit_delayed(ngx_http_request_t *r);


ngx_int_t
ngx_http_mon_limit_delay(ngx_http_request_t *r, ngx_msec_t ms)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (c->data != r) {
        /* nothing would wake a subrequest that is not the one in turn */
        return NGX_DECLINED;
    }

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_mon_limit_delayed;

    c->write->delayed = 1;
    ngx_add_timer(c->write, ms);

    return NGX_AGAIN;
}


static void
ngx_http_mon_limit_delayed(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (c->write->delayed) {

        if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}
