
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_retry.h"


/* no server has as many requests in flight */
#define NGX_MON_RETRY_MOST  ((int64_t) 1 << 40)


int64_t
ngx_mon_retry_limit(int64_t active, ngx_uint_t budget, int64_t min)
{
    int64_t  limit;

    if (active < 0 || active > NGX_MON_RETRY_MOST) {
        active = 0;
    }

    /* the largest n that is within the budget of active - n */

    limit = active * (int64_t) budget
            / (NGX_MON_RETRY_WHOLE + (int64_t) budget);

    return ngx_max(limit, min);
}


ngx_uint_t
ngx_mon_retry_allowed(int64_t retries, int64_t active, ngx_uint_t budget,
    int64_t min)
{
    return retries <= ngx_mon_retry_limit(active, budget, min);
}


uint64_t
ngx_mon_retry_backoff(uint64_t random, ngx_uint_t n, uint64_t base,
    uint64_t cap)
{
    uint64_t  most;

    most = base;

    while (n-- && most < cap) {
        most = (most > cap / 2) ? cap : most * 2;
    }

    return random % (ngx_min(most, cap) + 1);
}
