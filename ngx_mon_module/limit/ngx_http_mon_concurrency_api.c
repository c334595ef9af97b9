
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * http/limits/concurrency of the API: limits by their name.  A walk is at
 *
 *     [0]  the limit, by number
 *     [1]  what comes next of it, NGX_HTTP_MON_CONC_API_*
 *     [2]  the directive, by number
 */


#include "ngx_http_mon_concurrency.h"


#define NGX_HTTP_MON_CONC_API_HEAD  0
#define NGX_HTTP_MON_CONC_API_REST  1

/* of others' directives so many are passed by in one step */
#define NGX_HTTP_MON_CONC_API_STEP  1024


static ngx_int_t ngx_http_mon_conc_api_find(const ngx_mon_walk_t *w);
static ngx_int_t ngx_http_mon_conc_api_emit(ngx_mon_walk_t *w,
    ngx_mon_emit_t *e);
static ngx_http_mon_conc_t **ngx_http_mon_conc_api_limits(ngx_uint_t *n);
static ngx_int_t ngx_http_mon_conc_api_number(const ngx_str_t *name);
static ngx_int_t ngx_http_mon_conc_api_all(ngx_mon_walk_t *w,
    ngx_mon_emit_t *e);
static ngx_int_t ngx_http_mon_conc_api_one(ngx_uint_t i, ngx_mon_walk_t *w,
    ngx_mon_emit_t *e);
static void ngx_http_mon_conc_api_conf(ngx_http_mon_conc_t *c,
    ngx_mon_emit_t *e);
static void ngx_http_mon_conc_api_state(ngx_uint_t i, ngx_mon_emit_t *e);


const ngx_mon_branch_t  ngx_http_mon_conc_api = {
    ngx_string("http/limits/concurrency"),
    ngx_http_mon_conc_api_find,
    ngx_http_mon_conc_api_emit,
    NULL,
    NULL
};


static ngx_int_t
ngx_http_mon_conc_api_find(const ngx_mon_walk_t *w)
{
    return w->nrest == 1
           && ngx_http_mon_conc_api_number(&w->rest[0]) != NGX_ERROR
           ? NGX_OK : NGX_DECLINED;
}


static ngx_http_mon_conc_t **
ngx_http_mon_conc_api_limits(ngx_uint_t *n)
{
    ngx_http_mon_conc_main_conf_t  *ccmf;

    ccmf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                              ngx_http_mon_concurrency_module);

    *n = ccmf ? ccmf->limiters.nelts : 0;

    return ccmf ? ccmf->limiters.elts : NULL;
}


/* NGX_ERROR: there is none of that name */

