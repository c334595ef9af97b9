
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include "ngx_mon_accept.h"


enum { TEXT = 0, OPEN, OPEN_OLD, JSON };


static const ngx_mon_media_t  offers[] = {
    { ngx_string("text/plain"),
      ngx_string("version"), ngx_string("0.0.4") },
    { ngx_string("application/openmetrics-text"),
      ngx_string("version"), ngx_string("1.0.0") },
    { ngx_string("application/openmetrics-text"),
      ngx_string("version"), ngx_string("0.0.1") },
    { ngx_string("application/json"),
      ngx_null_string, ngx_null_string }
};


static ngx_uint_t
choose(const char *header)
{
    u_char      *p;
    ngx_str_t    s;
    ngx_uint_t   chosen;

    /* a buffer of its own, so that a sanitizer sees every step outside */

    s.len = strlen(header);
    p = malloc(s.len + 1);
    assert_non_null(p);

    s.data = p + 1;
    memcpy(s.data, header, s.len);

    chosen = ngx_mon_accept(&s, offers, sizeof(offers) / sizeof(offers[0]));

    free(p);

    return chosen;
}


static void
check(const char *header, ngx_uint_t expected)
{
    ngx_uint_t  chosen;

    chosen = choose(header);

    if (chosen != expected) {
        fail_msg("\"%s\": %lu, not %lu", header, chosen, expected);
    }
}


