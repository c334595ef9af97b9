
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon.h"


void
ngx_http_mon_cached(ngx_http_request_t *r, ngx_http_upstream_t **counted)
{
#if (NGX_HTTP_CACHE)

    ngx_shm_zone_t       *zone;
    ngx_mon_series_t     *s;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u->cache_status == 0 || (counted && *counted == u)) {
        return;
    }

    zone = (r->cache && r->cache->file_cache) ? r->cache->file_cache->shm_zone
                                              : u->conf->cache_zone;

    if (counted) {
        *counted = u;
    }

    if (zone == NULL) {
        return;
    }

    s = ngx_mon_get(NGX_MON_G_CACHE, NULL, NULL, &zone->shm.name, 1, 0);

    ngx_mon_touch(s);
    ngx_mon_add(s, NGX_MON_CACHE_RESPONSES + u->cache_status - 1, 1);

#endif
}
