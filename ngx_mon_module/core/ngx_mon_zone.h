
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The inside of the core: what stands in shared memory, and who may touch it.
 *
 * Everything below the zone is made under the lock of its slab pool and
 * published by one release store, so that it is read without a lock, and
 * that a process killed anywhere leaves at worst a leak behind.
 *
 * Reclaiming.  Each worker is a member that acknowledges the zone's
 * generation from its tick, when it holds nothing but handles and resting
 * cursors.  A node that was idle is marked DYING in generation g; a worker
 * that still needs it makes it LIVE again before it acknowledges g.  Once all
 * have, a node still DYING is unlinked and DEAD in generation h: nobody finds
 * it any more, and once all acknowledged h no cursor rests at it, and its
 * memory is free.
 */


#ifndef _NGX_MON_ZONE_H_INCLUDED_
#define _NGX_MON_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_mon.h"
#include "ngx_mon_text.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


#define NGX_MON_MAGIC        0x6d6f6e31
#define NGX_MON_LAYOUT       1

/* memory is handed out in units, up to a largest piece */
#define NGX_MON_UNIT         64
#define NGX_MON_CLASSES      128
#define NGX_MON_CHUNK        (64 * 1024)

/* the slot that workers share when there are more of them than slots */
#define NGX_MON_SLOT_SHARED  0

/* node->conf of a series that is never dropped */
#define NGX_MON_FOREVER      ((uint64_t) -1)

#define NGX_MON_LIVE_NODE    0
#define NGX_MON_DYING_NODE   1
#define NGX_MON_DEAD_NODE    2

/* labels of a series, packed: a byte of length and the name, then the value */
#define NGX_MON_KEY_MAX      4096


typedef struct ngx_mon_block_s  ngx_mon_block_t;

/* the cells of one series in one slot */

struct ngx_mon_block_s {
    ngx_mon_block_t         *next;
    const ngx_mon_bounds_t  *bounds;
    uint32_t                 slot;
    uint32_t                 units;
    uint64_t                 touched;     /* ngx_current_msec */
    uint64_t                 cells[];
};


struct ngx_mon_node_s {
    ngx_mon_node_t          *chain;       /* in the bucket of the index */
    ngx_mon_node_t          *next;        /* in the group; made last */
    ngx_mon_node_t          *prev;
    ngx_mon_node_t          *parent;
    ngx_mon_node_t          *limbo;       /* unlinked, not yet free */
    ngx_mon_block_t         *blocks;
    uint64_t                 conf;        /* the configuration that has it */
    uint64_t                 generation;  /* of DYING, then of DEAD */
    uint64_t                 created;     /* ngx_current_msec */
    ngx_atomic_t             state;
    ngx_atomic_t             children;
    uint32_t                 hash;
    uint16_t                 units;
    uint16_t                 len;
    u_char                   group;
    u_char                   view;
    u_char                   listed;
    u_char                   key[];
};


typedef struct {
    ngx_mon_node_t          *head;
    ngx_mon_node_t          *tail;
    ngx_mon_node_t          *other;
    ngx_atomic_t             overflow;
} ngx_mon_list_t;


/* the bounds of every mon_buckets that was in force since the start */

typedef struct ngx_mon_layout_s  ngx_mon_layout_t;

struct ngx_mon_layout_s {
    ngx_mon_layout_t        *next;
    ngx_mon_bounds_t         bounds;
};


/*
 * A worker.  The first members own the slot of their number; those past the
 * slots share slot 0.
 */

typedef struct {
    ngx_atomic_t             pid;
    ngx_atomic_t             seen;        /* generation acknowledged */
    uint64_t                 start;       /* of the process; 0: not known */
    ngx_atomic_t             draining;
    ngx_atomic_t             ready;       /* the gauges of its slot are true */
    uint64_t                 pad[3];
} ngx_mon_member_t;


typedef struct {
    uint32_t                 magic;
    uint32_t                 layout;
    uint32_t                 registry;    /* hash of names and cells */
    uint32_t                 nbuckets;    /* a power of 2 */

    ngx_uint_t               nslots;
    ngx_uint_t               nmembers;    /* not fewer than the slots */
    ngx_mon_member_t        *members;     /* 1 .. nmembers */
    ngx_mon_node_t         **buckets;

    ngx_atomic_t             generation;
    ngx_atomic_t             leader;      /* pid */
    ngx_atomic_t             restarts;
    ngx_atomic_t             reloads;
    ngx_atomic_t             logged;      /* the last line of "full", msec */
    uint64_t                 conf;        /* number of the configuration */
    uint64_t                 loaded;      /* Unix time, microseconds */
    time_t                   started;

    ngx_mon_layout_t        *layouts;

    /* see ngx_mon_alloc.c */
    u_char                  *base;
    uint64_t                *map;
    ngx_uint_t               nunits;
    ngx_uint_t               first[NGX_MON_CLASSES + 1];
    size_t                   used;

    ngx_uint_t               series;
    ngx_uint_t               reaped;      /* the bucket last gone through */
    ngx_mon_node_t          *limbo;       /* the DEAD */
    ngx_mon_list_t           lists[NGX_MON_NGROUPS];
} ngx_mon_zone_t;


