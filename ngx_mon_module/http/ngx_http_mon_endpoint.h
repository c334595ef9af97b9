
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_HTTP_MON_ENDPOINT_H_INCLUDED_
#define _NGX_HTTP_MON_ENDPOINT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_mon.h"
#include "ngx_mon_accept.h"
#include "ngx_mon_export.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


typedef enum {
    NGX_HTTP_MON_HEALTH = 0,
    NGX_HTTP_MON_LIVE,
    NGX_HTTP_MON_READY
} ngx_http_mon_health_e;


typedef struct {
    /* NULL: by Accept */
    const ngx_mon_format_t  *format;
    ngx_http_mon_health_e    health;
    ngx_uint_t               set;
} ngx_http_mon_endpoint_conf_t;


/* a scrape, from the first byte of the body to the last */

typedef struct {
    ngx_mon_cursor_t         cursor;
    const ngx_mon_format_t  *format;
    uint64_t                 start;       /* ngx_mon_now() */

    ngx_uint_t               waited;      /* for other posted events */
    ngx_uint_t               open;        /* the cursor is */
    ngx_uint_t               begun;
    ngx_uint_t               done;        /* all is produced */
    ngx_uint_t               samples;

    ngx_mon_sample_t         sample;      /* of the step being made */

    /* the size of pieces, the one being filled, others */
    size_t                   size;
    ngx_chain_t             *piece;
    ngx_chain_t             *free;
    ngx_chain_t             *busy;

    /* ?name=, prefixes of families */
    ngx_uint_t               nnames;
    ngx_str_t               *names;
} ngx_http_mon_scrape_t;


extern ngx_module_t  ngx_http_mon_endpoint_module;


/* A format by its name in the configuration, or NULL. */
const ngx_mon_format_t *ngx_http_mon_format(ngx_str_t *name);

/*
 * What every endpoint does first: GET and HEAD only, the body discarded.
 * Returns NGX_OK, or what the content handler is to return.
 */
ngx_int_t ngx_http_mon_endpoint_begin(ngx_http_request_t *r);

/* Adds a response header; the strings must outlive the request. */
ngx_int_t ngx_http_mon_add_header(ngx_http_request_t *r, const char *name,
    const char *value);

/*
 * Produces and sends the body; sc stands in r->pool, zeroed but for start,
 * format and names.  Returns what the content handler is to return.
 */
ngx_int_t ngx_http_mon_scrape(ngx_http_request_t *r, ngx_http_mon_scrape_t *sc,
    ngx_mon_select_pt select);

/* Content handlers. */
ngx_int_t ngx_http_mon_metrics_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mon_health_handler(ngx_http_request_t *r);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_ENDPOINT_H_INCLUDED_ */
