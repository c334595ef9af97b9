
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_preaccess.h"


ngx_int_t
ngx_http_mon_preaccess(ngx_conf_t *cf, ngx_http_handler_pt handler)
{
    ngx_array_t                *a;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    a = &cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers;

    if (ngx_array_push(a) == NULL) {
        return NGX_ERROR;
    }

    /* nginx calls them from the last one to the first */

    h = a->elts;

    ngx_memmove(h + 1, h, (a->nelts - 1) * sizeof(ngx_http_handler_pt));

    *h = handler;

    return NGX_OK;
}
