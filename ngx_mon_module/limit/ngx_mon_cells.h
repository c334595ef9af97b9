
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * What a table of keys is in shared memory: its head, the pieces, the heads
 * of chains, the cells.  Numbers of cells count from 1, and none that is read
 * from there is trusted.
 *
 * A cell whose word is not GONE is a key, also one that was never linked.
 * One whose word is GONE is free if its aux is 0; else it may be a part of a
 * long key, namely if its owner says so, too.  Nothing else says what is
 * free, so that nothing is lost with a process that is killed.  Cells past
 * "fresh" of their piece were never touched.
 */


#ifndef _NGX_MON_CELLS_H_INCLUDED_
#define _NGX_MON_CELLS_H_INCLUDED_


#include "ngx_mon_keys.h"


#pragma GCC visibility push(hidden)


#define NGX_MON_TABLE_MAGIC    0x7379656b6e6f6d01
#define NGX_MON_TABLE_LAYOUT   1

#define NGX_MON_PIECES         64
#define NGX_MON_PIECE_CELLS    4096

/* far more than a chain of random keys may have */
#define NGX_MON_CELLS_CHAIN    128

/* how many cells an insert looks at */
#define NGX_MON_CELLS_LOOK     1024

#define NGX_MON_PART_DATA      48

/* cells of the longest key */
#define NGX_MON_KEY_CELLS                                                     \
    (1 + (NGX_MON_KEY_LEN - NGX_MON_KEY_INLINE + NGX_MON_PART_DATA - 1)       \
         / NGX_MON_PART_DATA)


typedef struct {
    uint64_t         magic;
    uint64_t         layout;
    uint64_t         size;
    uint64_t         seed[2];

    /* where the next sweep goes on: cells that lie before it */
    uint64_t         swept;

    /* see ngx_mon_keys_full() and _invalid(); milliseconds, 0 is never */
    uint64_t         full;
    uint64_t         invalid;
    uint64_t         full_logged;
    uint64_t         invalid_logged;

    uint64_t         reserved[6];
} ngx_mon_table_t;

_Static_assert(sizeof(ngx_mon_table_t) == 128, "ngx_mon_table_t");


struct ngx_mon_piece_s {
    ngx_atomic_t     lock;

    /* how many cells have been used; where the next look for room begins */
    uint32_t         fresh;
    uint32_t         hand;

    /* about how many of them are free */
    uint32_t         spare;

    /* how many were looked at since room was found */
    uint32_t         dry;

    /* keys that are not idle, as of the last sweep; of the one under way */
    uint32_t         live;
    uint32_t         counted;

    uint64_t         reserved[4];
};

_Static_assert(sizeof(ngx_mon_piece_t) == 64, "ngx_mon_piece_t");


/* what a key has past NGX_MON_KEY_INLINE bytes */

typedef struct {
    uint64_t         word;     /* GONE */

    uint32_t         owner;    /* at the place of aux */
    uint32_t         more;

    u_char           data[NGX_MON_PART_DATA];
} ngx_mon_part_t;

_Static_assert(sizeof(ngx_mon_part_t) == sizeof(ngx_mon_key_t),
               "ngx_mon_part_t");
_Static_assert(offsetof(ngx_mon_part_t, owner) == offsetof(ngx_mon_key_t, aux),
               "ngx_mon_part_t");


/* The first cell of its chain stands here: the heads are in order of hashes. */
static ngx_inline uint32_t *
ngx_mon_keys_head(const ngx_mon_keys_t *keys, uint32_t hash)
{
    return &keys->heads[(uint64_t) hash * keys->ncells >> 32];
}


/* All of a chain is in the piece of its head. */
static ngx_inline ngx_uint_t
ngx_mon_keys_piece(const ngx_mon_keys_t *keys, uint64_t hash)
{
    return (ngx_mon_keys_head(keys, (uint32_t) hash) - keys->heads)
           / keys->each;
}


static ngx_inline ngx_mon_key_t *
ngx_mon_keys_cell(const ngx_mon_keys_t *keys, uint32_t i)
{
    return &keys->cells[i - 1];
}


/* Whether it is the number of a cell that the piece has used. */
static ngx_inline ngx_uint_t
ngx_mon_keys_within(const ngx_mon_keys_t *keys, ngx_uint_t piece, uint32_t i)
{
    return (uint32_t) (i - 1 - piece * keys->each)
           < ngx_min(keys->pieces[piece].fresh, keys->each);
}


