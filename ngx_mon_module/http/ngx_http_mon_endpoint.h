
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


typedef enum {
    NGX_HTTP_MON_HEALTH = 0,
    NGX_HTTP_MON_LIVE,
    NGX_HTTP_MON_READY
} ngx_http_mon_health_e;


typedef struct {
    /* NULL: by Accept */
    const ngx_mon_format_t  *format;
    ngx_http_mon_health_e    health;
} ngx_http_mon_endpoint_conf_t;


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

/* Content handlers. */
ngx_int_t ngx_http_mon_metrics_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_mon_health_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_MON_ENDPOINT_H_INCLUDED_ */
