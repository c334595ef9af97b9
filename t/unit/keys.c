
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


/* what a limiter does with its key: its word grows */

static void
keys_prolong(uint64_t i, uint64_t from, uint64_t to)
{
    uint64_t        word;
    ngx_str_t       s;
    ngx_mon_key_t  *k;

    s = keys_name(i, 8);
    k = keys_find(&s, &word);

    check(k && word == from);
    check(__atomic_compare_exchange_n(&k->word, &word, to, 0,
                                      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
}


/* keys that nobody sends twice, beside others that live */

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
        check(live[k] > now);
        keys_prolong(k, live[k], now + 500 + i % 1000);
        live[k] = now + 500 + i % 1000;

        if (i % 4000 == 0) {
            ngx_mon_keys_sweep(&keys, now);
        }
    }

    /* 200 of them at a time find room */
    check(n > 390000);

    keys_unmap();
}


/* the ends of chains, and how many cells are in one */

static ngx_uint_t
keys_linked(void)
{
    uint32_t    i;
    ngx_uint_t  h, n, steps;

    for (h = 0, n = 0; h < keys.ncells; h++) {
        for (i = keys.heads[h], steps = 0; i; i = keys.cells[i - 1].next) {
            check(i <= keys.ncells && ++steps < NGX_MON_CELLS_CHAIN);
            n++;
        }
    }

    return n;
}


static void
keys_sweep(void **state)
{
    uint64_t              i, now, begin;
    ngx_uint_t            n, room;
    ngx_mon_keys_facts_t  f;

    check(keys_zone(72 * 1024 * 1024) == NGX_OK);
    check(keys.npieces == 64 && keys.ncells > 1100000);

    /* 900,000 keys, of which 1/9 goes at 2000, the rest at 3000 */

    for (i = 0; i < 900000; i++) {
        check(keys_add(i, 1000, i % 9 ? 3000 : 2000));
    }

    check(keys_linked() == 900000);
    ngx_mon_keys_facts(&keys, &f);
    check(f.keys == 900000 && f.room == keys.ncells);

    now = 2000;

    for (n = 0; n < 51; n++) {
        begin = ngx_mon_now();
        ngx_mon_keys_sweep(&keys, now);
        print_message(n == 25 ? "# a sweep: %u us\n" : "",
                      (unsigned) (ngx_mon_now() - begin));
    }

    ngx_mon_keys_facts(&keys, &f);
    check(f.keys == 800000);

    for (i = 0; i < 900000; i++) {
        check(keys_has(i, i % 9 ? 3000 : 2000) == (i % 9 != 0));
    }

    /* all go at once: what there is no time for is done in the next round */

    now = 3000;

    for (n = 0; n < 51; n++) {
        ngx_mon_keys_sweep(&keys, now);
    }

    ngx_mon_keys_facts(&keys, &f);
    check(f.keys == 0);
    check(!keys_has(1, 3000));

    for (n = 0; n < 3000 && keys_linked(); n++) {
        ngx_mon_keys_sweep(&keys, now);
    }

    check(keys_linked() == 0);

    /* all of it is room again, and no page more was needed */

    for (i = 0, room = 0; i < 64; i++) {
        room += keys.pieces[i].fresh;
    }

    for (i = 0; i < 800000; i++) {
        check(keys_add(i, 4000, 5000));
    }

    for (i = 0, n = 0; i < 64; i++) {
        n += keys.pieces[i].fresh;
    }

    check(n < room * 102 / 100);

    keys_unmap();
}


/* cells of long keys come back */

static void
keys_parts(void **state)
{
    uint64_t              i, now, word, seed;
    ngx_str_t             s;
    ngx_uint_t            n, made;
    ngx_mon_keys_facts_t  f;

    check(keys_zone(256 * 1024) == NGX_OK);

    seed = 5;
    now = 1000;
    ngx_mon_keys_facts(&keys, &f);

    for (i = 0, n = 0; i < 200000; i++) {
        now++;
        s = keys_name(i, 8 + unit_random(&seed) % 1100);
        word = now + 100;

        n += keys_make(&s, now, i << 32, &word, &made) != NULL;

        if (i % 1000 == 0) {
            ngx_mon_keys_sweep(&keys, now);
        }

        if (n != i + 1) {
            fail_msg("no room for key %u", (unsigned) i);
        }

        check(keys_find(&s, &word) && word == now + 100);
    }

    for (i = 0; i < 100; i++) {
        ngx_mon_keys_sweep(&keys, now + 100);
    }

    for (i = 0; i < keys.pieces[0].fresh; i++) {
        check(keys.cells[i].word == NGX_MON_KEY_GONE && keys.cells[i].aux == 0);
    }

    check(keys_linked() == 0);
    check(keys.pieces[0].live == 0);

    keys_unmap();
}


static void
keys_next(void **state)
{
    u_char          buf[NGX_MON_KEY_LEN];
    uint64_t        i, n, word, got;
    ngx_str_t       s;
    ngx_uint_t      at, made;
    ngx_mon_key_t  *k;

    check(keys_zone(16 * 1024 * 1024) == NGX_OK);

    for (i = 0; i < 20000; i++) {
        s = keys_name(i, 8 + i % 700);
        word = 1000 + i;
        check(keys_make(&s, 10, i + 100, &word, &made));
    }

    for (at = 0, n = 0; at < keys.ncells; /* void */) {
        k = ngx_mon_keys_next(&keys, &at, 1500, &s, buf, &word);

        if (k == NULL) {
            continue;
        }

        check(k == &keys.cells[at]);
        check(s.data == buf && s.len >= 8);
        memcpy(&got, s.data + s.len - 8, 8);
        check(word == 1000 + got && k->aux == got + 100);
        check(s.len == 8 + got % 700);

        at++;
        n++;
    }

    check(n == 20000 - 501);
    check(ngx_mon_keys_next(&keys, &at, 0, &s, buf, &word) == NULL);

    keys_unmap();
}


