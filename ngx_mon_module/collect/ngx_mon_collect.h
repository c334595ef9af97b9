
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_COLLECT_H_INCLUDED_
#define _NGX_MON_COLLECT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_mon.h"


/* between two looks at what changes slowly, in ticks of about a second */
#define NGX_MON_COLLECT_TICKS  5


/* ngx_mon_zones.c */

/* Answers for connections, shared zones, their slabs, and caches. */
void ngx_mon_zones_init(void);


/* ngx_mon_worker.c */

/* Declares the series of the workers, and samples each on its tick. */
ngx_int_t ngx_mon_worker_init(ngx_conf_t *cf);


/* ngx_mon_host.c, ngx_mon_disk.c, ngx_mon_cgroup.c */

typedef struct {
    uint64_t   limit;         /* of memory, bytes; 0: none */
    uint64_t   used;          /* of it, bytes */
    uint64_t   cpus;          /* millionths; 0: no limit */
} ngx_mon_cgroup_t;

/* Samples the host in the worker that leads. */
void ngx_mon_host_init(void);

/*
 * Reads a file of /proc or /sys as far as it fits.  Returns its length, or
 * NGX_ERROR: where there is no such file there is nothing to tell.
 */
ssize_t ngx_mon_host_read(const char *name, u_char *buf, size_t size);

/*
 * The series of the group, with a label or NULL, for the leader to set; NULL
 * where it has no room of its own.
 */
ngx_mon_series_t *ngx_mon_host_series(ngx_uint_t group, ngx_str_t *label);

/* nothing was sampled */
#define NGX_MON_HOST_UNKNOWN  ((uint64_t) -1)

/*
 * How much, in whole percent, one cell of the last sample is of another, or
 * NGX_MON_HOST_UNKNOWN; in any worker.
 */
uint64_t ngx_mon_host_left(ngx_uint_t group, ngx_str_t *label,
    ngx_uint_t part, ngx_uint_t whole);

/*
 * Judges what is left, in percent: less than 10 is degraded, less than least
 * unhealthy.
 */
void ngx_mon_host_judge(ngx_mon_check_t *c, uint64_t left, uint64_t least);

/* Chooses the file systems to watch; in the master, which may see them all. */
ngx_int_t ngx_mon_disk_choose(ngx_cycle_t *cycle);

/* Samples them, and the block devices; buf is room for a file. */
void ngx_mon_disk_sample(u_char *buf, size_t size);

/* Registers the check of their free space. */
void ngx_mon_disk_init(void);

/* Reads the limits in force for the control group of this process. */
void ngx_mon_cgroup_read(ngx_mon_cgroup_t *cg);


/* ngx_mon_tls.c */

/* Counts the handshakes of all servers of the configuration. */
ngx_int_t ngx_mon_tls_init(ngx_conf_t *cf);


#endif /* _NGX_MON_COLLECT_H_INCLUDED_ */
