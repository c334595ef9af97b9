
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * A table of keys and, between what is done with it, bytes of the zone that
 * are overwritten: nothing is read or written outside, and all comes to an
 * end.
 */


#include "fuzz.h"
#include "../unit/keys.h"


/* small, so that the bytes matter; its end is the end of the mapping */
#define ZONE  8192


static void
keys_fuzz_damage(const uint8_t **data, size_t *size)
{
    u_char  *p;
    size_t   at, all;

    p = (u_char *) keys.pieces;
    all = (u_char *) (keys.cells + keys.ncells) - p;
    at = fuzz_number(data, size, 2) % all;

    /* a lock that a process holds is one */

    if (at >= sizeof(ngx_atomic_t)) {
        p[at] = fuzz_number(data, size, 1);
    }
}


static void
keys_fuzz_key(const uint8_t **data, size_t *size, uint64_t now)
{
    static u_char    text[2048];

    uint64_t         word;
    ngx_str_t        s;
    ngx_uint_t       made, n;
    ngx_mon_key_t   *k;

    n = fuzz_number(data, size, 1);
    s.data = text;
    s.len = (n % 16) * (n % 5 == 0 ? 90 : 3);
    text[0] = n;

    k = keys_find(&s, &word);
    check(k == NULL || word != NGX_MON_KEY_GONE);
    check(k == NULL || (k >= keys.cells && k < keys.cells + keys.ncells));

    word = now + n;
    k = keys_make(&s, now, n % 7 ? 1 : KEPT, &word, &made);
    check(k == NULL || (k >= keys.cells && k < keys.cells + keys.ncells));

    if (k && n % 11 == 0) {
        (void) ngx_mon_keys_change(&keys, ngx_mon_keys_hash(&keys, &s), k,
                                   word, word + 1, n);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                buf[NGX_MON_KEY_LEN];
    uint64_t              now, word;
    ngx_str_t             s;
    ngx_uint_t            at;
    ngx_mon_keys_facts_t  f;

    check(keys_zone(ZONE) == NGX_OK);

    /* the same keys for the same input */

    keys.seed[0] = 1;
    keys.seed[1] = 2;

    for (now = 1; size; now++) {

        switch (fuzz_number(&data, &size, 1) % 8) {

        case 0:
            ngx_mon_keys_sweep(&keys, now);
            ngx_mon_keys_facts(&keys, &f);
            check(f.keys <= f.room);
            break;

        case 1:
            at = fuzz_number(&data, &size, 1) % keys.ncells;
            (void) ngx_mon_keys_next(&keys, &at, now, &s, buf, &word);
            check(at <= keys.ncells);
            break;

        case 2:
        case 3:
            keys_fuzz_damage(&data, &size);
            break;

        default:
            keys_fuzz_key(&data, &size, now);
        }
    }

    keys_unmap();

    return 0;
}
