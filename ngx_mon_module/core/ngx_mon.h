
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The one header of the core: what records, and what reads what was recorded.
 *
 * Producers (http, upstream, collect ...) get a series, a handle private to
 * the worker, and add to its cells.  A cell has a single writer, so it is
 * advanced by a relaxed load and store: no lock, no system call.
 */


#ifndef _NGX_MON_H_INCLUDED_
#define _NGX_MON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_mon_metric.h"
#include "ngx_mon_registry.h"


#define NGX_MON_VERSION      "0.1.0"

/* a label value is cut at so many bytes, without splitting a character */
#define NGX_MON_LABEL_LEN    128


struct ngx_http_request_s;

typedef struct ngx_mon_node_s     ngx_mon_node_t;
typedef struct ngx_mon_series_s   ngx_mon_series_t;
typedef struct ngx_mon_cursor_s   ngx_mon_cursor_t;


/* compiled into its caller, once for each constant it is given */
#define ngx_mon_inline       inline __attribute__((always_inline))

/* what is rare, so that its registers are not saved for what is not */
#define ngx_mon_noinline     __attribute__((noinline))

#define ngx_mon_likely(x)    __builtin_expect((x) != 0, 1)
#define ngx_mon_unlikely(x)  __builtin_expect((x) != 0, 0)


/* a direct-mapped cache of a series' children, by a small number */

#define NGX_MON_CHILDREN     8

typedef struct {
    ngx_uint_t         key;
    ngx_mon_series_t  *series;
} ngx_mon_child_t;


/*
 * A handle on a series.  It belongs to this worker and is never freed while
 * "refs" or "pinned" is set; others must not be kept past the handler that
 * got them.
 */

struct ngx_mon_series_s {
    uint64_t          *cells;
    uint64_t          *hists;

    /* the cells are written by several workers: add atomically */
    ngx_uint_t         shared;

    ngx_uint_t         group;
    ngx_uint_t         pinned;
    ngx_uint_t         refs;

    ngx_mon_node_t    *node;
    ngx_mon_series_t  *next;
    uint32_t           hash;

    /* not NULL: an observation here is one that found no room */
    ngx_atomic_t      *overflow;

    ngx_mon_child_t    children[NGX_MON_CHILDREN];
};


/*
 * What every request reads, without a look-up of its address: it is not seen
 * outside of this .so.
 */
#define ngx_mon_hot  __attribute__((visibility("hidden")))

/* the tables of the running configuration, see ngx_mon_hist.h */
extern ngx_mon_hot ngx_mon_hist_map_t   ngx_mon_hist_tables;
extern ngx_mon_hot ngx_uint_t           ngx_mon_hist_stride;

/*
 * When this iteration of the event loop began, microseconds of ngx_mon_now();
 * 0 where recording is off.
 */
extern ngx_mon_hot uint64_t             ngx_mon_loop_start;

/* 1 in a worker of a configuration with mon_zone */
extern ngx_mon_hot ngx_uint_t           ngx_mon_active;


/* Microseconds of CLOCK_MONOTONIC. */
static ngx_inline uint64_t
ngx_mon_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint32_t) ts.tv_nsec / 1000;
}


/* Adds to a cell that this worker alone writes, or that several share. */
static ngx_inline void
ngx_mon_cell_add(uint64_t *cell, uint64_t n, ngx_uint_t shared)
{
    if (ngx_mon_unlikely(shared)) {
        (void) __atomic_fetch_add(cell, n, __ATOMIC_RELAXED);
        return;
    }

    __atomic_store_n(cell, __atomic_load_n(cell, __ATOMIC_RELAXED) + n,
                     __ATOMIC_RELAXED);
}


/*
 * Adds n, which may be negative for a gauge, to a cell of the series' group:
 * NGX_MON_id, plus the place in the vector.
 */
static ngx_inline void
ngx_mon_add(ngx_mon_series_t *s, ngx_uint_t cell, int64_t n)
{
    ngx_mon_cell_add(&s->cells[cell], (uint64_t) n, s->shared);
}


/* Sets a cell of which this worker is the only writer, shared or not. */
static ngx_inline void
ngx_mon_set(ngx_mon_series_t *s, ngx_uint_t cell, int64_t n)
{
    __atomic_store_n(&s->cells[cell], (uint64_t) n, __ATOMIC_RELAXED);
}


/* The same for a histogram at h: us microseconds. */
static ngx_mon_inline void
ngx_mon_hist_add(uint64_t *h, uint64_t us, ngx_uint_t shared)
{
    ngx_uint_t  i, k;

    i = ngx_mon_hist_bucket(&ngx_mon_hist_tables, us);
    k = ngx_mon_hist_classic(&ngx_mon_hist_tables, i, us);

    ngx_mon_cell_add(&h[i], 1, shared);
    ngx_mon_cell_add(&h[NGX_MON_HIST_SUM], us, shared);
    ngx_mon_cell_add(&h[NGX_MON_HIST_CLASSIC + k], 1, shared);
}


