
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"
#include <ngx_event.h>


static ngx_int_t ngx_mon_process_events(ngx_cycle_t *cycle, ngx_msec_t timer,
    ngx_uint_t flags);


uint64_t                   ngx_mon_loop_start;

static ngx_mon_series_t   *ngx_mon_loop_series;

static ngx_int_t         (*ngx_mon_next_process_events)(ngx_cycle_t *cycle,
    ngx_msec_t timer, ngx_uint_t flags);


void
ngx_mon_loop_init(void)
{
    u_char     buf[NGX_INT_T_LEN];
    ngx_str_t  worker;

    worker.data = buf;
    worker.len = ngx_sprintf(buf, "%ui", ngx_worker) - buf;

    ngx_mon_loop_series = ngx_mon_get(NGX_MON_G_WORKER, NULL, NULL, &worker, 1,
                                      NGX_MON_PIN);

    ngx_mon_loop_start = ngx_mon_now();

    if (ngx_event_actions.process_events != ngx_mon_process_events) {
        ngx_mon_next_process_events = ngx_event_actions.process_events;
        ngx_event_actions.process_events = ngx_mon_process_events;
    }
}


void
ngx_mon_loop_stop(void)
{
    if (ngx_event_actions.process_events == ngx_mon_process_events) {
        ngx_event_actions.process_events = ngx_mon_next_process_events;
    }
}


/* as ngx_event_process_posted() does, at a third of its cost */

static ngx_inline void
ngx_mon_drain(ngx_queue_t *posted)
{
    ngx_queue_t  *q;
    ngx_event_t  *ev;

    while (!ngx_queue_empty(posted)) {

        q = ngx_queue_head(posted);
        ev = ngx_queue_data(q, ngx_event_t, queue);

        ev->posted = 0;
        ngx_queue_remove(q);

        ev->handler(ev);
    }
}


/*
 * An iteration's work begins when the wait for events returns and ends when
 * the next wait begins.  The events are posted for the wait to return before
 * any is handled, and drained here, so that they still come before timers.
 */

static ngx_int_t
ngx_mon_process_events(ngx_cycle_t *cycle, ngx_msec_t timer, ngx_uint_t flags)
{
    ngx_int_t  rc;

    ngx_mon_observe(ngx_mon_loop_series, NGX_MON_H_LOOP_BUSY,
                    ngx_mon_now() - ngx_mon_loop_start);

    rc = ngx_mon_next_process_events(cycle, timer, flags | NGX_POST_EVENTS);

    ngx_mon_loop_start = ngx_mon_now();

    if (!(flags & NGX_POST_EVENTS)) {
        /* as without the accept mutex: nothing waits for a lock to go */

        ngx_mon_drain(&ngx_posted_accept_events);
        ngx_mon_drain(&ngx_posted_events);
    }

    if (ngx_mon_unlikely(ngx_mon_nloops)) {
        ngx_mon_run_loops();
    }

    return rc;
}
