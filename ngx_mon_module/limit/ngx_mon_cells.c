
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_cells.h"


/* where cells are free so often, used ones are taken before fresh ones */
#define NGX_MON_CELLS_DENSE  16
#define NGX_MON_CELLS_QUICK  64


typedef struct {
    const ngx_mon_keys_t  *keys;
    ngx_uint_t             piece;
    ngx_mon_piece_t       *p;
    uint64_t               now;
    ngx_uint_t             budget;
} ngx_mon_room_t;


static ngx_uint_t ngx_mon_cells_match(const ngx_mon_keys_t *keys,
    const ngx_mon_key_t *k, uint64_t hash, const ngx_str_t *key);
static uint32_t ngx_mon_cells_fresh(ngx_mon_room_t *r);
static uint32_t ngx_mon_cells_used(ngx_mon_room_t *r);
static ngx_uint_t ngx_mon_cells_take(ngx_mon_room_t *r, uint32_t i);


ngx_uint_t
ngx_mon_cells_same(const ngx_mon_keys_t *keys, const ngx_mon_key_t *k,
    const ngx_str_t *key)
{
    size_t           n, len;
    u_char          *p;
    uint32_t         i;
    ngx_mon_part_t  *part;

    if (!ngx_mon_keys_same(k->data, key->data, NGX_MON_KEY_INLINE)) {
        return 0;
    }

    p = key->data + NGX_MON_KEY_INLINE;
    len = ngx_min(key->len, NGX_MON_KEY_LEN) - NGX_MON_KEY_INLINE;
    i = __atomic_load_n(&k->more, __ATOMIC_RELAXED);

    for ( ;; ) {

        if ((uint32_t) (i - 1) >= keys->ncells) {
            return 0;
        }

        part = (ngx_mon_part_t *) ngx_mon_keys_cell(keys, i);
        n = ngx_min(len, NGX_MON_PART_DATA);

        if (!ngx_mon_keys_same(part->data, p, n)) {
            return 0;
        }

        p += n;
        len -= n;

        if (len == 0) {
            return 1;
        }

        i = __atomic_load_n(&part->more, __ATOMIC_RELAXED);
    }
}


void
ngx_mon_cells_copy(const ngx_mon_keys_t *keys, const ngx_mon_key_t *k,
    ngx_str_t *key, u_char *buf)
{
    size_t           n, len;
    uint32_t         i;
    ngx_mon_part_t  *part;

    key->data = buf;
    len = ngx_min(k->len, NGX_MON_KEY_LEN);
    n = ngx_min(len, NGX_MON_KEY_INLINE);
    buf = ngx_cpymem(buf, k->data, n);
    i = __atomic_load_n(&k->more, __ATOMIC_RELAXED);

    while (len > n && (uint32_t) (i - 1) < keys->ncells) {
        len -= n;
        n = ngx_min(len, NGX_MON_PART_DATA);

        part = (ngx_mon_part_t *) ngx_mon_keys_cell(keys, i);
        buf = ngx_cpymem(buf, part->data, n);
        i = __atomic_load_n(&part->more, __ATOMIC_RELAXED);
    }

    key->len = buf - key->data;
}


ngx_mon_key_t *
ngx_mon_cells_look(const ngx_mon_keys_t *keys, ngx_uint_t piece,
    uint64_t hash, const ngx_str_t *key)
{
    uint32_t       *link, i;
    ngx_uint_t      n;
    ngx_mon_key_t  *k;

    link = ngx_mon_keys_head(keys, (uint32_t) hash);

    for (n = 0; /* void */ ; n++) {
        i = __atomic_load_n(link, __ATOMIC_RELAXED);

        if (i == 0) {
            return NULL;
        }

        if (n == NGX_MON_CELLS_CHAIN || !ngx_mon_keys_within(keys, piece, i)) {
            __atomic_store_n(link, 0, __ATOMIC_RELAXED);
            return NULL;
        }

        k = ngx_mon_keys_cell(keys, i);

        if (ngx_mon_cells_match(keys, k, hash, key)) {
            return k;
        }

        link = &k->next;
    }
}


