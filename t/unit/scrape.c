
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Prints a scrape of every metric of the registry, with labels such as hostile
 * clients send: scrape prometheus|openmetrics|json.
 */


#include "recorder.h"
#include "ngx_mon_export.h"
#include "ngx_mon_registry.h"
#include "ngx_mon_text.h"


#define VALUE_LEN  128


typedef struct {
    const char  *bytes;
    size_t       len;
} value_t;


#define ROW(id, name, type, merge, unit, vec, view, help)                     \
    { ngx_string(name), ngx_string(help), NGX_MON_##type, NGX_MON_##merge,    \
      NGX_MON_##unit, 0, 0, 0, NULL },

#define HIST(id, name, view, help)                                            \
    { ngx_string(name), ngx_string(help), NGX_MON_HISTOGRAM, NGX_MON_SUM,     \
      NGX_MON_MICRO_SECONDS, 0, 0, 0, NULL },

/* the rows of a group, and what stands behind them */

#define GROUP(id, labels)                                                     \
    NGX_MON_##id##_ROWS(ROW) NGX_MON_##id##_HISTS(HIST)                       \
    { ngx_null_string, ngx_string(labels), 0, 0, 0, 0, 0, 0, NULL },

static const ngx_mon_metric_t  metrics[] = {
    NGX_MON_GROUPS(GROUP)
};


static const ngx_mon_bounds_t  bounds = {
    7, { 1, 25, 500, 1000000, 2500000, 10000000, 3600000000 }
};


#define value(s)  { s, sizeof(s) - 1 }

static const value_t  values[] = {
    value("plain"),
    value(""),
    value("\"}\nnginx_http_requests_total 666\n# EOF\n"),
    value("\\\\\"\\n\\"),
    value("{a=\"b\",c='d'}# HELP x y"),
    value("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
    value("\xff\xfe\xc0\x80\xed\xa0\x80\xf5\x80\x80\x80\xc2"),
    value("\x01\x02\t\x1b[31m\r\x7f\xc2\x85\xe2\x80\xa8"),
    value("nul\0byte"),
    value("<script>alert('x')</script>&amp;")
};


static ngx_uint_t      nsamples;
static ngx_uint_t      clean_used;
static u_char          clean[NGX_MON_LABELS_MAX][VALUE_LEN];
static uint64_t        seed = 11;


static void
label(ngx_mon_sample_t *s, const char *name, size_t len, const value_t *v)
{
    u_char           *p;
    ngx_mon_label_t  *l;

    p = clean[clean_used++];
    l = &s->labels[s->nlabels++];

    l->name.data = (u_char *) name;
    l->name.len = len;
    l->value.data = p;
    l->value.len = ngx_mon_utf8_clean(p, (u_char *) v->bytes, v->len,
                                      VALUE_LEN);
}


static void
labels(ngx_mon_sample_t *s, const ngx_str_t *names, const value_t *v)
{
    const char  *p, *comma;

    s->nlabels = 0;
    clean_used = 0;

    for (p = (char *) names->data; *p; p = comma + (*comma == ',')) {
        comma = strchrnul(p, ',');
        label(s, p, comma - p, v);
    }
}


static void
record(ngx_mon_hist_t *h)
{
    uint64_t            cells[CELLS], us;
    ngx_uint_t          i;
    ngx_mon_hist_map_t  map;

    ngx_memzero(cells, sizeof(cells));
    ngx_mon_hist_map(&map, &bounds);

    for (i = 0; i < 1000; i++) {
        us = random_us(&seed) >> 30;
        observe(&map, cells, us);
    }

    ngx_mon_hist_init(h, &bounds);
    ngx_mon_hist_merge(h, cells, &bounds);
}


static void
print(const ngx_mon_format_t *f, const ngx_mon_sample_t *s, ngx_uint_t first)
{
    u_char         buf[65536];
    ngx_mon_out_t  o;

    o.pos = buf;
    o.end = buf + sizeof(buf);
    o.full = 0;

    if (nsamples == 0 && s) {
        f->begin(&o);
    }

    if (s) {
        f->sample(&o, s, first, nsamples++);

    } else {
        f->end(&o, nsamples);
    }

    if (o.full) {
        fprintf(stderr, "a sample is larger than expected\n");
        exit(1);
    }

    fwrite(buf, 1, o.pos - buf, stdout);
}


static void
family(const ngx_mon_format_t *f, const ngx_mon_metric_t *m,
    const ngx_str_t *names)
{
    value_t           huge;
    ngx_uint_t        i, n;
    ngx_mon_sample_t  s;
    static char       bytes[8192];

    n = names->len ? sizeof(values) / sizeof(values[0]) : 0;

    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = "\xe2\x82\xac\"\\\n\x80"[i % 7];
    }

    huge.bytes = bytes;
    huge.len = sizeof(bytes);

    for (i = 0; i <= n; i++) {
        s.metric = m;
        s.value = m->merge == NGX_MON_INFO
                  ? 1 : (int64_t) (unit_random(&seed) >> 12);

        record(&s.hist);
        labels(&s, names, i < n ? &values[i] : &huge);
        print(f, &s, i == 0);
    }
}


int
main(int argc, char **argv)
{
    ngx_uint_t               i;
    const ngx_mon_metric_t  *m, *group, *last;
    const ngx_mon_format_t  *f, *formats[] = {
        &ngx_mon_prometheus, &ngx_mon_openmetrics, &ngx_mon_json
    };

    f = NULL;

    for (i = 0; i < 3; i++) {
        if (argc == 2 && strcmp(argv[1], (char *) formats[i]->name.data) == 0)
        {
            f = formats[i];
        }
    }

    if (f == NULL) {
        fprintf(stderr, "usage: scrape prometheus|openmetrics|json\n");
        return 2;
    }

    last = metrics + sizeof(metrics) / sizeof(metrics[0]);

    for (m = metrics; m < last; m++) {
        for (group = m; group->name.len; group++) { /* void */ }

        if (m != group) {
            family(f, m, &group->help);
        }
    }

    print(f, NULL, 0);

    return 0;
}