/* the layout is read by other generations of workers */
_Static_assert(sizeof(ngx_mon_block_t) == 32, "ngx_mon_block_t");
_Static_assert(offsetof(ngx_mon_block_t, cells)
               == offsetof(ngx_mon_block_t, touched) + sizeof(uint64_t),
               "the word before the cells");
_Static_assert(sizeof(ngx_mon_member_t) == 64, "ngx_mon_member_t");
_Static_assert(offsetof(ngx_mon_node_t, key) == 99, "ngx_mon_node_t");


/* a series that the configuration makes */

typedef struct {
    ngx_uint_t               group;
    ngx_uint_t               view;
    ngx_uint_t               nvalues;
    ngx_str_t                values[4];
} ngx_mon_declared_t;


/* see ngx_mon_add_filter() */

typedef struct {
    ngx_mon_filter_pt        filter;
    ngx_mon_filter_pt       *next;
} ngx_mon_filter_t;


/* main configuration, and the context of the shared zone */

typedef struct {
    ngx_shm_zone_t          *shm_zone;
    ngx_msec_t               inactive;
    ngx_mon_bounds_t         bounds;
    ngx_array_t             *declared;    /* of ngx_mon_declared_t */
    ngx_array_t              filters;     /* of ngx_mon_filter_t */

    ngx_cycle_t             *cycle;
    ngx_mon_zone_t          *zone;
    ngx_slab_pool_t         *shpool;
    const ngx_mon_bounds_t  *layout;      /* the bounds, in the zone */
} ngx_mon_main_conf_t;


/* a group, unfolded from the registry */

typedef struct {
    ngx_str_t                labels;
    ngx_uint_t               nlabels;
    ngx_uint_t               cells;
    ngx_uint_t               hists;
    /* words of shared memory instead of families */
    ngx_uint_t               raw;
    /* a source answers for it */
    ngx_mon_source_pt        source;
} ngx_mon_group_t;


extern ngx_module_t          ngx_mon_module;

extern ngx_mon_group_t       ngx_mon_groups[];

/* this process's: the zone, its lock, its slot and its number as a member */
extern ngx_mon_zone_t       *ngx_mon_zone;
extern ngx_slab_pool_t      *ngx_mon_pool;
extern ngx_mon_main_conf_t  *ngx_mon_conf;
extern ngx_uint_t            ngx_mon_slot;
extern ngx_uint_t            ngx_mon_self;
extern const ngx_mon_bounds_t  *ngx_mon_bounds;


/* ngx_mon_registry.c */

/* Unfolds the tables; before anything else of the core. */
void ngx_mon_registry_init(void);

/* A hash over names, groups and cells, to tell zones of another layout. */
uint32_t ngx_mon_registry_hash(void);


/* ngx_mon_lock.c */

/* Takes the lock of the pool, in the master too, whoever died with it. */
void ngx_mon_lock(ngx_slab_pool_t *pool);
void ngx_mon_unlock(ngx_slab_pool_t *pool);


/* ngx_mon_alloc.c; _locked: under the lock of the pool */

/* Begins with nothing in use; NGX_ERROR where there is no room for the map. */
ngx_int_t ngx_mon_alloc_init(ngx_mon_zone_t *z, ngx_slab_pool_t *pool);

/* Zeroed memory of size bytes from the zone, or NULL. */
void *ngx_mon_alloc_locked(ngx_mon_zone_t *z, ngx_slab_pool_t *pool,
    size_t size);

/* Gives size bytes back. */
void ngx_mon_free_locked(ngx_mon_zone_t *z, void *p, size_t size);

/* ngx_mon_zone.c */

/* The zone's init callback: three cases, new, taken over, resized. */
ngx_int_t ngx_mon_init_zone(ngx_shm_zone_t *shm_zone, void *data);

/* The configuration took effect: its series are those that stay. */
void ngx_mon_zone_commit(ngx_mon_main_conf_t *mcf);

/* The zone's copy of the bounds, made where it is new; NULL without room. */
const ngx_mon_bounds_t *ngx_mon_layout_locked(ngx_mon_zone_t *z,
    ngx_slab_pool_t *pool, const ngx_mon_bounds_t *bounds);

/* The bytes of a block, or of a node with len bytes of key. */
size_t ngx_mon_block_size(ngx_uint_t group, const ngx_mon_bounds_t *b);
size_t ngx_mon_node_size(size_t len);


/* ngx_mon_node.c: series in shared memory */

/*
 * Packs labels into key, of NGX_MON_KEY_MAX bytes: values made valid UTF-8
 * and cut.  names NULL: the group's base labels from the skip-th on.
 * Returns the length.
 */
size_t ngx_mon_key(u_char *key, ngx_uint_t group, ngx_uint_t skip,
    const ngx_str_t *names, const ngx_str_t *values, ngx_uint_t n);

