
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"


/*
 * nginx makes the chain of filters anew whenever it reads a configuration.  If
 * that one comes to nothing then, workers that are started next have the old
 * configuration, but what there is of the new chain: a whole one with other
 * filters of ours, as when a port is in use, or one that ends where one of our
 * modules found fault.
 */
#define NGX_MON_FILTERS_MAX  8


typedef struct {
    ngx_mon_filter_pt           filter;
    ngx_mon_filter_pt          *next;
    /* *next, as it was saved */
    ngx_mon_filter_pt           value;
} ngx_mon_filter_t;


typedef struct {
    ngx_http_output_header_filter_pt  header;
    ngx_http_output_body_filter_pt    body;

    ngx_mon_filter_t                  chain[NGX_MON_FILTERS_MAX];
    ngx_uint_t                        nchain;
} ngx_mon_filters_t;


static ngx_int_t ngx_mon_filter_put(ngx_mon_filter_pt filter,
    ngx_mon_filter_pt *next);
static void ngx_mon_filters_restore(void *data);


/* those of ours that are in the chain */
static ngx_mon_filter_t                  ngx_mon_chain[NGX_MON_FILTERS_MAX];
static ngx_uint_t                        ngx_mon_nchain;

/* the top when we were last at it; NULL: not yet with this configuration */
static ngx_http_output_header_filter_pt  ngx_mon_top;

/* how it was before the configuration that is read, or NULL */
static ngx_mon_filters_t                *ngx_mon_saved;


ngx_int_t
ngx_mon_filters_save(ngx_conf_t *cf)
{
    ngx_uint_t           i;
    ngx_mon_filters_t   *saved;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_mon_filters_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    saved = cln->data;

    saved->header = ngx_http_top_header_filter;
    saved->body = ngx_http_top_body_filter;
    saved->nchain = ngx_mon_nchain;

    for (i = 0; i < ngx_mon_nchain; i++) {
        saved->chain[i] = ngx_mon_chain[i];
        saved->chain[i].value = *ngx_mon_chain[i].next;
    }

    cln->handler = ngx_mon_filters_restore;

    ngx_mon_saved = saved;
    ngx_mon_top = NULL;

    return NGX_OK;
}


void
ngx_mon_filters_reset(void)
{
    ngx_mon_nchain = 0;
    ngx_mon_top = ngx_http_top_header_filter;
}


ngx_int_t
ngx_mon_add_filter(ngx_conf_t *cf, ngx_mon_filter_pt filter,
    ngx_mon_filter_pt *next)
{
    if (ngx_mon_filter_put(filter, next) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_mon_top = ngx_http_top_header_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_mon_filter_put(ngx_mon_filter_pt filter, ngx_mon_filter_pt *next)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_mon_nchain; i++) {
        if (ngx_mon_chain[i].filter == filter) {
            return NGX_OK;
        }
    }

    if (i == NGX_MON_FILTERS_MAX) {
        return NGX_ERROR;
    }

    ngx_mon_chain[i].filter = filter;
    ngx_mon_chain[i].next = next;
    ngx_mon_nchain++;

    *next = ngx_http_top_header_filter;
    ngx_http_top_header_filter = filter;

    return NGX_OK;
}


void
ngx_mon_filters_keep(void)
{
    ngx_mon_saved = NULL;
}


/* the pool of a configuration goes: of an old one, or of one that failed */

static void
ngx_mon_filters_restore(void *data)
{
    ngx_mon_filters_t  *saved = data;

    ngx_uint_t         i;
    ngx_mon_filter_t  *f;

    if (saved != ngx_mon_saved) {
        return;
    }

    ngx_mon_saved = NULL;

    if (ngx_mon_top && ngx_http_top_header_filter != ngx_mon_top) {

        /* the chain is whole: what it lacks of ours is put there */

        for (i = 0; i < saved->nchain; i++) {
            f = &saved->chain[i];
            (void) ngx_mon_filter_put(f->filter, f->next);
        }

        return;
    }

    /* filters above ours have not been touched */

    ngx_http_top_header_filter = saved->header;
    ngx_http_top_body_filter = saved->body;

    ngx_mon_nchain = saved->nchain;

    for (i = 0; i < saved->nchain; i++) {
        ngx_mon_chain[i] = saved->chain[i];
        *saved->chain[i].next = saved->chain[i].value;
    }
}
