
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_cells.h"


/* between two messages, milliseconds */
#define NGX_MON_KEYS_LOG  60000

/* of a key that is too long so much is its own, the rest the hash of all */
#define NGX_MON_KEY_HEAD  (NGX_MON_KEY_LEN - sizeof(uint64_t))


static ngx_mon_table_t *ngx_mon_keys_new(ngx_slab_pool_t *pool,
    ngx_log_t *log);
static ngx_mon_table_t *ngx_mon_keys_old(ngx_slab_pool_t *pool);
static ngx_int_t ngx_mon_keys_seed(ngx_mon_table_t *t, ngx_log_t *log);
static ngx_int_t ngx_mon_keys_divide(ngx_mon_keys_t *keys,
    ngx_mon_table_t *t);
static ngx_mon_key_t *ngx_mon_keys_find_long(const ngx_mon_keys_t *keys,
    uint64_t hash, const ngx_str_t *key, uint64_t *word);
static ngx_uint_t ngx_mon_keys_note(uint64_t *n, uint64_t *logged);
static void ngx_mon_keys_fold(ngx_str_t *folded, const ngx_str_t *key,
    uint64_t hash, u_char *buf);


ngx_int_t
ngx_mon_keys_init(ngx_mon_keys_t *keys, ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_log_t        *log;
    ngx_slab_pool_t  *pool;
    ngx_mon_table_t  *t;

    log = shm_zone->shm.log;
    pool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data || shm_zone->shm.exists) {
        t = ngx_mon_keys_old(pool);

        if (t == NULL) {
            ngx_log_error(NGX_LOG_EMERG, log, 0,
                          "keys zone \"%V\" was made by another version, "
                          "restart nginx or rename the zone",
                          &shm_zone->shm.name);
            return NGX_ERROR;
        }

    } else {
        t = ngx_mon_keys_new(pool, log);
    }

    if (t == NULL || ngx_mon_keys_divide(keys, t) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "keys zone \"%V\" is too small",
                      &shm_zone->shm.name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* All that is free becomes the table's; it is zeros, and not touched. */

static ngx_mon_table_t *
ngx_mon_keys_new(ngx_slab_pool_t *pool, ngx_log_t *log)
{
    size_t            size;
    ngx_mon_table_t  *t;

    size = pool->pfree * ngx_pagesize;
    pool->log_nomem = 0;

    if (size == 0) {
        return NULL;
    }

    t = ngx_slab_alloc(pool, size);

    if (t == NULL) {
        return NULL;
    }

    ngx_memzero(t, sizeof(ngx_mon_table_t));

    if (ngx_mon_keys_seed(t, log) != NGX_OK) {
        return NULL;
    }

    t->size = size;
    t->layout = NGX_MON_TABLE_LAYOUT;
    t->magic = NGX_MON_TABLE_MAGIC;

    pool->data = t;

    return t;
}


static ngx_mon_table_t *
ngx_mon_keys_old(ngx_slab_pool_t *pool)
{
    u_char           *p;
    ngx_mon_table_t  *t;

    t = pool->data;
    p = (u_char *) t;

    if (p < pool->start || p > pool->end - sizeof(ngx_mon_table_t)
        || t->magic != NGX_MON_TABLE_MAGIC
        || t->layout != NGX_MON_TABLE_LAYOUT
        || t->size > (size_t) (pool->end - p))
    {
        return NULL;
    }

    return t;
}


static ngx_int_t
ngx_mon_keys_seed(ngx_mon_table_t *t, ngx_log_t *log)
{
    ssize_t   n;
    ngx_fd_t  fd;

    fd = ngx_open_file("/dev/urandom", NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      ngx_open_file_n " \"/dev/urandom\" failed");
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, t->seed, sizeof(t->seed));

    if (n != (ssize_t) sizeof(t->seed)) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      ngx_read_fd_n " \"/dev/urandom\" failed");
    }

    (void) ngx_close_file(fd);

    return n == (ssize_t) sizeof(t->seed) ? NGX_OK : NGX_ERROR;
}


/* Of the same size it is always divided in the same way. */

