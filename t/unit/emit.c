
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include "ngx_mon_emit.h"


static u_char          buf[4096];
static ngx_mon_emit_t  e;


static void
begin(size_t room)
{
    e.out.pos = buf;
    e.out.end = buf + room;
    e.out.full = 0;
    e.comma = 0;
}


static void
is(const char *text)
{
    *e.out.pos = '\0';
    assert_string_equal((char *) buf, text);
}


static void
document(void)
{
    ngx_str_t  key = ngx_string("a\"\xff");
    ngx_str_t  text = ngx_string("\\\n\x01\xc3\xa4\xc3");

    ngx_mon_emit_open(&e, NULL, '{');
    ngx_mon_emit_number(&e, "n", -1);
    ngx_mon_emit_key(&e, &key);
    ngx_mon_emit_open(&e, NULL, '[');
    ngx_mon_emit_word(&e, NULL, "x");
    ngx_mon_emit_word(&e, NULL, NULL);
    ngx_mon_emit_open(&e, NULL, '{');
    ngx_mon_emit_close(&e, '}');
    ngx_mon_emit_flag(&e, NULL, 7);
    ngx_mon_emit_close(&e, ']');
    ngx_mon_emit_text(&e, "t", &text);
    ngx_mon_emit_close(&e, '}');
}

#define DOCUMENT                                                              \
    "{\"n\":-1,\"a\\\"\xef\xbf\xbd\":[\"x\",null,{},true],"                   \
    "\"t\":\"\\\\\\u000a\\u0001\xc3\xa4\xef\xbf\xbd\"}"


static void
structure(void **state)
{
    begin(sizeof(buf) - 1);
    document();

    assert_false(e.out.full);
    is(DOCUMENT);
}


/* with any room less nothing is written past the end, and it is said */

static void
room(void **state)
{
    size_t  n;

    for (n = 0; n < sizeof(DOCUMENT) - 1; n++) {
        ngx_memset(buf, '#', sizeof(buf));
        begin(n);
        document();

        assert_true(e.out.full);
        assert_int_equal(buf[n], '#');
    }

    begin(n);
    document();
    assert_false(e.out.full);
}


static void
numbers(void **state)
{
    begin(sizeof(buf) - 1);
    ngx_mon_emit_open(&e, NULL, '[');
    ngx_mon_emit_ms(&e, NULL, 0);
    ngx_mon_emit_ms(&e, NULL, 1500);
    ngx_mon_emit_ms(&e, NULL, UINT64_MAX);
    ngx_mon_emit_ratio(&e, NULL, 1, 3);
    ngx_mon_emit_ratio(&e, NULL, 1, 0);
    ngx_mon_emit_ratio(&e, NULL, UINT64_MAX, UINT64_MAX);
    ngx_mon_emit_ratio(&e, NULL, UINT64_MAX, 1);
    ngx_mon_emit_close(&e, ']');

    is("[0,1.5,9223372036854.775,0.333333,null,1,9223372036854.775807]");
}


static void
histogram(void **state)
{
    uint64_t              min, max;
    ngx_uint_t            i;
    ngx_mon_hist_t        h;
    ngx_mon_hist_map_t    map;

    static const ngx_mon_bounds_t  bounds = { 1, { 1000 } };

    ngx_mon_hist_map(&map, &bounds);
    ngx_mon_hist_init(&h, &bounds);

    assert_int_equal(ngx_mon_hist_range(&h, &min, &max), NGX_DECLINED);

    begin(sizeof(buf) - 1);
    ngx_mon_emit_hist(&e, NULL, &h);
    is("{\"count\":0,\"sum\":0,\"avg\":null,\"min\":null,\"max\":null,"
       "\"p50\":null,\"p90\":null,\"p99\":null,\"p999\":null}");

    static const uint64_t  values[] = { 0, 1, 7, 999, 123456, 4096000000U };

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        ngx_mon_hist_init(&h, &bounds);

        h.exp[ngx_mon_hist_bucket(&map, values[i])]++;
        h.count = 1;
        h.sum = values[i];

        assert_int_equal(ngx_mon_hist_range(&h, &min, &max), NGX_OK);
        assert_true(min <= values[i]);
        assert_true(max >= values[i]);
        assert_true(max <= min * 1.2 + 1);
    }

    h.exp[ngx_mon_hist_bucket(&map, 0)]++;
    assert_int_equal(ngx_mon_hist_range(&h, &min, &max), NGX_OK);
    assert_int_equal(min, 0);
    assert_int_equal(max, 4096000000U);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(structure),
        cmocka_unit_test(room),
        cmocka_unit_test(numbers),
        cmocka_unit_test(histogram),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