/* The hash of a key below a parent. */
uint32_t ngx_mon_key_hash(ngx_uint_t group, ngx_mon_node_t *parent,
    u_char *key, size_t len);

/* Looks up, without the lock; NULL if there is none, or a dead one. */
ngx_mon_node_t *ngx_mon_node_find(ngx_mon_zone_t *z, ngx_uint_t group,
    ngx_mon_node_t *parent, uint32_t hash, u_char *key, size_t len);

/* The same, but one that is about to go is not kept. */
ngx_mon_node_t *ngx_mon_node_peek(ngx_mon_zone_t *z, ngx_uint_t group,
    ngx_mon_node_t *parent, uint32_t hash, u_char *key, size_t len);

/*
 * Finds or makes.  max, if not 0, bounds the parent's children.  NULL if
 * there is no room.
 */
ngx_mon_node_t *ngx_mon_node_make_locked(ngx_mon_zone_t *z,
    ngx_slab_pool_t *pool, ngx_uint_t group, ngx_mon_node_t *parent,
    uint32_t hash, u_char *key, size_t len, ngx_uint_t max);

/* Unlinks a node: nobody finds it any more. */
void ngx_mon_node_unlink_locked(ngx_mon_zone_t *z, ngx_mon_node_t *n);

/* Gives the memory of an unlinked node back. */
void ngx_mon_node_free_locked(ngx_mon_zone_t *z, ngx_mon_node_t *n);

/* The node's cells in the slot with the bounds, or NULL. */
ngx_mon_block_t *ngx_mon_block_find(ngx_mon_node_t *n, ngx_uint_t slot,
    const ngx_mon_bounds_t *b);

/* Finds or makes the cells; NULL if there is no room. */
ngx_mon_block_t *ngx_mon_block_make_locked(ngx_mon_zone_t *z,
    ngx_slab_pool_t *pool, ngx_mon_node_t *n, ngx_uint_t slot,
    const ngx_mon_bounds_t *b);

/*
 * When the node was last used, ngx_current_msec of the process that did.
 */
uint64_t ngx_mon_node_touched(ngx_mon_node_t *n);


/* ngx_mon_fold.c */

/* Adds what the zone of another size counted, its gauges left out. */
void ngx_mon_fold(ngx_mon_zone_t *z, ngx_slab_pool_t *pool,
    ngx_slab_pool_t *old, ngx_log_t *log);


/* ngx_mon_slot.c */

/* Becomes a member of the zone; NGX_DECLINED when there are too many. */
ngx_int_t ngx_mon_slot_claim(ngx_cycle_t *cycle);

/* Leaves and records no more; what was counted stays. */
void ngx_mon_slot_release(void);

/*
 * Lets go of the members that died, and counts the crashes.  With reused set,
 * also of those whose number another process has got: reads /proc.
 */
void ngx_mon_slot_sweep(ngx_uint_t reused);

/* Whether the cells of a slot belong to a worker that lives. */
ngx_uint_t ngx_mon_slot_alive(ngx_mon_zone_t *z, ngx_uint_t slot);

/* Whether this worker leads; takes the lead where nobody does. */
ngx_uint_t ngx_mon_slot_lead(void);


/* ngx_mon_series.c: handles, private to the worker */

/* Begins with no handle, or NGX_ERROR without memory. */
ngx_int_t ngx_mon_series_init(ngx_cycle_t *cycle);

/*
 * Before a generation is acknowledged: what is needed lives on, the other
 * handles on dying nodes go.
 */
void ngx_mon_series_purge(void);


/* ngx_mon_snapshot.c */

/* Moves resting cursors off the dead. */
void ngx_mon_cursors_purge(void);


/* ngx_mon_read.c */

/* A cell of the node, merged from all slots. */
int64_t ngx_mon_read_cell(ngx_mon_node_t *n, ngx_uint_t merge,
    ngx_uint_t cell);


/* ngx_mon_reap.c */

/* Acknowledges the generation; the leader takes a step of reclaiming. */
void ngx_mon_reap(ngx_uint_t leader);


/* ngx_mon_source.c */

/* The core's own sources and checks. */
void ngx_mon_source_init(void);


/* ngx_mon_filter.c */

/* The configuration takes effect: its chains of filters, without ours. */
void ngx_mon_filters_keep(void);

/* A process of this configuration begins: those chains, and ours in front. */
void ngx_mon_filters_put(ngx_mon_main_conf_t *mcf);


/* ngx_mon_loop.c */

/* Times the event loop of this process. */
void ngx_mon_loop_init(void);

/* Times it no more. */
void ngx_mon_loop_stop(void);


/* ngx_mon_wake.c */

/* Calls what ngx_mon_add_loop() added: so many. */
void ngx_mon_run_loops(void);
extern ngx_uint_t            ngx_mon_nloops;


#pragma GCC visibility pop


#endif /* _NGX_MON_ZONE_H_INCLUDED_ */
