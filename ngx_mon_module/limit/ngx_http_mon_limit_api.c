
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * http/limits/zones of the API: zones by their name, and in them keys.  A walk
 * is at
 *
 *     [0]  the zone, by number; of a zone's keys the cell
 *     [1]  what comes next of it, NGX_HTTP_MON_LIMIT_API_*
 *     [2]  the mon_limit, by number
 */


#include "ngx_http_mon_limit.h"
#include "ngx_mon_api.h"


#define NGX_HTTP_MON_LIMIT_API_HEAD  0
#define NGX_HTTP_MON_LIMIT_API_REST  1

/* of others' directives so many are passed by in one step */
#define NGX_HTTP_MON_LIMIT_API_STEP  1024

/* how often a word is tried to be changed that others change, too */
#define NGX_HTTP_MON_LIMIT_API_TRIES 100


static ngx_int_t ngx_http_mon_limit_api_find(const ngx_mon_walk_t *w);
static ngx_int_t ngx_http_mon_limit_api_emit(ngx_mon_walk_t *w,
    ngx_mon_emit_t *e);
static ngx_uint_t ngx_http_mon_limit_api_writes(const ngx_mon_walk_t *w);
static ngx_int_t ngx_http_mon_limit_api_write(ngx_mon_walk_t *w,
    ngx_uint_t method, const char **message);
static ngx_int_t ngx_http_mon_limit_api_clear(ngx_mon_key_t *key,
    uint64_t word);
static ngx_http_mon_limit_zone_t *ngx_http_mon_limit_api_number(ngx_uint_t i);
static ngx_http_mon_limit_zone_t *ngx_http_mon_limit_api_zone(
    const ngx_str_t *name);
static ngx_mon_key_t *ngx_http_mon_limit_api_key(
    ngx_http_mon_limit_zone_t *zone, const ngx_str_t *name, uint64_t *word);
static ngx_uint_t ngx_http_mon_limit_api_binary(
    ngx_http_mon_limit_zone_t *zone);
static size_t ngx_http_mon_limit_api_addr(const ngx_str_t *name,
    u_char *addr);
static void ngx_http_mon_limit_api_text(ngx_str_t *name, u_char *buf);
static ngx_int_t ngx_http_mon_limit_api_all(ngx_mon_walk_t *w,
    ngx_mon_emit_t *e);
static ngx_int_t ngx_http_mon_limit_api_one(ngx_http_mon_limit_zone_t *zone,
    ngx_mon_walk_t *w, ngx_mon_emit_t *e);
static void ngx_http_mon_limit_api_head(ngx_http_mon_limit_zone_t *zone,
    ngx_mon_emit_t *e);
static ngx_int_t ngx_http_mon_limit_api_keys(ngx_http_mon_limit_zone_t *zone,
    ngx_mon_walk_t *w, ngx_mon_emit_t *e);
static void ngx_http_mon_limit_api_state(ngx_http_mon_limit_zone_t *zone,
    uint64_t aux, uint64_t word, ngx_mon_emit_t *e);


const ngx_mon_branch_t  ngx_http_mon_limit_api_zones = {
    ngx_string("http/limits/zones"),
    ngx_http_mon_limit_api_find,
    ngx_http_mon_limit_api_emit,
    ngx_http_mon_limit_api_writes,
    ngx_http_mon_limit_api_write
};


