
/*
 * Copyright (C) The ngx_mon authors
 */


#include "fuzz.h"
#include "ngx_mon_text.h"


static void
fuzz_clean(const uint8_t *data, size_t size, size_t max)
{
    size_t   n, again, whole, i;
    u_char  *dst, *copy, *all;

    /* exactly as large as promised: the sanitizer sees the rest */

    dst = malloc(max + !max);
    copy = malloc(max + !max);
    all = malloc(size * 3 + 1);
    check(dst && copy && all);

    n = ngx_mon_utf8_clean(dst, data, size, max);
    check(n <= max);

    for (i = 0; i < n; i++) {
        check(dst[i] >= 0x20 || dst[i] == '\t' || dst[i] == '\n');
        check(dst[i] != 0x7f);
    }

    /* clean stays clean, and is the beginning of what is not cut */

    again = ngx_mon_utf8_clean(copy, dst, n, max);
    check(again == n && memcmp(copy, dst, n) == 0);

    whole = ngx_mon_utf8_clean(all, data, size, size * 3);
    check(n <= whole && memcmp(all, dst, n) == 0);
    check(n == whole || max - n < 4);
    check(n == whole || (all[n] & 0xc0) != 0x80);

    free(dst);
    free(copy);
    free(all);
}


static void
fuzz_numbers(uint64_t v)
{
    u_char       *last, buf[NGX_MON_NUMBER_LEN + 1];
    long double   back;

    last = ngx_mon_u64(buf, v);
    *last = '\0';
    check(strtoull((char *) buf, NULL, 10) == v);

    last = ngx_mon_i64(buf, v);
    *last = '\0';
    check(strtoll((char *) buf, NULL, 10) == (int64_t) v);

    last = ngx_mon_micro(buf, v);
    *last = '\0';
    back = strtold((char *) buf, NULL) * 1000000 - (int64_t) v;
    check(back < 1 && back > -1);

    last = ngx_mon_micro_canonical(buf, v | 1);
    check(last <= buf + NGX_MON_NUMBER_LEN);
    *last = '\0';
    back = strtold((char *) buf, NULL) * 1000000 - (v | 1);
    check(back < 4 && back > -4);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t  max;

    max = fuzz_number(&data, &size, 1);

    fuzz_clean(data, size, max);
    fuzz_numbers(fuzz_number(&data, &size, 8));

    return 0;
}
