
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_accept.h"


typedef enum {
    NGX_MON_ACCEPT_NONE = 0,
    NGX_MON_ACCEPT_ANY,
    NGX_MON_ACCEPT_TYPE,
    NGX_MON_ACCEPT_SUBTYPE,
    NGX_MON_ACCEPT_PARAM
} ngx_mon_accept_e;


#define ngx_mon_is_space(c)  ((c) == ' ' || (c) == '\t')


static void
ngx_mon_accept_trim(ngx_str_t *s)
{
    while (s->len && ngx_mon_is_space(s->data[0])) {
        s->data++;
        s->len--;
    }

    while (s->len && ngx_mon_is_space(s->data[s->len - 1])) {
        s->len--;
    }
}


/*
 * Takes what stands before the next separator outside of quotes off the list.
 * Returns 0 at the end of the list.
 */

static ngx_uint_t
ngx_mon_accept_split(ngx_str_t *list, u_char sep, ngx_str_t *item)
{
    u_char      *p, *last;
    ngx_uint_t   quoted;

    if (list->data == NULL) {
        return 0;
    }

    last = list->data + list->len;
    quoted = 0;

    for (p = list->data; p < last; p++) {

        if (*p == '"') {
            quoted = !quoted;

        } else if (*p == '\\' && quoted && p + 1 < last) {
            p++;

        } else if (*p == sep && !quoted) {
            break;
        }
    }

    item->data = list->data;
    item->len = p - list->data;
    ngx_mon_accept_trim(item);

    list->data = p < last ? p + 1 : NULL;
    list->len = p < last ? last - p - 1 : 0;

    return 1;
}


static ngx_uint_t
ngx_mon_accept_equal(const ngx_str_t *a, const ngx_str_t *b)
{
    size_t  i;

    if (a->len != b->len) {
        return 0;
    }

    for (i = 0; i < a->len; i++) {
        if (ngx_tolower(a->data[i]) != ngx_tolower(b->data[i])) {
            return 0;
        }
    }

    return 1;
}


/* Finds a parameter by its name, without the quotes around its value. */

static ngx_uint_t
ngx_mon_accept_param(ngx_str_t params, const ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_str_t  key;

    while (ngx_mon_accept_split(&params, ';', value)) {

        (void) ngx_mon_accept_split(value, '=', &key);

        if (!ngx_mon_accept_equal(&key, name)) {
            continue;
        }

        ngx_mon_accept_trim(value);

        if (value->len > 1 && value->data[0] == '"'
            && value->data[value->len - 1] == '"')
        {
            value->data++;
            value->len -= 2;
        }

        return 1;
    }

    return 0;
}


/* The q-value in thousandths, NGX_ERROR for a bad one. */

static ngx_int_t
ngx_mon_accept_q(const ngx_str_t *params)
{
    size_t     i;
    ngx_int_t  n, scale;
    ngx_str_t  name = ngx_string("q"), q;

    if (!ngx_mon_accept_param(*params, &name, &q)) {
        return 1000;
    }

    n = 0;
    i = 0;

    if (q.len && (q.data[0] == '0' || q.data[0] == '1')) {
        n = (q.data[i++] - '0') * 1000;
    }

    if (q.len == 0 || (i < q.len && q.data[i++] != '.')) {
        return NGX_ERROR;
    }

    for (scale = 100; i < q.len; i++, scale /= 10) {

        if (q.data[i] < '0' || q.data[i] > '9') {
            return NGX_ERROR;
        }

        n += (q.data[i] - '0') * scale;
    }

    return n <= 1000 ? n : NGX_ERROR;
}


static ngx_mon_accept_e
ngx_mon_accept_match(const ngx_str_t *type, const ngx_str_t *params,
    const ngx_mon_media_t *offer)
{
    ngx_str_t  value, major;
    ngx_str_t  any = ngx_string("*/*"), star = ngx_string("*");

    if (ngx_mon_accept_equal(type, &any)
        || ngx_mon_accept_equal(type, &star))
    {
        return NGX_MON_ACCEPT_ANY;
    }

    if (type->len > 2 && type->data[type->len - 1] == '*'
        && type->data[type->len - 2] == '/')
    {
        major = offer->type;
        major.len = ngx_min(major.len, type->len - 1);
        value = *type;
        value.len--;

        return ngx_mon_accept_equal(&major, &value) ? NGX_MON_ACCEPT_TYPE
                                                    : NGX_MON_ACCEPT_NONE;
    }

    if (!ngx_mon_accept_equal(type, &offer->type)) {
        return NGX_MON_ACCEPT_NONE;
    }

    if (offer->param.len == 0
        || !ngx_mon_accept_param(*params, &offer->param, &value))
    {
        return NGX_MON_ACCEPT_SUBTYPE;
    }

    return ngx_mon_accept_equal(&value, &offer->value) ? NGX_MON_ACCEPT_PARAM
                                                       : NGX_MON_ACCEPT_NONE;
}


/* What the header thinks of an offer: the more the better, 0 is a refusal. */

static uint64_t
ngx_mon_accept_judge(ngx_str_t header, const ngx_mon_media_t *offer)
{
    uint32_t          left;
    uint64_t          score;
    ngx_int_t         q, best;
    ngx_str_t         range, type;
    ngx_mon_accept_e  match, closest;

    score = 0;
    best = 0;
    closest = NGX_MON_ACCEPT_NONE;

    for (left = UINT32_MAX;
         ngx_mon_accept_split(&header, ',', &range);
         left--)
    {
        (void) ngx_mon_accept_split(&range, ';', &type);

        match = ngx_mon_accept_match(&type, &range, offer);

        if (match == NGX_MON_ACCEPT_NONE || match < closest) {
            continue;
        }

        q = ngx_mon_accept_q(&range);

        if (q == NGX_ERROR || (match == closest && q <= best)) {
            continue;
        }

        best = q;
        closest = match;
        score = q ? (uint64_t) q << 40 | (uint64_t) match << 32 | left : 0;
    }

    return score;
}


ngx_uint_t
ngx_mon_accept(const ngx_str_t *header, const ngx_mon_media_t *offers,
    ngx_uint_t n)
{
    uint64_t    score, best;
    ngx_uint_t  i, chosen;

    best = 0;
    chosen = 0;

    for (i = 0; i < n; i++) {
        score = ngx_mon_accept_judge(*header, &offers[i]);

        if (score > best) {
            best = score;
            chosen = i;
        }
    }

    return chosen;
}