static ngx_int_t
ngx_http_mon_limit_api_find(const ngx_mon_walk_t *w)
{
    uint64_t                    word;
    ngx_http_mon_limit_zone_t  *zone;

    zone = ngx_http_mon_limit_api_zone(&w->rest[0]);

    if (zone == NULL || w->nrest > 3) {
        return NGX_DECLINED;
    }

    if (w->nrest > 1 && !ngx_mon_path_is(&w->rest[1], "keys")) {
        return NGX_DECLINED;
    }

    if (w->nrest > 2
        && ngx_http_mon_limit_api_key(zone, &w->rest[2], &word) == NULL)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* {zone}/keys/{key}/reset */

static ngx_uint_t
ngx_http_mon_limit_api_writes(const ngx_mon_walk_t *w)
{
    ngx_mon_walk_t  key;

    if (w->nrest != 4 || !ngx_mon_path_is(&w->rest[3], "reset")) {
        return 0;
    }

    key = *w;
    key.nrest = 3;

    return ngx_http_mon_limit_api_find(&key) == NGX_OK ? NGX_HTTP_POST : 0;
}


static ngx_int_t
ngx_http_mon_limit_api_write(ngx_mon_walk_t *w, ngx_uint_t method,
    const char **message)
{
    uint64_t                    word;
    ngx_uint_t                  i;
    ngx_mon_key_t              *key;
    ngx_http_mon_limit_zone_t  *zone;

    w->nrest = 1;

    zone = ngx_http_mon_limit_api_zone(&w->rest[0]);

    for (i = 0; i < NGX_HTTP_MON_LIMIT_API_TRIES; i++) {
        key = ngx_http_mon_limit_api_key(zone, &w->rest[2], &word);

        if (key == NULL || ngx_http_mon_limit_api_clear(key, word) == NGX_OK) {
            return NGX_OK;
        }
    }

    *message = "the key is too busy";

    return NGX_ERROR;
}


/*
 * The word becomes a time that has just come, so that the allowance is full,
 * and none that it was before.
 */

static ngx_int_t
ngx_http_mon_limit_api_clear(ngx_mon_key_t *key, uint64_t word)
{
    uint64_t  next;

    next = ngx_http_mon_limit_now()
           * __atomic_load_n(&key->aux, __ATOMIC_ACQUIRE);

    if (next + 1 <= 1) {
        next = 1;
    }

    return __atomic_compare_exchange_n(&key->word, &word, next, 0,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_http_mon_limit_zone_t *
ngx_http_mon_limit_api_number(ngx_uint_t i)
{
    ngx_http_mon_limit_zone_t       **zones;
    ngx_http_mon_limit_main_conf_t   *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                              ngx_http_mon_limit_module);

    if (mcf == NULL || i >= mcf->zones.nelts) {
        return NULL;
    }

    zones = mcf->zones.elts;

    return zones[i];
}


static ngx_http_mon_limit_zone_t *
ngx_http_mon_limit_api_zone(const ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_http_mon_limit_zone_t  *zone;

    for (i = 0; /* void */ ; i++) {
        zone = ngx_http_mon_limit_api_number(i);

        if (zone == NULL
            || (zone->name.len == name->len
                && ngx_memcmp(zone->name.data, name->data, name->len) == 0))
        {
            return zone;
        }
    }
}


/* a key whose allowance is not full, or NULL */

static ngx_mon_key_t *
ngx_http_mon_limit_api_key(ngx_http_mon_limit_zone_t *zone,
    const ngx_str_t *name, uint64_t *word)
{
    u_char          addr[16];
    ngx_str_t       s;
    ngx_mon_key_t  *key;

    s = *name;

    if (ngx_http_mon_limit_api_binary(zone)) {
        s.len = ngx_http_mon_limit_api_addr(name, addr);

        if (s.len) {
            s.data = addr;

        } else {
            s.len = name->len;
        }
    }

    key = ngx_mon_keys_find(&zone->keys, ngx_mon_keys_hash(&zone->keys, &s),
                            &s, word);

    if (key == NULL
        || zone->keys.idle(key, *word, ngx_http_mon_limit_now()))
    {
        return NULL;
    }

    return key;
}


/* addresses are text here */

static ngx_uint_t
ngx_http_mon_limit_api_binary(ngx_http_mon_limit_zone_t *zone)
{
    return ngx_mon_path_is(&zone->key.value, "$binary_remote_addr")
           || ngx_mon_path_is(&zone->key.value, "${binary_remote_addr}");
}


/* the length of the address, 0 where it is none */

static size_t
ngx_http_mon_limit_api_addr(const ngx_str_t *name, u_char *addr)
{
    in_addr_t  inaddr;

    inaddr = ngx_inet_addr(name->data, name->len);

    if (inaddr != INADDR_NONE) {
        ngx_memcpy(addr, &inaddr, sizeof(inaddr));
        return sizeof(inaddr);
    }

#if (NGX_HAVE_INET6)
    if (ngx_inet6_addr(name->data, name->len, addr) == NGX_OK) {
        return 16;
    }
#endif

    return 0;
}


static void
ngx_http_mon_limit_api_text(ngx_str_t *name, u_char *buf)
{
    size_t  len;

    if (name->len == 4) {
        len = ngx_inet_ntop(AF_INET, name->data, buf, NGX_SOCKADDR_STRLEN);

#if (NGX_HAVE_INET6)
    } else if (name->len == 16) {
        len = ngx_inet_ntop(AF_INET6, name->data, buf, NGX_SOCKADDR_STRLEN);
#endif

    } else {
        return;
    }

    name->data = buf;
    name->len = len;
}


static ngx_int_t
ngx_http_mon_limit_api_emit(ngx_mon_walk_t *w, ngx_mon_emit_t *e)
{
    uint64_t                    word;
    ngx_mon_key_t              *key;
    ngx_http_mon_limit_zone_t  *zone;

    if (w->nrest == 0) {
        return ngx_http_mon_limit_api_all(w, e);
    }

    zone = ngx_http_mon_limit_api_zone(&w->rest[0]);

    if (w->nrest == 1) {
        return ngx_http_mon_limit_api_one(zone, w, e);
    }

    if (w->nrest == 2) {
        return ngx_http_mon_limit_api_keys(zone, w, e);
    }

    ngx_mon_emit_open(e, NULL, '{');

    key = zone ? ngx_http_mon_limit_api_key(zone, &w->rest[2], &word) : NULL;

    if (key) {
        ngx_http_mon_limit_api_state(zone, key->aux, word, e);
    }

    ngx_mon_emit_close(e, '}');

    return NGX_DONE;
}


static ngx_int_t
ngx_http_mon_limit_api_all(ngx_mon_walk_t *w, ngx_mon_emit_t *e)
{
    ngx_http_mon_limit_zone_t  *zone;

    if (w->at[0] == 0 && w->at[1] == NGX_HTTP_MON_LIMIT_API_HEAD) {
        ngx_mon_emit_open(e, NULL, '{');
    }

    zone = ngx_http_mon_limit_api_number(w->at[0]);

    if (zone == NULL) {
        ngx_mon_emit_close(e, '}');
        return NGX_DONE;
    }

    if (w->at[1] == NGX_HTTP_MON_LIMIT_API_HEAD) {
        ngx_mon_emit_key(e, &zone->name);
    }

    if (ngx_http_mon_limit_api_one(zone, w, e) == NGX_DONE) {
        w->at[0]++;
        w->at[1] = NGX_HTTP_MON_LIMIT_API_HEAD;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_mon_limit_api_one(ngx_http_mon_limit_zone_t *zone, ngx_mon_walk_t *w,
    ngx_mon_emit_t *e)
{
    u_char                           *p, buf[NGX_MAX_PATH + NGX_INT_T_LEN];
    ngx_str_t                         place;
    ngx_uint_t                        n;
    ngx_http_mon_limit_t            **l;
    ngx_http_mon_limit_main_conf_t   *mcf;

    if (w->at[1] == NGX_HTTP_MON_LIMIT_API_HEAD) {
        ngx_mon_emit_open(e, NULL, '{');

        if (zone) {
            ngx_http_mon_limit_api_head(zone, e);
        }

        ngx_mon_emit_open(e, "used_by", '[');

        w->at[1] = NGX_HTTP_MON_LIMIT_API_REST;
        w->at[2] = 0;

        return NGX_AGAIN;
    }

    mcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                              ngx_http_mon_limit_module);
    l = mcf->limits.elts;

    for (n = 0; zone && w->at[2] < mcf->limits.nelts; n++) {

        if (n == NGX_HTTP_MON_LIMIT_API_STEP) {
            return NGX_AGAIN;
        }

        if (l[w->at[2]++]->zone == zone) {
            p = ngx_snprintf(buf, sizeof(buf), "%V:%ui",
                             &l[w->at[2] - 1]->file, l[w->at[2] - 1]->line);
            place.data = buf;
            place.len = p - buf;

            ngx_mon_emit_text(e, NULL, &place);
            return NGX_AGAIN;
        }
    }

    ngx_mon_emit_close(e, ']');
    ngx_mon_emit_close(e, '}');

    return NGX_DONE;
}


static void
ngx_http_mon_limit_api_head(ngx_http_mon_limit_zone_t *zone,
    ngx_mon_emit_t *e)
{
    ngx_mon_keys_facts_t  facts;

    ngx_mon_keys_facts(&zone->keys, &facts);

    ngx_mon_emit_text(e, "key", &zone->key.value);
    ngx_mon_emit_text(e, "rate", &zone->text);
    ngx_mon_emit_number(e, "burst", zone->rate.burst);
    ngx_mon_emit_number(e, "keys", facts.keys);
    ngx_mon_emit_number(e, "room", facts.room);
    ngx_mon_emit_number(e, "full", facts.full);
    ngx_mon_emit_number(e, "invalid", facts.invalid);
}


static ngx_int_t
ngx_http_mon_limit_api_keys(ngx_http_mon_limit_zone_t *zone,
    ngx_mon_walk_t *w, ngx_mon_emit_t *e)
{
    u_char          buf[NGX_MON_KEY_LEN], addr[NGX_SOCKADDR_STRLEN];
    uint64_t        word;
    ngx_str_t       name;
    ngx_mon_key_t  *key;

    if (w->at[1] == NGX_HTTP_MON_LIMIT_API_HEAD) {
        w->at[1] = NGX_HTTP_MON_LIMIT_API_REST;
        ngx_mon_emit_open(e, NULL, '{');
    }

    if (zone == NULL) {
        ngx_mon_emit_close(e, '}');
        return NGX_DONE;
    }

    key = ngx_mon_keys_next(&zone->keys, &w->at[0], ngx_http_mon_limit_now(),
                            &name, buf, &word);

    if (key) {
        if (ngx_http_mon_limit_api_binary(zone)) {
            ngx_http_mon_limit_api_text(&name, addr);
        }

        ngx_mon_emit_key(e, &name);
        ngx_mon_emit_open(e, NULL, '{');
        ngx_http_mon_limit_api_state(zone, key->aux, word, e);
        ngx_mon_emit_close(e, '}');

        w->at[0]++;

        return NGX_AGAIN;
    }

    if (w->at[0] < zone->keys.ncells) {
        return NGX_AGAIN;
    }

    ngx_mon_emit_close(e, '}');

    return NGX_DONE;
}


/* by the rate of the zone, whatever the key was limited by last */

static void
ngx_http_mon_limit_api_state(ngx_http_mon_limit_zone_t *zone, uint64_t aux,
    uint64_t word, ngx_mon_emit_t *e)
{
    uint64_t         now;
    ngx_mon_gcra_t   g, one;
    ngx_mon_rate_t  *rate;

    now = ngx_http_mon_limit_now();
    rate = &zone->rate;

    if (aux && aux <= NGX_MON_GCRA_UNIT_MAX && aux != rate->unit) {
        word = ngx_mon_gcra_convert(word, aux, rate->unit, now);
    }

    ngx_mon_gcra_judge(rate, word, now, 0, &g);
    ngx_mon_gcra_judge(rate, word, now, 1, &one);

    ngx_mon_emit_number(e, "remaining", g.remaining);
    ngx_mon_emit_value(e, "reset", NGX_MON_MICRO_SECONDS, g.reset / 1000);
    ngx_mon_emit_value(e, "allowed_in", NGX_MON_MICRO_SECONDS,
                       one.wait / 1000);
}