/* Records us microseconds in a histogram, NGX_MON_H_id, of the series. */
static ngx_mon_inline void
ngx_mon_observe(ngx_mon_series_t *s, ngx_uint_t hist, uint64_t us)
{
    ngx_mon_hist_add(s->hists + hist * ngx_mon_hist_stride, us, s->shared);
}


/* Marks the series used now: a series that is not configured needs it. */
static ngx_inline void
ngx_mon_stamp(ngx_mon_series_t *s)
{
    /* the word before the cells: ngx_mon_block_t.touched */

    __atomic_store_n(s->cells - 1, (uint64_t) ngx_current_msec,
                     __ATOMIC_RELAXED);
}


/*
 * The same, and counts an overflow where the series is the one that stands
 * for those that found no room.  Call once an event, with the cells.
 */
static ngx_inline void
ngx_mon_touch(ngx_mon_series_t *s)
{
    ngx_mon_stamp(s);

    if (ngx_mon_unlikely(s->overflow != NULL)) {
        (void) ngx_atomic_fetch_add(s->overflow, 1);
    }
}


/* Configuration time */

/*
 * Declares a series of the configuration: it exists from the start, with
 * zeros, over reloads, and stays as long as it is configured.  labels are
 * nlabels values in the order of the group's base labels, or of the names
 * given, and are copied from cf->pool strings that must live as long as the
 * cycle.  view is NGX_MON_VIEW_*.  To be called from postconfiguration, any
 * number of times for the same series.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_mon_declare(ngx_conf_t *cf, ngx_uint_t group,
    const ngx_str_t *values, ngx_uint_t nvalues, ngx_uint_t view);

/* Whether mon_zone stands in this configuration. */
ngx_uint_t ngx_mon_configured(ngx_conf_t *cf);

/*
 * A source answers for a group without cells, at scrape time: it fills the
 * group's cells and labels of the i-th object and returns NGX_OK, NGX_DECLINED
 * to leave the object out, or NGX_DONE past the last.  Label values may be any
 * bytes; they are borrowed until the source is called again.
 */
typedef ngx_int_t (*ngx_mon_source_pt)(ngx_uint_t group, ngx_uint_t i,
    int64_t *cells, ngx_str_t *values);

/* Makes src answer for the group; to be called before the workers start. */
void ngx_mon_set_source(ngx_uint_t group, ngx_mon_source_pt src);

/*
 * A tick is called about once a second in every worker, draining ones too;
 * leader is 1 in one worker at a time.
 */
typedef void (*ngx_mon_tick_pt)(ngx_cycle_t *cycle, ngx_uint_t leader);

/*
 * What follows the upstreams of requests from outside: called with a request
 * that has an upstream when it was redirected and is about to get another
 * one, when a response header passes, of a subrequest too, and in the log
 * phase.
 */

#define NGX_MON_REDIRECTED  0
#define NGX_MON_ANSWERED    1
#define NGX_MON_LOGGED      2

typedef void (*ngx_mon_follow_pt)(struct ngx_http_request_s *r,
    ngx_uint_t when);

/* Set by a producer before the workers start, or NULL. */
extern ngx_mon_hot ngx_mon_follow_pt    ngx_mon_follow;

/*
 * Tells by what labels a location's configuration is recorded: the array of
 * the modules' configurations of it.  The strings live as long as the cycle.
 */
typedef void (*ngx_mon_place_pt)(void **loc_conf, ngx_str_t *server,
    ngx_str_t *location);

/* For postconfiguration, where mon_zone stands; else NULL. */
extern ngx_mon_place_pt    ngx_mon_place;

/*
 * Tells why a request failed that was answered with the status, or whose
 * connection was given up: NGX_MON_ERROR_*, or NGX_MON_ERROR_N where it does
 * not know.
 */
typedef ngx_uint_t (*ngx_mon_reason_pt)(struct ngx_http_request_s *r,
    ngx_uint_t status);

/* Adds one; at most 8, to be called before the workers start. */
void ngx_mon_add_reason(ngx_mon_reason_pt reason);

/* Asks them all, in the log phase: the first answer, or NGX_MON_ERROR_N. */
ngx_uint_t ngx_mon_reason(struct ngx_http_request_s *r, ngx_uint_t status);

/*
 * Tells what a limiter of the module did with a request: a bit 1 << i for
 * each NGX_MON_LIMIT_* of it, or 0.
 */
