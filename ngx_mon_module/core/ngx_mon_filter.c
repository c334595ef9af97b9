
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * nginx makes its chains of filters anew whenever it reads a configuration.
 * If that one comes to nothing, the chains are its own nevertheless, cut off
 * where a postconfiguration failed, and workers that are started next have
 * them.  So they begin with those of their configuration here, and what is
 * ours is put there by each process that serves, never by the master.
 */


#include "ngx_mon_zone.h"


/* of the configuration in force, without ours */
static ngx_http_output_header_filter_pt  ngx_mon_header_filter;
static ngx_http_output_body_filter_pt    ngx_mon_body_filter;


ngx_int_t
ngx_mon_add_filter(ngx_conf_t *cf, ngx_mon_filter_pt filter,
    ngx_mon_filter_pt *next)
{
    ngx_mon_filter_t     *f;
    ngx_mon_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_mon_module);

    f = ngx_array_push(&mcf->filters);
    if (f == NULL) {
        return NGX_ERROR;
    }

    f->filter = filter;
    f->next = next;

    return NGX_OK;
}


void
ngx_mon_filters_keep(void)
{
    ngx_mon_header_filter = ngx_http_top_header_filter;
    ngx_mon_body_filter = ngx_http_top_body_filter;
}


void
ngx_mon_filters_put(ngx_mon_main_conf_t *mcf)
{
    ngx_uint_t         i;
    ngx_mon_filter_t  *f;

    ngx_http_top_header_filter = ngx_mon_header_filter;
    ngx_http_top_body_filter = ngx_mon_body_filter;

    f = mcf->filters.elts;

    for (i = 0; i < mcf->filters.nelts; i++) {
        *f[i].next = ngx_http_top_header_filter;
        ngx_http_top_header_filter = f[i].filter;
    }
}
