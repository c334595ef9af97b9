
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_METRIC_H_INCLUDED_
#define _NGX_MON_METRIC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_mon_hist.h"


typedef enum {
    NGX_MON_COUNTER = 0,
    NGX_MON_GAUGE,
    NGX_MON_HISTOGRAM
} ngx_mon_type_e;


/*
 * How the cells of all worker slots become one value:
 *   SUM   over every slot, the dead ones too: nothing counted is lost;
 *   LIVE  over the slots whose worker lives: the gauges of a killed one go;
 *   INFO  the value is a constant 1, the labels are the message.
 */

typedef enum {
    NGX_MON_SUM = 0,
    NGX_MON_LIVE,
    NGX_MON_INFO
} ngx_mon_merge_e;


/*
 * What an integer cell holds.  MICRO units are printed with six decimals,
 * exactly: seconds are kept as microseconds, ratios as parts per million.
 */

typedef enum {
    NGX_MON_NONE = 0,
    NGX_MON_BYTES,
    NGX_MON_MICRO_NONE,
    NGX_MON_MICRO_SECONDS,
    NGX_MON_MICRO_RATIO
} ngx_mon_unit_e;


#define ngx_mon_unit_micro(u)  ((u) >= NGX_MON_MICRO_NONE)


/*
 * A family may spread over a vector of cells told apart by one or two more
 * labels whose values are known when the module is compiled.
 */

#define NGX_MON_VEC_LABELS  2

typedef struct {
    ngx_uint_t         n;
    /* a cell whose value is 0 is not shown */
    ngx_uint_t         skip_zero;
    ngx_str_t          names[NGX_MON_VEC_LABELS];
    const ngx_str_t  (*values)[NGX_MON_VEC_LABELS];
} ngx_mon_vec_t;


typedef struct {
    ngx_str_t             name;
    ngx_str_t             help;
    ngx_mon_type_e        type;
    ngx_mon_merge_e       merge;
    ngx_mon_unit_e        unit;

    /* where it lives: the group of series, its view, its cell or histogram */
    ngx_uint_t            group;
    ngx_uint_t            view;
    ngx_uint_t            cell;

    const ngx_mon_vec_t  *vec;
} ngx_mon_metric_t;


typedef struct {
    ngx_str_t             name;
    ngx_str_t             value;
} ngx_mon_label_t;


#define NGX_MON_LABELS_MAX  24


/*
 * One sample as the exporters see it.  Label values are valid UTF-8, not yet
 * escaped.  All pointers are borrowed and live until the next sample.
 */

typedef struct {
    const ngx_mon_metric_t  *metric;
    ngx_uint_t               nlabels;
    ngx_mon_label_t          labels[NGX_MON_LABELS_MAX];

    /* counter, gauge: in the metric's unit */
    int64_t                  value;

    /* histogram */
    ngx_mon_hist_t           hist;
} ngx_mon_sample_t;


#endif /* _NGX_MON_METRIC_H_INCLUDED_ */
