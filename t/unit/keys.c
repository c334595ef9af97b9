
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include "keys.h"


#define check(x)  if (!(x)) { fail_msg("line %d: %s", __LINE__, #x); }


static u_char  text[70000];


/* a key of its own for each i, of any length from 8 on */

static ngx_str_t
keys_name(uint64_t i, size_t len)
{
    ngx_str_t  s;

    s.data = text;
    s.len = len;
    ngx_memset(text, 'x', len);
    memcpy(text + len - 8, &i, 8);

    return s;
}


static ngx_uint_t
keys_add(uint64_t i, uint64_t now, uint64_t word)
{
    ngx_str_t       s;
    uint64_t        given;
    ngx_uint_t      made;
    ngx_mon_key_t  *k;

    s = keys_name(i, 8);
    given = word;
    k = keys_make(&s, now, 1, &word, &made);

    check(k == NULL || !made || word == given);

    return k && made;
}


static ngx_uint_t
keys_has(uint64_t i, uint64_t expected)
{
    uint64_t   word;
    ngx_str_t  s;

    s = keys_name(i, 8);

    return keys_find(&s, &word) && word == expected;
}


static void
keys_lengths(void **state)
{
    size_t                len;
    uint64_t              word;
    ngx_str_t             s;
    ngx_uint_t            i, made;
    ngx_mon_key_t        *k;
    ngx_mon_keys_facts_t  f;

    static const size_t   lengths[] = { 0, 1, 3, 4, 5, 7, 8, 9, 16, 31, 32, 33,
                                        79, 80, 81, 128, 129, 1023, 1024, 1025,
                                        1032, 5000, 65534, 65535, 69000 };

    check(keys_zone(1024 * 1024) == NGX_OK);

    ngx_memset(text, 'k', sizeof(text));
    s.data = text;

    for (i = 0; i < sizeof(lengths) / sizeof(size_t); i++) {
        s.len = lengths[i];

        check(keys_find(&s, &word) == NULL);

        word = 1000 + i;
        k = keys_make(&s, 5, i, &word, &made);
        check(k && made && word == 1000 + i && k->aux == i);

        word = 1;
        check(keys_make(&s, 5, 99, &word, &made) == k);
        check(!made && word == 1000 + i && k->aux == i);

        word = 1;
        check(keys_find(&s, &word) == k && word == 1000 + i);
    }

    /* any byte makes another key */

    for (i = 0; i < sizeof(lengths) / sizeof(size_t); i++) {
        s.len = lengths[i];

        for (len = 0; len < s.len; len += 1 + len / 40) {
            text[len] ^= 1;
            check(keys_find(&s, &word) == NULL);
            text[len] ^= 1;
        }

        check(keys_find(&s, &word) && word == 1000 + i);
    }

    ngx_mon_keys_sweep(&keys, 5);
    ngx_mon_keys_facts(&keys, &f);
    check(f.keys == i && f.full == 0 && f.room > 14000);

    keys_unmap();
}


/* nothing is replaced but what is idle, and all of that is */

static void
keys_full(void **state)
{
    uint64_t              i, n, now;
    ngx_mon_keys_facts_t  f;

    check(keys_zone(2 * 1024 * 1024) == NGX_OK);
    ngx_mon_keys_facts(&keys, &f);

    now = 1000;

    for (i = 0, n = 0; i < 2 * f.room; i++) {
        n += keys_add(i, now, 2000 + i);
    }

    /* the keys of one piece may find room where those of others don't */
    check(n > f.room * 95 / 100 && n <= f.room);

    for (i = 0, n = 0; i < 2 * f.room; i++) {
        n += keys_has(i, 2000 + i);
    }

    check(n > f.room * 95 / 100);

    for (i = 0; i < 1000; i++) {
        check(!keys_add(5000000 + i, now, 9000000));
    }

    /* every eighth is idle: it is found, if not at once */

    now = 2000 + f.room / 8;

    for (i = 0, n = 0; i < f.room; i++) {
        n += keys_add(6000000 + i, now, 9000000);
    }

    check(n > f.room / 10 && n < f.room / 7);

    for (i = f.room / 8 + 1; i < f.room / 2; i++) {
        check(keys_has(i, 2000 + i));
    }

    keys_unmap();
}


static void
keys_flood(void **state)
{
    uint64_t    i, k, now, live[1000];
    ngx_uint_t  n;

    check(keys_zone(256 * 1024) == NGX_OK);

    now = 1000;
    n = 0;

    for (k = 0; k < 1000; k++) {
        live[k] = now + 1000;
        check(keys_add(k, now, live[k]));
    }

    for (i = 0; i < 400000; i++) {
        now += i % 4 == 0;
        n += keys_add(1000000 + i * 7919, now, now + 50);

        k = i % 1000;
        check(keys_has(k, live[k]));

        if (i % 100 < 50) {
            ngx_str_t       s = keys_name(k, 8);
            uint64_t        word;
            ngx_mon_key_t  *key = keys_find(&s, &word);

            check(key && word == live[k]);
            live[k] = now + 5000;
            key->word = live[k];

        } else if (now + 300 > live[k]) {
            check(keys_add(k, live[k], 0) == 0);
            live[k] += 5000;
            ngx_str_t       s = keys_name(k, 8);
            uint64_t        word;

            keys_find(&s, &word)->word = live[k];
        }

        if (i % 4000 == 0) {
            ngx_mon_keys_sweep(&keys, now);
        }
    }

    /* 200 of a time */
    check(n > 390000);

    keys_unmap();
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(keys_lengths),
        cmocka_unit_test(keys_full),
        cmocka_unit_test(keys_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
