
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_hist.h"


/* floor(2^(62 + j / 8)): the steps between two powers of two */

static const uint64_t  ngx_mon_hist_steps[] = {
    0x4000000000000000, 0x45cae0f1f545eb73,
    0x4c1bf828c6dc54b7, 0x52ff6b54d8a89c75,
    0x5a827999fcef3242, 0x62b39508aa836d6e,
    0x6ba27e656b4eb57a, 0x75606373ee921c97
};


/* 2^(-20 + e / 8) seconds in 1 / 2^shift microseconds, rounded down */

static uint64_t
ngx_mon_hist_point(ngx_uint_t e, ngx_uint_t shift)
{
    unsigned __int128  v;

    v = (unsigned __int128) 1000000 * ngx_mon_hist_steps[e & 7];

    return (uint64_t) (v >> (62 + 20 - (e >> 3) - shift));
}


static uint32_t
ngx_mon_hist_end(ngx_uint_t i)
{
    return (uint32_t) ngx_mon_hist_point(2 * (i + 1), 0);
}


void
ngx_mon_hist_map(ngx_mon_hist_map_t *map, const ngx_mon_bounds_t *b)
{
    uint64_t    low;
    ngx_uint_t  i, k, shift;

    for (i = 0; i < NGX_MON_EXP_BUCKETS; i++) {
        map->end[i] = ngx_mon_hist_end(i);
    }

    /* key k stands for the values that begin at low, see the header */

    for (i = 0, k = 0; k < NGX_MON_HIST_KEYS; k++) {
        shift = k < 16 ? 0 : (k >> 3) - 1;
        low = (uint64_t) (k - (shift << 3)) << shift;

        while (i < NGX_MON_EXP_BUCKETS - 1 && low > map->end[i]) {
            i++;
        }

        map->first[k] = (u_char) i;
    }

    for (i = 0; i < b->n; i++) {
        map->bounds[i] = b->us[i];
    }

    map->bounds[b->n] = UINT64_MAX;
    map->nbounds = b->n;

    for (low = 0, i = 0, k = 0; i < NGX_MON_EXP_BUCKETS; i++) {
        while (low > map->bounds[k]) {
            k++;
        }

        map->classic[i] = (u_char) k;
        low = (uint64_t) map->end[i] + 1;
    }
}


void
ngx_mon_hist_init(ngx_mon_hist_t *h, const ngx_mon_bounds_t *b)
{
    ngx_memzero(h, sizeof(ngx_mon_hist_t));

    h->bounds = b;
}


static ngx_uint_t
ngx_mon_hist_same(const ngx_mon_bounds_t *a, const ngx_mon_bounds_t *b)
{
    if (a == b) {
        return 1;
    }

    return a->n == b->n && ngx_memcmp(a->us, b->us, a->n * sizeof(uint64_t))
                           == 0;
}


/*
 * The classic buckets from those of other bounds.  How many values are not
 * above a bound is told by the exponential buckets that end before it, within
 * what the nearest bounds on both sides allow: where both sets have the bound
 * it is exact, and over a change of bounds its counter doesn't step back.
 */

static void
ngx_mon_hist_rebound(ngx_mon_hist_t *h, const uint64_t *exp,
    const uint64_t *classic, const ngx_mon_bounds_t *b)
{
    uint64_t    us, n, below, above, last;
    ngx_uint_t  i, j, k;

    n = 0;
    below = 0;
    last = 0;

    for (i = 0, j = 0, k = 0; k < h->bounds->n; k++) {
        us = h->bounds->us[k];

        while (i < NGX_MON_EXP_BUCKETS && ngx_mon_hist_end(i) <= us) {
            n += exp[i++];
        }

        while (j < b->n && b->us[j] <= us) {
            below += classic[j++];
        }

        above = below;

        if (j == 0 || b->us[j - 1] != us) {
            above += classic[j];
        }

        above = ngx_max(below, ngx_min(n, above));
        h->classic[k] += above - last;
        last = above;
    }

    for ( /* void */ ; j <= b->n; j++) {
        below += classic[j];
    }

    h->classic[k] += below - last;
}


void
ngx_mon_hist_merge(ngx_mon_hist_t *h, const uint64_t *cells,
    const ngx_mon_bounds_t *b)
{
    uint64_t    exp[NGX_MON_EXP_BUCKETS], classic[NGX_MON_BOUNDS_MAX + 1];
    ngx_uint_t  i;

    for (i = 0; i < NGX_MON_EXP_BUCKETS; i++) {
        exp[i] = __atomic_load_n(&cells[i], __ATOMIC_RELAXED);
        h->exp[i] += exp[i];
    }

    h->sum += __atomic_load_n(&cells[NGX_MON_HIST_SUM], __ATOMIC_RELAXED);

    cells += NGX_MON_HIST_CLASSIC;

    for (i = 0; i <= b->n; i++) {
        classic[i] = __atomic_load_n(&cells[i], __ATOMIC_RELAXED);
        h->count += classic[i];
    }

    if (!ngx_mon_hist_same(h->bounds, b)) {
        ngx_mon_hist_rebound(h, exp, classic, b);
        return;
    }

    for (i = 0; i <= b->n; i++) {
        h->classic[i] += classic[i];
    }
}


uint64_t
ngx_mon_hist_quantile(const ngx_mon_hist_t *h, ngx_uint_t q)
{
    uint64_t    n, rank;
    ngx_uint_t  i;

    for (n = 0, i = 0; i < NGX_MON_EXP_BUCKETS; i++) {
        n += h->exp[i];
    }

    if (n == 0) {
        return 0;
    }

    rank = (uint64_t) (((unsigned __int128) n * q + 999) / 1000);

    for (n = 0, i = 0; i < NGX_MON_EXP_BUCKETS - 1; i++) {
        n += h->exp[i];

        if (n >= rank) {
            break;
        }
    }

    return (ngx_mon_hist_point(2 * i + 1, 1) + 1) / 2;
}


ngx_int_t
ngx_mon_hist_range(const ngx_mon_hist_t *h, uint64_t *min, uint64_t *max)
{
    ngx_uint_t  first, last;

    for (first = 0; h->exp[first] == 0; first++) {
        if (first == NGX_MON_EXP_BUCKETS - 1) {
            return NGX_DECLINED;
        }
    }

    for (last = NGX_MON_EXP_BUCKETS - 1; h->exp[last] == 0; last--) {
        /* void */
    }

    *min = first ? (uint64_t) ngx_mon_hist_end(first - 1) + 1 : 0;
    *max = ngx_mon_hist_end(last);

    return NGX_OK;
}
