
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_concurrency.h"


/* a word that changes whenever it is read: something is wrong */
#define NGX_HTTP_MON_CONC_TRIES  100000


static ngx_int_t ngx_http_mon_conc_take(ngx_http_mon_conc_t *c,
    uint32_t node);
static ngx_int_t ngx_http_mon_conc_take_key(ngx_http_mon_conc_t *c,
    uint32_t node, ngx_str_t *key);
static ngx_int_t ngx_http_mon_conc_make_key(ngx_http_mon_conc_t *c,
    uint32_t node, ngx_str_t *key, uint64_t hash);


ngx_int_t
ngx_http_mon_conc_enter(ngx_http_mon_conc_ctx_t *ctx, ngx_http_mon_conc_t *c)
{
    uint32_t                    node;
    ngx_int_t                   rc;
    ngx_str_t                   key;
    ngx_http_mon_conc_state_t  *s;

    s = c->state;

    if (s == NULL || s->permit.self == 0) {
        return NGX_DECLINED;
    }

    if (c->key) {

        if (ngx_http_complex_value(ctx->request, c->key, &key) != NGX_OK) {
            return NGX_ERROR;
        }

        if (key.len == 0) {
            return NGX_DECLINED;
        }
    }

    node = ngx_mon_permit_node(&s->permit);

    if (node == 0) {
        return NGX_BUSY;
    }

    rc = c->key ? ngx_http_mon_conc_take_key(c, node, &key)
                : ngx_http_mon_conc_take(c, node);

    if (rc == NGX_BUSY) {
        ngx_mon_permit_drop(&s->permit, node);
        return NGX_BUSY;
    }

    ctx->permits[ctx->n].state = s;
    ctx->permits[ctx->n].node = node;

    if (rc == NGX_DONE) {
        return ngx_http_mon_conc_waits(s, ctx, node);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_conc_take(ngx_http_mon_conc_t *c, uint32_t node)
{
    uint64_t           w;
    ngx_int_t          rc;
    ngx_uint_t         i;
    ngx_mon_permit_t  *p;

    p = &c->state->permit;

    for (i = 0; i < NGX_HTTP_MON_CONC_TRIES; i++) {

        w = ngx_mon_permit_word(p, 0);
        rc = ngx_mon_permit_take(p, 0, node, w);

        if (rc == NGX_BUSY && c->queue) {
            rc = ngx_mon_permit_join(p, 0, node, w, c->queue);
        }

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    return NGX_BUSY;
}


static ngx_int_t
ngx_http_mon_conc_take_key(ngx_http_mon_conc_t *c, uint32_t node,
    ngx_str_t *key)
{
    uint32_t                    entry;
    uint64_t                    w, hash;
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_mon_key_t              *k;
    ngx_http_mon_conc_state_t  *s;

    s = c->state;
    hash = ngx_mon_keys_hash(&s->keys, key);

    for (i = 0; i < NGX_HTTP_MON_CONC_TRIES; i++) {

        k = ngx_mon_keys_find(&s->keys, hash, key, &w);

        if (k == NULL) {
            rc = ngx_http_mon_conc_make_key(c, node, key, hash);

            if (rc == NGX_AGAIN) {
                continue;
            }

            return rc;
        }

        entry = k - s->keys.cells;
        rc = ngx_mon_permit_take(&s->permit, entry, node, w);

        if (rc == NGX_BUSY && c->queue) {
            rc = ngx_mon_permit_join(&s->permit, entry, node, w, c->queue);
        }

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    return NGX_BUSY;
}


/* NGX_AGAIN: it is there */

static ngx_int_t
ngx_http_mon_conc_make_key(ngx_http_mon_conc_t *c, uint32_t node,
    ngx_str_t *key, uint64_t hash)
{
    uint64_t                    w, now;
    ngx_uint_t                  made;
    ngx_mon_key_t              *k;
    ngx_http_mon_conc_state_t  *s;

    s = c->state;
    made = 0;

    w = ngx_mon_permit_new(&s->permit, node);
    now = ngx_mon_now() * 1000;

    k = ngx_mon_keys_make(&s->keys, hash, key, now, 0, &w, &made);

    if (k == NULL) {
        /* the cells that were used last may be the first to be idle */
        k = ngx_mon_keys_make(&s->keys, hash, key, now, 0, &w, &made);
    }

    if (k && made) {
        ngx_mon_permit_made(&s->permit, node, k - s->keys.cells);
        return NGX_OK;
    }

    ngx_mon_permit_end(&s->permit);

    if (k) {
        return NGX_AGAIN;
    }

    if (ngx_mon_keys_full(&s->keys)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "no room for keys in \"mon_concurrency\" of the name "
                      "\"%V\", requests are refused", &c->name);
    }

    return NGX_BUSY;
}
