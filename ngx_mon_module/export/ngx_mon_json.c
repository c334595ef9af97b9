
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_writer.h"


static void
ngx_mon_json_member(ngx_mon_out_t *o, const ngx_str_t *name,
    const ngx_str_t *value)
{
    ngx_mon_out_json(o, name);
    ngx_mon_out_literal(o, ":");
    ngx_mon_out_json(o, value);
}


static void
ngx_mon_json_begin(ngx_mon_out_t *o)
{
    ngx_mon_out_literal(o, "{\"families\":[");
}


static void
ngx_mon_json_family(ngx_mon_out_t *o, const ngx_mon_metric_t *m)
{
    static const ngx_str_t   name = ngx_string("name");
    static const ngx_str_t   type = ngx_string("type");
    static const ngx_str_t   unit = ngx_string("unit");
    static const ngx_str_t   help = ngx_string("help");

    ngx_mon_out_literal(o, "{");
    ngx_mon_json_member(o, &name, &m->name);
    ngx_mon_out_literal(o, ",");
    ngx_mon_json_member(o, &type, ngx_mon_type_name(m));
    ngx_mon_out_literal(o, ",");

    if (ngx_mon_unit_name(m)->len) {
        ngx_mon_json_member(o, &unit, ngx_mon_unit_name(m));
        ngx_mon_out_literal(o, ",");
    }

    ngx_mon_json_member(o, &help, &m->help);
    ngx_mon_out_literal(o, ",\"metrics\":[");
}


static void
ngx_mon_json_labels(ngx_mon_out_t *o, const ngx_mon_sample_t *s)
{
    ngx_uint_t  i;

    ngx_mon_out_literal(o, "{\"labels\":{");

    for (i = 0; i < s->nlabels; i++) {
        if (i) {
            ngx_mon_out_literal(o, ",");
        }

        ngx_mon_json_member(o, &s->labels[i].name, &s->labels[i].value);
    }

    ngx_mon_out_literal(o, "}");
}


static void
ngx_mon_json_quantiles(ngx_mon_out_t *o, const ngx_mon_hist_t *h)
{
    ngx_uint_t  i;

    static const struct {
        ngx_str_t   name;
        ngx_uint_t  q;
    } quantiles[] = {
        { ngx_string("p50"), 500 },
        { ngx_string("p90"), 900 },
        { ngx_string("p99"), 990 },
        { ngx_string("p999"), 999 }
    };

    ngx_mon_out_literal(o, ",\"quantiles\":{");

    for (i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        if (i) {
            ngx_mon_out_literal(o, ",");
        }

        ngx_mon_out_json(o, &quantiles[i].name);
        ngx_mon_out_literal(o, ":");
        ngx_mon_out_seconds(o, ngx_mon_hist_quantile(h, quantiles[i].q));
    }

    ngx_mon_out_literal(o, "}");
}


static void
ngx_mon_json_histogram(ngx_mon_out_t *o, const ngx_mon_hist_t *h)
{
    uint64_t    count;
    ngx_uint_t  i;

    ngx_mon_out_literal(o, ",\"count\":");
    ngx_mon_out_u64(o, h->count);
    ngx_mon_out_literal(o, ",\"sum\":");
    ngx_mon_out_seconds(o, h->sum);
    ngx_mon_out_literal(o, ",\"buckets\":[");

    for (count = 0, i = 0; i < h->bounds->n; i++) {
        count += h->classic[i];

        ngx_mon_out_literal(o, "{\"le\":");
        ngx_mon_out_seconds(o, h->bounds->us[i]);
        ngx_mon_out_literal(o, ",\"count\":");
        ngx_mon_out_u64(o, count);
        ngx_mon_out_literal(o, "},");
    }

    /* JSON has no infinity */

    ngx_mon_out_literal(o, "{\"le\":\"+Inf\",\"count\":");
    ngx_mon_out_u64(o, h->count);
    ngx_mon_out_literal(o, "}]");

    ngx_mon_json_quantiles(o, h);
}


static void
ngx_mon_json_sample(ngx_mon_out_t *o, const ngx_mon_sample_t *s,
    ngx_uint_t first, ngx_uint_t n)
{
    if (first && n) {
        ngx_mon_out_literal(o, "]}");
    }

    if (n) {
        ngx_mon_out_literal(o, ",");
    }

    if (first) {
        ngx_mon_json_family(o, s->metric);
    }

    ngx_mon_json_labels(o, s);

    if (s->metric->type == NGX_MON_HISTOGRAM) {
        ngx_mon_json_histogram(o, &s->hist);

    } else {
        ngx_mon_out_literal(o, ",\"value\":");
        ngx_mon_out_value(o, s->metric->unit, s->value);
    }

    ngx_mon_out_literal(o, "}");
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