static ngx_int_t
ngx_http_mon_conc_api_number(const ngx_str_t *name)
{
    ngx_uint_t             i, n;
    ngx_http_mon_conc_t  **c;

    c = ngx_http_mon_conc_api_limits(&n);

    for (i = 0; i < n; i++) {
        if (c[i]->same == NULL
            && c[i]->name.len == name->len
            && ngx_memcmp(c[i]->name.data, name->data, name->len) == 0)
        {
            return i;
        }
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_mon_conc_api_emit(ngx_mon_walk_t *w, ngx_mon_emit_t *e)
{
    ngx_int_t  i;

    if (w->nrest == 0) {
        return ngx_http_mon_conc_api_all(w, e);
    }

    i = ngx_http_mon_conc_api_number(&w->rest[0]);

    return ngx_http_mon_conc_api_one(i == NGX_ERROR ? NGX_MAX_SIZE_T_VALUE : i,
                                     w, e);
}


static ngx_int_t
ngx_http_mon_conc_api_all(ngx_mon_walk_t *w, ngx_mon_emit_t *e)
{
    ngx_uint_t             n;
    ngx_http_mon_conc_t  **c;

    c = ngx_http_mon_conc_api_limits(&n);

    if (w->at[0] == 0 && w->at[1] == NGX_HTTP_MON_CONC_API_HEAD) {
        ngx_mon_emit_open(e, NULL, '{');
    }

    if (w->at[1] == NGX_HTTP_MON_CONC_API_HEAD) {

        while (w->at[0] < n && c[w->at[0]]->same) { w->at[0]++; }

        if (w->at[0] >= n) {
            ngx_mon_emit_close(e, '}');
            return NGX_DONE;
        }

        ngx_mon_emit_key(e, &c[w->at[0]]->name);
    }

    if (ngx_http_mon_conc_api_one(w->at[0], w, e) == NGX_DONE) {
        w->at[0]++;
        w->at[1] = NGX_HTTP_MON_CONC_API_HEAD;
    }

    return NGX_AGAIN;
}


/* the i-th, which may be gone */

static ngx_int_t
ngx_http_mon_conc_api_one(ngx_uint_t i, ngx_mon_walk_t *w, ngx_mon_emit_t *e)
{
    u_char                *p, buf[NGX_MAX_PATH + NGX_INT_T_LEN];
    ngx_str_t              place;
    ngx_uint_t             k, n;
    ngx_http_mon_conc_t  **c;

    c = ngx_http_mon_conc_api_limits(&n);

    if (w->at[1] == NGX_HTTP_MON_CONC_API_HEAD) {
        ngx_mon_emit_open(e, NULL, '{');

        if (i < n) {
            ngx_http_mon_conc_api_conf(c[i], e);
            ngx_http_mon_conc_api_state(i, e);
        }

        ngx_mon_emit_open(e, "used_by", '[');

        w->at[1] = NGX_HTTP_MON_CONC_API_REST;
        w->at[2] = 0;

        return NGX_AGAIN;
    }

    for (k = 0; i < n && w->at[2] < n; k++) {

        if (k == NGX_HTTP_MON_CONC_API_STEP) {
            return NGX_AGAIN;
        }

        w->at[2]++;

        if (w->at[2] - 1 == i || c[w->at[2] - 1]->same == c[i]) {
            p = ngx_snprintf(buf, sizeof(buf), "%V:%ui",
                             &c[w->at[2] - 1]->file, c[w->at[2] - 1]->line);
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
ngx_http_mon_conc_api_conf(ngx_http_mon_conc_t *c, ngx_mon_emit_t *e)
{
    if (c->key) {
        ngx_mon_emit_text(e, "key", &c->key->value);

    } else {
        ngx_mon_emit_word(e, "key", NULL);
    }

    ngx_mon_emit_flag(e, "adaptive", c->adaptive);
    ngx_mon_emit_number(e, "queue", c->queue);
    ngx_mon_emit_ms(e, "timeout", c->timeout);
    ngx_mon_emit_number(e, "status", c->status);
}


static void
ngx_http_mon_conc_api_state(ngx_uint_t i, ngx_mon_emit_t *e)
{
    int64_t     cells[NGX_MON_CELLS_MAX];
    ngx_uint_t  k;
    ngx_str_t   name;

    static const struct {
        const char      *name;
        ngx_uint_t       cell;
        ngx_mon_unit_e   unit;
    } rows[] = {
        { "limit", NGX_MON_CONC_LIMIT, NGX_MON_NONE },
        { "in_flight", NGX_MON_CONC_IN_FLIGHT, NGX_MON_NONE },
        { "queued", NGX_MON_CONC_QUEUED, NGX_MON_NONE },
        { "min_rtt", NGX_MON_CONC_RTT, NGX_MON_MICRO_SECONDS },
        { "gradient", NGX_MON_CONC_GRADIENT, NGX_MON_MICRO_RATIO }
    };

    ngx_memzero(cells, sizeof(cells));

    if (ngx_http_mon_conc_source(NGX_MON_G_CONCURRENCY, i, cells, &name)
        != NGX_OK)
    {
        return;
    }

    for (k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {

        if (k > 2 && cells[rows[k].cell] == 0) {
            /* fixed, or nothing measured so far */
            ngx_mon_emit_word(e, rows[k].name, NULL);

        } else {
            ngx_mon_emit_value(e, rows[k].name, rows[k].unit,
                               cells[rows[k].cell]);
        }
    }
}
