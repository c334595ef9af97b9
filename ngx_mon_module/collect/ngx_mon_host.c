
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The host, sampled by the worker that leads, into cells that all share.
 */


#include "ngx_mon_collect.h"
#include "ngx_mon_proc.h"


#define NGX_MON_NETWORKS_MAX  64

/* by then a leader has sampled, if there is anything to sample */
#define NGX_MON_HOST_SETTLED  2


/* room for a file; only touched in the worker that leads */
static u_char      ngx_mon_host_buf[64 * 1024];

/* ticks of this worker, and until the next sample */
static ngx_uint_t  ngx_mon_host_ticks;
static ngx_uint_t  ngx_mon_host_next;

/* the CPUs' ticks at the last sample */
static uint64_t    ngx_mon_host_total;
static uint64_t    ngx_mon_host_idle;


ssize_t
ngx_mon_host_read(const char *name, u_char *buf, size_t size)
{
    int      fd;
    size_t   len;
    ssize_t  n;

    fd = open(name, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return NGX_ERROR;
    }

    /* the kernel gives such a file in pieces */

    for (len = 0; len < size; len += n) {

        n = read(fd, buf + len, size - len);

        if (n <= 0) {
            break;
        }
    }

    (void) close(fd);

    return len;
}


ngx_mon_series_t *
ngx_mon_host_series(ngx_uint_t group, ngx_str_t *label)
{
    ngx_mon_series_t  *s;

    s = ngx_mon_get(group, NULL, NULL, label, label ? 1 : 0, NGX_MON_SHARED);

    ngx_mon_touch(s);

    /* the values of one device would stand for those of all without room */

    return s->overflow ? NULL : s;
}


static void
ngx_mon_host_cpu(ngx_mon_series_t *s)
{
    u_char   *buf;
    ssize_t   n;
    uint64_t  total, idle, dt, di;

    buf = ngx_mon_host_buf;
    n = ngx_mon_host_read("/proc/stat", buf, sizeof(ngx_mon_host_buf));

    if (n == NGX_ERROR
        || ngx_mon_proc_cpu(buf, buf + n, &total, &idle) != NGX_OK)
    {
        return;
    }

    dt = total - ngx_mon_host_total;
    di = idle - ngx_mon_host_idle;

    if (ngx_mon_host_total == 0) {

        /* the ratio needs a second look, which shall come soon */
        ngx_mon_host_next = 0;

    } else if (total > ngx_mon_host_total) {

        /* idle time is known to step back when a CPU goes away */
        di = ngx_min((int64_t) di, (int64_t) dt);
        di = ngx_max((int64_t) di, 0);

        ngx_mon_set(s, NGX_MON_HOST_CPU, (dt - di) * 1000000 / dt);
    }

    ngx_mon_host_total = total;
    ngx_mon_host_idle = idle;
}


static void
ngx_mon_host_memory(ngx_mon_series_t *s)
{
    u_char           *buf;
    ssize_t           n;
    uint64_t          total, available;
    ngx_mon_cgroup_t  cg;

    buf = ngx_mon_host_buf;
    n = ngx_mon_host_read("/proc/meminfo", buf, sizeof(ngx_mon_host_buf));

    if (n != NGX_ERROR
        && ngx_mon_proc_memory(buf, buf + n, &total, &available) == NGX_OK)
    {
        ngx_mon_set(s, NGX_MON_HOST_MEMORY, total);
        ngx_mon_set(s, NGX_MON_HOST_AVAILABLE, available);
    }

    ngx_mon_cgroup_read(&cg);

    ngx_mon_set(s, NGX_MON_CGROUP_MEMORY, cg.limit);
    ngx_mon_set(s, NGX_MON_CGROUP_USED, cg.used);
    ngx_mon_set(s, NGX_MON_CGROUP_CPU, cg.cpus);
}


