
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon.h"


void
ngx_http_mon_cached(ngx_http_request_t *r, uint32_t *counted)
{
#if (NGX_HTTP_CACHE)

    uint32_t              id;
    ngx_shm_zone_t       *zone;
    ngx_mon_series_t     *s;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    /* no two of a request are so far apart that these are the same */

    id = (uint32_t) ((uintptr_t) u / sizeof(void *));

    if (u->cache_status == 0 || (counted && *counted == id)) {
        return;
    }

    zone = (r->cache && r->cache->file_cache) ? r->cache->file_cache->shm_zone
                                              : u->conf->cache_zone;

    if (counted) {
        *counted = id;
    }

    if (zone == NULL) {
        return;
    }

    s = ngx_mon_get(NGX_MON_G_CACHE, NULL, NULL, &zone->shm.name, 1, 0);

    ngx_mon_touch(s);
    ngx_mon_add(s, NGX_MON_CACHE_RESPONSES + u->cache_status - 1, 1);

#endif
}