static void
test_clients(void **state)
{
    /* Prometheus 2.42, 2.50 with native histograms, 3 */

    check("application/openmetrics-text;version=1.0.0,"
          "application/openmetrics-text;version=0.0.1;q=0.75,"
          "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPEN);

    check("application/vnd.google.protobuf;proto=io.prometheus.client."
          "MetricFamily;encoding=delimited,application/openmetrics-text;"
          "version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;"
          "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPEN);

    check("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;"
          "q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;"
          "version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;"
          "q=0.2,*/*;q=0.1", OPEN);

    /* before 2.5 */

    check("application/vnd.google.protobuf;proto=io.prometheus.client."
          "MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;"
          "q=0.3,*/*;q=0.1", TEXT);

    /* curl, browsers, fetch libraries */

    check("*/*", TEXT);

    check("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,"
          "image/webp,*/*;q=0.8", TEXT);

    check("application/json, text/plain, */*", JSON);
    check("*/*, application/json", JSON);
    check("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", TEXT);
}


static void
test_weights(void **state)
{
    check("application/json", JSON);
    check("text/plain;q=0.5, application/json", JSON);
    check("text/plain;q=0.5, application/json;q=0.500", TEXT);
    check("text/plain;q=0.499, application/json;q=0.5", JSON);
    check("application/json;q=0.001, text/*;q=0.002", TEXT);
    check("application/json;q=0.002, text/*;q=0.001", JSON);
    check("text/plain;q=0.1,application/json;q=1.000,*/*;q=0.9", JSON);
    check("application/json;Q=0.2, application/openmetrics-text;q=0.3", OPEN);

    /* the most specific range counts, not the best one */

    check("*/*, text/plain;q=0.1, application/json;q=0.2,"
          "application/openmetrics-text;q=0.3", OPEN);
    check("text/*, text/plain;q=0.1, application/json;q=0.2", JSON);
    check("text/plain;version=0.0.4;q=0.1, text/plain;q=0.9,"
          "application/json;q=0.5", JSON);

    /* equal ranges: the more specific one, then the earlier */

    check("application/*, text/plain", TEXT);
    check("application/*, text/*", OPEN);
    check("text/*, application/*", TEXT);
    check("application/json, text/plain", JSON);
    check("text/plain, application/json", TEXT);

    /* the same range again: the better one, then the earlier */

    check("application/json;q=0.1, text/plain;q=0.5, application/json;q=0.9",
          JSON);
    check("application/json, text/plain, application/json", JSON);
}


static void
test_refusals(void **state)
{
    check("text/plain;q=0, */*", OPEN);
    check("text/plain;q=0.0, application/openmetrics-text;q=0.000, */*;q=0.1",
          JSON);
    check("text/*;q=0, */*;q=0.5", OPEN);
    check("application/openmetrics-text;version=1.0.0;q=0,"
          "application/openmetrics-text", OPEN_OLD);
    check("application/openmetrics-text;q=0,"
          "application/openmetrics-text;version=0.0.1", OPEN_OLD);

    /* nothing is acceptable: the default */

    check("*/*;q=0", TEXT);
    check("text/plain;q=0", TEXT);
    check("image/png", TEXT);
    check("application/json;q=0", TEXT);
}


static void
test_parameters(void **state)
{
    check("application/openmetrics-text;version=1.0.0", OPEN);
    check("application/openmetrics-text;version=0.0.1", OPEN_OLD);
    check("application/openmetrics-text", OPEN);
    check("application/openmetrics-text;version=2.0.0, */*;q=0.1", TEXT);
    check("application/openmetrics-text; charset=utf-8 ; version=1.0.0", OPEN);
    check("text/plain;version=1.0.0, application/json;q=0.1", JSON);
    check("text/plain;charset=utf-8, application/json;q=0.9", TEXT);
    check("APPLICATION/JSON", JSON);
    check("Application/OpenMetrics-Text ; Version=\"0.0.1\"", OPEN_OLD);
    check("application/openmetrics-text\t;\tversion = 1.0.0 ; q = 1", OPEN);

    /* quoted separators belong to the value */

    check("text/plain;x=\"a,application/json\";q=0.5, application/json;q=0.4",
          TEXT);
    check("text/plain;x=\"a\\\",b\";q=0.1, application/json;q=0.2", JSON);
    check("text/plain;x=\"a;q=0.1\", application/json;q=0.9", TEXT);
}


static void
test_nonsense(void **state)
{
    check("", TEXT);
    check(" ", TEXT);
    check(",", TEXT);
    check(",,;;==//**,", TEXT);
    check("json", TEXT);
    check("application", TEXT);
    check("application/", TEXT);
    check("/json", TEXT);
    check("applicatio*/*", TEXT);
    check("application/jso", TEXT);
    check("application/jsonp", TEXT);
    check("application/json/x", TEXT);
    check("app/*", TEXT);
    check("application/j*", TEXT);
    check("\"application/json\"", TEXT);
    check("\"application/json", TEXT);
    check("\\", TEXT);
    check("\"\\", TEXT);

    /* empty elements and parameters do no harm */

    check(", ,application/json,,", JSON);
    check("application/json;", JSON);
    check("application/json;;q=1;", JSON);

    /* a range with a bad weight is none */

    check("application/json;q=", TEXT);
    check("application/json;q", TEXT);
    check("application/json;q=x", TEXT);
    check("application/json;q=1.1", TEXT);
    check("application/json;q=2", TEXT);
    check("application/json;q=-1", TEXT);
    check("application/json;q=0.5x", TEXT);
    check("application/json;q=00.5", TEXT);
    check("application/json;q=0.5.1", TEXT);
    check("application/json;q=nan, application/openmetrics-text;q=0.1", OPEN);

    /* more digits than there should be */

    check("application/json;q=0.12345, text/plain;q=0.12300", JSON);
    check("application/json;q=0.999999999999999999999999999999", JSON);
}


static void
test_long(void **state)
{
    char    *header;
    size_t   n;

    header = test_malloc(100000);

    for (n = 0; n < 90000; n += 4) {
        memcpy(header + n, "a/b,", 4);
    }

    strcpy(header + n, "application/json;q=0.001");
    check(header, JSON);

    memset(header, ';', n);
    check(header, TEXT);

    memset(header, '"', n);
    check(header, TEXT);

    test_free(header);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_clients),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_long)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
