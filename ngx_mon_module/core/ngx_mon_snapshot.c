
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"


/* objects that have nothing to show, in one step of a cursor */
#define NGX_MON_CURSOR_STEP  64


static ngx_int_t ngx_mon_cursor_cells(ngx_mon_cursor_t *c,
    ngx_mon_sample_t *s);
static ngx_int_t ngx_mon_cursor_source(ngx_mon_cursor_t *c,
    ngx_mon_sample_t *s);
static ngx_int_t ngx_mon_cursor_element(ngx_mon_cursor_t *c,
    ngx_mon_sample_t *s);
static void ngx_mon_cursor_family(ngx_mon_cursor_t *c);
static ngx_uint_t ngx_mon_labels(ngx_mon_node_t *n, ngx_mon_label_t *labels,
    ngx_uint_t i);


static ngx_queue_t  ngx_mon_cursors;


void
ngx_mon_cursor_open(ngx_mon_cursor_t *c, ngx_mon_select_pt select, void *data)
{
    if (ngx_mon_cursors.next == NULL) {
        ngx_queue_init(&ngx_mon_cursors);
    }

    ngx_mon_slot_sweep(0);

    ngx_memzero(c, sizeof(ngx_mon_cursor_t));

    c->select = select;
    c->data = data;

    ngx_queue_insert_tail(&ngx_mon_cursors, &c->queue);

    ngx_mon_cursor_family(c);
}


void
ngx_mon_cursor_close(ngx_mon_cursor_t *c)
{
    ngx_queue_remove(&c->queue);
}


void
ngx_mon_cursors_purge(void)
{
    ngx_queue_t      *q;
    ngx_mon_cursor_t  *c;

    if (ngx_mon_cursors.next == NULL) {
        return;
    }

    for (q = ngx_queue_head(&ngx_mon_cursors);
         q != ngx_queue_sentinel(&ngx_mon_cursors);
         q = ngx_queue_next(q))
    {
        c = ngx_queue_data(q, ngx_mon_cursor_t, queue);

        while (c->node && c->node->state == NGX_MON_DEAD_NODE) {
            c->node = c->node->next;
            c->elt = 0;
        }
    }
}


/* at the beginning of the family that c->metric names, or of the next one */

static void
ngx_mon_cursor_family(ngx_mon_cursor_t *c)
{
    ngx_uint_t               n;
    const ngx_mon_metric_t  *m;

    m = ngx_mon_metrics(&n);

    while (c->metric < n && c->select
           && !c->select(c->data, &m[c->metric]))
    {
        c->metric++;
    }

    c->elt = 0;
    c->index = 0;
    c->started = 0;
    c->begun = ngx_current_msec;
    c->node = NULL;

    if (c->metric < n) {
        c->node = __atomic_load_n(
                      &ngx_mon_zone->lists[m[c->metric].group].head,
                      __ATOMIC_ACQUIRE);
    }
}


ngx_int_t
ngx_mon_cursor_next(ngx_mon_cursor_t *c, ngx_mon_sample_t *s,
    ngx_uint_t *first)
{
    ngx_int_t                rc;
    ngx_uint_t               i, n;
    const ngx_mon_metric_t  *m;

    m = ngx_mon_metrics(&n);

    for (i = 0; i < NGX_MON_CURSOR_STEP; i++) {

        if (c->metric >= n) {
            return NGX_DONE;
        }

        s->metric = &m[c->metric];

        rc = ngx_mon_groups[s->metric->group].source
             ? ngx_mon_cursor_source(c, s)
             : ngx_mon_cursor_cells(c, s);

        if (rc == NGX_OK) {
            *first = !c->started;
            c->started = 1;
            return NGX_OK;
        }

        if (rc == NGX_DONE) {
            c->metric++;
            ngx_mon_cursor_family(c);
        }
    }

    return NGX_AGAIN;
}


/* NGX_OK, NGX_AGAIN where nothing was to be shown, NGX_DONE past the last */

