
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include "ngx_mon_text.h"
#include <math.h>


#define REPLACEMENT  "\xef\xbf\xbd"


typedef struct {
    const char  *in;
    size_t       len;
    const char  *out;
} clean_t;


#define text(s)  s, sizeof(s) - 1


/* the encoding of a code point, by arithmetic */

static size_t
encode(u_char *p, uint32_t c)
{
    size_t  i, n;

    n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (n == 1) {
        p[0] = c;
        return 1;
    }

    for (i = n - 1; i; i--) {
        p[i] = 0x80 | (c & 0x3f);
        c >>= 6;
    }

    p[0] = (0xf00 >> n) | c;

    return n;
}


static int
printable(uint32_t c)
{
    if (c == '\t' || c == '\n') {
        return 1;
    }

    return c >= 0x20 && (c < 0x7f || c > 0x9f) && c <= 0x10ffff
           && (c < 0xd800 || c > 0xdfff);
}


/* valid is what comes out when it is encoded again */

static size_t
oracle_char(const u_char *p, size_t len)
{
    u_char    again[4];
    size_t    i, n;
    uint32_t  c;

    for (n = 1; n <= 4 && n <= len; n++) {
        c = n == 1 ? p[0] : p[0] & (0xff >> (n + 1));

        for (i = 1; i < n; i++) {
            c = c << 6 | (p[i] & 0x3f);
        }

        if (c < 0x200000 && encode(again, c) == n
            && memcmp(again, p, n) == 0 && printable(c))
        {
            return n;
        }
    }

    return 0;
}


static size_t
oracle_clean(u_char *dst, const u_char *p, size_t len, size_t max)
{
    size_t         n, size, out;
    const u_char  *from;

    for (out = 0; len; p += n, len -= n) {
        n = oracle_char(p, len);
        from = n ? p : (u_char *) REPLACEMENT;
        size = n ? n : 3;
        n = n ? n : 1;

        if (out + size > max) {
            break;
        }

        memcpy(dst + out, from, size);
        out += size;
    }

    return out;
}


static void
check_clean(const u_char *p, size_t len, size_t max)
{
    size_t  n, want;
    u_char  got[64], expected[64];

    assert_true(max < sizeof(got));

    memset(got, 0x55, sizeof(got));

    n = ngx_mon_utf8_clean(got, p, len, max);
    want = oracle_clean(expected, p, len, max);

    if (n != want || memcmp(got, expected, n) != 0) {
        fail_msg("%02x %02x %02x %02x, %lu bytes cut at %lu: %lu, not %lu",
                 p[0], p[1], p[2], p[3], len, max, n, want);
    }

    assert_int_equal(got[max], 0x55);
}


