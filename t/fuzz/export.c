
/*
 * Copyright (C) The ngx_mon authors
 */


#include "fuzz.h"
#include "ngx_mon_export.h"
#include "ngx_mon_text.h"


#define ROOM       262144
#define VALUE_LEN  128


static const ngx_mon_format_t  *formats[] = {
    &ngx_mon_prometheus, &ngx_mon_openmetrics, &ngx_mon_json
};

static const ngx_str_t  names[] = {
    ngx_string("x_total"), ngx_string("x_seconds_total"), ngx_string("x"),
    ngx_string("x_info"), ngx_string("_total"), ngx_string("x_bytes")
};

static ngx_mon_bounds_t  bounds;
static ngx_mon_metric_t  metric;
static ngx_mon_sample_t  sample;
static u_char            text[NGX_MON_LABELS_MAX + 1][VALUE_LEN];


/* some bytes of the input, cleaned as the core does it */

static void
take(const uint8_t **data, size_t *size, ngx_uint_t i, ngx_str_t *s)
{
    size_t  n;

    n = fuzz_number(data, size, 1);
    n = ngx_min(n, *size);

    s->data = text[i];
    s->len = ngx_mon_utf8_clean(text[i], *data, n, VALUE_LEN);

    *data += n;
    *size -= n;
}


static void
make_sample(const uint8_t *data, size_t size)
{
    ngx_uint_t  i;
    uint64_t    cells[ngx_mon_hist_cells(NGX_MON_BOUNDS_MAX)];

    metric.name = names[fuzz_number(&data, &size, 1)
                        % (sizeof(names) / sizeof(names[0]))];
    metric.type = fuzz_number(&data, &size, 1) % 3;
    metric.merge = fuzz_number(&data, &size, 1) % 3;
    metric.unit = fuzz_number(&data, &size, 1) % 5;

    bounds.n = fuzz_number(&data, &size, 1) % (NGX_MON_BOUNDS_MAX + 1);

    for (i = 0; i < bounds.n; i++) {
        bounds.us[i] = (i ? bounds.us[i - 1] : 0) + 1
                       + fuzz_number(&data, &size, 2) * 977;
    }

    for (i = 0; i < ngx_mon_hist_cells(bounds.n); i++) {
        cells[i] = fuzz_number(&data, &size, i % 8 + 1);
    }

    sample.metric = &metric;
    sample.value = fuzz_number(&data, &size, 8);
    ngx_mon_hist_init(&sample.hist, &bounds);
    ngx_mon_hist_merge(&sample.hist, cells, &bounds);

    take(&data, &size, NGX_MON_LABELS_MAX, &metric.help);
    sample.nlabels = fuzz_number(&data, &size, 1) % (NGX_MON_LABELS_MAX + 1);

    for (i = 0; i < sample.nlabels; i++) {
        ngx_str_set(&sample.labels[i].name, "l");
        take(&data, &size, i, &sample.labels[i].value);
    }
}


/* a string without its quotes; returns what stands behind it */

static const u_char *
check_string(const u_char *p, const u_char *last, const char *escapes)
{
    check(p < last && *p++ == '"');

    for ( ;; ) {
        check(p < last && *p != '\n');

        if (*p == '"') {
            return p + 1;
        }

        if (*p++ == '\\') {
            check(p < last && strchr(escapes, *p));
            p++;
        }
    }
}


static void
check_text(const u_char *p, const u_char *last)
{
    ngx_uint_t  lines;

    for (lines = 0; p < last; lines++) {

        if (*p != '#') {
            while (p < last && *p != '{' && *p != ' ') { p++; }

            while (p < last && (*p == '{' || *p == ',')) {
                while (p < last && *p++ != '=') { /* void */ }
                p = check_string(p, last, "\\\"n");
            }

            p += (p < last && *p == '}');
            check(p < last && *p == ' ');
        }

        while (p < last && *p != '\n') { p++; }
        check(p++ < last);
    }

    lines -= metric.type == NGX_MON_HISTOGRAM ? bounds.n + 3 : 1;
    check(lines == 2 || lines == 3 || lines == 4);
}


static void
check_json(const u_char *p, const u_char *last)
{
    u_char  stack[16];
    size_t  depth;

    check(p < last && last[-1] == '\n');

    for (depth = 0; p < last - 1; /* void */ ) {

        if (*p == '"') {
            p = check_string(p, last, "\\\"u");
            continue;
        }

        if (*p == '{' || *p == '[') {
            check(depth < sizeof(stack));
            stack[depth++] = *p + 2;

        } else if (*p == '}' || *p == ']') {
            check(depth && stack[--depth] == *p);
            check(p[-1] != ',');

        } else {
            check(strchr(",:-.0123456789", *p));
        }

        p++;
    }

    check(depth == 0);
}


static size_t
render(const ngx_mon_format_t *f, u_char *buf, size_t room)
{
    ngx_mon_out_t  o;

    o.pos = buf;
    o.end = buf + room;
    o.full = 0;

    f->begin(&o);
    f->sample(&o, &sample, 1, 0);
    f->end(&o, 1);

    return o.full ? 0 : o.pos - buf;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                   n, room;
    u_char                  *part;
    const ngx_mon_format_t  *f;
    static u_char            whole[ROOM];

    f = formats[fuzz_number(&data, &size, 1) % 3];
    room = fuzz_number(&data, &size, 2);

    make_sample(data, size);

    n = render(f, whole, ROOM);
    check(n);

    if (f == &ngx_mon_json) {
        check_json(whole, whole + n);

    } else {
        check_text(whole, whole + n);
    }

    part = malloc(room + !room);
    check(part);
    check(render(f, part, room) == (room < n ? 0 : n));
    check(room < n || memcmp(part, whole, n) == 0);
    free(part);

    return 0;
}
