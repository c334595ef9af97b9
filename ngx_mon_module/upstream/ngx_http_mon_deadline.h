
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * How a request ends whose time is over, whatever it waits for.  To be called
 * from a timer of its own, for the main request.
 */


#ifndef _NGX_HTTP_MON_DEADLINE_H_INCLUDED_
#define _NGX_HTTP_MON_DEADLINE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_mon.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


/* Milliseconds that the request has left, or NGX_TIMER_INFINITE. */
ngx_msec_t ngx_http_mon_deadline_left(ngx_http_request_t *r);

/*
 * Whether a thread, or the kernel, works for it, so that it can't be ended
 * now.  wake is called then when that is done, and possibly before, instead of
 * what would go on; the caller of wake runs what was posted.
 */
ngx_uint_t ngx_http_mon_deadline_busy(ngx_http_request_t *r,
    ngx_http_event_handler_pt wake);

/* Writes the line of the error log; time is what was exceeded, ms. */
void ngx_http_mon_deadline_log(ngx_http_request_t *r, ngx_msec_t time);

/*
 * Stops all that is under way for the request and for the subrequests that it
 * waits for, background ones excepted; nothing wakes it any more.  time is
 * what it had, milliseconds.
 */
void ngx_http_mon_deadline_stop(ngx_http_request_t *r, ngx_msec_t time);

/*
 * Ends what was stopped: with 504 while no header was sent, else with its
 * connection or stream.  The request may be gone after that; what it has
 * posted is to be run.
 */
void ngx_http_mon_deadline_end(ngx_http_request_t *r);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_DEADLINE_H_INCLUDED_ */
