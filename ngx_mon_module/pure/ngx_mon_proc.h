
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_PROC_H_INCLUDED_
#define _NGX_MON_PROC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Readers of the text that the kernel gives in /proc and /sys.  Each takes
 * the text from p to end, needs no terminating zero, and reads whole lines
 * only: a last one without a newline may be cut.  A number that does not fit
 * 64 bits makes its line invalid.
 */


typedef struct {
    ngx_str_t   name;              /* within the text */
    uint64_t    in;                /* bytes read, or received */
    uint64_t    out;               /* bytes written, or transmitted */
} ngx_mon_proc_device_t;


/*
 * /proc/stat: the ticks of all CPUs since boot, and how many of them were
 * idle, waiting for a disk included.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_mon_proc_cpu(const u_char *p, const u_char *end,
    uint64_t *total, uint64_t *idle);

/* /proc/loadavg: the first load, in millionths.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_mon_proc_load(const u_char *p, const u_char *end,
    uint64_t *load);

/*
 * The number behind the name in a file of lines "name value", as memory.stat
 * is one.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_mon_proc_field(const u_char *p, const u_char *end,
    const char *name, uint64_t *value);

/* /proc/meminfo: bytes.  Returns NGX_ERROR unless both stand there. */
ngx_int_t ngx_mon_proc_memory(const u_char *p, const u_char *end,
    uint64_t *total, uint64_t *available);

/* /proc/pid/statm: resident pages.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_mon_proc_resident(const u_char *p, const u_char *end,
    uint64_t *pages);

/*
 * /proc/diskstats: the next block device from *p on, partitions, loop and
 * memory devices included; *p moves behind its line.  Invalid lines are left
 * out.  Returns NGX_OK, or NGX_DONE.
 */
ngx_int_t ngx_mon_proc_disk(const u_char **p, const u_char *end,
    ngx_mon_proc_device_t *d);

/* /proc/net/dev: the next network device, the same way. */
ngx_int_t ngx_mon_proc_net(const u_char **p, const u_char *end,
    ngx_mon_proc_device_t *d);

/*
 * /proc/pid/cgroup: the path of the version 2 group, within the text.
 * Returns NGX_DECLINED where there is none, or none that can be seen.
 */
ngx_int_t ngx_mon_proc_cgroup(const u_char *p, const u_char *end,
    ngx_str_t *path);

/*
 * memory.max or memory.current: bytes.  Returns NGX_DECLINED for "max",
 * NGX_ERROR if invalid.
 */
ngx_int_t ngx_mon_proc_bytes(const u_char *p, const u_char *end,
    uint64_t *bytes);

/*
 * cpu.max: CPUs, in millionths.  Returns NGX_DECLINED for "max", NGX_ERROR if
 * invalid.
 */
ngx_int_t ngx_mon_proc_quota(const u_char *p, const u_char *end,
    uint64_t *cpus);


#endif /* _NGX_MON_PROC_H_INCLUDED_ */
