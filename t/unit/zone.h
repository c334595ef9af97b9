
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * A zone without nginx: what the core needs of it stands here, a pool that
 * hands out pages, a lock, a log.  And a judge of what is in the zone.
 */


#ifndef _ZONE_H_INCLUDED_
#define _ZONE_H_INCLUDED_


#include "unit.h"
#include "ngx_mon_zone.h"
#include <sys/mman.h>
#include <sys/wait.h>


#define ZONE_SIZE   (384 * 1024)

/* what a killed process may leave behind: the largest piece, or a node */
#define LEAK_UNITS  (NGX_MON_CLASSES + 8)

#ifndef check
#define check(x)  if (!(x)) { fail_msg("line %d: %s", __LINE__, #x); }
#endif


typedef struct {
    ngx_slab_pool_t  pool;
    ngx_mon_zone_t   zone;
} unit_zone_t;


static unit_zone_t          *unit;
static u_char               *pages, *pages_end, **pages_pos;
static ngx_mon_main_conf_t   conf;
static ngx_cycle_t           cycle;
static ngx_log_t             log_of_cycle;
static ngx_shm_zone_t        shm_zone;
static u_char                owned[ZONE_SIZE / NGX_MON_UNIT];
static ngx_uint_t            kills;


/* what a worker leaves behind when it is begun anew is no leak */

const char *
__asan_default_options(void)
{
    return "detect_leaks=0";
}


/* nginx */

volatile ngx_msec_t          ngx_current_msec;
volatile ngx_cycle_t        *ngx_cycle = &cycle;
ngx_pid_t                    ngx_pid;
ngx_uint_t                   ngx_pagesize = 4096;
uint32_t                     ngx_crc32_table256[256];
sig_atomic_t                 ngx_terminate, ngx_quit;
ngx_uint_t                   ngx_exiting;

/* ngx_mon_module.c */

ngx_mon_hist_map_t           ngx_mon_hist_tables;
ngx_uint_t                   ngx_mon_hist_stride;
ngx_uint_t                   ngx_mon_active;
ngx_mon_main_conf_t         *ngx_mon_conf = &conf;


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    (void) ngx_atomic_cmp_set(mtx->lock, ngx_pid, 0);
}


void *
ngx_slab_alloc_locked(ngx_slab_pool_t *pool, size_t size)
{
    u_char  *p;

    p = *pages_pos;

    if ((size_t) (pages_end - p) < size) {
        return NULL;
    }

    *pages_pos = p + size;

    return p;
}


void *
ngx_slab_calloc(ngx_slab_pool_t *pool, size_t size)
{
    return ngx_slab_alloc_locked(pool, ngx_align(size, ngx_pagesize));
}


uint32_t
ngx_murmur_hash2(u_char *data, size_t len)
{
    uint32_t  h;

    for (h = 2166136261u; len; len--) {
        h = (h ^ *data++) * 16777619;
    }

    return h ^ h >> 15;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    return calloc(1, size);
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    return calloc(1, size);
}


/* for "/proc/%P/stat%Z" only */

u_char * ngx_cdecl
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    int      pid;
    va_list  args;

    va_start(args, fmt);
    pid = va_arg(args, int);
    va_end(args);

    return buf + sprintf((char *) buf, "/proc/%d/stat", pid) + 1;
}


static void unit_others(ngx_mon_zone_t *z);


/* a zone as ngx_mon_zone.c makes it */

static void
unit_zone_init(void)
{
    size_t            size;
    ngx_mon_zone_t   *z;

    size = ZONE_SIZE;

    unit = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                -1, 0);
    check(unit != MAP_FAILED);

    pages_pos = (u_char **) (unit + 1);
    pages = (u_char *) unit + ngx_align(sizeof(unit_zone_t) + 64,
                                        ngx_pagesize);
    pages_end = (u_char *) unit + size;
    *pages_pos = pages;

    z = &unit->zone;
    unit->pool.mutex.lock = &unit->pool.lock.lock;
    unit->pool.end = pages_end;

    ngx_mon_registry_init();

    z->nslots = 4;
    z->nmembers = 8;
    z->nbuckets = 512;
    z->members = ngx_slab_calloc(&unit->pool,
                                 9 * sizeof(ngx_mon_member_t));
    z->buckets = ngx_slab_calloc(&unit->pool, 512 * sizeof(void *));
    z->generation = 1;
    z->conf = 1;

    check(ngx_mon_alloc_init(z, &unit->pool) == NGX_OK);

    conf.inactive = 5;
    conf.bounds.n = 2;
    conf.bounds.us[0] = 100;
    conf.bounds.us[1] = 1000;
    conf.layout = &conf.bounds;
    conf.shm_zone = &shm_zone;

    ngx_mon_zone = z;
    ngx_mon_pool = &unit->pool;
    ngx_mon_bounds = conf.layout;
    ngx_mon_hist_stride = ngx_mon_hist_cells(2);
    ngx_mon_hist_map(&ngx_mon_hist_tables, conf.layout);

    cycle.log = &log_of_cycle;

    unit_others(z);
}


