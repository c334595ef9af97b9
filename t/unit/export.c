
/*
 * Copyright (C) The ngx_mon authors
 */


#include "recorder.h"
#include "ngx_mon_export.h"


#define ROOM  65536


static const ngx_mon_bounds_t  bounds = { 3, { 50, 1000000, 2500000 } };
static const ngx_mon_bounds_t  unbound = { 0, { 0 } };

static const ngx_mon_format_t  *formats[] = {
    &ngx_mon_prometheus, &ngx_mon_openmetrics, &ngx_mon_json
};


#define metric(name, help, type, merge, unit)                                 \
    { ngx_string(name), ngx_string(help), type, merge, unit, 0, 0, 0, NULL }

static const ngx_mon_metric_t  requests =
    metric("x_requests_total", "Requests.", NGX_MON_COUNTER, NGX_MON_SUM,
           NGX_MON_NONE);

static const ngx_mon_metric_t  accepted =
    metric("x_accepted", "Accepted.", NGX_MON_COUNTER, NGX_MON_SUM,
           NGX_MON_NONE);

static const ngx_mon_metric_t  cpu =
    metric("x_cpu_seconds_total", "CPU.", NGX_MON_COUNTER, NGX_MON_SUM,
           NGX_MON_MICRO_SECONDS);

static const ngx_mon_metric_t  build =
    metric("x_info", "Versions.", NGX_MON_GAUGE, NGX_MON_INFO, NGX_MON_NONE);

static const ngx_mon_metric_t  size =
    metric("x_size_bytes", "Size.", NGX_MON_GAUGE, NGX_MON_SUM,
           NGX_MON_BYTES);

static const ngx_mon_metric_t  used =
    metric("x_used", "Used \"now\" \\o/\nso.", NGX_MON_GAUGE, NGX_MON_LIVE,
           NGX_MON_BYTES);

static const ngx_mon_metric_t  load =
    metric("x_load1", "Load.", NGX_MON_GAUGE, NGX_MON_SUM,
           NGX_MON_MICRO_NONE);

static const ngx_mon_metric_t  usage =
    metric("x_usage_ratio", "Usage.", NGX_MON_GAUGE, NGX_MON_SUM,
           NGX_MON_MICRO_RATIO);

static const ngx_mon_metric_t  duration =
    metric("x_duration_seconds", "Time.", NGX_MON_HISTOGRAM, NGX_MON_SUM,
           NGX_MON_MICRO_SECONDS);


static void
sample(ngx_mon_sample_t *s, const ngx_mon_metric_t *m, int64_t value)
{
    ngx_memzero(s, sizeof(ngx_mon_sample_t));

    s->metric = m;
    s->value = value;

    ngx_mon_hist_init(&s->hist, &bounds);
}


static void
label(ngx_mon_sample_t *s, const char *name, const char *value)
{
    ngx_mon_label_t  *l;

    l = &s->labels[s->nlabels++];

    l->name.data = (u_char *) name;
    l->name.len = strlen(name);
    l->value.data = (u_char *) value;
    l->value.len = strlen(value);
}


static void
record(ngx_mon_sample_t *s, uint64_t us)
{
    uint64_t            cells[CELLS];
    ngx_mon_hist_map_t  map;

    ngx_memzero(cells, sizeof(cells));
    ngx_mon_hist_map(&map, s->hist.bounds);
    observe(&map, cells, us);
    ngx_mon_hist_merge(&s->hist, cells, s->hist.bounds);
}


/* a whole scrape into room bytes; returns the length, or -1 if full */

static long
render(u_char *buf, size_t room, const ngx_mon_format_t *f,
    const ngx_mon_sample_t *s, ngx_uint_t n)
{
    ngx_uint_t     i;
    ngx_mon_out_t  o;

    o.pos = buf;
    o.end = buf + room;
    o.full = 0;

    f->begin(&o);

    for (i = 0; i < n; i++) {
        f->sample(&o, &s[i], i == 0 || s[i].metric != s[i - 1].metric, i);
    }

    f->end(&o, n);

    return o.full ? -1 : o.pos - buf;
}


static void
check(const ngx_mon_format_t *f, const ngx_mon_sample_t *s, ngx_uint_t n,
    const char *expected)
{
    long    len;
    u_char  buf[ROOM];

    len = render(buf, ROOM - 1, f, s, n);
    assert_true(len >= 0);

    buf[len] = '\0';
    assert_string_equal((char *) buf, expected);
}


