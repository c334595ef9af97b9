
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Keys of mon_limit: a process that is not run for a while in a look-up, a
 * charge, an insert, or a sweep, while others charge the same key, or change
 * its rate, or it goes and its cell is given to another one.
 */


#include "stall.h"
#include "keys_judge.h"
#include "ngx_http_mon_limit.h"


#define SEC    ((uint64_t) 1000000000)
#define NOW    (777 * SEC)
#define SIZE   8192
#define CELLS  6

#define FIRST  0
#define SECOND 1


static ngx_http_mon_limit_zone_t  zone;
static ngx_http_mon_limit_t       limits[2];
static ngx_http_mon_limit_try_t   late, other;

static u_char                     images[2][SIZE];
static u_char                     names[2][200];
static size_t                     len;
static uint64_t                   begun;


static ngx_uint_t
keys_limit_idle(const ngx_mon_key_t *key, uint64_t word, uint64_t now)
{
    return key->aux != KEPT
           && ngx_mon_gcra_idle((uint32_t) key->aux, word, now);
}


static void
keys_limit(ngx_http_mon_limit_t *l, const char *rate)
{
    ngx_str_t  s;

    s.data = (u_char *) rate;
    s.len = strlen(rate);

    check(ngx_mon_rate_parse(&l->rate, &s, 9) == NGX_OK);
    l->zone = &zone;
}


static void
keys_try(ngx_http_mon_limit_try_t *t, ngx_uint_t name, ngx_uint_t limit)
{
    ngx_memzero(t, sizeof(ngx_http_mon_limit_try_t));

    t->limit = &limits[limit];
    t->rate = &limits[limit].rate;
    t->cost = 1;
    t->text.data = names[name];
    t->text.len = len;
    t->hash = ngx_mon_keys_hash(&zone.keys, &t->text);
}


/* as ngx_http_mon_limit_judge() does it with one limit */

static ngx_int_t
keys_charge(ngx_http_mon_limit_try_t *t)
{
    ngx_http_mon_limit_check(t, NOW);

    return t->g.allowed ? ngx_http_mon_limit_charge(t, NOW) : NGX_DECLINED;
}


/* the rest of the table is full: there is room for one of the two keys */

static void
keys_begin(void)
{
    ngx_memcpy(pool->start, images[len > NGX_MON_KEY_INLINE], SIZE);
    zone.keys = keys;

    if (begun) {
        keys_try(&other, FIRST, 0);
        check(keys_charge(&other) == NGX_OK);

        /* it was used some time ago, or just now */

        other.key->word = begun;
    }

    keys_try(&late, FIRST, 0);
}


static void
keys_begin_charged(void)
{
    keys_begin();
    check(keys_charge(&late) == NGX_OK);
}


/* keys, and cells that are nobody's */

static void
keys_facts(uint64_t *facts)
{
    uint32_t        i;
    uint64_t        word;
    ngx_str_t       s;
    ngx_uint_t      n;
    ngx_mon_key_t  *k;

    keys_judge_cells();
    check(keys.pieces[0].lock == 0);

    for (n = 0; n < 2; n++) {
        s.data = names[n];
        s.len = len;
        k = keys_find(&s, &word);

        /* the allowance of a key that is not there is full, too */

        if (k && !keys_limit_idle(k, word, NOW)) {
            facts[2 * n + 1] = 1;
            facts[2 * n + 2] = k->aux;
            facts[STALL_ABOUT + n] = word;
        }
    }

    for (n = 0; n < 2; n++) {
        ngx_mon_keys_sweep(&keys, NOW);
    }

    keys_judge_cells();

    for (i = 1; i <= keys.pieces[0].fresh; i++) {
        k = ngx_mon_keys_cell(&keys, i);

        facts[0] += k->word == NGX_MON_KEY_GONE && k->aux
                    && !ngx_mon_cells_part(&keys, 0, i);
    }
}


static void
late_charge(void)
{
    stall_told[0] = keys_charge(&late);
    stall_told[1] = late.charged;
}


static void
late_refund(void)
{
    ngx_http_mon_limit_refund(&late, NOW);
}


static void
late_other_rate(void)
{
    keys_try(&late, FIRST, 1);
    late_charge();
}


static void
late_sweep(void)
{
    ngx_mon_keys_sweep(&keys, NOW);
}


/* without the lock only what needs none can be done */

static ngx_uint_t
keys_other(ngx_uint_t name, ngx_uint_t limit)
{
    uint64_t                  word;
    ngx_mon_key_t            *k;
    ngx_http_mon_limit_try_t  t;

    keys_try(&t, name, limit);

    if (keys.pieces[0].lock) {
        k = keys_find(&t.text, &word);

        if (k == NULL || k->aux != t.rate->unit) {
            return 0;
        }
    }

    (void) keys_charge(&t);
    other = t;

    return 1;
}