/* How many cells a key takes that is said to have so many bytes. */
static ngx_inline ngx_uint_t
ngx_mon_keys_cells(size_t len)
{
    if (len <= NGX_MON_KEY_INLINE) {
        return 1;
    }

    len = ngx_min(len, NGX_MON_KEY_LEN) - NGX_MON_KEY_INLINE;

    return 1 + (len + NGX_MON_PART_DATA - 1) / NGX_MON_PART_DATA;
}


static ngx_inline uint64_t
ngx_mon_keys_load8(const u_char *p)
{
    uint64_t  v;

    memcpy(&v, p, sizeof(uint64_t));

    return v;
}


static ngx_inline uint32_t
ngx_mon_keys_load4(const u_char *p)
{
    uint32_t  v;

    memcpy(&v, p, sizeof(uint32_t));

    return v;
}


/*
 * Whether n bytes in the zone are these.  They may be written meanwhile; then
 * the word is another one, or will be before they are.
 */
static ngx_inline ngx_uint_t
ngx_mon_keys_same(const u_char *a, const u_char *b, size_t n)
{
    if (n >= 8) {

        for ( /* void */ ; n > 8; n -= 8, a += 8, b += 8) {
            if (ngx_mon_keys_load8(a) != ngx_mon_keys_load8(b)) {
                return 0;
            }
        }

        /* some of them again */

        a -= 8 - n;
        b -= 8 - n;

        return ngx_mon_keys_load8(a) == ngx_mon_keys_load8(b);
    }

    if (n >= 4) {
        return ngx_mon_keys_load4(a) == ngx_mon_keys_load4(b)
               && ngx_mon_keys_load4(a + n - 4)
                  == ngx_mon_keys_load4(b + n - 4);
    }

    for ( /* void */ ; n; n--) {
        if (*a++ != *b++) {
            return 0;
        }
    }

    return 1;
}


/*
 * Whether the parts of a key longer than NGX_MON_KEY_INLINE are those of this
 * one, from there on.  Of a key longer than NGX_MON_KEY_LEN so many bytes are
 * read.
 */
ngx_uint_t ngx_mon_cells_same(const ngx_mon_keys_t *keys,
    const ngx_mon_key_t *k, const ngx_str_t *key);

/*
 * Copies a key, of at most NGX_MON_KEY_LEN bytes, to buf: bytes of several
 * keys where cells are written meanwhile.
 */
void ngx_mon_cells_copy(const ngx_mon_keys_t *keys, const ngx_mon_key_t *k,
    ngx_str_t *key, u_char *buf);


/* All below: under the lock of the piece. */

/* The key, or NULL.  Mends a chain that is damaged by cutting it there. */
ngx_mon_key_t *ngx_mon_cells_look(const ngx_mon_keys_t *keys,
    ngx_uint_t piece, uint64_t hash, const ngx_str_t *key);

/*
 * Finds n cells, at most NGX_MON_KEY_CELLS, that are GONE then, and in no
 * chain.  Returns NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_mon_cells_room(const ngx_mon_keys_t *keys, ngx_uint_t piece,
    uint64_t now, uint32_t *cells, ngx_uint_t n);

/* Makes the key of the cells that its length takes. */
ngx_mon_key_t *ngx_mon_cells_fill(const ngx_mon_keys_t *keys,
    ngx_uint_t piece, const uint32_t *cells, uint64_t hash,
    const ngx_str_t *key, uint64_t aux, uint64_t word);

/* Takes a cell that is GONE out of its chain. */
void ngx_mon_cells_unlink(const ngx_mon_keys_t *keys, ngx_uint_t piece,
    uint32_t i);

/* Makes the key GONE if it is idle: 1 if it was. */
ngx_uint_t ngx_mon_cells_drop(const ngx_mon_keys_t *keys, ngx_uint_t piece,
    ngx_mon_key_t *k, uint64_t word, uint64_t now);

/* Whether a cell that is GONE is a part of a key; also without the lock. */
ngx_uint_t ngx_mon_cells_part(const ngx_mon_keys_t *keys, ngx_uint_t piece,
    uint32_t i);


#pragma GCC visibility pop


#endif /* _NGX_MON_CELLS_H_INCLUDED_ */