static void
test_content_types(void **state)
{
    assert_string_equal((char *) ngx_mon_prometheus.content_type.data,
                        "text/plain; version=0.0.4; charset=utf-8");
    assert_string_equal((char *) ngx_mon_openmetrics.content_type.data,
                        "application/openmetrics-text; version=1.0.0; "
                        "charset=utf-8");
    assert_string_equal((char *) ngx_mon_json.content_type.data,
                        "application/json");

    assert_string_equal((char *) ngx_mon_prometheus.name.data, "prometheus");
    assert_string_equal((char *) ngx_mon_openmetrics.name.data, "openmetrics");
    assert_string_equal((char *) ngx_mon_json.name.data, "json");
}


static void
test_nothing(void **state)
{
    check(&ngx_mon_prometheus, NULL, 0, "");
    check(&ngx_mon_openmetrics, NULL, 0, "# EOF\n");
    check(&ngx_mon_json, NULL, 0, "{\"families\":[]}\n");
}


static void
test_counters(void **state)
{
    ngx_mon_sample_t  s[4];

    sample(&s[0], &requests, 12);
    label(&s[0], "server", "a");
    label(&s[0], "location", "/");
    sample(&s[1], &requests, 0);
    label(&s[1], "server", "b");
    label(&s[1], "location", "");
    sample(&s[2], &accepted, INT64_MAX);
    sample(&s[3], &cpu, 1500000);

    check(&ngx_mon_prometheus, s, 4,
          "# HELP x_requests_total Requests.\n"
          "# TYPE x_requests_total counter\n"
          "x_requests_total{server=\"a\",location=\"/\"} 12\n"
          "x_requests_total{server=\"b\",location=\"\"} 0\n"
          "# HELP x_accepted Accepted.\n"
          "# TYPE x_accepted counter\n"
          "x_accepted 9223372036854775807\n"
          "# HELP x_cpu_seconds_total CPU.\n"
          "# TYPE x_cpu_seconds_total counter\n"
          "x_cpu_seconds_total 1.5\n");

    check(&ngx_mon_openmetrics, s, 4,
          "# HELP x_requests Requests.\n"
          "# TYPE x_requests counter\n"
          "x_requests_total{server=\"a\",location=\"/\"} 12\n"
          "x_requests_total{server=\"b\",location=\"\"} 0\n"
          "# HELP x_accepted Accepted.\n"
          "# TYPE x_accepted unknown\n"
          "x_accepted 9223372036854775807\n"
          "# HELP x_cpu_seconds CPU.\n"
          "# TYPE x_cpu_seconds counter\n"
          "# UNIT x_cpu_seconds seconds\n"
          "x_cpu_seconds_total 1.5\n"
          "# EOF\n");

    check(&ngx_mon_json, s, 4,
          "{\"families\":["
          "{\"name\":\"x_requests_total\",\"type\":\"counter\","
          "\"help\":\"Requests.\",\"metrics\":["
          "{\"labels\":{\"server\":\"a\",\"location\":\"/\"},\"value\":12},"
          "{\"labels\":{\"server\":\"b\",\"location\":\"\"},\"value\":0}]},"
          "{\"name\":\"x_accepted\",\"type\":\"counter\","
          "\"help\":\"Accepted.\",\"metrics\":["
          "{\"labels\":{},\"value\":9223372036854775807}]},"
          "{\"name\":\"x_cpu_seconds_total\",\"type\":\"counter\","
          "\"unit\":\"seconds\",\"help\":\"CPU.\",\"metrics\":["
          "{\"labels\":{},\"value\":1.5}]}]}\n");
}


static void
test_gauges(void **state)
{
    ngx_mon_sample_t  s[5];

    sample(&s[0], &build, 1);
    label(&s[0], "version", "0.1");
    sample(&s[1], &size, -4096);
    sample(&s[2], &used, 7);
    sample(&s[3], &load, 70000);
    sample(&s[4], &usage, 999999);

    check(&ngx_mon_prometheus, s, 5,
          "# HELP x_info Versions.\n"
          "# TYPE x_info gauge\n"
          "x_info{version=\"0.1\"} 1\n"
          "# HELP x_size_bytes Size.\n"
          "# TYPE x_size_bytes gauge\n"
          "x_size_bytes -4096\n"
          "# HELP x_used Used \"now\" \\\\o/\\nso.\n"
          "# TYPE x_used gauge\n"
          "x_used 7\n"
          "# HELP x_load1 Load.\n"
          "# TYPE x_load1 gauge\n"
          "x_load1 0.07\n"
          "# HELP x_usage_ratio Usage.\n"
          "# TYPE x_usage_ratio gauge\n"
          "x_usage_ratio 0.999999\n");

    check(&ngx_mon_openmetrics, s, 5,
          "# HELP x Versions.\n"
          "# TYPE x info\n"
          "x_info{version=\"0.1\"} 1\n"
          "# HELP x_size_bytes Size.\n"
          "# TYPE x_size_bytes gauge\n"
          "# UNIT x_size_bytes bytes\n"
          "x_size_bytes -4096\n"
          "# HELP x_used Used \\\"now\\\" \\\\o/\\nso.\n"
          "# TYPE x_used gauge\n"
          "x_used 7\n"
          "# HELP x_load1 Load.\n"
          "# TYPE x_load1 gauge\n"
          "x_load1 0.07\n"
          "# HELP x_usage_ratio Usage.\n"
          "# TYPE x_usage_ratio gauge\n"
          "# UNIT x_usage_ratio ratio\n"
          "x_usage_ratio 0.999999\n"
          "# EOF\n");
}


