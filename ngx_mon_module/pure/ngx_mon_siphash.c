
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_siphash.h"


#define ngx_mon_sip_rotate(x, n)  ((x) << (n) | (x) >> (64 - (n)))


static ngx_inline void
ngx_mon_sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = ngx_mon_sip_rotate(v[1], 13) ^ v[0];
    v[0] = ngx_mon_sip_rotate(v[0], 32);

    v[2] += v[3];
    v[3] = ngx_mon_sip_rotate(v[3], 16) ^ v[2];

    v[0] += v[3];
    v[3] = ngx_mon_sip_rotate(v[3], 21) ^ v[0];

    v[2] += v[1];
    v[1] = ngx_mon_sip_rotate(v[1], 17) ^ v[2];
    v[2] = ngx_mon_sip_rotate(v[2], 32);
}


static ngx_inline void
ngx_mon_sip_word(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    ngx_mon_sip_round(v);
    v[0] ^= m;
}


/* little endian; compilers make a load of it */

static ngx_inline uint64_t
ngx_mon_sip_load(const u_char *p)
{
    return (uint64_t) p[0]
           | (uint64_t) p[1] << 8
           | (uint64_t) p[2] << 16
           | (uint64_t) p[3] << 24
           | (uint64_t) p[4] << 32
           | (uint64_t) p[5] << 40
           | (uint64_t) p[6] << 48
           | (uint64_t) p[7] << 56;
}


static ngx_inline uint64_t
ngx_mon_sip_load4(const u_char *p)
{
    return (uint32_t) p[0]
           | (uint32_t) p[1] << 8
           | (uint32_t) p[2] << 16
           | (uint32_t) p[3] << 24;
}


/* up to 7 bytes: what is read twice is the same both times */

static ngx_inline uint64_t
ngx_mon_sip_rest(const u_char *p, size_t n)
{
    if (n >= 4) {
        return ngx_mon_sip_load4(p)
               | ngx_mon_sip_load4(p + n - 4) << 8 * (n - 4);
    }

    if (n) {
        return (uint64_t) p[0]
               | (uint64_t) p[n / 2] << 8 * (n / 2)
               | (uint64_t) p[n - 1] << 8 * (n - 1);
    }

    return 0;
}


uint64_t
ngx_mon_siphash(const uint64_t seed[2], const u_char *data, size_t len)
{
    uint64_t       v[4];
    const u_char  *end;

    v[0] = seed[0] ^ 0x736f6d6570736575;
    v[1] = seed[1] ^ 0x646f72616e646f6d;
    v[2] = seed[0] ^ 0x6c7967656e657261;
    v[3] = seed[1] ^ 0x7465646279746573;

    for (end = data + len - len % 8; data < end; data += 8) {
        ngx_mon_sip_word(v, ngx_mon_sip_load(data));
    }

    ngx_mon_sip_word(v, ngx_mon_sip_rest(data, len % 8) | (uint64_t) len << 56);

    v[2] ^= 0xff;

    ngx_mon_sip_round(v);
    ngx_mon_sip_round(v);
    ngx_mon_sip_round(v);

    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
