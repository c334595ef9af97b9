
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_path.h"


static ngx_int_t
ngx_mon_path_hex(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : NGX_ERROR;
}


/* the character at *p; NGX_DECLINED for none */

static ngx_int_t
ngx_mon_path_char(const u_char **p, const u_char *last, ngx_uint_t escaped)
{
    ngx_int_t      high, low;
    const u_char  *s;

    s = *p;

    if (*s != '%' || !escaped) {
        *p = s + 1;
        return *s ? *s : NGX_DECLINED;
    }

    if (last - s < 3) {
        return NGX_DECLINED;
    }

    high = ngx_mon_path_hex(s[1]);
    low = ngx_mon_path_hex(s[2]);

    if (high == NGX_ERROR || low == NGX_ERROR || (high | low) == 0) {
        return NGX_DECLINED;
    }

    *p = s + 3;

    return high << 4 | low;
}


/* whether some part of it, between slashes, is one or two dots */

static ngx_uint_t
ngx_mon_path_dots(const ngx_str_t *s)
{
    size_t  i, dots, other;

    dots = 0;
    other = 0;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] == '/') {

            if (dots && dots <= 2 && other == 0) {
                return 1;
            }

            dots = 0;
            other = 0;

        } else if (s->data[i] == '.') {
            dots++;

        } else {
            other++;
        }
    }

    return dots && dots <= 2 && other == 0;
}


/* a segment is whole */

static ngx_int_t
ngx_mon_path_add(ngx_mon_path_t *path, u_char *start, u_char *end)
{
    ngx_str_t  s;

    s.data = start;
    s.len = end - start;

    if (s.len == 0 || (s.len == 1 && s.data[0] == '.')) {
        return NGX_OK;
    }

    if (s.len == 2 && s.data[0] == '.' && s.data[1] == '.') {

        if (path->n == 0) {
            return NGX_DECLINED;
        }

        path->n--;
        return NGX_OK;
    }

    if (path->n == NGX_MON_PATH_MAX || ngx_mon_path_dots(&s)) {
        return NGX_DECLINED;
    }

    path->segments[path->n++] = s;

    return NGX_OK;
}


ngx_int_t
ngx_mon_path_parse(ngx_mon_path_t *path, u_char *buf, const u_char *uri,
    size_t len, ngx_uint_t escaped)
{
    u_char        *start, *end;
    ngx_int_t      c;
    const u_char  *p, *last;

    path->n = 0;

    start = buf;
    end = buf;
    last = uri + len;

    for (p = uri; p < last && (!escaped || (*p != '?' && *p != '#')); ) {

        if (*p == '/') {

            if (ngx_mon_path_add(path, start, end) != NGX_OK) {
                return NGX_DECLINED;
            }

            start = end;
            p++;
            continue;
        }

        c = ngx_mon_path_char(&p, last, escaped);

        if (c == NGX_DECLINED) {
            return NGX_DECLINED;
        }

        *end++ = (u_char) c;
    }

    return ngx_mon_path_add(path, start, end);
}


ngx_int_t
ngx_mon_path_strip(ngx_mon_path_t *path, const ngx_mon_path_t *prefix)
{
    ngx_uint_t        i;
    const ngx_str_t  *a, *b;

    if (path->n < prefix->n) {
        return NGX_DECLINED;
    }

    for (i = 0; i < prefix->n; i++) {
        a = &path->segments[i];
        b = &prefix->segments[i];

        if (a->len != b->len || ngx_memcmp(a->data, b->data, a->len) != 0) {
            return NGX_DECLINED;
        }
    }

    path->n -= prefix->n;

    for (i = 0; i < path->n; i++) {
        path->segments[i] = path->segments[prefix->n + i];
    }

    return NGX_OK;
}


ngx_uint_t
ngx_mon_path_is(const ngx_str_t *segment, const char *word)
{
    return segment->len == ngx_strlen(word)
           && ngx_memcmp(segment->data, word, segment->len) == 0;
}