static ngx_int_t
ngx_mon_keys_divide(ngx_mon_keys_t *keys, ngx_mon_table_t *t)
{
    size_t  size, one;

    one = sizeof(ngx_mon_key_t) + sizeof(uint32_t);
    size = sizeof(ngx_mon_table_t) + sizeof(ngx_mon_key_t)
           + NGX_MON_PIECES * sizeof(ngx_mon_piece_t);

    if (t->size < size + NGX_MON_KEY_CELLS * one) {
        return NGX_ERROR;
    }

    keys->ncells = ngx_min((t->size - size) / one, NGX_MAX_INT32_VALUE);

    keys->npieces = NGX_MON_PIECES;

    while (keys->npieces > 1
           && keys->ncells / keys->npieces < NGX_MON_PIECE_CELLS)
    {
        keys->npieces /= 2;
    }

    keys->each = keys->ncells / keys->npieces;
    keys->ncells = keys->each * keys->npieces;

    keys->pieces = (ngx_mon_piece_t *) (t + 1);
    keys->heads = (uint32_t *) (keys->pieces + keys->npieces);
    keys->cells = (ngx_mon_key_t *)
                      ngx_align_ptr(keys->heads + keys->ncells,
                                    sizeof(ngx_mon_key_t));

    keys->seed[0] = t->seed[0];
    keys->seed[1] = t->seed[1];
    keys->shared = t;

    return NGX_OK;
}


uint64_t
ngx_mon_keys_hash(const ngx_mon_keys_t *keys, const ngx_str_t *key)
{
    return ngx_mon_siphash(keys->seed, key->data, key->len);
}


/*
 * The word is read before the key, both behind the release that published
 * them; whoever changes it then, by a release, knows that the key was the
 * same all the while.  Cells that come to be in another chain meanwhile lead
 * astray, for a bounded number of steps, and the locked look-up has its turn.
 */

ngx_mon_key_t *
ngx_mon_keys_find(const ngx_mon_keys_t *keys, uint64_t hash,
    const ngx_str_t *key, uint64_t *word)
{
    size_t          len;
    u_char         *data;
    uint64_t        w;
    uint32_t        i;
    ngx_uint_t      n;
    ngx_mon_key_t  *k;

    len = key->len;
    data = key->data;

    if (ngx_mon_unlikely(len > NGX_MON_KEY_INLINE)) {
        return ngx_mon_keys_find_long(keys, hash, key, word);
    }

    i = __atomic_load_n(ngx_mon_keys_head(keys, (uint32_t) hash),
                        __ATOMIC_ACQUIRE);

    for (n = NGX_MON_CELLS_CHAIN; n; n--) {

        if ((uint32_t) (i - 1) >= keys->ncells) {
            return NULL;
        }

        k = ngx_mon_keys_cell(keys, i);
        w = __atomic_load_n(&k->word, __ATOMIC_ACQUIRE);

        if (k->hash == (uint32_t) hash && k->len == len
            && w != NGX_MON_KEY_GONE && ngx_mon_keys_same(k->data, data, len))
        {
            *word = w;
            return k;
        }

        i = __atomic_load_n(&k->next, __ATOMIC_ACQUIRE);
    }

    return NULL;
}


static ngx_mon_noinline ngx_mon_key_t *
ngx_mon_keys_find_long(const ngx_mon_keys_t *keys, uint64_t hash,
    const ngx_str_t *key, uint64_t *word)
{
    u_char          buf[NGX_MON_KEY_LEN];
    uint64_t        w;
    uint32_t        i;
    ngx_str_t       folded;
    ngx_uint_t      n;
    ngx_mon_key_t  *k;

    ngx_mon_keys_fold(&folded, key, hash, buf);

    i = __atomic_load_n(ngx_mon_keys_head(keys, (uint32_t) hash),
                        __ATOMIC_ACQUIRE);

    for (n = NGX_MON_CELLS_CHAIN; n; n--) {

        if ((uint32_t) (i - 1) >= keys->ncells) {
            return NULL;
        }

        k = ngx_mon_keys_cell(keys, i);
        w = __atomic_load_n(&k->word, __ATOMIC_ACQUIRE);

        if (k->hash == (uint32_t) hash && k->len == folded.len
            && w != NGX_MON_KEY_GONE
            && ngx_mon_cells_same(keys, k, &folded))
        {
            *word = w;
            return k;
        }

        i = __atomic_load_n(&k->next, __ATOMIC_ACQUIRE);
    }

    return NULL;
}


