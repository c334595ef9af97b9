
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_cells.h"


/* cells between two looks at the clock, and under a lock at once */
#define NGX_MON_SWEEP_CELLS   64

/* in so many calls all are seen */
#define NGX_MON_SWEEP_CALLS   50

/* a call, microseconds, and the wait for a lock, milliseconds */
#define NGX_MON_SWEEP_TIME    200
#define NGX_MON_SWEEP_WAIT    1

/* what ngx_mon_keys_next() looks at in a call */
#define NGX_MON_NEXT_CELLS    4096
#define NGX_MON_NEXT_TRIES    8


typedef struct {
    const ngx_mon_keys_t  *keys;
    uint64_t               now;

    /* no time for what can wait */
    ngx_uint_t             late;

    ngx_uint_t             done;
    ngx_uint_t             pieces;
    ngx_uint_t             piece;
} ngx_mon_sweep_t;


static ngx_uint_t ngx_mon_sweep_step(ngx_mon_sweep_t *s, ngx_uint_t at);
static void ngx_mon_sweep_cells(ngx_mon_sweep_t *s, uint32_t first,
    ngx_uint_t n);
static ngx_uint_t ngx_mon_sweep_due(ngx_mon_sweep_t *s, uint32_t i);
static void ngx_mon_sweep_cell(ngx_mon_sweep_t *s, uint32_t i);
static ngx_int_t ngx_mon_keys_read(const ngx_mon_keys_t *keys,
    const ngx_mon_key_t *k, ngx_str_t *key, u_char *buf, uint64_t *word);


static ngx_uint_t
ngx_mon_keys_fresh(const ngx_mon_keys_t *keys, ngx_uint_t piece)
{
    return ngx_min(__atomic_load_n(&keys->pieces[piece].fresh,
                                   __ATOMIC_ACQUIRE),
                   keys->each);
}


/* Also of a piece that nobody inserts to: its number may come to live. */

static void
ngx_mon_sweep_locks(ngx_mon_keys_t *keys, ngx_uint_t *cells)
{
    ngx_uint_t      i;
    ngx_atomic_t   *lock;

    *cells = 0;

    for (i = 0; i < keys->npieces; i++) {
        *cells += ngx_mon_keys_fresh(keys, i);

        lock = &keys->pieces[i].lock;

        if (*lock && ngx_mon_lock_word(lock, NGX_MON_SWEEP_WAIT) == NGX_OK) {
            ngx_mon_unlock_word(lock);
        }
    }
}


void
ngx_mon_keys_sweep(ngx_mon_keys_t *keys, uint64_t now)
{
    uint64_t          end;
    ngx_uint_t        at, cells;
    ngx_mon_sweep_t   s;
    ngx_mon_table_t  *t;

    end = ngx_mon_now() + NGX_MON_SWEEP_TIME;

    s.keys = keys;
    s.now = now;
    s.late = 0;
    s.done = 0;
    s.pieces = 0;

    ngx_mon_sweep_locks(keys, &cells);

    t = keys->shared;
    at = t->swept % keys->ncells;

    while (s.done < cells && s.pieces <= keys->npieces) {

        s.late = ngx_mon_now() >= end;

        if (s.late && s.done > cells / NGX_MON_SWEEP_CALLS) {
            break;
        }

        at = ngx_mon_sweep_step(&s, at);
    }

    t->swept = at;
}


/* Some cells from there on, or the end of a piece: where the next step is. */

static ngx_uint_t
ngx_mon_sweep_step(ngx_mon_sweep_t *s, ngx_uint_t at)
{
    ngx_uint_t        n, from, fresh, each;
    ngx_mon_piece_t  *p;

    each = s->keys->each;
    from = at % each;

    s->piece = at / each;
    p = &s->keys->pieces[s->piece];
    fresh = ngx_mon_keys_fresh(s->keys, s->piece);

    if (from == 0) {
        p->counted = 0;
    }

    if (from < fresh) {
        n = ngx_min(fresh - from, NGX_MON_SWEEP_CELLS);

        ngx_mon_sweep_cells(s, at + 1, n);

        from += n;
        s->done += n;
    }

    if (from < fresh) {
        return s->piece * each + from;
    }

    p->live = p->counted;
    s->pieces++;

    return (s->piece + 1) % s->keys->npieces * each;
}


/*
 * Most cells are as they should be, and no lock is taken to see that.  What
 * is due is looked at again under it.
 */

