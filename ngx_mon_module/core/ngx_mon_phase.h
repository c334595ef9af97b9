
/*
 * Copyright (C) The ngx_mon authors
 */


/* Where handlers stand among those of nginx. */


#ifndef _NGX_MON_PHASE_H_INCLUDED_
#define _NGX_MON_PHASE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


/*
 * Adds a handler that is called as the last one of its phase, NGX_HTTP_*_PHASE:
 * behind all of nginx's, and those that were added so before.  To be called
 * from postconfiguration.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_mon_add_handler(ngx_conf_t *cf, ngx_uint_t phase,
    ngx_http_handler_pt handler);


#pragma GCC visibility pop


#endif /* _NGX_MON_PHASE_H_INCLUDED_ */
