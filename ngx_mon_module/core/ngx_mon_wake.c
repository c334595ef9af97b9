
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"
#include <ngx_event.h>
#include <ngx_channel.h>


/*
 * The handler of nginx's channel ignores commands that it does not know, but
 * the wait for events has ended.
 */
#define NGX_MON_CMD_WAKE  77

#define NGX_MON_LOOPS     4


static void ngx_mon_wake_self(ngx_event_t *ev);


ngx_uint_t                 ngx_mon_nloops;

static ngx_mon_loop_pt     ngx_mon_loops[NGX_MON_LOOPS];
static ngx_event_t         ngx_mon_wake_event;


void
ngx_mon_add_loop(ngx_mon_loop_pt loop)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_mon_nloops; i++) {
        if (ngx_mon_loops[i] == loop) {
            return;
        }
    }

    if (i < NGX_MON_LOOPS) {
        ngx_mon_loops[ngx_mon_nloops++] = loop;
    }
}


void
ngx_mon_run_loops(void)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_mon_nloops; i++) {
        ngx_mon_loops[i]();
    }
}


ngx_int_t
ngx_mon_wake(ngx_pid_t pid, ngx_uint_t slot)
{
    ngx_socket_t   s;
    ngx_channel_t  ch;

    if (pid == ngx_pid) {
        ngx_mon_wake_event.handler = ngx_mon_wake_self;
        ngx_mon_wake_event.log = ngx_cycle->log;

        ngx_post_event(&ngx_mon_wake_event, &ngx_posted_events);

        return NGX_OK;
    }

    if (ngx_process != NGX_PROCESS_WORKER || slot >= NGX_MAX_PROCESSES
        || ngx_processes[slot].pid != pid)
    {
        return NGX_DECLINED;
    }

    s = ngx_processes[slot].channel[0];

    if (s <= 0) {
        return NGX_DECLINED;
    }

    ngx_memzero(&ch, sizeof(ngx_channel_t));

    ch.command = NGX_MON_CMD_WAKE;
    ch.pid = ngx_pid;
    ch.slot = ngx_process_slot;
    ch.fd = -1;

    /* ngx_write_channel() logs an alert where the worker has just gone */

    return send(s, &ch, sizeof(ngx_channel_t), MSG_DONTWAIT|MSG_NOSIGNAL)
           == (ssize_t) sizeof(ngx_channel_t) ? NGX_OK : NGX_DECLINED;
}


static void
ngx_mon_wake_self(ngx_event_t *ev)
{
    ngx_mon_run_loops();
}