static void
unit_others(ngx_mon_zone_t *z)
{
    size_t            len;
    ngx_uint_t        g;
    ngx_str_t         values[4];
    ngx_mon_node_t   *n;
    u_char            key[NGX_MON_KEY_MAX];

    for (g = 0; g < NGX_MON_NGROUPS; g++) {
        ngx_str_set(&values[0], "other");
        values[1] = values[2] = values[3] = values[0];

        len = ngx_mon_key(key, g, 0, NULL, values, ngx_mon_groups[g].nlabels);
        n = ngx_mon_node_make_locked(z, &unit->pool, g, NULL,
                                     ngx_mon_key_hash(g, NULL, key, len),
                                     key, len, 0);
        check(n && ngx_mon_block_make_locked(z, &unit->pool, n, 0,
                                             conf.layout));
        n->conf = NGX_MON_FOREVER;
        z->lists[g].other = n;
    }
}


/* the judgement, under the lock */

static void
unit_own(ngx_mon_zone_t *z, void *p, size_t units)
{
    size_t  i, k;

    i = ((u_char *) p - z->base) / NGX_MON_UNIT;

    check((u_char *) p >= z->base && i + units <= z->nunits);
    check(((u_char *) p - z->base) % NGX_MON_UNIT == 0);

    for (k = i; k < i + units; k++) {
        check(!owned[k]);
        check(z->map[k / 64] >> (k % 64) & 1);
        owned[k] = 1;
    }
}


static ngx_uint_t
unit_owned(ngx_mon_zone_t *z, ngx_mon_node_t *n)
{
    return owned[((u_char *) n - z->base) / NGX_MON_UNIT];
}


static void
unit_node(ngx_mon_zone_t *z, ngx_mon_node_t *n)
{
    uint64_t          mark;
    ngx_mon_block_t  *b;

    unit_own(z, n, n->units);

    check(n->state <= NGX_MON_DEAD_NODE);
    check(n->hash == ngx_mon_key_hash(n->group, n->parent, n->key, n->len));

    for (b = n->blocks; b; b = b->next) {
        unit_own(z, b, b->units);
        check(b->slot <= z->nslots);

        mark = 0;

        if (n->group == NGX_MON_G_LOCATION) {
            mark = b->cells[NGX_MON_SLOW];
        } else if (n->group == NGX_MON_G_REQUEST) {
            mark = b->cells[NGX_MON_REQUESTS];
        }

        check(mark == 0 || mark == n->hash);
    }
}


static void
unit_lists(ngx_mon_zone_t *z)
{
    ngx_uint_t       g, i, n;
    ngx_mon_node_t  *node, *p;

    for (g = 0, n = 0; g < NGX_MON_NGROUPS; g++) {

        for (node = z->lists[g].head; node; node = node->next) {
            check(node->group == g);
            unit_node(z, node);
            n++;

            if (node->parent) {
                check(node->parent->children);
                check(node->parent->state != NGX_MON_DEAD_NODE);
            }

            for (p = z->buckets[node->hash & (z->nbuckets - 1)];
                 p && p != node;
                 p = p->chain) { /* void */ }

            check(p == node);
        }
    }

    check(z->series <= n + kills && z->series + kills >= n);

    /* one that was not listed is one whose maker was killed */

    for (i = 0, n = 0; i < z->nbuckets; i++) {
        for (node = z->buckets[i]; node; node = node->chain) {
            if (!unit_owned(z, node)) {
                unit_node(z, node);
                n++;
            }
        }
    }

    check(n <= kills);

    for (node = z->limbo; node; node = node->limbo) {
        check(node->state == NGX_MON_DEAD_NODE);
        unit_node(z, node);
    }
}


static void
unit_judge(void)
{
    ngx_uint_t       i, k, run, leaked;
    ngx_mon_zone_t  *z;

    z = &unit->zone;

    ngx_mon_lock(ngx_mon_pool);

    ngx_memzero(owned, sizeof(owned));
    unit_lists(z);

    for (i = 0, leaked = 0; i < z->nunits; i++) {
        leaked += !owned[i] && (z->map[i / 64] >> (i % 64) & 1);
    }

    check(leaked <= kills * LEAK_UNITS);

    /* no room is overlooked */

    for (k = 1; k <= NGX_MON_CLASSES; k += 7) {
        for (i = 0, run = 0; i < z->nunits; i++) {
            run = (z->map[i / 64] >> (i % 64) & 1) ? 0 : run + 1;
            check(run < k || i + 1 - k >= z->first[k]);
        }
    }

    ngx_mon_unlock(ngx_mon_pool);
}


/* a parent whose child was lost with its maker can't go */

static ngx_uint_t
unit_left(ngx_mon_zone_t *z)
{
    ngx_uint_t       g, left;
    ngx_mon_node_t  *n;

    left = 0;

    for (g = 0; g < NGX_MON_NGROUPS; g++) {
        for (n = z->lists[g].head; n; n = n->next) {
            left += n->conf != NGX_MON_FOREVER && n->children == 0;
        }
    }

    return left;
}


#endif /* _ZONE_H_INCLUDED_ */