static void
test_clean_known(void **state)
{
    u_char                 got[64];
    size_t                 n, i;
    static const clean_t   tests[] = {
        { text(""), "" },
        { text("plain\ttext\n"), "plain\ttext\n" },
        { text("\"quoted\\"), "\"quoted\\" },
        { text("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
          "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
        { text("\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf" },
        { text("a\0b\r\x1b\x7f"), "a" REPLACEMENT "b" REPLACEMENT REPLACEMENT
          REPLACEMENT },
        /* overlong, C1, surrogate, past the end */
        { text("\xc0\x80"), REPLACEMENT REPLACEMENT },
        { text("\xe0\x80\xaf"), REPLACEMENT REPLACEMENT REPLACEMENT },
        { text("\xc2\x85"), REPLACEMENT REPLACEMENT },
        { text("\xed\xa0\x80"), REPLACEMENT REPLACEMENT REPLACEMENT },
        { text("\xf4\x90\x80\x80"), REPLACEMENT REPLACEMENT REPLACEMENT
          REPLACEMENT },
        /* truncated, at the end and before another character */
        { text("\xe2\x82"), REPLACEMENT REPLACEMENT },
        { text("\xe2\x82z"), REPLACEMENT REPLACEMENT "z" },
        { text("\xc3"), REPLACEMENT },
        { text("\xff\xfe"), REPLACEMENT REPLACEMENT }
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        n = ngx_mon_utf8_clean(got, (u_char *) tests[i].in, tests[i].len, 60);

        assert_int_equal(n, strlen(tests[i].out));
        assert_memory_equal(got, tests[i].out, n);
    }
}


static void
test_clean_every_character(void **state)
{
    size_t    n;
    u_char    in[8];
    uint32_t  c;

    for (c = 0; c < 0x200000; c++) {
        n = encode(in, c);
        in[n] = 'z';

        check_clean(in, n + 1, 20);
    }
}


static void
test_clean_sequences(void **state)
{
    size_t               i, j;
    u_char               in[5];
    ngx_uint_t           a, b;
    static const u_char  edges[] = {
        0x00, 0x0a, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
        0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0xff
    };

    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b++) {
            in[0] = a;
            in[1] = b;

            for (i = 0; i < sizeof(edges); i++) {
                for (j = 0; j < sizeof(edges); j++) {
                    in[2] = edges[i];
                    in[3] = edges[j];

                    check_clean(in, 4, 20);
                }

                check_clean(in, 3, 20);
            }

            check_clean(in, 2, 20);
        }
    }
}


static void
test_clean_cut(void **state)
{
    size_t    i, max;
    u_char    in[16];
    uint64_t  seed, n;

    seed = 7;

    for (n = 0; n < 5000; n++) {

        /* characters of all lengths, now and then a broken one */

        for (i = 0; i < 12; /* void */ ) {
            i += encode(in + i, unit_random(&seed)
                                >> (43 + unit_random(&seed) % 17));
        }

        if (n & 1) {
            in[n % 12] ^= unit_random(&seed) >> 56;
        }

        for (max = 0; max < 40; max++) {
            check_clean(in, 12, max);
        }
    }
}


static const char *
written(u_char *p, u_char *last)
{
    *last = '\0';

    return (char *) p;
}


static int64_t
random_number(uint64_t *seed)
{
    static const int64_t  edges[] = {
        0, 1, -1, 9, 10, 99, 100, 999999, 1000000, 1000001, -1000000,
        INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1
    };

    if (unit_random(seed) % 8 == 0) {
        return edges[unit_random(seed) % (sizeof(edges) / sizeof(edges[0]))];
    }

    return (int64_t) unit_random(seed) >> unit_random(seed) % 64;
}


static void
test_integers(void **state)
{
    char      expected[64];
    u_char    got[NGX_MON_NUMBER_LEN + 1];
    int64_t   v;
    uint64_t  seed, n;

    seed = 8;

    for (n = 0; n < 100000; n++) {
        v = random_number(&seed);

        sprintf(expected, "%ld", v);
        assert_string_equal(written(got, ngx_mon_i64(got, v)), expected);

        sprintf(expected, "%lu", v);
        assert_string_equal(written(got, ngx_mon_u64(got, v)), expected);
    }
}


static void
test_micro(void **state)
{
    char        expected[64];
    size_t      last;
    u_char      got[NGX_MON_NUMBER_LEN + 1];
    int64_t     v;
    uint64_t    seed, n;
    __uint128_t abs;

    assert_string_equal(written(got, ngx_mon_micro(got, 1500000)), "1.5");
    assert_string_equal(written(got, ngx_mon_micro(got, 500)), "0.0005");
    assert_string_equal(written(got, ngx_mon_micro(got, 2000000)), "2");
    assert_string_equal(written(got, ngx_mon_micro(got, 0)), "0");
    assert_string_equal(written(got, ngx_mon_micro(got, -1)), "-0.000001");

    seed = 9;

    for (n = 0; n < 100000; n++) {
        v = random_number(&seed);
        abs = v < 0 ? -(__int128_t) v : v;

        last = sprintf(expected, "%s%lu.%06lu", v < 0 ? "-" : "",
                       (uint64_t) (abs / 1000000),
                       (uint64_t) (abs % 1000000));

        while (expected[last - 1] == '0') {
            expected[--last] = '\0';
        }

        if (expected[last - 1] == '.') {
            expected[--last] = '\0';
        }

        assert_string_equal(written(got, ngx_mon_micro(got, v)), expected);
    }
}


static void
test_canonical(void **state)
{
    size_t                    i;
    u_char                    got[NGX_MON_NUMBER_LEN + 1];
    uint64_t                  seed, n, v;
    const char               *s;
    long double               back;
    static const struct {
        uint64_t              v;
        const char           *s;
    } tests[] = {
        { 1, "1e-06" },
        { 10, "1e-05" },
        { 25, "2.5e-05" },
        { 99, "9.9e-05" },
        { 100, "0.0001" },
        { 500, "0.0005" },
        { 1000, "0.001" },
        { 1000000, "1.0" },
        { 2500000, "2.5" },
        { 10000000, "10.0" },
        { 100000000000, "100000.0" },
        { 999999999999, "999999.999999" },
        { 1000000000000, "1e+06" },
        { 2500000000000, "2.5e+06" },
        { 10000000000000000, "1e+10" },
        { UINT64_MAX, "1.8446744073709551615e+13" }
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        s = written(got, ngx_mon_micro_canonical(got, tests[i].v));
        assert_string_equal(s, tests[i].s);
    }

    seed = 10;

    for (n = 0; n < 100000; n++) {
        v = 1 + (unit_random(&seed) >> (1 + unit_random(&seed) % 63));
        s = written(got, ngx_mon_micro_canonical(got, v));
        back = strtold(s, NULL) * 1000000;

        assert_true(fabsl(back - v) <= v * 1e-15L);
        assert_non_null(strpbrk(s, ".e"));
        assert_int_equal(strchr(s, 'e') != NULL,
                         v < 100 || v >= 1000000000000);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_clean_known),
        cmocka_unit_test(test_clean_every_character),
        cmocka_unit_test(test_clean_sequences),
        cmocka_unit_test(test_clean_cut),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_micro),
        cmocka_unit_test(test_canonical)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
