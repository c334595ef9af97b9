
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include "ngx_mon_path.h"


/* the segments, each in brackets; "-" for what names nothing */

static const char *
segments(const char *uri, ngx_uint_t escaped)
{
    char            *p;
    u_char           buf[1024];
    ngx_uint_t       i;
    ngx_mon_path_t   path;

    static char      text[2048];

    if (ngx_mon_path_parse(&path, buf, (u_char *) uri, strlen(uri), escaped)
        != NGX_OK)
    {
        return "-";
    }

    for (p = text, i = 0; i < path.n; i++) {
        p += sprintf(p, "[%.*s]", (int) path.segments[i].len,
                     path.segments[i].data);
    }

    *p = '\0';

    return text;
}


static void
parse(void **state)
{
    ngx_uint_t  i;

    static const struct {
        const char  *uri;
        const char  *encoded;
        const char  *plain;
    } tests[] = {
        { "", "", "" },
        { "/", "", "" },
        { "a", "[a]", "[a]" },
        { "/a/b", "[a][b]", "[a][b]" },
        { "/a/b/", "[a][b]", "[a][b]" },
        { "//a///b//", "[a][b]", "[a][b]" },
        { "/a b/\xff\"\\", "[a b][\xff\"\\]", "[a b][\xff\"\\]" },
        { "/a/./b/.", "[a][b]", "[a][b]" },
        { "/a/../b", "[b]", "[b]" },
        { "/a/b/..", "[a]", "[a]" },
        { "/a/b/../..", "", "" },
        { "/..", "-", "-" },
        { "/a/../..", "-", "-" },
        { "/...", "[...]", "[...]" },
        { "/.a/..b/c..", "[.a][..b][c..]", "[.a][..b][c..]" },
        { "/%61%2Fb/%25", "[a/b][%]", "[%61%2Fb][%25]" },
        { "/%2fa%2F/", "[/a/]", "[%2fa%2F]" },
        { "/%2F", "[/]", "[%2F]" },
        { "/%2F%2f", "[//]", "[%2F%2f]" },
        { "/%3f%23?b/c", "[?#]", "[%3f%23?b][c]" },
        { "/a?/b", "[a]", "[a?][b]" },
        { "/a#/b", "[a]", "[a#][b]" },
        { "/a/%2e/b", "[a][b]", "[a][%2e][b]" },
        { "/a/%2E./b", "[b]", "[a][%2E.][b]" },
        { "/a/..%2fb", "-", "[a][..%2fb]" },
        { "/a/b%2F..", "-", "[a][b%2F..]" },
        { "/a/b%2F.%2Fc", "-", "[a][b%2F.%2Fc]" },
        { "/a/b%2F%2e%2e%2fc", "-", "[a][b%2F%2e%2e%2fc]" },
        { "/a/b%2F...%2Fc", "[a][b/.../c]", "[a][b%2F...%2Fc]" },
        { "/a/b%2F.c", "[a][b/.c]", "[a][b%2F.c]" },
        { "/%", "-", "[%]" },
        { "/%1", "-", "[%1]" },
        { "/%1g", "-", "[%1g]" },
        { "/%-1", "-", "[%-1]" },
        { "/%00", "-", "[%00]" },
        { "/%2500", "[%00]", "[%2500]" },
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        assert_string_equal(segments(tests[i].uri, 1), tests[i].encoded);
        assert_string_equal(segments(tests[i].uri, 0), tests[i].plain);
    }
}


static void
limits(void **state)
{
    u_char           uri[2 * NGX_MON_PATH_MAX + 2], buf[sizeof(uri)];
    ngx_mon_path_t   path;

    ngx_memset(uri, 'a', sizeof(uri));

    for (size_t i = 0; i < sizeof(uri); i += 2) {
        uri[i] = '/';
    }

    assert_int_equal(ngx_mon_path_parse(&path, buf, uri,
                                        2 * NGX_MON_PATH_MAX, 1), NGX_OK);
    assert_int_equal(path.n, NGX_MON_PATH_MAX);
    assert_int_equal(ngx_mon_path_parse(&path, buf, uri, sizeof(uri), 1),
                     NGX_DECLINED);

    /* a null, in a string that has a length */

    assert_int_equal(ngx_mon_path_parse(&path, buf, (u_char *) "/a\0b", 4, 0),
                     NGX_DECLINED);
}


static ngx_int_t
below(const char *uri, const char *prefix, ngx_uint_t n)
{
    u_char           a[256], b[256];
    ngx_int_t        rc;
    ngx_mon_path_t   path, p;

    assert_int_equal(ngx_mon_path_parse(&path, a, (u_char *) uri, strlen(uri),
                                        1), NGX_OK);
    assert_int_equal(ngx_mon_path_parse(&p, b, (u_char *) prefix,
                                        strlen(prefix), 0), NGX_OK);

    rc = ngx_mon_path_strip(&path, &p);

    assert_int_equal(path.n, n);

    return rc;
}


static void
strip(void **state)
{
    assert_int_equal(below("/mon/api/x", "/mon/", 2), NGX_OK);
    assert_int_equal(below("/mon/api/x", "/mon", 2), NGX_OK);
    assert_int_equal(below("/mon", "/mon/", 0), NGX_OK);
    assert_int_equal(below("/%6don/api", "/mon/", 1), NGX_OK);
    assert_int_equal(below("/a%20b/api", "/a b/", 1), NGX_OK);
    assert_int_equal(below("/a%2Fb/api", "/a/b/", 2), NGX_DECLINED);
    assert_int_equal(below("/monitor/api", "/mon", 2), NGX_DECLINED);
    assert_int_equal(below("/", "/mon", 0), NGX_DECLINED);
    assert_int_equal(below("/api", "/", 1), NGX_OK);
}


static void
words(void **state)
{
    ngx_str_t  s = ngx_string("open");

    assert_true(ngx_mon_path_is(&s, "open"));
    assert_false(ngx_mon_path_is(&s, "opens"));
    assert_false(ngx_mon_path_is(&s, "ope"));
    assert_false(ngx_mon_path_is(&s, "Open"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(parse),
        cmocka_unit_test(limits),
        cmocka_unit_test(strip),
        cmocka_unit_test(words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
