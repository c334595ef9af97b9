
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_HIST_H_INCLUDED_
#define _NGX_MON_HIST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * A histogram of microseconds.  It holds two views of the same values:
 *
 *   - 128 exponential buckets, four to a doubling, aligned to powers of two
 *     of a second: bucket i ends at 2^(-20 + (i + 1) / 4) seconds, inclusive,
 *     so that bucket i is index i - 79 of a Prometheus native histogram of
 *     schema 2 and any coarser schema is a sum of neighbours.  They span
 *     0.95 us to 4096 s; a value below or above goes to the first or last;
 *   - classic buckets with exact bounds, not cumulative, the last one being
 *     +Inf.  Their sum is the count: the two can't disagree.
 *
 * In memory: exp[NGX_MON_EXP_BUCKETS], sum, classic[nbounds + 1].
 */

#define NGX_MON_EXP_BUCKETS  128
#define NGX_MON_BOUNDS_MAX   64

#define NGX_MON_HIST_SUM      NGX_MON_EXP_BUCKETS
#define NGX_MON_HIST_CLASSIC  (NGX_MON_EXP_BUCKETS + 1)

/* keys of the first lookup: eight linear steps to a doubling, 32 bits */
#define NGX_MON_HIST_KEYS    240

/* the largest value told apart, the end of the last exponential bucket */
#define NGX_MON_HIST_MAX     4096000000U


/* the classic bounds, microseconds, ascending */

typedef struct {
    ngx_uint_t  n;
    uint64_t    us[NGX_MON_BOUNDS_MAX];
} ngx_mon_bounds_t;


/* what a recorder needs beside the cells */

typedef struct {
    uint32_t    end[NGX_MON_EXP_BUCKETS];
    u_char      first[NGX_MON_HIST_KEYS];
    /* the classic bucket of the lowest value of an exponential bucket */
    u_char      classic[NGX_MON_EXP_BUCKETS];
    /* bounds, then UINT64_MAX */
    uint64_t    bounds[NGX_MON_BOUNDS_MAX + 1];
    ngx_uint_t  nbounds;
} ngx_mon_hist_map_t;


/* a merged histogram: a snapshot, private to its reader */

typedef struct {
    const ngx_mon_bounds_t  *bounds;
    uint64_t                 exp[NGX_MON_EXP_BUCKETS];
    uint64_t                 classic[NGX_MON_BOUNDS_MAX + 1];
    uint64_t                 count;
    uint64_t                 sum;
} ngx_mon_hist_t;


/* the number of cells of a histogram with n classic bounds */
#define ngx_mon_hist_cells(n)  (NGX_MON_HIST_CLASSIC + (n) + 1)


/*
 * Fills the lookup tables for the bounds; integer arithmetic only, so that
 * every build agrees on each bucket.  Call once per configuration.
 */
void ngx_mon_hist_map(ngx_mon_hist_map_t *map, const ngx_mon_bounds_t *b);


/* The exponential bucket, 0 to 127, of us microseconds. */
static ngx_inline ngx_uint_t
ngx_mon_hist_bucket(const ngx_mon_hist_map_t *map, uint64_t us)
{
    uint32_t    v;
    ngx_uint_t  i, shift;

    v = us > NGX_MON_HIST_MAX ? NGX_MON_HIST_MAX : (uint32_t) us;

    /* the leading bit and three bits below it: at most one end between */

    shift = 28 - __builtin_clz(v | 8);
    i = map->first[(shift << 3) + (v >> shift)];

    return i + (v > map->end[i]);
}


/*
 * The classic bucket, 0 to nbounds, of us microseconds, i being its
 * exponential bucket.
 */
static ngx_inline ngx_uint_t
ngx_mon_hist_classic(const ngx_mon_hist_map_t *map, ngx_uint_t i, uint64_t us)
{
    ngx_uint_t  k;

    for (k = map->classic[i]; us > map->bounds[k]; k++) { /* void */ }

    return k;
}


/*
 * Empties h and makes it a histogram of the bounds b, which must outlive it.
 */
void ngx_mon_hist_init(ngx_mon_hist_t *h, const ngx_mon_bounds_t *b);


/*
 * Adds the cells of one recorder to h.  The cells are read with relaxed
 * loads while their writer goes on.  b tells the bounds that the cells were
 * recorded with; where they differ from those of h the classic buckets are
 * worked out from the exponential ones, and the count stays exact.
 */
void ngx_mon_hist_merge(ngx_mon_hist_t *h, const uint64_t *cells,
    const ngx_mon_bounds_t *b);


/*
 * The q-quantile, 0 < q <= 1000 in thousandths, in microseconds; 0 when
 * nothing was recorded.  The value is the geometric middle of the
 * exponential bucket that holds the exact quantile, so its relative error is
 * at most 2^(1/8) - 1, 9.1 %, and half a microsecond of rounding; 0 counts as
 * 1, and what is above 4096 s as the middle of the last bucket.
 */
uint64_t ngx_mon_hist_quantile(const ngx_mon_hist_t *h, ngx_uint_t q);


/*
 * The bounds of the lowest and the highest exponential bucket that hold a
 * value, microseconds: no value is below *min, and none is above *max unless
 * it is above NGX_MON_HIST_MAX.  NGX_DECLINED when nothing was recorded.
 */
ngx_int_t ngx_mon_hist_range(const ngx_mon_hist_t *h, uint64_t *min,
    uint64_t *max);


#endif /* _NGX_MON_HIST_H_INCLUDED_ */