static ngx_uint_t
other_first(void)
{
    return keys_other(FIRST, 0);
}


static ngx_uint_t
other_second(void)
{
    return keys_other(SECOND, 0);
}


static ngx_uint_t
other_rate(void)
{
    return keys_other(FIRST, 1);
}


static ngx_uint_t
other_refund(void)
{
    ngx_http_mon_limit_refund(&other, NOW);

    return 1;
}


static ngx_uint_t
other_sweep(void)
{
    if (keys.pieces[0].lock) {
        return 0;
    }

    ngx_mon_keys_sweep(&keys, NOW);

    return 1;
}


static void
keys_stall(void (*begin)(void), void (*op)(void), ngx_uint_t kinds,
    ngx_uint_t least)
{
    ngx_uint_t  i, k;

    static stall_op_pt  others[][5] = {
        { other_first, other_first, other_refund },
        { other_second, other_second },
        { other_sweep, other_second, other_refund },
        { other_sweep, other_first, other_first },
        { other_rate, other_first },
        { other_rate, other_rate, other_first, other_first },
    };

    stall_t  s;

    ngx_memzero(&s, sizeof(s));

    s.memory = pool->start;
    s.size = SIZE;
    s.begin = begin;
    s.late = op;
    s.facts = keys_facts;

    /* a word is rounded up when its unit changes, and is another one then */

    s.slack = 4;

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        ngx_memcpy(s.others, others[i], sizeof(others[i]));

        for (k = 0; k < 6; k++) {

            if (!(kinds & 1 << k)) {
                continue;
            }

            /* not there, used long ago, or just now; also of several cells */

            len = (k < 3) ? 20 : 150;
            begun = (k % 3 == 0) ? 0 : NOW * 7 + (k % 3 == 1 ? -SEC : SEC);

            stall(&s, least, 0);
        }
    }
}


static void
keys_late_charge(void **state)
{
    keys_stall(keys_begin, late_charge, 0x17, 8);
}


static void
keys_late_refund(void **state)
{
    keys_stall(keys_begin_charged, late_refund, 0x36, 4);
}


static void
keys_late_rate(void **state)
{
    keys_stall(keys_begin, late_other_rate, 0x14, 8);
}


static void
keys_late_sweep(void **state)
{
    keys_stall(keys_begin, late_sweep, 0x12, 10);
}


/* what was charged has come back, and was used again, when it is given back */

static void
keys_later_refund(void **state)
{
    uint64_t                  word;
    ngx_http_mon_limit_try_t  t;

    len = 20;
    begun = 0;

    keys_begin();
    check(keys_charge(&late) == NGX_OK);

    keys_try(&t, FIRST, 0);
    ngx_http_mon_limit_check(&t, NOW + SEC);
    check(t.key == late.key);
    check(ngx_http_mon_limit_charge(&t, NOW + SEC) == NGX_OK);
    word = t.key->word;

    ngx_http_mon_limit_refund(&late, NOW + SEC);
    check(t.key->word == word);

    /* but this one */

    ngx_http_mon_limit_refund(&t, NOW + SEC);
    check(t.key->word == word - limits[0].rate.cost);
}


static int
keys_setup(void **state)
{
    u_char      buf[64];
    uint64_t    word;
    ngx_str_t   s;
    ngx_uint_t  i, made;

    check(keys_zone(SIZE) == NGX_OK);
    keys.idle = keys_limit_idle;

    /* few of them, or all takes long */

    keys.ncells = CELLS;
    keys.each = CELLS;

    ngx_memset(names[FIRST], 'a', sizeof(names[0]));
    ngx_memset(names[SECOND], 'b', sizeof(names[0]));

    keys_limit(&limits[0], "7r/s");
    keys_limit(&limits[1], "10r/s");

    for (i = 1; i < keys.ncells; i++) {

        /* a long key takes four cells */

        if (i == keys.ncells - 3) {
            ngx_memcpy(images[1], pool->start, SIZE);
        }

        s.data = buf;
        s.len = sprintf((char *) buf, "live%u", (unsigned) i);
        word = 5000 + i;
        check(keys_make(&s, NOW, KEPT, &word, &made) && made);
    }

    ngx_memcpy(images[0], pool->start, SIZE);

    return 0;
}


static int
keys_teardown(void **state)
{
    keys_unmap();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(keys_late_charge),
        cmocka_unit_test(keys_late_refund),
        cmocka_unit_test(keys_later_refund),
        cmocka_unit_test(keys_late_rate),
        cmocka_unit_test(keys_late_sweep),
    };

    return cmocka_run_group_tests(tests, keys_setup, keys_teardown);
}
