
/*
 * Copyright (C) The ngx_mon authors
 */


#include "fuzz.h"
#include "ngx_mon_path.h"


static ngx_uint_t
is_dots(const u_char *p, size_t len)
{
    return len && len <= 2 && p[0] == '.' && p[len - 1] == '.';
}


/* no segment is empty, or may be taken for two */

static void
check_segment(const ngx_str_t *s, ngx_uint_t escaped)
{
    size_t  i, from;

    check(s->len);
    check(memchr(s->data, '\0', s->len) == NULL);
    check(escaped || memchr(s->data, '/', s->len) == NULL);

    for (from = 0, i = 0; i <= s->len; i++) {
        if (i == s->len || s->data[i] == '/') {
            check(!is_dots(s->data + from, i - from));
            from = i + 1;
        }
    }
}


/* encoded again it is the same path */

static void
check_again(const ngx_mon_path_t *path)
{
    u_char          *p, *uri, *buf;
    size_t           len, i;
    ngx_uint_t       k;
    ngx_mon_path_t   again;

    for (len = 0, k = 0; k < path->n; k++) {
        len += 1 + 3 * path->segments[k].len;
    }

    uri = malloc(len + 1);
    buf = malloc(len + 1);
    check(uri && buf);

    for (p = uri, k = 0; k < path->n; k++) {
        *p++ = '/';

        for (i = 0; i < path->segments[k].len; i++) {
            p += sprintf((char *) p, "%%%02x", path->segments[k].data[i]);
        }
    }

    check(ngx_mon_path_parse(&again, buf, uri, p - uri, 1) == NGX_OK);
    check(again.n == path->n);
    check(ngx_mon_path_strip(&again, path) == NGX_OK);
    check(again.n == 0);

    free(uri);
    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char          *buf, *other;
    size_t           n;
    ngx_uint_t       i, escaped;
    ngx_mon_path_t   path, prefix;

    escaped = fuzz_number(&data, &size, 1) & 1;
    n = fuzz_number(&data, &size, 1);
    n = ngx_min(n, size);

    /* exactly as large as promised: the sanitizer sees the rest */

    buf = malloc(size + !size);
    other = malloc(n + !n);
    check(buf && other);

    if (ngx_mon_path_parse(&path, buf, data, size, escaped) == NGX_OK) {

        check(path.n <= NGX_MON_PATH_MAX);

        for (i = 0; i < path.n; i++) {
            check_segment(&path.segments[i], escaped);
        }

        check_again(&path);

        if (ngx_mon_path_parse(&prefix, other, data, n, escaped) == NGX_OK
            && ngx_mon_path_strip(&path, &prefix) == NGX_OK)
        {
            for (i = 0; i < path.n; i++) {
                check_segment(&path.segments[i], escaped);
            }
        }
    }

    free(buf);
    free(other);

    return 0;
}
