
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_exposition.h"
#include "ngx_mon_writer.h"
#include "ngx_mon_text.h"


static void
ngx_mon_exposition_line(ngx_mon_out_t *o, const char *keyword,
    const ngx_str_t *family, const ngx_str_t *text, ngx_uint_t quote)
{
    ngx_mon_out_literal(o, "# ");
    ngx_mon_out(o, keyword, 5);
    ngx_mon_out_str(o, family);
    ngx_mon_out_literal(o, " ");
    ngx_mon_out_escaped(o, text, quote);
    ngx_mon_out_literal(o, "\n");
}


static void
ngx_mon_exposition_head(ngx_mon_out_t *o, const ngx_mon_metric_t *m,
    const ngx_mon_dialect_t *d)
{
    size_t            n;
    ngx_str_t         type, family;
    const ngx_str_t  *unit;

    d->family(m, &type, &family);

    ngx_mon_exposition_line(o, "HELP ", &family, &m->help, d->quote);
    ngx_mon_exposition_line(o, "TYPE ", &family, &type, 0);

    unit = ngx_mon_unit_name(m);
    n = unit->len;

    /* a unit must be what the name ends with */

    if (d->unit && n && family.len > n
        && family.data[family.len - n - 1] == '_'
        && ngx_memcmp(family.data + family.len - n, unit->data, n) == 0)
    {
        ngx_mon_exposition_line(o, "UNIT ", &family, unit, 0);
    }
}


static void
ngx_mon_exposition_labels(ngx_mon_out_t *o, const ngx_mon_sample_t *s)
{
    ngx_uint_t  i;

    for (i = 0; i < s->nlabels; i++) {
        ngx_mon_out(o, i ? "," : "{", 1);
        ngx_mon_out_str(o, &s->labels[i].name);
        ngx_mon_out_literal(o, "=\"");
        ngx_mon_out_escaped(o, &s->labels[i].value, 1);
        ngx_mon_out_literal(o, "\"");
    }
}


/*
 * Name and labels, but for the closing brace.  The many lines of a histogram
 * have the same labels: labels, empty at first, keeps where they stand.
 */

static void
ngx_mon_exposition_series(ngx_mon_out_t *o, const ngx_mon_sample_t *s,
    const char *suffix, ngx_str_t *labels)
{
    ngx_mon_out_str(o, &s->metric->name);
    ngx_mon_out(o, suffix, ngx_strlen(suffix));

    if (labels->data) {
        ngx_mon_out_str(o, labels);
        return;
    }

    labels->data = o->pos;
    ngx_mon_exposition_labels(o, s);
    labels->len = o->pos - labels->data;
}


static void
ngx_mon_exposition_close(ngx_mon_out_t *o, const ngx_mon_sample_t *s)
{
    if (s->nlabels) {
        ngx_mon_out_literal(o, "}");
    }

    ngx_mon_out_literal(o, " ");
}


static void
ngx_mon_exposition_bucket(ngx_mon_out_t *o, const ngx_mon_sample_t *s,
    ngx_str_t *labels, const ngx_str_t *le, uint64_t count)
{
    ngx_mon_exposition_series(o, s, "_bucket", labels);
    ngx_mon_out(o, s->nlabels ? "," : "{", 1);
    ngx_mon_out_literal(o, "le=\"");
    ngx_mon_out_str(o, le);
    ngx_mon_out_literal(o, "\"} ");
    ngx_mon_out_u64(o, count);
    ngx_mon_out_literal(o, "\n");
}


static void
ngx_mon_exposition_histogram(ngx_mon_out_t *o, const ngx_mon_sample_t *s,
    const ngx_mon_dialect_t *d)
{
    u_char                 number[NGX_MON_NUMBER_LEN];
    uint64_t               count;
    ngx_str_t              le, labels;
    ngx_uint_t             i;
    const ngx_mon_hist_t  *h;

    h = &s->hist;
    count = 0;
    le.data = number;
    ngx_str_null(&labels);

    for (i = 0; i < h->bounds->n; i++) {
        count += h->classic[i];
        le.len = d->bound(number, h->bounds->us[i]) - number;

        ngx_mon_exposition_bucket(o, s, &labels, &le, count);
    }

    ngx_str_set(&le, "+Inf");

    ngx_mon_exposition_bucket(o, s, &labels, &le, h->count);

    ngx_mon_exposition_series(o, s, "_sum", &labels);
    ngx_mon_exposition_close(o, s);
    ngx_mon_out_seconds(o, h->sum);
    ngx_mon_out_literal(o, "\n");

    ngx_mon_exposition_series(o, s, "_count", &labels);
    ngx_mon_exposition_close(o, s);
    ngx_mon_out_u64(o, h->count);
    ngx_mon_out_literal(o, "\n");
}


void
ngx_mon_exposition(ngx_mon_out_t *o, const ngx_mon_sample_t *s,
    ngx_uint_t first, const ngx_mon_dialect_t *d)
{
    ngx_str_t  labels;

    if (first) {
        ngx_mon_exposition_head(o, s->metric, d);
    }

    if (s->metric->type == NGX_MON_HISTOGRAM) {
        ngx_mon_exposition_histogram(o, s, d);
        return;
    }

    ngx_str_null(&labels);

    ngx_mon_exposition_series(o, s, "", &labels);
    ngx_mon_exposition_close(o, s);
    ngx_mon_out_value(o, s->metric->unit, s->value);
    ngx_mon_out_literal(o, "\n");
}
