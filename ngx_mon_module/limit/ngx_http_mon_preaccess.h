
/*
 * Copyright (C) The ngx_mon authors
 */


/* Where limits stand among the handlers of nginx. */


#ifndef _NGX_HTTP_MON_PREACCESS_H_INCLUDED_
#define _NGX_HTTP_MON_PREACCESS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


/*
 * Adds a handler to the preaccess phase that is called behind all of nginx's
 * and all that were added so before: behind realip, which may be told by the
 * location to change the client's address.  To be called from
 * postconfiguration.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_mon_preaccess(ngx_conf_t *cf, ngx_http_handler_pt handler);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_PREACCESS_H_INCLUDED_ */