/* Other lengths never meet, but for those past 65535. */

static void
ngx_mon_keys_fold(ngx_str_t *folded, const ngx_str_t *key, uint64_t hash,
    u_char *buf)
{
    *folded = *key;

    if (key->len > NGX_MON_KEY_LEN) {
        ngx_memcpy(buf, key->data, NGX_MON_KEY_HEAD);
        ngx_memcpy(buf + NGX_MON_KEY_HEAD, &hash, sizeof(uint64_t));

        folded->len = ngx_min(key->len, 65535);
        folded->data = buf;
    }
}


ngx_mon_key_t *
ngx_mon_keys_make(ngx_mon_keys_t *keys, uint64_t hash, const ngx_str_t *key,
    uint64_t now, uint64_t aux, uint64_t *word, ngx_uint_t *made)
{
    u_char            buf[NGX_MON_KEY_LEN];
    uint32_t          cells[NGX_MON_KEY_CELLS];
    ngx_str_t         folded;
    ngx_uint_t        piece;
    ngx_mon_key_t    *k;
    ngx_mon_piece_t  *p;

    ngx_mon_keys_fold(&folded, key, hash, buf);

    piece = ngx_mon_keys_piece(keys, hash);
    p = &keys->pieces[piece];

    if (ngx_mon_lock_word(&p->lock, NGX_MON_KEYS_WAIT) != NGX_OK) {
        return NULL;
    }

    *made = 0;
    k = ngx_mon_cells_look(keys, piece, hash, &folded);

    if (k) {
        *word = __atomic_load_n(&k->word, __ATOMIC_ACQUIRE);

    } else if (ngx_mon_cells_room(keys, piece, now, cells,
                                  ngx_mon_keys_cells(folded.len))
               == NGX_OK)
    {
        *made = 1;
        k = ngx_mon_cells_fill(keys, piece, cells, hash, &folded, aux, *word);
    }

    ngx_mon_unlock_word(&p->lock);

    return k;
}


ngx_int_t
ngx_mon_keys_change(ngx_mon_keys_t *keys, uint64_t hash, ngx_mon_key_t *k,
    uint64_t old, uint64_t word, uint64_t aux)
{
    ngx_int_t  rc;

    if (ngx_mon_keys_lock(keys, hash) != NGX_OK) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;

    if (__atomic_compare_exchange_n(&k->word, &old, NGX_MON_KEY_GONE, 0,
                                    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
    {
        /* who sees the new aux no longer sees the old word */

        __atomic_thread_fence(__ATOMIC_RELEASE);

        k->aux = aux;
        __atomic_store_n(&k->word, word, __ATOMIC_RELEASE);

        rc = NGX_OK;
    }

    ngx_mon_keys_unlock(keys, hash);

    return rc;
}


ngx_uint_t
ngx_mon_keys_full(ngx_mon_keys_t *keys)
{
    ngx_mon_table_t  *t;

    t = keys->shared;

    return ngx_mon_keys_note(&t->full, &t->full_logged);
}


ngx_uint_t
ngx_mon_keys_invalid(ngx_mon_keys_t *keys)
{
    ngx_mon_table_t  *t;

    t = keys->shared;

    return ngx_mon_keys_note(&t->invalid, &t->invalid_logged);
}


static ngx_uint_t
ngx_mon_keys_note(uint64_t *n, uint64_t *logged)
{
    uint64_t  now, last;

    (void) __atomic_fetch_add(n, 1, __ATOMIC_RELAXED);

    now = (uint64_t) ngx_current_msec + 1;
    last = __atomic_load_n(logged, __ATOMIC_RELAXED);

    if (last && (int64_t) (now - last) < NGX_MON_KEYS_LOG) {
        return 0;
    }

    return __atomic_compare_exchange_n(logged, &last, now, 0,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}


ngx_int_t
ngx_mon_keys_lock(ngx_mon_keys_t *keys, uint64_t hash)
{
    return ngx_mon_lock_word(
                         &keys->pieces[ngx_mon_keys_piece(keys, hash)].lock,
                         NGX_MON_KEYS_WAIT);
}


void
ngx_mon_keys_unlock(ngx_mon_keys_t *keys, uint64_t hash)
{
    ngx_mon_unlock_word(&keys->pieces[ngx_mon_keys_piece(keys, hash)].lock);
}