static void
keys_change(void **state)
{
    uint64_t        word, hash;
    ngx_str_t       s;
    ngx_uint_t      made;
    ngx_mon_key_t  *k;

    check(keys_zone(256 * 1024) == NGX_OK);

    s = keys_name(1, 20);
    word = 1000;
    hash = ngx_mon_keys_hash(&keys, &s);
    k = keys_make(&s, 5, 3, &word, &made);

    check(ngx_mon_keys_change(&keys, hash, k, 999, 7, 7) == NGX_DECLINED);
    check(k->word == 1000 && k->aux == 3);
    check(ngx_mon_keys_change(&keys, hash, k, 1000, 2000, 4) == NGX_OK);
    check(k->word == 2000 && k->aux == 4);
    check(keys_find(&s, &word) == k && word == 2000);

    /* it is idle, and goes: the word is another one then */

    ngx_mon_keys_sweep(&keys, 3000);
    check(ngx_mon_keys_change(&keys, hash, k, 2000, 1, 1) == NGX_DECLINED);
    check(keys_find(&s, &word) == NULL);

    keys_unmap();
}


static void
keys_taken_over(void **state)
{
    ngx_mon_keys_t    old;
    ngx_mon_table_t  *t;

    check(keys_zone(256 * 1024) == NGX_OK);
    check(keys_add(1, 5, 1000));

    old = keys;
    ngx_memzero(&keys, sizeof(ngx_mon_keys_t));
    keys.idle = keys_idle;

    check(ngx_mon_keys_init(&keys, &shm_zone, &old) == NGX_OK);
    check(memcmp(&keys, &old, sizeof(ngx_mon_keys_t)) == 0);
    check(keys_has(1, 1000));

    shm_zone.shm.exists = 1;
    check(ngx_mon_keys_init(&keys, &shm_zone, NULL) == NGX_OK);
    check(keys_has(1, 1000));

    t = keys.shared;
    t->layout++;
    check(ngx_mon_keys_init(&keys, &shm_zone, &old) == NGX_ERROR);
    t->layout--;
    t->magic++;
    check(ngx_mon_keys_init(&keys, &shm_zone, &old) == NGX_ERROR);
    t->magic--;
    t->size *= 2;
    check(ngx_mon_keys_init(&keys, &shm_zone, &old) == NGX_ERROR);
    pool->data = NULL;
    check(ngx_mon_keys_init(&keys, &shm_zone, &old) == NGX_ERROR);

    keys_unmap();

    /* too small, and the smallest: none of another seed has the same one */

    check(keys_zone(4096) == NGX_ERROR);
    keys_unmap();
    check(keys_zone(0) == NGX_ERROR);
    keys_unmap();
    check(keys_zone(8192) == NGX_OK);
    check(memcmp(keys.seed, old.seed, sizeof(keys.seed)) != 0);
    check(keys_add(1, 5, 1000) && keys_has(1, 1000));
    keys_unmap();
}


static void
keys_full_logged(void **state)
{
    ngx_mon_keys_facts_t  f;

    check(keys_zone(256 * 1024) == NGX_OK);

    /* a machine that has just started, too */

    for (ngx_current_msec = 0; ngx_current_msec < 200000; ngx_current_msec++) {
        check(ngx_mon_keys_full(&keys) == (ngx_current_msec % 60000 == 0));
    }

    ngx_mon_keys_facts(&keys, &f);
    check(f.full == 200000);

    keys_unmap();
}


/* whatever stands in the zone: nothing crashes, and all comes to an end */

static void
keys_damaged(void **state)
{
    u_char      buf[NGX_MON_KEY_LEN], *p;
    size_t      size;
    uint64_t    i, seed, word;
    ngx_str_t   s;
    ngx_uint_t  at, made, n, round;

    seed = 11;

    for (round = 0; round < 60; round++) {

        check(keys_zone(64 * 1024) == NGX_OK);

        p = (u_char *) keys.pieces;
        size = (u_char *) (keys.cells + keys.ncells) - p;

        for (i = 0; i < 4000; i++) {

            s = keys_name(unit_random(&seed) % 300,
                          8 + unit_random(&seed) % 200);
            word = i + 50;

            if (keys_make(&s, i, KEPT * (i % 3 == 0), &word, &made)) {
                (void) keys_find(&s, &word);
            }

            for (n = unit_random(&seed) % (1 + round); n; n--) {
                at = unit_random(&seed) % size;

                /* a lock that a process holds is one */

                if (at >= sizeof(ngx_atomic_t)) {
                    p[at] = unit_random(&seed);
                }
            }

            if (i % 50 == 0) {
                ngx_mon_keys_sweep(&keys, i);
                at = unit_random(&seed) % keys.ncells;
                (void) ngx_mon_keys_next(&keys, &at, i, &s, buf, &word);
            }
        }

        keys_unmap();
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(keys_lengths),
        cmocka_unit_test(keys_full),
        cmocka_unit_test(keys_flood),
        cmocka_unit_test(keys_sweep),
        cmocka_unit_test(keys_parts),
        cmocka_unit_test(keys_next),
        cmocka_unit_test(keys_change),
        cmocka_unit_test(keys_taken_over),
        cmocka_unit_test(keys_full_logged),
        cmocka_unit_test(keys_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
