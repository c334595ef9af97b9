
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * A table of keys in a shared memory zone of its own, for what limits by key.
 * All of the zone is divided into cells of 64 bytes when it is made; a key
 * takes one, and more where it is long.  Cells belong to pieces, a part of
 * the keys by their hash, each with a lock of its own that only inserts and
 * the sweep take; look-ups take none.
 *
 * What a key stands for is its word, changed by compare-and-swap.  A key
 * whose word is idle may be replaced by another one: it is GONE first, by
 * compare-and-swap and under the lock, so that whoever has looked it up, and
 * read its word before, fails to change it.  Thus a word read by
 * ngx_mon_keys_find() is changed only while the key is still the same one,
 * provided that no word comes to be the same again that it was while idle:
 * that is so for times that only grow; a word that counts needs a generation
 * in it.  A key that is made should not be idle from the start, or it may be
 * replaced before it is used.  The compare-and-swap must be a release.
 *
 * A process that is killed at any instruction leaves the table in order, its
 * lock is taken over, and what it was about to insert is room to be used.
 */


#ifndef _NGX_MON_KEYS_H_INCLUDED_
#define _NGX_MON_KEYS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_mon.h"
#include "ngx_mon_siphash.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


/* the word of a cell that is no key, or no longer */
#define NGX_MON_KEY_GONE    ((uint64_t) -1)

/* of a longer key the first bytes count, with a hash of all of it */
#define NGX_MON_KEY_LEN     1024

/* in the cell itself */
#define NGX_MON_KEY_INLINE  32

/* nothing waits longer for a lock whose holder lives, milliseconds */
#define NGX_MON_KEYS_WAIT   20


typedef struct ngx_mon_keys_s   ngx_mon_keys_t;
typedef struct ngx_mon_piece_s  ngx_mon_piece_t;

typedef struct {
    uint64_t         word;

    /* the owner's too: with what the word is to be understood */
    uint64_t         aux;

    /* the table's: numbers of cells, from 1 on, 0 is none */
    uint32_t         next;
    uint32_t         hash;
    uint32_t         more;
    uint16_t         len;
    uint16_t         linked;

    u_char           data[NGX_MON_KEY_INLINE];
} ngx_mon_key_t;

_Static_assert(sizeof(ngx_mon_key_t) == 64, "ngx_mon_key_t");


/*
 * Whether a key of this word may be replaced, at now, nanoseconds of
 * CLOCK_MONOTONIC.  It is asked without a lock, too, and must only compute.
 */
typedef ngx_uint_t (*ngx_mon_keys_idle_pt)(const ngx_mon_key_t *key,
    uint64_t word, uint64_t now);


/* of this configuration, private to a process */

struct ngx_mon_keys_s {
    ngx_mon_keys_idle_pt   idle;

    /* in the zone; NULL before it is made */
    void                  *shared;

    uint64_t               seed[2];
    ngx_mon_key_t         *cells;
    uint32_t              *heads;
    ngx_uint_t             ncells;

    ngx_mon_piece_t       *pieces;
    ngx_uint_t             npieces;

    /* of a piece, cells, and as many heads */
    ngx_uint_t             each;
};


typedef struct {
    ngx_uint_t             keys;      /* that are not idle */
    ngx_uint_t             room;      /* cells */
    uint64_t               full;      /* see ngx_mon_keys_full() */
    uint64_t               invalid;   /* see ngx_mon_keys_invalid() */
} ngx_mon_keys_facts_t;


/*
 * From the zone's init callback, with what that was given: makes the table,
 * or takes over the one that is there (shm.exists, or data of a cycle
 * before).  keys->idle is set.  All of the zone becomes the table's.  Returns
 * NGX_OK, or NGX_ERROR, with a message, where the zone is too small or was
 * made by another version.
 */
ngx_int_t ngx_mon_keys_init(ngx_mon_keys_t *keys, ngx_shm_zone_t *shm_zone,
    void *data);

/* The hash of a key, of any length. */
uint64_t ngx_mon_keys_hash(const ngx_mon_keys_t *keys, const ngx_str_t *key);

/*
 * Looks a key up, without a lock.  NULL, or the key, and in *word the value
 * that its word had before it was compared: never GONE.  NULL does not mean
 * that it isn't there: ngx_mon_keys_make() knows.
 */
ngx_mon_key_t *ngx_mon_keys_find(const ngx_mon_keys_t *keys, uint64_t hash,
    const ngx_str_t *key, uint64_t *word);

/*
 * Looks it up, and makes it where it is not there, with the *word given,
 * which is not GONE, and with this aux; then *made is 1.  Else *made is 0,
 * and *word is what it has.  NULL where there is no room: idle keys are
 * looked for in a bounded number of cells only, others from there on next
 * time; or where the lock was not to be had, see NGX_MON_KEYS_WAIT.
 */
ngx_mon_key_t *ngx_mon_keys_make(ngx_mon_keys_t *keys, uint64_t hash,
    const ngx_str_t *key, uint64_t now, uint64_t aux, uint64_t *word,
    ngx_uint_t *made);

/*
 * Changes word and aux of a key at once, where its word is old still: to
 * others it is GONE meanwhile.  Returns NGX_OK, or NGX_DECLINED.  A process
 * that is killed in it loses the key.
 */
ngx_int_t ngx_mon_keys_change(ngx_mon_keys_t *keys, uint64_t hash,
    ngx_mon_key_t *key, uint64_t old, uint64_t word, uint64_t aux);

/* Counts a request for whose key there was no room; 1 if it is to be logged. */
ngx_uint_t ngx_mon_keys_full(ngx_mon_keys_t *keys);

/* The same for something else, that its owner could not use. */
ngx_uint_t ngx_mon_keys_invalid(ngx_mon_keys_t *keys);

/*
 * Of the leader's tick, once a second: goes on through the cells from where
 * the last one ended, so that all are seen in less than a minute, and frees
 * those of idle keys.  It takes 200 microseconds at most, longer only where
 * that would not do for a minute: some 3 milliseconds for a zone of 1g.
 */
void ngx_mon_keys_sweep(ngx_mon_keys_t *keys, uint64_t now);

/* What is in it, as of the last sweeps. */
void ngx_mon_keys_facts(const ngx_mon_keys_t *keys, ngx_mon_keys_facts_t *f);

/*
 * The i-th key that is not idle, from a cell on: *i becomes the number of its
 * cell, 0 to ncells - 1, and *word its word.  key->data is set to buf, which
 * has room for NGX_MON_KEY_LEN bytes.  NULL past the last one, where *i is
 * keys->ncells, or where a bounded number of cells had none, where it is
 * less: to be called again.
 */
ngx_mon_key_t *ngx_mon_keys_next(const ngx_mon_keys_t *keys, ngx_uint_t *i,
    uint64_t now, ngx_str_t *key, u_char *buf, uint64_t *word);

/*
 * The lock of the key's piece, for what its owner does not do by a word.
 * Returns NGX_OK, or NGX_BUSY where it was not to be had, see
 * NGX_MON_KEYS_WAIT.  What is above and takes it must not be called meanwhile:
 * make, change, sweep.
 */
ngx_int_t ngx_mon_keys_lock(ngx_mon_keys_t *keys, uint64_t hash);
void ngx_mon_keys_unlock(ngx_mon_keys_t *keys, uint64_t hash);


#pragma GCC visibility pop


#endif /* _NGX_MON_KEYS_H_INCLUDED_ */
