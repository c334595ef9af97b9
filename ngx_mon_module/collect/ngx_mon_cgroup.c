
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The limits of the control group, version 2.  Those of all groups above hold
 * as well: the lowest is in force.
 */


#include "ngx_mon_collect.h"
#include "ngx_mon_proc.h"


#define NGX_MON_CGROUP_ROOT   "/sys/fs/cgroup"
#define NGX_MON_CGROUP_DEPTH  32


/* Reads a file of the group whose directory, with room behind, is dir. */
static ssize_t
ngx_mon_cgroup_file(u_char *dir, size_t len, const char *name, u_char *buf,
    size_t size)
{
    (void) ngx_sprintf(dir + len, "/%s%Z", name);

    return ngx_mon_host_read((char *) dir, buf, size);
}


static void
ngx_mon_cgroup_memory(u_char *dir, size_t len, ngx_mon_cgroup_t *cg)
{
    u_char    buf[4096];
    ssize_t   n;
    uint64_t  limit, used, cached;

    n = ngx_mon_cgroup_file(dir, len, "memory.max", buf, sizeof(buf));

    if (n == NGX_ERROR
        || ngx_mon_proc_bytes(buf, buf + n, &limit) != NGX_OK
        || (cg->limit != 0 && limit >= cg->limit))
    {
        return;
    }

    n = ngx_mon_cgroup_file(dir, len, "memory.current", buf, sizeof(buf));

    if (n == NGX_ERROR || ngx_mon_proc_bytes(buf, buf + n, &used) != NGX_OK) {
        return;
    }

    /* cached files that nobody used lately go first when memory is short */

    n = ngx_mon_cgroup_file(dir, len, "memory.stat", buf, sizeof(buf));

    if (n != NGX_ERROR
        && ngx_mon_proc_field(buf, buf + n, "inactive_file", &cached)
           == NGX_OK)
    {
        used -= ngx_min(used, cached);
    }

    cg->limit = limit;
    cg->used = used;
}


static void
ngx_mon_cgroup_cpu(u_char *dir, size_t len, ngx_mon_cgroup_t *cg)
{
    u_char    buf[64];
    ssize_t   n;
    uint64_t  cpus;

    n = ngx_mon_cgroup_file(dir, len, "cpu.max", buf, sizeof(buf));

    if (n == NGX_ERROR || ngx_mon_proc_quota(buf, buf + n, &cpus) != NGX_OK) {
        return;
    }

    if (cg->cpus == 0 || cpus < cg->cpus) {
        cg->cpus = cpus;
    }
}


void
ngx_mon_cgroup_read(ngx_mon_cgroup_t *cg)
{
    u_char      buf[NGX_MAX_PATH], dir[NGX_MAX_PATH + 64];
    size_t      root, len;
    ssize_t     n;
    ngx_str_t   path;
    ngx_uint_t  i;

    ngx_memzero(cg, sizeof(ngx_mon_cgroup_t));

    n = ngx_mon_host_read("/proc/self/cgroup", buf, sizeof(buf));

    if (n == NGX_ERROR || ngx_mon_proc_cgroup(buf, buf + n, &path) != NGX_OK) {
        return;
    }

    root = sizeof(NGX_MON_CGROUP_ROOT) - 1;
    len = ngx_sprintf(dir, "%s%V", NGX_MON_CGROUP_ROOT, &path) - dir;

    for (i = 0; i < NGX_MON_CGROUP_DEPTH; i++) {

        if (dir[len - 1] == '/') {
            len--;
        }

        ngx_mon_cgroup_memory(dir, len, cg);
        ngx_mon_cgroup_cpu(dir, len, cg);

        if (len <= root) {
            break;
        }

        while (dir[len - 1] != '/') {
            len--;
        }
    }
}
