
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
    /* mon_status: the path it is below; with write */
    ngx_str_t                base;
    ngx_uint_t               write;
    ngx_uint_t               set;
} ngx_http_mon_endpoint_conf_t;


/* a body that is made in steps, while it is under way */

typedef struct {
    /*
     * Writes what comes next, some KiB at most.  NGX_OK, or NGX_DONE when
     * that was the last.  Where it sets o->full it will be called again, with
     * more room, and must write the same then.
     */
    ngx_int_t              (*step)(void *data, ngx_mon_out_t *o);

    /* NULL, or called before the first step, and when the body is over */
    void                   (*open)(void *data);
    void                   (*close)(void *data, ngx_uint_t done);
    void                    *data;

    /* the rest is zeros to begin with */

    ngx_uint_t               waited;      /* for other posted events */
    ngx_uint_t               opened;
    ngx_uint_t               done;        /* all is produced */

    /* the size of pieces, the one being filled, others */
    size_t                   size;
    ngx_chain_t             *piece;
    ngx_chain_t             *free;
    ngx_chain_t             *busy;
} ngx_http_mon_body_t;


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
 * Produces and sends the body, which stands in r->pool, after the header was
 * sent.  Returns what the content handler is to return.
 */
ngx_int_t ngx_http_mon_body(ngx_http_request_t *r, ngx_http_mon_body_t *body);

/*
 * Whether mon_status may stand in the location: NGX_OK, or NGX_ERROR where
 * its name is no prefix.
 */
ngx_int_t ngx_http_mon_status_place(ngx_http_core_loc_conf_t *clcf);

/* Content handlers. */
ngx_int_t ngx_http_mon_metrics_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mon_health_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mon_status_handler(ngx_http_request_t *r);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_ENDPOINT_H_INCLUDED_ */
