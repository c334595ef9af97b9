
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_concurrency.h"


/* nodes are for what is held and waits, and for what workers keep */
#define NGX_HTTP_MON_CONC_NODES  65536
#define NGX_HTTP_MON_CONC_SPARE  32768


static ngx_uint_t ngx_http_mon_conc_nodes(ngx_http_mon_conc_t *c);
static size_t ngx_http_mon_conc_zone_size(ngx_http_mon_conc_t *c);
static ngx_int_t ngx_http_mon_conc_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_http_mon_conc_shared_t *ngx_http_mon_conc_make(
    ngx_slab_pool_t *pool, ngx_http_mon_conc_t *c);
static ngx_uint_t ngx_http_mon_conc_other_key(ngx_http_mon_conc_t *c,
    ngx_http_mon_conc_t *old);


/* it does not depend on max and queue as long as they are not very large */

static ngx_uint_t
ngx_http_mon_conc_nodes(ngx_http_mon_conc_t *c)
{
    ngx_uint_t  n;

    n = NGX_HTTP_MON_CONC_NODES;

    while (n < NGX_MON_PERMIT_MAX
           && n < c->max + c->queue + NGX_HTTP_MON_CONC_SPARE)
    {
        n *= 2;
    }

    return ngx_min(n, NGX_MON_PERMIT_MAX);
}


static size_t
ngx_http_mon_conc_zone_size(ngx_http_mon_conc_t *c)
{
    size_t  size, pages;

    size = offsetof(ngx_http_mon_conc_shared_t, permits)
           + ngx_mon_permit_size(ngx_http_mon_conc_nodes(c));

    /* and what nginx needs to keep account of them */

    pages = (size + ngx_pagesize - 1) / ngx_pagesize;
    size = pages * (ngx_pagesize + sizeof(ngx_slab_page_t))
           + 2 * ngx_pagesize;

    return ngx_align(size, ngx_pagesize) + c->size;
}


ngx_int_t
ngx_http_mon_conc_zone(ngx_conf_t *cf, ngx_http_mon_conc_t *c)
{
    ngx_str_t        name;
    ngx_shm_zone_t  *zone;

    name.data = ngx_pnalloc(cf->pool, sizeof("mon_concurrency_keys:")
                                      + c->name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    /* what is in the one kind can't be used as the other */

    name.len = ngx_sprintf(name.data, c->key ? "mon_concurrency_keys:%V"
                                             : "mon_concurrency:%V", &c->name)
               - name.data;
    name.data[name.len] = '\0';

    zone = ngx_shared_memory_add(cf, &name, ngx_http_mon_conc_zone_size(c),
                                 &ngx_http_mon_concurrency_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_http_mon_conc_init_zone;
    zone->data = c;

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_conc_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_mon_conc_t  *c, *old;

    ngx_slab_pool_t      *pool;

    c = shm_zone->data;
    old = data;

    if (old && ngx_http_mon_conc_other_key(c, old)) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "\"mon_concurrency\" of the name \"%V\" uses the key "
                      "\"%V\" while previously it used \"%V\"",
                      &c->name, &c->key->value, &old->key->value);
        return NGX_ERROR;
    }

    pool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (old || shm_zone->shm.exists) {
        c->shared = (ngx_http_mon_conc_shared_t *) pool->start;

    } else {
        c->shared = ngx_http_mon_conc_make(pool, c);
    }

    if (c->shared == NULL
        || c->shared->permits.magic != NGX_MON_PERMIT_MAGIC)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "zone \"%V\" can't be used", &shm_zone->shm.name);
        return NGX_ERROR;
    }

    if (c->key == NULL) {
        return NGX_OK;
    }

    c->keys.idle = ngx_http_mon_conc_idle;

    return ngx_mon_keys_init(&c->keys, shm_zone, data);
}


/* what is allocated first is at the start */

static ngx_http_mon_conc_shared_t *
ngx_http_mon_conc_make(ngx_slab_pool_t *pool, ngx_http_mon_conc_t *c)
{
    size_t                       size;
    ngx_uint_t                   n;
    ngx_http_mon_conc_shared_t  *shared;

    n = ngx_http_mon_conc_nodes(c);
    size = offsetof(ngx_http_mon_conc_shared_t, permits)
           + ngx_mon_permit_size(n);

    shared = ngx_slab_alloc(pool, size);

    if (shared == NULL || (u_char *) shared != pool->start) {
        return NULL;
    }

    shared->version = 0;
    ngx_mon_gradient_init(&shared->gradient);
    ngx_mon_permit_init(&shared->permits, n);

    return shared;
}


static ngx_uint_t
ngx_http_mon_conc_other_key(ngx_http_mon_conc_t *c, ngx_http_mon_conc_t *old)
{
    if (c->key == NULL || old->key == NULL) {
        /* their zones have other names */
        return 0;
    }

    return c->key->value.len != old->key->value.len
           || ngx_strncmp(c->key->value.data, old->key->value.data,
                          c->key->value.len)
              != 0;
}


void
ngx_http_mon_conc_commit(ngx_http_mon_conc_main_conf_t *ccmf)
{
    ngx_uint_t             i, limit;
    ngx_http_mon_conc_t  **c;

    c = ccmf->limiters.elts;

    for (i = 0; i < ccmf->limiters.nelts; i++) {

        if (c[i]->same || c[i]->shared == NULL
            || __atomic_load_n(&c[i]->shared->version, __ATOMIC_ACQUIRE)
               > ccmf->version)
        {
            continue;
        }

        __atomic_store_n(&c[i]->shared->version, ccmf->version,
                         __ATOMIC_RELEASE);

        limit = c[i]->adaptive
                ? ngx_mon_gradient_limit(&c[i]->shared->gradient,
                                         &ngx_http_mon_conc_gradient)
                : c[i]->max;

        ngx_mon_permit_limit(&c[i]->shared->permits, limit);
    }
}


ngx_int_t
ngx_http_mon_conc_source(ngx_uint_t group, ngx_uint_t i, int64_t *cells,
    ngx_str_t *values)
{
    ngx_http_mon_conc_t            *c;
    ngx_mon_permit_facts_t          f;
    ngx_mon_gradient_facts_t        g;
    ngx_http_mon_conc_main_conf_t  *ccmf;

    ccmf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                              ngx_http_mon_concurrency_module);

    if (ccmf == NULL || i >= ccmf->limiters.nelts) {
        return NGX_DONE;
    }

    c = ((ngx_http_mon_conc_t **) ccmf->limiters.elts)[i];

    if (c->same || c->state == NULL || c->state->permit.self == 0) {
        return NGX_DECLINED;
    }

    ngx_mon_permit_facts(&c->state->permit, &f);

    values[0] = c->name;
    cells[NGX_MON_CONC_LIMIT] = c->shared->permits.limit;
    cells[NGX_MON_CONC_IN_FLIGHT] = f.held;
    cells[NGX_MON_CONC_QUEUED] = f.waiting;

    if (c->adaptive) {
        ngx_mon_gradient_facts(&c->shared->gradient,
                               &ngx_http_mon_conc_gradient, &g);

        cells[NGX_MON_CONC_RTT] = g.base;
        cells[NGX_MON_CONC_GRADIENT] = g.gradient;
    }

    return NGX_OK;
}
