
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_api.h"


typedef struct {
    const ngx_mon_branch_t  *branch;
    ngx_uint_t               n;
    ngx_str_t                segments[NGX_MON_BRANCH_DEPTH];
} ngx_mon_place_t;


static void ngx_mon_place_init(ngx_mon_place_t *p,
    const ngx_mon_branch_t *branch);
static ngx_int_t ngx_mon_place_cmp(const ngx_mon_place_t *a,
    const ngx_mon_place_t *b);
static ngx_uint_t ngx_mon_place_common(const ngx_str_t *a, ngx_uint_t na,
    const ngx_str_t *b, ngx_uint_t nb);
static ngx_int_t ngx_mon_api_step(ngx_mon_api_t *a, ngx_mon_emit_t *e);
static void ngx_mon_api_enter(ngx_mon_api_t *a, ngx_mon_emit_t *e);


/* in order, so that what is in one directory stands together */
static ngx_mon_place_t  ngx_mon_places[NGX_MON_BRANCHES_MAX];
static ngx_uint_t       ngx_mon_nplaces;


void
ngx_mon_add_branch(const ngx_mon_branch_t *branch)
{
    ngx_uint_t       i;
    ngx_mon_place_t  place;

    for (i = 0; i < ngx_mon_nplaces; i++) {
        if (ngx_mon_places[i].branch == branch) {
            return;
        }
    }

    if (ngx_mon_nplaces == NGX_MON_BRANCHES_MAX) {
        return;
    }

    ngx_mon_place_init(&place, branch);

    for (i = ngx_mon_nplaces++; i > 0; i--) {

        if (ngx_mon_place_cmp(&ngx_mon_places[i - 1], &place) < 0) {
            break;
        }

        ngx_mon_places[i] = ngx_mon_places[i - 1];
    }

    ngx_mon_places[i] = place;
}


static void
ngx_mon_place_init(ngx_mon_place_t *p, const ngx_mon_branch_t *branch)
{
    u_char     *s, *last;
    ngx_str_t  *segment;

    p->branch = branch;
    p->n = 0;

    s = branch->path.data;
    last = s + branch->path.len;

    while (s < last && p->n < NGX_MON_BRANCH_DEPTH) {

        segment = &p->segments[p->n++];
        segment->data = s;

        while (s < last && *s != '/') { s++; }

        segment->len = s++ - segment->data;
    }
}


static ngx_int_t
ngx_mon_place_cmp(const ngx_mon_place_t *a, const ngx_mon_place_t *b)
{
    ngx_uint_t  i;

    i = ngx_mon_place_common(a->segments, a->n, b->segments, b->n);

    if (i == a->n || i == b->n) {
        return a->n < b->n ? -1 : 1;
    }

    return ngx_memn2cmp(a->segments[i].data, b->segments[i].data,
                        a->segments[i].len, b->segments[i].len);
}


/* how many segments at the beginning are the same */

static ngx_uint_t
ngx_mon_place_common(const ngx_str_t *a, ngx_uint_t na, const ngx_str_t *b,
    ngx_uint_t nb)
{
    ngx_uint_t  i;

    for (i = 0; i < na && i < nb; i++) {
        if (a[i].len != b[i].len
            || ngx_memcmp(a[i].data, b[i].data, a[i].len) != 0)
        {
            break;
        }
    }

    return i;
}


ngx_int_t
ngx_mon_api_find(ngx_mon_api_t *a)
{
    ngx_uint_t              i, n;
    const ngx_mon_place_t  *p;

    a->first = ngx_mon_nplaces;
    a->last = ngx_mon_nplaces;

    for (i = 0; i < ngx_mon_nplaces; i++) {
        p = &ngx_mon_places[i];
        n = ngx_mon_place_common(p->segments, p->n, a->path.segments,
                                 a->path.n);

        if (n == p->n) {
            a->in = 1;
            a->branch = i;
            a->walk.rest = &a->path.segments[n];
            a->walk.nrest = a->path.n - n;

            return a->walk.nrest ? p->branch->find(&a->walk) : NGX_OK;
        }

        if (n == a->path.n) {
            a->first = ngx_min(a->first, i);
            a->last = i + 1;
        }
    }

    a->branch = a->first;

    return a->first < a->last || a->path.n == 0 ? NGX_OK : NGX_DECLINED;
}


ngx_uint_t
ngx_mon_api_writes(ngx_mon_api_t *a)
{
    const ngx_mon_branch_t  *b;

    if (!a->in) {
        return 0;
    }

    b = ngx_mon_places[a->branch].branch;

    return b->writes ? b->writes(&a->walk) : 0;
}


ngx_int_t
ngx_mon_api_write(ngx_mon_api_t *a, ngx_uint_t method, const char **message)
{
    ngx_int_t               rc;
    const ngx_mon_place_t  *p;

    p = &ngx_mon_places[a->branch];

    rc = p->branch->write(&a->walk, method, message);

    a->path.n = p->n + a->walk.nrest;

    return rc;
}


ngx_int_t
ngx_mon_api_emit(ngx_mon_api_t *a, ngx_mon_emit_t *e)
{
    ngx_int_t       rc;
    ngx_mon_api_t   before;
    ngx_mon_emit_t  empty;

    before = *a;
    empty = *e;

    rc = ngx_mon_api_step(a, e);

    if (e->out.full) {
        *a = before;
        *e = empty;
        e->out.full = 1;
    }

    return rc;
}


static ngx_int_t
ngx_mon_api_step(ngx_mon_api_t *a, ngx_mon_emit_t *e)
{
    ngx_int_t  rc;

    if (a->in) {
        return ngx_mon_places[a->branch].branch->emit(&a->walk, e);
    }

    if (!a->begun) {
        a->begun = 1;
        a->level = a->path.n;
        ngx_mon_emit_open(e, NULL, '{');
    }

    if (a->inside) {
        rc = ngx_mon_places[a->branch].branch->emit(&a->walk, e);

        if (rc == NGX_DONE) {
            a->inside = 0;
            a->branch++;
        }

        return NGX_AGAIN;
    }

    if (a->branch < a->last) {
        ngx_mon_api_enter(a, e);
        return NGX_AGAIN;
    }

    for ( /* void */ ; a->level > a->path.n; a->level--) {
        ngx_mon_emit_close(e, '}');
    }

    ngx_mon_emit_close(e, '}');

    return NGX_DONE;
}


/* to the next branch: out of directories and into others */

static void
ngx_mon_api_enter(ngx_mon_api_t *a, ngx_mon_emit_t *e)
{
    ngx_uint_t              common;
    const ngx_mon_place_t  *p, *prev;

    p = &ngx_mon_places[a->branch];
    common = a->path.n;

    if (a->branch > a->first) {
        prev = p - 1;
        common = ngx_mon_place_common(p->segments, p->n, prev->segments,
                                      prev->n);
    }

    for ( /* void */ ; a->level > common; a->level--) {
        ngx_mon_emit_close(e, '}');
    }

    for ( /* void */ ; a->level < p->n - 1; a->level++) {
        ngx_mon_emit_key(e, &p->segments[a->level]);
        ngx_mon_emit_open(e, NULL, '{');
    }

    ngx_mon_emit_key(e, &p->segments[p->n - 1]);

    ngx_memzero(&a->walk, sizeof(ngx_mon_walk_t));
    a->inside = 1;
}
