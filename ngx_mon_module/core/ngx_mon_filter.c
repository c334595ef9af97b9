
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"


/*
 * nginx makes the chain of filters anew whenever it reads a configuration.  If
 * that one comes to nothing then, as when a port is in use, workers that are
 * started next have the old configuration, but the chain of the new one.
 */
#define NGX_MON_FILTERS_MAX  8


static void ngx_mon_filter_put(ngx_mon_filter_t *f);


/* those of ours that are in the chain */
static ngx_mon_filter_pt  ngx_mon_chain[NGX_MON_FILTERS_MAX];
static ngx_uint_t         ngx_mon_nchain;


void
ngx_mon_filters_reset(void)
{
    ngx_mon_nchain = 0;
}


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

    ngx_mon_filter_put(f);

    return NGX_OK;
}


static void
ngx_mon_filter_put(ngx_mon_filter_t *f)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_mon_nchain; i++) {
        if (ngx_mon_chain[i] == f->filter) {
            return;
        }
    }

    if (i == NGX_MON_FILTERS_MAX) {
        return;
    }

    ngx_mon_chain[ngx_mon_nchain++] = f->filter;

    *f->next = ngx_http_top_header_filter;
    ngx_http_top_header_filter = f->filter;
}


void
ngx_mon_filters_restore(ngx_mon_main_conf_t *mcf)
{
    ngx_uint_t         i;
    ngx_mon_filter_t  *f;

    f = mcf->filters.elts;

    for (i = 0; i < mcf->filters.nelts; i++) {
        ngx_mon_filter_put(&f[i]);
    }
}
