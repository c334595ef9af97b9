
/*
 * Copyright (C) The ngx_mon authors
 */


/* Whether all is in order in a table, whoever was killed there. */


#ifndef _KEYS_JUDGE_H_INCLUDED_
#define _KEYS_JUDGE_H_INCLUDED_


#include "unit.h"
#include "keys.h"


#ifndef check
#define check(x)  if (!(x)) { fail_msg("line %d: %s", __LINE__, #x); }
#endif

#define JUDGED    4096


/* under the lock, and of one piece */

static void
keys_judge_cells(void)
{
    u_char          buf[NGX_MON_KEY_LEN], seen[JUDGED];
    uint32_t        i, j;
    ngx_str_t       s;
    ngx_uint_t      h, n, parts;
    ngx_mon_key_t  *k;

    check(keys.ncells < JUDGED && keys.npieces == 1);
    ngx_memzero(seen, sizeof(seen));
    parts = 0;

    for (h = 0; h < keys.ncells; h++) {
        for (i = keys.heads[h]; i; i = k->next) {
            check(i <= keys.pieces[0].fresh && !seen[i]);
            seen[i] = 1;
            k = ngx_mon_keys_cell(&keys, i);
            check(k->linked);
            check(ngx_mon_keys_head(&keys, k->hash) == &keys.heads[h]);
        }
    }

    for (i = 1; i <= keys.pieces[0].fresh; i++) {
        k = ngx_mon_keys_cell(&keys, i);

        if (k->word == NGX_MON_KEY_GONE) {
            parts += ngx_mon_cells_part(&keys, 0, i);
            continue;
        }

        check(seen[i]);

        ngx_mon_cells_copy(&keys, k, &s, buf);
        check(s.len == k->len);
        check((uint32_t) ngx_mon_keys_hash(&keys, &s) == k->hash);

        for (n = ngx_mon_keys_cells(k->len), j = k->more; n > 1; n--) {
            check(!seen[j]);
            check(ngx_mon_keys_cell(&keys, j)->word == NGX_MON_KEY_GONE);
            check(ngx_mon_cells_part(&keys, 0, j));
            j = ((ngx_mon_part_t *) ngx_mon_keys_cell(&keys, j))->more;
            parts--;
        }
    }

    /* none has two owners */
    check(parts == 0);
}


#endif /* _KEYS_JUDGE_H_INCLUDED_ */
