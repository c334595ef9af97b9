
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_HTTP_MON_H_INCLUDED_
#define _NGX_HTTP_MON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_mon.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


/* mon_label in one configuration */
#define NGX_HTTP_MON_LABELS_MAX  16


typedef struct {
    ngx_str_t                  name;
    ngx_http_complex_value_t   value;
    ngx_uint_t                 max;
    /* the worker's: the set of values taken */
    ngx_mon_series_t          *values;
} ngx_http_mon_label_t;


typedef struct {
    ngx_array_t                locations;   /* of ngx_http_mon_loc_conf_t * */
    ngx_array_t                servers;     /* of ngx_http_mon_srv_conf_t * */
} ngx_http_mon_main_conf_t;


typedef struct {
    ngx_str_t                  name;        /* mon_name */
    ngx_str_t                  label;
    ngx_http_core_srv_conf_t  *cscf;
} ngx_http_mon_srv_conf_t;


typedef struct {
    ngx_flag_t                 enable;
    /* that of the locations within this one */
    ngx_flag_t                 inherited;
    ngx_msec_t                 slow;
    ngx_array_t               *labels;      /* of ngx_http_mon_label_t */

    /* mon_metrics, mon_health: not recorded by themselves */
    ngx_uint_t                 endpoint;

    /* "location" of the series; data is NULL outside of a location */
    ngx_str_t                  name;
    ngx_str_t                  mon_name;
    ngx_http_mon_srv_conf_t   *srv;

    /* the worker's */
    ngx_mon_series_t          *series;
} ngx_http_mon_loc_conf_t;


extern ngx_module_t  ngx_http_mon_module;


/*
 * Gives every server of the configuration its label "server": mon_name, or
 * the first server_name, or "_"; where several share it, ":port" is added.
 * Returns NGX_OK, or NGX_ERROR without memory.
 */
ngx_int_t ngx_http_mon_name_servers(ngx_conf_t *cf,
    ngx_http_mon_main_conf_t *mmcf);

/*
 * Puts the handlers and the filter in place that record requests.  Returns
 * NGX_OK, or NGX_ERROR without memory.
 */
ngx_int_t ngx_http_mon_record_init(ngx_conf_t *cf);

/*
 * The reason that a request with this status failed for, NGX_MON_ERROR_*, or
 * NGX_MON_ERROR_N if it did not.  To be asked in the log phase.
 */
ngx_uint_t ngx_http_mon_reason(ngx_http_request_t *r, ngx_uint_t status);

/*
 * Counts the look-up in a cache of the request's upstream, which it has, under
 * the cache's zone.  counted, or NULL for a subrequest, tells the upstream
 * that was counted last, 0 for none, from the others of the request: none is
 * counted twice.
 */
void ngx_http_mon_cached(ngx_http_request_t *r, uint32_t *counted);

/* Counts what limiters did with the request, nginx's and those of ours. */
void ngx_http_mon_limited(ngx_http_request_t *r, ngx_mon_series_t *s);

/* Counts the request by its protocol, whichever it is. */
void ngx_http_mon_protocol(ngx_http_request_t *r);

/* "error_page" and scripts make statuses of any number of digits */
#define NGX_HTTP_MON_STATUS_BITS  (sizeof(ngx_uint_t) * 4)
#define NGX_HTTP_MON_STATUS_MASK                                              \
    (((ngx_uint_t) 1 << NGX_HTTP_MON_STATUS_BITS) - 1)

/*
 * The counter of requests that key stands for, the bit of the method above
 * that many bits of the status, below the series s; remembered in child.
 */
ngx_mon_series_t *ngx_http_mon_request(ngx_mon_series_t *s,
    ngx_mon_child_t *child, ngx_uint_t key);

/*
 * The series of the location with the request's values of mon_label; never
 * NULL.  To be asked in the log phase of the main request.
 */
ngx_mon_series_t *ngx_http_mon_labelled(ngx_http_request_t *r,
    ngx_http_mon_loc_conf_t *mlcf);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_H_INCLUDED_ */