static void
test_histogram(void **state)
{
    ngx_mon_sample_t  s[2];

    sample(&s[0], &duration, 0);
    label(&s[0], "peer", "p\"1");
    record(&s[0], 50);
    record(&s[0], 51);
    record(&s[0], 2500000);
    record(&s[0], 4000000);

    sample(&s[1], &duration, 0);
    ngx_mon_hist_init(&s[1].hist, &unbound);
    record(&s[1], 1);

    check(&ngx_mon_prometheus, s, 2,
          "# HELP x_duration_seconds Time.\n"
          "# TYPE x_duration_seconds histogram\n"
          "x_duration_seconds_bucket{peer=\"p\\\"1\",le=\"0.00005\"} 1\n"
          "x_duration_seconds_bucket{peer=\"p\\\"1\",le=\"1\"} 2\n"
          "x_duration_seconds_bucket{peer=\"p\\\"1\",le=\"2.5\"} 3\n"
          "x_duration_seconds_bucket{peer=\"p\\\"1\",le=\"+Inf\"} 4\n"
          "x_duration_seconds_sum{peer=\"p\\\"1\"} 6.500101\n"
          "x_duration_seconds_count{peer=\"p\\\"1\"} 4\n"
          "x_duration_seconds_bucket{le=\"+Inf\"} 1\n"
          "x_duration_seconds_sum 0.000001\n"
          "x_duration_seconds_count 1\n");

    check(&ngx_mon_openmetrics, s, 1,
          "# HELP x_duration_seconds Time.\n"
          "# TYPE x_duration_seconds histogram\n"
          "# UNIT x_duration_seconds seconds\n"
          "x_duration_seconds_bucket{peer=\"p\\\"1\",le=\"5e-05\"} 1\n"
          "x_duration_seconds_bucket{peer=\"p\\\"1\",le=\"1.0\"} 2\n"
          "x_duration_seconds_bucket{peer=\"p\\\"1\",le=\"2.5\"} 3\n"
          "x_duration_seconds_bucket{peer=\"p\\\"1\",le=\"+Inf\"} 4\n"
          "x_duration_seconds_sum{peer=\"p\\\"1\"} 6.500101\n"
          "x_duration_seconds_count{peer=\"p\\\"1\"} 4\n"
          "# EOF\n");

    check(&ngx_mon_json, &s[1], 1,
          "{\"families\":[{\"name\":\"x_duration_seconds\","
          "\"type\":\"histogram\",\"unit\":\"seconds\",\"help\":\"Time.\","
          "\"metrics\":[{\"labels\":{},\"count\":1,\"sum\":0.000001,"
          "\"buckets\":[{\"le\":\"+Inf\",\"count\":1}],"
          "\"quantiles\":{\"p50\":0.000001,\"p90\":0.000001,"
          "\"p99\":0.000001,\"p999\":0.000001}}]}]}\n");
}


static void
test_json_histogram(void **state)
{
    ngx_mon_sample_t  s;

    sample(&s, &duration, 0);
    label(&s, "peer", "p");
    record(&s, 50);
    record(&s, 2000000);

    /* the geometric middle of the buckets from 45.4 us and from 1.68 s on */

    check(&ngx_mon_json, &s, 1,
          "{\"families\":[{\"name\":\"x_duration_seconds\","
          "\"type\":\"histogram\",\"unit\":\"seconds\",\"help\":\"Time.\","
          "\"metrics\":[{\"labels\":{\"peer\":\"p\"},\"count\":2,"
          "\"sum\":2.00005,\"buckets\":[{\"le\":0.00005,\"count\":1},"
          "{\"le\":1,\"count\":1},{\"le\":2.5,\"count\":2},"
          "{\"le\":\"+Inf\",\"count\":2}],\"quantiles\":{\"p50\":0.000047,"
          "\"p90\":1.834008,\"p99\":1.834008,\"p999\":1.834008}}]}]}\n");
}


