
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include "ngx_mon_siphash.h"


/*
 * hash() of CPython 3.11, of bytes 0, 1, 2.. with PYTHONHASHSEED=42; but for
 * that of no bytes, which it does not hash
 */

static const uint64_t  keys[2] = { 0xdc504fd368cd90af, 0xb920bb9ffe99e9c1 };

static const struct {
    size_t    len;
    uint64_t  hash;
} vectors[] = {
    { 1, 0xce880c366bcf3489 },
    { 2, 0xef32fbc0469f0756 },
    { 3, 0xef4b9dcae9b04417 },
    { 4, 0x79793200f3b3b3db },
    { 5, 0xbe8653fc64f95fbd },
    { 6, 0xb32b5a11619800dd },
    { 7, 0xce280fabc397fbda },
    { 8, 0x60866c3c108c6afb },
    { 9, 0x68814005f7469e03 },
    { 10, 0x060a514cd0a2e301 },
    { 11, 0x72f315ef14fb4b09 },
    { 12, 0x550fe6ca26ef7fdd },
    { 13, 0x19c8185b4c3e2799 },
    { 14, 0xfaa1fc2224a07929 },
    { 15, 0x94ace24d68c18cf8 },
    { 16, 0x339176f3ac59ce05 },
    { 31, 0x06f3af51bda71c61 },
    { 32, 0x26f2ecd47de50371 },
    { 63, 0x06e24d6f0d014c37 },
};


static void
siphash_vectors(void **state)
{
    u_char      data[64];
    ngx_uint_t  i;

    for (i = 0; i < sizeof(data); i++) {
        data[i] = i;
    }

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        assert_int_equal(ngx_mon_siphash(keys, data, vectors[i].len),
                         vectors[i].hash);
    }
}


/* of no bytes, with the key of the paper's own vectors */

static void
siphash_empty(void **state)
{
    uint64_t  seed[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

    assert_int_equal(ngx_mon_siphash(seed, NULL, 0), 0xabac0158050fc4dc);
}


/* wherever the bytes are; and none beside them counts */

static void
siphash_aligned(void **state)
{
    u_char      data[128];
    size_t      len;
    uint64_t    hash;
    ngx_uint_t  i, k;

    for (len = 0; len <= 40; len++) {

        for (hash = 0, i = 0; i < 16; i++) {
            memset(data, 255 - (int) i, sizeof(data));

            for (k = 0; k < len; k++) {
                data[i + k] = k * 31;
            }

            if (i == 0) {
                hash = ngx_mon_siphash(keys, data, len);
            }

            assert_int_equal(ngx_mon_siphash(keys, data + i, len), hash);
        }
    }
}


/* each bit of seed, data and length makes a difference */

static void
siphash_differs(void **state)
{
    u_char      data[24];
    uint64_t    seed[2], hash;
    ngx_uint_t  i;

    memset(data, 0, sizeof(data));
    ngx_memcpy(seed, keys, sizeof(seed));
    hash = ngx_mon_siphash(seed, data, 23);

    assert_int_not_equal(ngx_mon_siphash(seed, data, 22), hash);
    assert_int_not_equal(ngx_mon_siphash(seed, data, 24), hash);

    for (i = 0; i < 23 * 8; i++) {
        data[i / 8] ^= 1 << i % 8;
        assert_int_not_equal(ngx_mon_siphash(seed, data, 23), hash);
        data[i / 8] ^= 1 << i % 8;
    }

    for (i = 0; i < 128; i++) {
        seed[i / 64] ^= (uint64_t) 1 << i % 64;
        assert_int_not_equal(ngx_mon_siphash(seed, data, 23), hash);
        seed[i / 64] ^= (uint64_t) 1 << i % 64;
    }

    assert_int_equal(ngx_mon_siphash(seed, data, 23), hash);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(siphash_vectors),
        cmocka_unit_test(siphash_empty),
        cmocka_unit_test(siphash_aligned),
        cmocka_unit_test(siphash_differs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