static ngx_int_t
ngx_mon_cursor_cells(ngx_mon_cursor_t *c, ngx_mon_sample_t *s)
{
    ngx_int_t                rc;
    ngx_mon_node_t          *n;
    const ngx_mon_metric_t  *m;

    n = c->node;
    m = s->metric;

    if (n == NULL) {
        return NGX_DONE;
    }

    rc = NGX_AGAIN;

    /* one made since may stand for one that was shown and has died */

    if (n->state == NGX_MON_DEAD_NODE
        || n->created > c->begun
        || !(n->view & m->view)
        || (n->parent && !(n->parent->view & m->view)))
    {
        c->elt = m->vec->n;
        goto next;
    }

    s->nlabels = n->parent ? ngx_mon_labels(n->parent, s->labels, 0) : 0;
    s->nlabels = ngx_mon_labels(n, s->labels, s->nlabels);

    if (m->type == NGX_MON_HISTOGRAM) {
        ngx_mon_read_hist(n, m->cell, &s->hist);
        c->elt = m->vec->n;
        rc = NGX_OK;
        goto next;
    }

    s->value = ngx_mon_read_cell(n, m->merge, m->cell + c->elt);
    rc = ngx_mon_cursor_element(c, s);

next:

    if (c->elt >= m->vec->n) {
        c->elt = 0;
        c->node = __atomic_load_n(&n->next, __ATOMIC_ACQUIRE);
    }

    return rc;
}


static ngx_int_t
ngx_mon_cursor_source(ngx_mon_cursor_t *c, ngx_mon_sample_t *s)
{
    u_char                  *p, *last;
    int64_t                  cells[NGX_MON_CELLS_MAX];
    ngx_int_t                rc;
    ngx_str_t                values[4];
    ngx_uint_t               i;
    ngx_mon_group_t         *g;
    const ngx_mon_metric_t  *m;

    /* the values of the object, made fit to print */
    static u_char            text[4][NGX_MON_LABEL_LEN];

    m = s->metric;
    g = &ngx_mon_groups[m->group];

    ngx_memzero(cells, sizeof(cells));
    ngx_memzero(values, sizeof(values));

    rc = g->source(m->group, c->index, cells, values);

    if (rc == NGX_DONE) {
        return NGX_DONE;
    }

    if (rc != NGX_OK) {
        c->index++;
        c->elt = 0;
        return NGX_AGAIN;
    }

    p = g->labels.data;
    last = p + g->labels.len;

    for (i = 0; i < g->nlabels && i < 4; i++) {

        s->labels[i].name.data = p;
        while (p < last && *p != ',') { p++; }
        s->labels[i].name.len = p++ - s->labels[i].name.data;

        s->labels[i].value.data = text[i];
        s->labels[i].value.len = ngx_mon_utf8_clean(text[i], values[i].data,
                                                    values[i].len,
                                                    NGX_MON_LABEL_LEN);
    }

    s->nlabels = i;
    s->value = (m->merge == NGX_MON_INFO) ? 1 : cells[m->cell + c->elt];

    rc = ngx_mon_cursor_element(c, s);

    if (c->elt >= m->vec->n) {
        c->elt = 0;
        c->index++;
    }

    return rc;
}


/* the labels of the element, and on to the next one */

static ngx_int_t
ngx_mon_cursor_element(ngx_mon_cursor_t *c, ngx_mon_sample_t *s)
{
    ngx_uint_t            i, elt;
    const ngx_mon_vec_t  *v;

    v = s->metric->vec;
    elt = c->elt++;

    if (v->skip_zero && s->value == 0) {
        return NGX_AGAIN;
    }

    for (i = 0; i < NGX_MON_VEC_LABELS && v->names[i].len; i++) {

        if (s->nlabels == NGX_MON_LABELS_MAX) {
            break;
        }

        s->labels[s->nlabels].name = v->names[i];
        s->labels[s->nlabels].value = v->values[elt][i];
        s->nlabels++;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_mon_labels(ngx_mon_node_t *n, ngx_mon_label_t *labels, ngx_uint_t i)
{
    u_char  *p, *last;

    p = n->key;
    last = p + n->len;

    while (p < last && i < NGX_MON_LABELS_MAX) {

        labels[i].name.len = *p++;
        labels[i].name.data = p;
        p += labels[i].name.len;

        labels[i].value.len = *p++;
        labels[i].value.data = p;
        p += labels[i].value.len;

        i++;
    }

    return i;
}