static void
ngx_mon_host_network(void)
{
    u_char                 *buf;
    ssize_t                 len;
    ngx_uint_t              n;
    const u_char           *p;
    ngx_mon_series_t       *s;
    ngx_mon_proc_device_t   d;

    buf = ngx_mon_host_buf;
    len = ngx_mon_host_read("/proc/net/dev", buf, sizeof(ngx_mon_host_buf));

    if (len == NGX_ERROR) {
        return;
    }

    p = buf;

    for (n = 0; n < NGX_MON_NETWORKS_MAX; n++) {

        if (ngx_mon_proc_net(&p, buf + len, &d) != NGX_OK) {
            break;
        }

        s = ngx_mon_host_series(NGX_MON_G_HOST_NETWORK, &d.name);

        if (s != NULL) {
            ngx_mon_set(s, NGX_MON_NET_RECEIVE, d.in);
            ngx_mon_set(s, NGX_MON_NET_TRANSMIT, d.out);
        }
    }
}


static void
ngx_mon_host_sample(void)
{
    u_char            *buf;
    ssize_t            n;
    uint64_t           load;
    ngx_mon_series_t  *s;

    buf = ngx_mon_host_buf;
    n = ngx_mon_host_read("/proc/loadavg", buf, sizeof(ngx_mon_host_buf));

    /* no /proc, no host */

    if (n == NGX_ERROR || ngx_mon_proc_load(buf, buf + n, &load) != NGX_OK) {
        return;
    }

    s = ngx_mon_host_series(NGX_MON_G_HOST, NULL);

    if (s != NULL) {
        ngx_mon_set(s, NGX_MON_HOST_LOAD, load);
        ngx_mon_host_cpu(s);
        ngx_mon_host_memory(s);
    }

    ngx_mon_host_network();
}


static void
ngx_mon_host_tick(ngx_cycle_t *cycle, ngx_uint_t leader)
{
    ngx_mon_host_ticks++;

    if (!leader) {
        ngx_mon_host_next = 0;
        ngx_mon_host_total = 0;
        return;
    }

    if (ngx_mon_host_next-- != 0) {
        return;
    }

    ngx_mon_host_next = NGX_MON_COLLECT_TICKS - 1;

    ngx_mon_host_sample();
    ngx_mon_disk_sample(ngx_mon_host_buf, sizeof(ngx_mon_host_buf));
}


uint64_t
ngx_mon_host_left(ngx_uint_t group, ngx_str_t *label, ngx_uint_t part,
    ngx_uint_t whole)
{
    uint64_t           p, w;
    ngx_mon_series_t  *s;

    if (ngx_mon_host_ticks < NGX_MON_HOST_SETTLED) {
        return NGX_MON_HOST_UNKNOWN;
    }

    s = ngx_mon_get(group, NULL, NULL, label, label ? 1 : 0, NGX_MON_SHARED);

    if (s->overflow) {
        return NGX_MON_HOST_UNKNOWN;
    }

    p = __atomic_load_n(&s->cells[part], __ATOMIC_RELAXED);
    w = __atomic_load_n(&s->cells[whole], __ATOMIC_RELAXED);

    return w == 0 ? NGX_MON_HOST_UNKNOWN : p * 100 / w;
}


void
ngx_mon_host_judge(ngx_mon_check_t *c, uint64_t left, uint64_t least)
{
    if (left < least) {
        c->status = NGX_MON_UNHEALTHY;

    } else if (left < 10) {
        c->status = NGX_MON_DEGRADED;
    }
}


static void
ngx_mon_host_check(ngx_mon_check_t *c)
{
    const char  *where;
    uint64_t     left, used;

    where = "the host";

    left = ngx_mon_host_left(NGX_MON_G_HOST, NULL, NGX_MON_HOST_AVAILABLE,
                             NGX_MON_HOST_MEMORY);

    used = ngx_mon_host_left(NGX_MON_G_HOST, NULL, NGX_MON_CGROUP_USED,
                             NGX_MON_CGROUP_MEMORY);

    if (used != NGX_MON_HOST_UNKNOWN && 100 - ngx_min(used, 100) < left) {
        left = 100 - ngx_min(used, 100);
        where = "the control group";
    }

    if (left == NGX_MON_HOST_UNKNOWN) {
        return;
    }

    ngx_mon_host_judge(c, left, 3);

    c->len = ngx_snprintf(c->message, sizeof(c->message),
                          "%uL%% of the memory of %s available", left, where)
             - c->message;
}


void
ngx_mon_host_init(void)
{
    ngx_mon_add_tick(ngx_mon_host_tick);

    ngx_mon_add_check("memory", ngx_mon_host_check);
    ngx_mon_disk_init();
}
