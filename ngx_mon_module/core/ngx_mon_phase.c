
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_phase.h"


ngx_int_t
ngx_mon_add_handler(ngx_conf_t *cf, ngx_uint_t phase,
    ngx_http_handler_pt handler)
{
    ngx_array_t                *a;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    a = &cmcf->phases[phase].handlers;

    if (ngx_array_push(a) == NULL) {
        return NGX_ERROR;
    }

    /* nginx calls them from the last one to the first */

    h = a->elts;

    ngx_memmove(h + 1, h, (a->nelts - 1) * sizeof(ngx_http_handler_pt));

    *h = handler;

    return NGX_OK;
}
