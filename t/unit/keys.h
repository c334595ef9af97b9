
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * A zone with a table of keys, without nginx.  A word is the time at which
 * the key is idle; one with an aux of KEPT never is, and its word counts.
 */


#ifndef _KEYS_H_INCLUDED_
#define _KEYS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_mon_cells.h"
#include <sys/mman.h>


#define KEPT  77


static ngx_slab_pool_t  *pool;
static ngx_shm_zone_t    shm_zone;
static ngx_mon_keys_t    keys;


/* nginx */

volatile ngx_msec_t      ngx_current_msec;
ngx_pid_t                ngx_pid;
ngx_uint_t               ngx_pagesize = 4096;


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}


void *
ngx_slab_alloc(ngx_slab_pool_t *p, size_t size)
{
    if (size > p->pfree * ngx_pagesize) {
        return NULL;
    }

    p->pfree -= size / ngx_pagesize;

    return p->start;
}


static ngx_uint_t
keys_idle(const ngx_mon_key_t *key, uint64_t word, uint64_t now)
{
    return key->aux != KEPT && word <= now;
}


/* a new zone of this size, shared with processes to come */

static ngx_int_t
keys_zone(size_t size)
{
    static ngx_log_t  log;

    pool = mmap(NULL, size + ngx_pagesize, PROT_READ|PROT_WRITE,
                MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (pool == MAP_FAILED) {
        abort();
    }

    pool->start = (u_char *) pool + ngx_pagesize;
    pool->end = pool->start + size;
    pool->pfree = size / ngx_pagesize;

    ngx_pid = getpid();

    ngx_memzero(&shm_zone, sizeof(ngx_shm_zone_t));
    shm_zone.shm.addr = (u_char *) pool;
    shm_zone.shm.size = size + ngx_pagesize;
    shm_zone.shm.log = &log;

    ngx_memzero(&keys, sizeof(ngx_mon_keys_t));
    keys.idle = keys_idle;

    return ngx_mon_keys_init(&keys, &shm_zone, NULL);
}


static void
keys_unmap(void)
{
    (void) munmap(pool, shm_zone.shm.size);
}


static ngx_inline ngx_mon_key_t *
keys_make(const ngx_str_t *key, uint64_t now, uint64_t aux, uint64_t *word,
    ngx_uint_t *made)
{
    return ngx_mon_keys_make(&keys, ngx_mon_keys_hash(&keys, key), key, now,
                             aux, word, made);
}


static ngx_inline ngx_mon_key_t *
keys_find(const ngx_str_t *key, uint64_t *word)
{
    return ngx_mon_keys_find(&keys, ngx_mon_keys_hash(&keys, key), key, word);
}


#endif /* _KEYS_H_INCLUDED_ */