typedef ngx_uint_t (*ngx_mon_limited_pt)(struct ngx_http_request_s *r);

/* Adds one; at most 4, to be called before the workers start. */
void ngx_mon_add_limited(ngx_mon_limited_pt limited);

#define NGX_MON_LIMITEDS_MAX  4

/* how many there are */
extern ngx_mon_hot ngx_uint_t           ngx_mon_nlimited;
extern ngx_mon_hot ngx_mon_limited_pt   ngx_mon_limiteds[NGX_MON_LIMITEDS_MAX];

/* Adds a tick; at most 12, to be called before the workers start. */
void ngx_mon_add_tick(ngx_mon_tick_pt tick);

/* the same as nginx's ngx_http_output_header_filter_pt */
typedef ngx_int_t (*ngx_mon_filter_pt)(struct ngx_http_request_s *r);

/*
 * Puts a header filter in front of all others once a worker begins; next is
 * where it keeps the one behind it.  To be called from postconfiguration.
 * Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_mon_add_filter(ngx_conf_t *cf, ngx_mon_filter_pt filter,
    ngx_mon_filter_pt *next);

/*
 * Called in a worker that records once in each iteration of its event loop,
 * after the events and before the timers: it must be nearly free.
 */
typedef void (*ngx_mon_loop_pt)(void);

/* Adds one; at most 4, to be called before the workers start. */
void ngx_mon_add_loop(ngx_mon_loop_pt loop);

/*
 * Ends the wait for events of a worker, of any configuration, so that what was
 * added by ngx_mon_add_loop() is called there soon; slot is ngx_process_slot
 * of it.  One system call, none for this process itself.  NGX_OK, or
 * NGX_DECLINED where it could not be done, and the worker must find out.
 */
ngx_int_t ngx_mon_wake(ngx_pid_t pid, ngx_uint_t slot);

/* When the process began, clock ticks since boot; 0: /proc does not tell. */
uint64_t ngx_mon_process_start(ngx_pid_t pid);

/*
 * Whether the process is gone.  start, if not 0, tells it from another one
 * that has got its number since; then /proc is read.
 */
ngx_uint_t ngx_mon_process_gone(ngx_pid_t pid, uint64_t start);


/* Asks them all, in the log phase. */
static ngx_inline ngx_uint_t
ngx_mon_limited(struct ngx_http_request_s *r)
{
    ngx_uint_t  i, bits;

    bits = 0;

    for (i = 0; i < ngx_mon_nlimited; i++) {
        bits |= ngx_mon_limiteds[i](r);
    }

    return bits;
}


/* Recording, in a worker */

#define NGX_MON_PIN      1
/* cells in the slot that all share: for values that the leader sets */
#define NGX_MON_SHARED   2
/* shown in the families of the traffic view only */
#define NGX_MON_TRAFFIC  4

/*
 * Finds or makes a series by its group and labels.  parent is NULL, or the
 * series whose labels come first.  names are the label names, or NULL for the
 * group's base labels past those of the parent.  Values may be any bytes.
 * flags: NGX_MON_PIN keeps the series as long as the worker lives.  max, if
 * not 0, is how many children the parent may have.  Where there is no room
 * the series "other" of the group is returned, never NULL while
 * ngx_mon_active.
 */
ngx_mon_series_t *ngx_mon_get_max(ngx_uint_t group, ngx_mon_series_t *parent,
    const ngx_str_t *names, const ngx_str_t *values, ngx_uint_t nvalues,
    ngx_uint_t flags, ngx_uint_t max);

#define ngx_mon_get(group, parent, names, values, n, flags)                   \
    ngx_mon_get_max(group, parent, names, values, n, flags, 0)

/* The series that stands for those of the group that found no room. */
ngx_mon_series_t *ngx_mon_other(ngx_uint_t group);

/* Counts an observation of the group that a limit sent to "other". */
void ngx_mon_overflow(ngx_uint_t group);

/*
 * The sum of a cell over the slots of workers that live: what a gauge is all
 * over nginx.  It takes no lock, and what a dead worker left does not count.
 */
int64_t ngx_mon_live(ngx_mon_series_t *s, ngx_uint_t cell);

/* The series of the NGINX group, this worker's. */
#define ngx_mon_nginx()  (ngx_mon_nginx_series)
extern ngx_mon_hot ngx_mon_series_t  *ngx_mon_nginx_series;


/* Reading */

/*
 * A cursor walks families and series in bounded steps.  It may rest between
 * two events; the series it rests at is kept.
 */

/*
 * Called for each family that has samples, before the first of them.
 * Returns 0 to skip the family.
 */
typedef ngx_uint_t (*ngx_mon_select_pt)(void *data,
    const ngx_mon_metric_t *metric);

