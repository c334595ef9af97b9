
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_SIPHASH_H_INCLUDED_
#define _NGX_MON_SIPHASH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * SipHash-1-3 of len bytes (Aumasson, Bernstein: "SipHash: a fast short-input
 * PRF", 2012): who does not know the seed can't make keys collide.
 */
uint64_t ngx_mon_siphash(const uint64_t seed[2], const u_char *data,
    size_t len);


#endif /* _NGX_MON_SIPHASH_H_INCLUDED_ */
