
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * What a worker uses, sampled by itself on its tick.
 */


#include "ngx_mon_collect.h"
#include "ngx_mon_proc.h"
#include <dirent.h>


/* beyond so many descriptors, counting them one by one takes too long */
#define NGX_MON_WORKER_FDS_MANY  2048


typedef struct {
    ngx_mon_series_t  *series;
    uint64_t           cpu;            /* already counted, microseconds */
    ngx_uint_t         ticks;
} ngx_mon_worker_t;


static ngx_mon_worker_t  ngx_mon_worker;


/*
 * Adds what was used since the last tick: the counter goes on over the
 * workers that follow one another under the same number.
 */
static void
ngx_mon_worker_cpu(ngx_mon_worker_t *w)
{
    uint64_t       us;
    struct rusage  ru;

    if (getrusage(RUSAGE_SELF, &ru) == -1) {
        return;
    }

    us = (uint64_t) (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000
         + ru.ru_utime.tv_usec + ru.ru_stime.tv_usec;

    if (us > w->cpu) {
        ngx_mon_add(w->series, NGX_MON_WORKER_CPU, us - w->cpu);
        w->cpu = us;
    }
}


static void
ngx_mon_worker_memory(ngx_mon_worker_t *w)
{
    u_char    buf[128];
    ssize_t   n;
    uint64_t  pages;

    n = ngx_mon_host_read("/proc/self/statm", buf, sizeof(buf));

    if (n == NGX_ERROR
        || ngx_mon_proc_resident(buf, buf + n, &pages) != NGX_OK)
    {
        return;
    }

    ngx_mon_set(w->series, NGX_MON_WORKER_RSS, pages * ngx_pagesize);
}


static void
ngx_mon_worker_fds(ngx_mon_worker_t *w)
{
    DIR            *dir;
    ngx_int_t       n;
    struct stat     st;
    struct dirent  *de;

    /* newer kernels tell the number as the size */

    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) {
        ngx_mon_set(w->series, NGX_MON_WORKER_FDS, st.st_size);
        return;
    }

    dir = opendir("/proc/self/fd");

    if (dir == NULL) {
        return;
    }

    /* the directory's own descriptor is among them */

    n = -1;

    while ((de = readdir(dir)) != NULL) {
        if (de->d_name[0] != '.') {
            n++;
        }
    }

    (void) closedir(dir);

    ngx_mon_set(w->series, NGX_MON_WORKER_FDS, n);

    if (n > NGX_MON_WORKER_FDS_MANY) {
        w->ticks = 60;
    }
}


static void
ngx_mon_worker_tick(ngx_cycle_t *cycle, ngx_uint_t leader)
{
    ngx_str_t          label;
    ngx_mon_worker_t  *w;

    u_char  number[NGX_INT_T_LEN];

    w = &ngx_mon_worker;

    if (w->series == NULL) {
        label.data = number;
        label.len = ngx_sprintf(number, "%ui", ngx_worker) - number;

        w->series = ngx_mon_get(NGX_MON_G_WORKER, NULL, NULL, &label, 1,
                                NGX_MON_PIN);
    }

    ngx_mon_touch(w->series);

    ngx_mon_worker_cpu(w);
    ngx_mon_worker_memory(w);

    ngx_mon_set(w->series, NGX_MON_WORKER_CONNS,
                ngx_cycle->connection_n - ngx_cycle->free_connection_n);

    if (w->ticks-- == 0) {
        w->ticks = NGX_MON_COLLECT_TICKS - 1;
        ngx_mon_worker_fds(w);
    }
}


/*
 * Idle connections that nginx closes when it needs their place are as good
 * as free ones.
 */
static void
ngx_mon_worker_check(ngx_mon_check_t *c)
{
    ngx_uint_t  n, left;

    n = ngx_cycle->connection_n;
    left = ngx_cycle->free_connection_n + ngx_cycle->reusable_connections_n;

    if (left == 0) {
        c->status = NGX_MON_UNHEALTHY;

    } else if (left < n / 10) {
        c->status = NGX_MON_DEGRADED;
    }

    c->len = ngx_snprintf(c->message, sizeof(c->message),
                          "%ui of %ui connections left in worker %ui",
                          left, n, ngx_worker)
             - c->message;
}


ngx_int_t
ngx_mon_worker_init(ngx_conf_t *cf)
{
    ngx_int_t         i, n;
    ngx_str_t         label;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    /* below http the directive is not seen yet: those come at first use */

    n = ccf->worker_processes == NGX_CONF_UNSET ? 1 : ccf->worker_processes;

    for (i = 0; i < n; i++) {

        label.data = ngx_pnalloc(cf->pool, NGX_INT_T_LEN);
        if (label.data == NULL) {
            return NGX_ERROR;
        }

        label.len = ngx_sprintf(label.data, "%i", i) - label.data;

        if (ngx_mon_declare(cf, NGX_MON_G_WORKER, &label, 1,
                            NGX_MON_VIEW_ALL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_mon_add_tick(ngx_mon_worker_tick);
    ngx_mon_add_check("connections", ngx_mon_worker_check);

    return NGX_OK;
}