struct ngx_mon_cursor_s {
    ngx_uint_t          metric;     /* index of the family */
    ngx_mon_node_t     *node;       /* where it rests, in a group with cells */
    ngx_uint_t          index;      /* the object, in one without */
    ngx_uint_t          elt;        /* the element of a vector */
    ngx_uint_t          started;    /* the family's head was given */
    uint64_t            begun;      /* the family was, ngx_current_msec */
    ngx_mon_select_pt   select;
    void               *data;
    ngx_queue_t         queue;
};

/*
 * Begins at the first family.  select may be NULL.  The cursor must be closed
 * by ngx_mon_cursor_close(), whatever happens.
 */
void ngx_mon_cursor_open(ngx_mon_cursor_t *c, ngx_mon_select_pt select,
    void *data);
void ngx_mon_cursor_close(ngx_mon_cursor_t *c);

/*
 * The next sample.  Returns NGX_OK, with *first set to 1 for the first sample
 * of a family; NGX_AGAIN where a bounded step came upon none, which says to
 * call again; NGX_DONE after the last.  The sample is merged from all slots
 * at the time of the call; its strings live until the next one.
 */
ngx_int_t ngx_mon_cursor_next(ngx_mon_cursor_t *c, ngx_mon_sample_t *s,
    ngx_uint_t *first);

/*
 * Looks a series up by its group and labels, below a parent or NULL: what is
 * found may be read within the handler, and is not kept by that.  NULL: there
 * is none.
 */
ngx_mon_node_t *ngx_mon_find(ngx_uint_t group, ngx_mon_node_t *parent,
    const ngx_str_t *values, ngx_uint_t nvalues);

/* How many series have this one as their parent. */
ngx_uint_t ngx_mon_children(ngx_mon_node_t *n);

/*
 * Merges from all slots, now: all cells of the series' group, in its order,
 * of which there are at most NGX_MON_CELLS_MAX; or a histogram, NGX_MON_H_id.
 */
void ngx_mon_read(ngx_mon_node_t *n, int64_t *cells);
void ngx_mon_read_hist(ngx_mon_node_t *n, ngx_uint_t hist, ngx_mon_hist_t *h);

/* The row of the family that begins with this cell of the group, or NULL. */
const ngx_mon_metric_t *ngx_mon_metric(ngx_uint_t group, ngx_uint_t cell);

/* The table of all metrics, *n rows, in the order of a scrape. */
const ngx_mon_metric_t *ngx_mon_metrics(ngx_uint_t *n);

/* The base label names of a group, comma separated. */
const ngx_str_t *ngx_mon_group_labels(ngx_uint_t group);


/* Locks */

/*
 * Takes a lock, a word of shared memory that is 0, or the number of the
 * process that has it.  It spins, and takes the lock over from a process that
 * is dead.  Returns NGX_OK, or NGX_BUSY after max milliseconds, or never
 * where max is 0.  Not to be taken twice by a process.
 */
ngx_int_t ngx_mon_lock_word(ngx_atomic_t *lock, ngx_uint_t max);
void ngx_mon_unlock_word(ngx_atomic_t *lock);


/* Facts of the zone, for health and the module's own metrics */

typedef struct {
    ngx_uint_t   workers;          /* that live, draining ones too */
    ngx_uint_t   draining;
    uint64_t     restarts;         /* crashes */
    uint64_t     reloads;
    uint64_t     loaded;           /* last (re)load, microseconds, Unix time */
    time_t       started;          /* of the zone, Unix time, seconds */
    ngx_uint_t   series;
    size_t       size;             /* of the zone, bytes */
    size_t       used;
} ngx_mon_facts_t;

/*
 * A health check, run at the request of mon_health: no system call that may
 * block.  c comes healthy and ready with an empty message, which may be any
 * bytes.
 */

#define NGX_MON_HEALTHY    0
#define NGX_MON_DEGRADED   1
#define NGX_MON_UNHEALTHY  2
#define NGX_MON_CRITICAL   3

typedef struct {
    ngx_uint_t   status;
    ngx_uint_t   ready;
    size_t       len;
    u_char       message[160];
} ngx_mon_check_t;

typedef void (*ngx_mon_check_pt)(ngx_mon_check_t *c);

/* Adds a check; at most 16, to be called before the workers start. */
void ngx_mon_add_check(const char *name, ngx_mon_check_pt check);

/* Runs the i-th check; returns its name, or NULL past the last. */
const char *ngx_mon_check(ngx_uint_t i, ngx_mon_check_t *c);


/* Fills f; lets dead workers' slots go first, so that workers is true. */
void ngx_mon_facts(ngx_mon_facts_t *f);


#endif /* _NGX_MON_H_INCLUDED_ */
