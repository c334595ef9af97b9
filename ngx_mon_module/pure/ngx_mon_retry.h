
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_RETRY_H_INCLUDED_
#define _NGX_MON_RETRY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* a budget is in hundredths of a percent */
#define NGX_MON_RETRY_WHOLE  10000


/*
 * How many of the active requests, in flight, may be retries: budget, 0 to
 * NGX_MON_RETRY_WHOLE, of those that are none, rounded down, but not fewer
 * than min.  So retries add no more than budget to what is sent, min left
 * aside.  What can't be true of active, as negative values are, is 0.
 */
int64_t ngx_mon_retry_limit(int64_t active, ngx_uint_t budget, int64_t min);

/*
 * Whether retries in flight, the one that asks included, are within the
 * limit: 1 or 0.
 */
ngx_uint_t ngx_mon_retry_allowed(int64_t retries, int64_t active,
    ngx_uint_t budget, int64_t min);

/*
 * How long to wait before the n-th retry, n from 0 on, in milliseconds: evenly
 * spread, as random is, over 0 .. min(cap, base * 2^n), the "full jitter" of
 * the AWS Architecture Blog, "Exponential Backoff And Jitter".  cap is at most
 * INT64_MAX.
 */
uint64_t ngx_mon_retry_backoff(uint64_t random, ngx_uint_t n, uint64_t base,
    uint64_t cap);


#endif /* _NGX_MON_RETRY_H_INCLUDED_ */
