
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_concurrency.h"


/* a word that changes whenever it is read: something is wrong */
#define NGX_HTTP_MON_CONC_TRIES  100000


static ngx_int_t ngx_http_mon_conc_key(ngx_http_request_t *r,
    ngx_http_mon_conc_t *c, ngx_str_t *key);
static ngx_int_t ngx_http_mon_conc_join(ngx_http_mon_conc_ctx_t *ctx,
    ngx_http_mon_conc_t *c, uint32_t entry, uint64_t w);
static ngx_int_t ngx_http_mon_conc_take(ngx_http_mon_conc_ctx_t *ctx,
    ngx_http_mon_conc_t *c);
static ngx_int_t ngx_http_mon_conc_take_key(ngx_http_mon_conc_ctx_t *ctx,
    ngx_http_mon_conc_t *c, ngx_str_t *key);
static ngx_int_t ngx_http_mon_conc_make_key(ngx_http_mon_conc_t *c,
    uint32_t node, ngx_str_t *key, uint64_t hash);


ngx_int_t
ngx_http_mon_conc_enter(ngx_http_mon_conc_ctx_t *ctx, ngx_http_mon_conc_t *c)
{
    uint32_t                     node;
    ngx_int_t                    rc;
    ngx_str_t                    key;
    ngx_mon_permit_t            *p;
    ngx_http_mon_conc_state_t   *s;
    ngx_http_mon_conc_permit_t  *permit;

    s = c->state;

    permit = &ctx->permits[ctx->n];
    permit->state = NULL;

    if (s == NULL || s->permit.self == 0) {
        return NGX_DECLINED;
    }

    if (c->key) {
        rc = ngx_http_mon_conc_key(ctx->request, c, &key);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    p = &s->permit;
    node = ngx_mon_permit_node(p);

    if (node == 0) {
        return NGX_BUSY;
    }

    permit->state = s;
    permit->node = node;

    if (c->key) {
        rc = ngx_http_mon_conc_take_key(ctx, c, &key);

    } else {
        rc = ngx_mon_permit_take(p, 0, node, ngx_mon_permit_word(p, 0));

        if (ngx_mon_unlikely(rc != NGX_OK)) {
            rc = ngx_http_mon_conc_take(ctx, c);
        }
    }

    if (ngx_mon_likely(rc == NGX_OK)) {
        return NGX_OK;
    }

    if (rc == NGX_BUSY) {
        ngx_mon_permit_drop(p, node);
        return NGX_BUSY;
    }

    return ngx_http_mon_conc_waits(s, ctx, node);
}


/* NGX_DECLINED: it is empty, or there is no memory for it */

static ngx_int_t
ngx_http_mon_conc_key(ngx_http_request_t *r, ngx_http_mon_conc_t *c,
    ngx_str_t *key)
{
    ngx_http_variable_value_t  *v;

    if (c->variable == NGX_ERROR) {

        if (ngx_http_complex_value(r, c->key, key) != NGX_OK) {
            return NGX_DECLINED;
        }

        return key->len ? NGX_OK : NGX_DECLINED;
    }

    /* without a script */

    v = ngx_http_get_flushed_variable(r, c->variable);

    if (v == NULL || v->not_found || v->len == 0) {
        return NGX_DECLINED;
    }

    key->data = v->data;
    key->len = v->len;

    return NGX_OK;
}


/* waits in the queue, if there is one */

static ngx_int_t
ngx_http_mon_conc_join(ngx_http_mon_conc_ctx_t *ctx, ngx_http_mon_conc_t *c,
    uint32_t entry, uint64_t w)
{
    if (c->queue == 0) {
        return NGX_BUSY;
    }

    if (ctx->wait == NULL) {
        ctx->wait = ngx_pcalloc(ctx->request->pool,
                                sizeof(ngx_http_mon_conc_wait_t));

        if (ctx->wait == NULL) {
            return NGX_BUSY;
        }
    }

    return ngx_mon_permit_join(&c->state->permit, entry,
                               ctx->permits[ctx->n].node, w, c->queue);
}


static ngx_int_t
ngx_http_mon_conc_take(ngx_http_mon_conc_ctx_t *ctx, ngx_http_mon_conc_t *c)
{
    uint64_t           w;
    ngx_int_t          rc;
    ngx_uint_t         i;
    ngx_mon_permit_t  *p;

    p = &c->state->permit;

    for (i = 0; i < NGX_HTTP_MON_CONC_TRIES; i++) {

        w = ngx_mon_permit_word(p, 0);
        rc = ngx_mon_permit_take(p, 0, ctx->permits[ctx->n].node, w);

        if (rc == NGX_BUSY) {
            rc = ngx_http_mon_conc_join(ctx, c, 0, w);
        }

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    return NGX_BUSY;
}


static ngx_int_t
ngx_http_mon_conc_take_key(ngx_http_mon_conc_ctx_t *ctx,
    ngx_http_mon_conc_t *c, ngx_str_t *key)
{
    uint32_t                    entry, node;
    uint64_t                    w, hash;
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_mon_key_t              *k;
    ngx_http_mon_conc_state_t  *s;

    s = c->state;
    node = ctx->permits[ctx->n].node;
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

        if (rc == NGX_BUSY) {
            rc = ngx_http_mon_conc_join(ctx, c, entry, w);
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