static ngx_uint_t
ngx_mon_cells_match(const ngx_mon_keys_t *keys, const ngx_mon_key_t *k,
    uint64_t hash, const ngx_str_t *key)
{
    if (k->hash != (uint32_t) hash || k->len != key->len
        || __atomic_load_n(&k->word, __ATOMIC_RELAXED) == NGX_MON_KEY_GONE)
    {
        return 0;
    }

    if (key->len > NGX_MON_KEY_INLINE) {
        return ngx_mon_cells_same(keys, k, key);
    }

    return ngx_mon_keys_same(k->data, key->data, key->len);
}


ngx_int_t
ngx_mon_cells_room(const ngx_mon_keys_t *keys, ngx_uint_t piece, uint64_t now,
    uint32_t *cells, ngx_uint_t n)
{
    uint32_t        fresh;
    ngx_uint_t      i;
    ngx_mon_room_t  r;

    r.keys = keys;
    r.piece = piece;
    r.p = &keys->pieces[piece];
    r.now = now;

    fresh = ngx_min(r.p->fresh, keys->each);

    if (keys->each - fresh < n) {

        /* where nothing was found all around, little is looked at */

        r.budget = (r.p->dry < fresh) ? NGX_MON_CELLS_LOOK
                                      : NGX_MON_CELLS_QUICK;

    } else if ((uint64_t) r.p->spare * NGX_MON_CELLS_DENSE > fresh) {
        r.budget = NGX_MON_CELLS_QUICK;

    } else {
        r.budget = 0;
    }

    /* the hand does not come around to what it has taken */

    r.budget = ngx_min(r.budget, fresh);

    for (i = 0; i < n; i++) {
        cells[i] = ngx_mon_cells_used(&r);

        if (cells[i] == 0) {
            cells[i] = ngx_mon_cells_fresh(&r);
        }

        if (cells[i] == 0) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static uint32_t
ngx_mon_cells_fresh(ngx_mon_room_t *r)
{
    uint32_t        i, fresh;
    ngx_mon_key_t  *k;

    fresh = r->p->fresh;

    if (fresh >= r->keys->each) {
        return 0;
    }

    i = r->piece * r->keys->each + fresh + 1;
    k = ngx_mon_keys_cell(r->keys, i);

    /*
     * Before it counts: killed in between, it is not used.  The sweep comes
     * by without the lock, and must not take it for a key of word 0.
     */

    __atomic_store_n(&k->word, NGX_MON_KEY_GONE, __ATOMIC_RELAXED);
    __atomic_store_n(&r->p->fresh, fresh + 1, __ATOMIC_RELEASE);

    return i;
}


static uint32_t
ngx_mon_cells_used(ngx_mon_room_t *r)
{
    uint32_t  hand, fresh;

    fresh = ngx_min(r->p->fresh, r->keys->each);
    hand = r->p->hand;

    for ( /* void */ ; r->budget; r->budget--) {

        if (hand >= fresh) {
            hand = 0;
        }

        hand++;

        if (ngx_mon_cells_take(r, r->piece * r->keys->each + hand)) {
            r->p->hand = hand;
            r->p->dry = 0;
            r->budget--;
            return r->piece * r->keys->each + hand;
        }

        if (r->p->dry < fresh) {
            r->p->dry++;
        }
    }

    r->p->hand = hand;

    return 0;
}


static ngx_uint_t
ngx_mon_cells_take(ngx_mon_room_t *r, uint32_t i)
{
    uint64_t        word;
    ngx_mon_key_t  *k;

    k = ngx_mon_keys_cell(r->keys, i);
    word = __atomic_load_n(&k->word, __ATOMIC_RELAXED);

    if (word != NGX_MON_KEY_GONE) {
        if (!ngx_mon_cells_drop(r->keys, r->piece, k, word, r->now)) {
            return 0;
        }

    } else if (k->aux && ngx_mon_cells_part(r->keys, r->piece, i)) {
        return 0;
    }

    if (k->linked) {
        ngx_mon_cells_unlink(r->keys, r->piece, i);
    }

    if (r->p->spare) {
        r->p->spare--;
    }

    return 1;
}


ngx_mon_key_t *
ngx_mon_cells_fill(const ngx_mon_keys_t *keys, ngx_uint_t piece,
    const uint32_t *cells, uint64_t hash, const ngx_str_t *key, uint64_t aux,
    uint64_t word)
{
    size_t           len, n;
    u_char          *p;
    uint32_t        *head;
    ngx_uint_t       i, ncells;
    ngx_mon_key_t   *k;
    ngx_mon_part_t  *part;

    ncells = ngx_mon_keys_cells(key->len);
    k = ngx_mon_keys_cell(keys, cells[0]);

    k->aux = aux;
    k->hash = (uint32_t) hash;
    k->len = (uint16_t) key->len;
    __atomic_store_n(&k->more, ncells > 1 ? cells[1] : 0, __ATOMIC_RELAXED);

    p = key->data;
    len = ngx_min(key->len, NGX_MON_KEY_LEN);
    n = ngx_min(len, NGX_MON_KEY_INLINE);
    ngx_memcpy(k->data, p, n);

    for (i = 1; i < ncells; i++) {
        p += n;
        len -= n;
        n = ngx_min(len, NGX_MON_PART_DATA);

        part = (ngx_mon_part_t *) ngx_mon_keys_cell(keys, cells[i]);
        part->owner = cells[0];
        __atomic_store_n(&part->more, i + 1 < ncells ? cells[i + 1] : 0,
                         __ATOMIC_RELAXED);
        ngx_memcpy(part->data, p, n);
    }

    /*
     * In its chain it is still GONE: killed before the last line, it is free,
     * and who takes it finds it by its hash.
     */

    head = ngx_mon_keys_head(keys, (uint32_t) hash);

    k->linked = 1;
    __atomic_store_n(&k->next, *head, __ATOMIC_RELAXED);
    __atomic_store_n(head, cells[0], __ATOMIC_RELEASE);

    keys->pieces[piece].live++;

    __atomic_store_n(&k->word, word, __ATOMIC_RELEASE);

    return k;
}


void
ngx_mon_cells_unlink(const ngx_mon_keys_t *keys, ngx_uint_t piece, uint32_t i)
{
    uint32_t       *link;
    ngx_uint_t      n;
    ngx_mon_key_t  *k;

    k = ngx_mon_keys_cell(keys, i);
    link = ngx_mon_keys_head(keys, k->hash);

    for (n = 0; n < NGX_MON_CELLS_CHAIN; n++) {

        if (*link == i) {
            __atomic_store_n(link, k->next, __ATOMIC_RELEASE);
            break;
        }

        if (!ngx_mon_keys_within(keys, piece, *link)) {
            break;
        }

        link = &ngx_mon_keys_cell(keys, *link)->next;
    }

    k->linked = 0;
}


ngx_uint_t
ngx_mon_cells_drop(const ngx_mon_keys_t *keys, ngx_uint_t piece,
    ngx_mon_key_t *k, uint64_t word, uint64_t now)
{
    ngx_mon_piece_t  *p;

    if (!keys->idle(k, word, now)
        || !__atomic_compare_exchange_n(&k->word, &word, NGX_MON_KEY_GONE, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
    {
        return 0;
    }

    /*
     * Before all that is written to this cell and its parts from here on, by
     * who has the lock later, too: who reads any of that, and takes it for
     * what the word stood for, fails to change the word.
     */

    __atomic_thread_fence(__ATOMIC_RELEASE);

    k->aux = 0;

    p = &keys->pieces[piece];
    p->spare++;

    if (p->live) {
        p->live--;
    }

    return 1;
}


ngx_uint_t
ngx_mon_cells_part(const ngx_mon_keys_t *keys, ngx_uint_t piece, uint32_t i)
{
    uint32_t         j;
    ngx_uint_t       n;
    ngx_mon_key_t   *k;
    ngx_mon_part_t  *part;

    part = (ngx_mon_part_t *) ngx_mon_keys_cell(keys, i);

    if (!ngx_mon_keys_within(keys, piece, part->owner)) {
        return 0;
    }

    k = ngx_mon_keys_cell(keys, part->owner);

    if (__atomic_load_n(&k->word, __ATOMIC_RELAXED) == NGX_MON_KEY_GONE) {
        return 0;
    }

    j = k->more;

    for (n = ngx_mon_keys_cells(k->len); n > 1; n--) {

        if (j == i) {
            return 1;
        }

        if (!ngx_mon_keys_within(keys, piece, j)) {
            return 0;
        }

        part = (ngx_mon_part_t *) ngx_mon_keys_cell(keys, j);
        j = part->more;
    }

    return 0;
}
