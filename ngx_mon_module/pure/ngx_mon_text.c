
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_text.h"


#define NGX_MON_MICRO         1000000
#define NGX_MON_MICRO_DIGITS  6


size_t
ngx_mon_utf8_char(const u_char *p, const u_char *last)
{
    size_t   n, i;
    u_char   low, high;

    low = 0x80;
    high = 0xbf;

    switch (p[0] >> 4) {

    case 0x0: case 0x1:
        return p[0] == '\t' || p[0] == '\n';

    case 0x8: case 0x9: case 0xa: case 0xb:
        return 0;

    case 0xc: case 0xd:

        if (p[0] < 0xc2) {
            return 0;
        }

        n = 2;
        low = p[0] == 0xc2 ? 0xa0 : low;
        break;

    case 0xe:
        n = 3;
        low = p[0] == 0xe0 ? 0xa0 : low;
        high = p[0] == 0xed ? 0x9f : high;
        break;

    case 0xf:

        if (p[0] > 0xf4) {
            return 0;
        }

        n = 4;
        low = p[0] == 0xf0 ? 0x90 : low;
        high = p[0] == 0xf4 ? 0x8f : high;
        break;

    default:
        return p[0] != 0x7f;
    }

    if ((size_t) (last - p) < n || p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}


size_t
ngx_mon_utf8_clean(u_char *dst, const u_char *src, size_t len, size_t max)
{
    size_t         n, size;
    u_char        *p;
    const u_char  *from, *last;

    p = dst;
    last = src + len;

    while (src < last) {
        n = ngx_mon_utf8_char(src, last);

        from = n ? src : (u_char *) "\xef\xbf\xbd";
        size = n ? n : 3;

        if ((size_t) (p - dst) + size > max) {
            break;
        }

        p = ngx_cpymem(p, from, size);
        src += n ? n : 1;
    }

    return p - dst;
}


u_char *
ngx_mon_u64(u_char *p, uint64_t v)
{
    u_char  *d, digits[NGX_MON_NUMBER_LEN];

    d = digits + NGX_MON_NUMBER_LEN;

    do {
        *--d = (u_char) (v % 10 + '0');
        v /= 10;
    } while (v);

    return ngx_cpymem(p, d, digits + NGX_MON_NUMBER_LEN - d);
}


static uint64_t
ngx_mon_sign(u_char **p, int64_t v)
{
    if (v >= 0) {
        return v;
    }

    *(*p)++ = '-';

    return 0 - (uint64_t) v;
}


u_char *
ngx_mon_i64(u_char *p, int64_t v)
{
    uint64_t  n;

    n = ngx_mon_sign(&p, v);

    return ngx_mon_u64(p, n);
}


u_char *
ngx_mon_micro(u_char *p, int64_t v)
{
    uint64_t    n;
    ngx_uint_t  i;

    n = ngx_mon_sign(&p, v);

    p = ngx_mon_u64(p, n / NGX_MON_MICRO);
    n %= NGX_MON_MICRO;

    if (n == 0) {
        return p;
    }

    *p++ = '.';

    for (i = NGX_MON_MICRO / 10; n; i /= 10) {
        *p++ = (u_char) (n / i + '0');
        n %= i;
    }

    return p;
}


u_char *
ngx_mon_micro_canonical(u_char *p, uint64_t v)
{
    u_char  *last, *dot;
    size_t   exp;

    if (v >= NGX_MON_MICRO / 10000
        && v < (uint64_t) NGX_MON_MICRO * NGX_MON_MICRO)
    {
        p = ngx_mon_micro(p, v);

        if (v % NGX_MON_MICRO == 0) {
            *p++ = '.';
            *p++ = '0';
        }

        return p;
    }

    last = ngx_mon_u64(p + 1, v);
    exp = last - p - 2;

    while (last > p + 2 && last[-1] == '0') {
        last--;
    }

    /* the first digit goes before the dot that takes its place */

    dot = p + 1;
    *p = *dot;
    *dot = '.';

    if (last == dot + 1) {
        last = dot;
    }

    *last++ = 'e';
    *last++ = exp < NGX_MON_MICRO_DIGITS ? '-' : '+';

    exp = exp < NGX_MON_MICRO_DIGITS ? NGX_MON_MICRO_DIGITS - exp
                                     : exp - NGX_MON_MICRO_DIGITS;

    *last++ = (u_char) (exp / 10 + '0');
    *last++ = (u_char) (exp % 10 + '0');

    return last;
}