static void
ngx_mon_sweep_cells(ngx_mon_sweep_t *s, uint32_t first, ngx_uint_t n)
{
    ngx_uint_t        i;
    ngx_atomic_t     *lock;
    ngx_mon_piece_t  *p;

    p = &s->keys->pieces[s->piece];

    for (i = 0; i < n; i++) {
        if (ngx_mon_sweep_due(s, first + i)) {
            break;
        }
    }

    lock = NULL;

    if (i < n && ngx_mon_lock_word(&p->lock, NGX_MON_SWEEP_WAIT) == NGX_OK) {
        lock = &p->lock;
    }

    for (i = 0; i < n; i++) {

        if (lock) {
            ngx_mon_sweep_cell(s, first + i);
        }

        p->counted += __atomic_load_n(
                          &ngx_mon_keys_cell(s->keys, first + i)->word,
                          __ATOMIC_RELAXED)
                      != NGX_MON_KEY_GONE;
    }

    if (lock) {
        ngx_mon_unlock_word(lock);
    }
}


static ngx_uint_t
ngx_mon_sweep_due(ngx_mon_sweep_t *s, uint32_t i)
{
    uint64_t        word;
    ngx_mon_key_t  *k;

    k = ngx_mon_keys_cell(s->keys, i);
    word = __atomic_load_n(&k->word, __ATOMIC_ACQUIRE);

    if (word != NGX_MON_KEY_GONE) {
        return s->keys->idle(k, word, s->now);
    }

    return (k->linked && !s->late)
           || (k->aux && !ngx_mon_cells_part(s->keys, s->piece, i));
}


/* Where time is short it is left to inserts to take cells out of chains. */

static void
ngx_mon_sweep_cell(ngx_mon_sweep_t *s, uint32_t i)
{
    uint64_t        word;
    ngx_mon_key_t  *k;

    k = ngx_mon_keys_cell(s->keys, i);
    word = __atomic_load_n(&k->word, __ATOMIC_RELAXED);

    if (word != NGX_MON_KEY_GONE) {

        if (!ngx_mon_cells_drop(s->keys, s->piece, k, word, s->now)) {
            return;
        }

    } else if (k->aux && ngx_mon_cells_part(s->keys, s->piece, i)) {
        return;

    } else if (k->aux) {

        /* of a key that went, or never came to be */

        k->aux = 0;
        s->keys->pieces[s->piece].spare++;
    }

    if (k->linked && !s->late) {
        ngx_mon_cells_unlink(s->keys, s->piece, i);
    }
}


void
ngx_mon_keys_facts(const ngx_mon_keys_t *keys, ngx_mon_keys_facts_t *f)
{
    ngx_uint_t        i;
    ngx_mon_table_t  *t;

    t = keys->shared;

    f->keys = 0;
    f->room = keys->ncells;
    f->full = __atomic_load_n(&t->full, __ATOMIC_RELAXED);
    f->invalid = __atomic_load_n(&t->invalid, __ATOMIC_RELAXED);

    for (i = 0; i < keys->npieces; i++) {
        f->keys += ngx_min(keys->pieces[i].live, keys->each);
    }
}


ngx_mon_key_t *
ngx_mon_keys_next(const ngx_mon_keys_t *keys, ngx_uint_t *i, uint64_t now,
    ngx_str_t *key, u_char *buf, uint64_t *word)
{
    ngx_uint_t      n, piece;
    ngx_mon_key_t  *k;

    for (n = 0; n < NGX_MON_NEXT_CELLS && *i < keys->ncells; n++) {

        piece = *i / keys->each;

        if (*i % keys->each >= ngx_mon_keys_fresh(keys, piece)) {
            *i = (piece + 1) * keys->each;
            continue;
        }

        k = &keys->cells[*i];

        if (ngx_mon_keys_read(keys, k, key, buf, word) == NGX_OK
            && !keys->idle(k, *word, now))
        {
            return k;
        }

        (*i)++;
    }

    return NULL;
}


/* The hash tells that what was read is one key, and the one of the word. */

static ngx_int_t
ngx_mon_keys_read(const ngx_mon_keys_t *keys, const ngx_mon_key_t *k,
    ngx_str_t *key, u_char *buf, uint64_t *word)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MON_NEXT_TRIES; i++) {

        *word = __atomic_load_n(&k->word, __ATOMIC_ACQUIRE);

        if (*word == NGX_MON_KEY_GONE) {
            return NGX_DECLINED;
        }

        ngx_mon_cells_copy(keys, k, key, buf);

        if (key->len >= NGX_MON_KEY_LEN
            || (uint32_t) ngx_mon_keys_hash(keys, key) == k->hash)
        {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}
