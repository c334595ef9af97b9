
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * A table of keys in a shared memory zone of its own, for what limits by key.
 * All of the zone is divided into cells of 64 bytes when it is made; a key
 * takes one, and more where it is long.  Cells belong to pieces, a part of
 * the keys by their hash, each with a lock of its own that only inserts take;
 * look-ups take none.
 *
 * What a key stands for is its word, changed by compare-and-swap.  A key
 * whose word is idle may be replaced by another one: it is GONE first, by
 * compare-and-swap, so that whoever has looked it up, and read its word
 * before, fails to change it.  Thus a word read by ngx_mon_keys_find() is
 * changed only while the key is still the same one.
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


typedef struct ngx_mon_keys_s  ngx_mon_keys_t;

typedef struct {
    uint64_t         word;

    /* the owner's too: with what the word is to be understood */
    uint64_t         aux;

    /* the table's */
    uint32_t         next;
    uint32_t         hash;
    uint32_t         more;
    uint16_t         len;
    uint16_t         reserved;

    u_char           data[NGX_MON_KEY_INLINE];
} ngx_mon_key_t;

_Static_assert(sizeof(ngx_mon_key_t) == 64, "ngx_mon_key_t");


/*
 * Whether a key of this word may be replaced, at now, nanoseconds of
 * CLOCK_MONOTONIC.
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
    ngx_uint_t             mask;      /* of the heads */
    ngx_uint_t             ncells;
};


typedef struct {
    ngx_uint_t             keys;      /* that are not idle */
    ngx_uint_t             room;      /* cells */
    uint64_t               full;      /* see ngx_mon_keys_full() */
} ngx_mon_keys_facts_t;


/*
 * From the zone's init callback: makes the table, or takes over the one that
 * is there (shm.exists, or data of a cycle before).  keys->idle is set.
 * Returns NGX_OK, or NGX_ERROR, with a message, where the zone is too small.
 */
ngx_int_t ngx_mon_keys_init(ngx_mon_keys_t *keys, ngx_shm_zone_t *shm_zone,
    void *data);

/* The hash of a key, of any length. */
uint64_t ngx_mon_keys_hash(const ngx_mon_keys_t *keys, const ngx_str_t *key);

/*
 * Looks a key up, without a lock.  NULL, or the key, and in *word the value
 * that its word had before it was compared: never GONE.
 */
ngx_mon_key_t *ngx_mon_keys_find(const ngx_mon_keys_t *keys, uint64_t hash,
    const ngx_str_t *key, uint64_t *word);

/*
 * Looks it up, and inserts it where it is not there, with this word and aux;
 * *word is what it has then.  NULL where there is no room: idle keys are
 * looked for in a bounded number of cells only, others from there on next
 * time.
 */
ngx_mon_key_t *ngx_mon_keys_make(ngx_mon_keys_t *keys, uint64_t hash,
    const ngx_str_t *key, uint64_t now, uint64_t aux, uint64_t *word);

/* Counts a request for whose key there was no room; 1 if it is to be logged. */
ngx_uint_t ngx_mon_keys_full(ngx_mon_keys_t *keys);

/*
 * Of the leader's tick: goes through cells for a bounded time, from where the
 * last one ended, so that all are seen in less than a minute, and frees those
 * of idle keys.
 */
void ngx_mon_keys_sweep(ngx_mon_keys_t *keys, uint64_t now);

/* What is in it, as of the last sweeps. */
void ngx_mon_keys_facts(const ngx_mon_keys_t *keys, ngx_mon_keys_facts_t *f);

/*
 * The i-th key that is not idle, from a cell on: NULL past the last one.
 * *i becomes the number of its cell; buf has room for NGX_MON_KEY_LEN bytes.
 */
ngx_mon_key_t *ngx_mon_keys_next(const ngx_mon_keys_t *keys, ngx_uint_t *i,
    uint64_t now, ngx_str_t *key, u_char *buf);

/* The lock of the key's piece, for what its owner does not do by a word. */
void ngx_mon_keys_lock(ngx_mon_keys_t *keys, uint64_t hash);
void ngx_mon_keys_unlock(ngx_mon_keys_t *keys, uint64_t hash);


#pragma GCC visibility pop


#endif /* _NGX_MON_KEYS_H_INCLUDED_ */