static void
test_escapes(void **state)
{
    ngx_mon_sample_t  s;

    sample(&s, &accepted, 1);
    label(&s, "a", "\\\"\n");
    label(&s, "b", "caf\xc3\xa9\t{},=\r\x1f\x7f</script>");

    check(&ngx_mon_prometheus, &s, 1,
          "# HELP x_accepted Accepted.\n"
          "# TYPE x_accepted counter\n"
          "x_accepted{a=\"\\\\\\\"\\n\",b=\"caf\xc3\xa9\t{},=\r\x1f\x7f"
          "</script>\"} 1\n");

    check(&ngx_mon_json, &s, 1,
          "{\"families\":[{\"name\":\"x_accepted\",\"type\":\"counter\","
          "\"help\":\"Accepted.\",\"metrics\":[{\"labels\":{"
          "\"a\":\"\\\\\\\"\\u000a\",\"b\":\"caf\xc3\xa9\\u0009{},=\\u000d"
          "\\u001f\x7f</script>\"},\"value\":1}]}]}\n");
}


/* whatever the room, nothing is written outside of it, and full is told */

static void
test_full(void **state)
{
    long               len, got;
    u_char             whole[ROOM], *part;
    ngx_uint_t         i;
    size_t             room;
    ngx_mon_sample_t   s[3];

    sample(&s[0], &used, -5);
    label(&s[0], "a", "x\n\"y\\");
    label(&s[0], "b", "\x01\t");
    sample(&s[1], &duration, 0);
    label(&s[1], "a", "\\");
    record(&s[1], 777);
    sample(&s[2], &load, 1);

    for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        len = render(whole, ROOM, formats[i], s, 3);
        assert_true(len > 0);

        for (room = 0; room <= (size_t) len; room++) {
            part = malloc(room + 1);
            assert_non_null(part);
            part[room] = 0x55;

            got = render(part, room, formats[i], s, 3);

            assert_int_equal(part[room], 0x55);
            assert_int_equal(got, room < (size_t) len ? -1 : len);

            if (got == len) {
                assert_memory_equal(part, whole, len);
            }

            free(part);
        }
    }
}


/* what would fit after something that did not is left out */

static void
test_nothing_after_full(void **state)
{
    u_char            buf[1024], *end;
    ngx_mon_out_t     o;
    ngx_mon_sample_t  s;

    sample(&s, &used, 1);
    label(&s, "a", "a value that is longer than the room");

    o.pos = buf;
    o.end = buf + 80;
    o.full = 0;

    ngx_mon_prometheus.sample(&o, &s, 1, 0);
    assert_int_equal(o.full, 1);

    end = o.pos;
    assert_true(o.end - end > 10);

    ngx_mon_openmetrics.end(&o, 1);
    assert_int_equal(o.full, 1);
    assert_ptr_equal(o.pos, end);
}


/* a sample that did not fit is given again, and leaves no trace */

static void
test_again(void **state)
{
    long               len;
    u_char             whole[ROOM], buf[ROOM], *saved;
    size_t             step;
    ngx_uint_t         i, n;
    ngx_mon_out_t      o;
    ngx_mon_sample_t   s[3];

    sample(&s[0], &requests, 1);
    sample(&s[1], &duration, 0);
    label(&s[1], "a", "b");
    sample(&s[2], &duration, 0);
    label(&s[2], "a", "c");

    for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        len = render(whole, ROOM, formats[i], s, 3);

        o.pos = buf;
        o.end = buf + ROOM;
        o.full = 0;

        formats[i]->begin(&o);

        for (n = 0; n < 3; n++) {
            saved = o.pos;

            for (step = 0; /* void */ ; step++) {
                o.pos = saved;
                o.end = saved + step;
                o.full = 0;

                formats[i]->sample(&o, &s[n], n < 2, n);

                if (!o.full) {
                    break;
                }
            }
        }

        o.end = buf + ROOM;
        formats[i]->end(&o, 3);

        assert_int_equal(o.pos - buf, len);
        assert_memory_equal(buf, whole, len);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_gauges),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_json_histogram),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_nothing_after_full),
        cmocka_unit_test(test_again)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
