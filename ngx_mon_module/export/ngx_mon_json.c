
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_emit.h"
#include "ngx_mon_export.h"


static void
ngx_mon_json_begin(ngx_mon_out_t *o)
{
    ngx_mon_out_literal(o, "{\"families\":[");
}


static void
ngx_mon_json_family(ngx_mon_emit_t *e, const ngx_mon_metric_t *m)
{
    ngx_mon_emit_open(e, NULL, '{');
    ngx_mon_emit_text(e, "name", &m->name);
    ngx_mon_emit_text(e, "type", ngx_mon_type_name(m));

    if (ngx_mon_unit_name(m)->len) {
        ngx_mon_emit_text(e, "unit", ngx_mon_unit_name(m));
    }

    ngx_mon_emit_text(e, "help", &m->help);
    ngx_mon_emit_open(e, "metrics", '[');
}


static void
ngx_mon_json_bucket(ngx_mon_emit_t *e, const uint64_t *us, uint64_t count)
{
    ngx_mon_emit_open(e, NULL, '{');

    if (us) {
        ngx_mon_emit_value(e, "le", NGX_MON_MICRO_SECONDS, *us);

    } else {
        /* JSON has no infinity */
        ngx_mon_emit_word(e, "le", "+Inf");
    }

    ngx_mon_emit_number(e, "count", count);
    ngx_mon_emit_close(e, '}');
}


static void
ngx_mon_json_histogram(ngx_mon_emit_t *e, const ngx_mon_hist_t *h)
{
    uint64_t    count;
    ngx_uint_t  i;

    ngx_mon_emit_number(e, "count", h->count);
    ngx_mon_emit_value(e, "sum", NGX_MON_MICRO_SECONDS, h->sum);
    ngx_mon_emit_open(e, "buckets", '[');

    for (count = 0, i = 0; i < h->bounds->n; i++) {
        count += h->classic[i];
        ngx_mon_json_bucket(e, &h->bounds->us[i], count);
    }

    ngx_mon_json_bucket(e, NULL, h->count);
    ngx_mon_emit_close(e, ']');

    ngx_mon_emit_open(e, "quantiles", '{');
    ngx_mon_emit_quantiles(e, h);
    ngx_mon_emit_close(e, '}');
}


static void
ngx_mon_json_sample(ngx_mon_out_t *o, const ngx_mon_sample_t *s,
    ngx_uint_t first, ngx_uint_t n)
{
    ngx_uint_t      i;
    ngx_mon_emit_t  e;

    e.out = *o;
    e.comma = (n != 0);

    if (first) {
        if (n) {
            ngx_mon_emit_close(&e, ']');
            ngx_mon_emit_close(&e, '}');
        }

        ngx_mon_json_family(&e, s->metric);
    }

    ngx_mon_emit_open(&e, NULL, '{');
    ngx_mon_emit_open(&e, "labels", '{');

    for (i = 0; i < s->nlabels; i++) {
        ngx_mon_emit_key(&e, &s->labels[i].name);
        ngx_mon_emit_text(&e, NULL, &s->labels[i].value);
    }

    ngx_mon_emit_close(&e, '}');

    if (s->metric->type == NGX_MON_HISTOGRAM) {
        ngx_mon_json_histogram(&e, &s->hist);

    } else {
        ngx_mon_emit_value(&e, "value", s->metric->unit, s->value);
    }

    ngx_mon_emit_close(&e, '}');

    *o = e.out;
}


static void
ngx_mon_json_end(ngx_mon_out_t *o, ngx_uint_t n)
{
    if (n) {
        ngx_mon_out_literal(o, "]}");
    }

    ngx_mon_out_literal(o, "]}\n");
}


const ngx_mon_format_t  ngx_mon_json = {
    ngx_string("json"),
    ngx_string("application/json"),
    ngx_mon_json_begin,
    ngx_mon_json_sample,
    ngx_mon_json_end
};
