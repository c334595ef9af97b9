
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_emit.h"


#define NGX_MON_EMIT_MS_MAX  (INT64_MAX / 1000)


static const struct {
    const char  *name;
    ngx_uint_t   q;
} ngx_mon_emit_q[] = {
    { "p50", 500 },
    { "p90", 900 },
    { "p99", 990 },
    { "p999", 999 }
};

#define NGX_MON_EMIT_NQ  (sizeof(ngx_mon_emit_q) / sizeof(ngx_mon_emit_q[0]))


/* what comes before a value; the next one is parted from it */

static void
ngx_mon_emit_begin(ngx_mon_emit_t *e, const char *name)
{
    ngx_str_t  s;

    if (e->comma) {
        ngx_mon_out_literal(&e->out, ",");
    }

    e->comma = 1;

    if (name) {
        s.data = (u_char *) name;
        s.len = ngx_strlen(name);

        ngx_mon_out_json(&e->out, &s);
        ngx_mon_out_literal(&e->out, ":");
    }
}


void
ngx_mon_emit_open(ngx_mon_emit_t *e, const char *name, u_char bracket)
{
    ngx_mon_emit_begin(e, name);
    ngx_mon_out(&e->out, &bracket, 1);
    e->comma = 0;
}


void
ngx_mon_emit_close(ngx_mon_emit_t *e, u_char bracket)
{
    ngx_mon_out(&e->out, &bracket, 1);
    e->comma = 1;
}


void
ngx_mon_emit_key(ngx_mon_emit_t *e, const ngx_str_t *key)
{
    ngx_mon_emit_begin(e, NULL);
    ngx_mon_out_json_text(&e->out, key);
    ngx_mon_out_literal(&e->out, ":");
    e->comma = 0;
}


void
ngx_mon_emit_text(ngx_mon_emit_t *e, const char *name, const ngx_str_t *s)
{
    ngx_mon_emit_begin(e, name);
    ngx_mon_out_json_text(&e->out, s);
}


void
ngx_mon_emit_word(ngx_mon_emit_t *e, const char *name, const char *word)
{
    ngx_str_t  s;

    ngx_mon_emit_begin(e, name);

    if (word == NULL) {
        ngx_mon_out_literal(&e->out, "null");
        return;
    }

    s.data = (u_char *) word;
    s.len = ngx_strlen(word);

    ngx_mon_out_json(&e->out, &s);
}


void
ngx_mon_emit_value(ngx_mon_emit_t *e, const char *name, ngx_mon_unit_e unit,
    int64_t v)
{
    ngx_mon_emit_begin(e, name);
    ngx_mon_out_value(&e->out, unit, v);
}


void
ngx_mon_emit_ms(ngx_mon_emit_t *e, const char *name, uint64_t ms)
{
    ngx_mon_emit_value(e, name, NGX_MON_MICRO_SECONDS,
                       ngx_min(ms, NGX_MON_EMIT_MS_MAX) * 1000);
}


void
ngx_mon_emit_ratio(ngx_mon_emit_t *e, const char *name, uint64_t part,
    uint64_t whole)
{
    unsigned __int128  v;

    if (whole == 0) {
        ngx_mon_emit_word(e, name, NULL);
        return;
    }

    v = (unsigned __int128) part * 1000000 / whole;

    ngx_mon_emit_value(e, name, NGX_MON_MICRO_RATIO,
                       v > INT64_MAX ? INT64_MAX : (int64_t) v);
}


void
ngx_mon_emit_flag(ngx_mon_emit_t *e, const char *name, ngx_uint_t v)
{
    ngx_mon_emit_begin(e, name);

    if (v) {
        ngx_mon_out_literal(&e->out, "true");

    } else {
        ngx_mon_out_literal(&e->out, "false");
    }
}


void
ngx_mon_emit_quantiles(ngx_mon_emit_t *e, const ngx_mon_hist_t *h)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MON_EMIT_NQ; i++) {
        ngx_mon_emit_value(e, ngx_mon_emit_q[i].name, NGX_MON_MICRO_SECONDS,
                           ngx_mon_hist_quantile(h, ngx_mon_emit_q[i].q));
    }
}


void
ngx_mon_emit_hist(ngx_mon_emit_t *e, const char *name, const ngx_mon_hist_t *h)
{
    uint64_t    min, max;
    ngx_uint_t  i;

    ngx_mon_emit_open(e, name, '{');
    ngx_mon_emit_number(e, "count", h->count);
    ngx_mon_emit_value(e, "sum", NGX_MON_MICRO_SECONDS, h->sum);

    if (ngx_mon_hist_range(h, &min, &max) == NGX_OK && h->count) {
        ngx_mon_emit_value(e, "avg", NGX_MON_MICRO_SECONDS,
                           h->sum / h->count);
        ngx_mon_emit_value(e, "min", NGX_MON_MICRO_SECONDS, min);
        ngx_mon_emit_value(e, "max", NGX_MON_MICRO_SECONDS, max);
        ngx_mon_emit_quantiles(e, h);

    } else {
        ngx_mon_emit_word(e, "avg", NULL);
        ngx_mon_emit_word(e, "min", NULL);
        ngx_mon_emit_word(e, "max", NULL);

        for (i = 0; i < NGX_MON_EMIT_NQ; i++) {
            ngx_mon_emit_word(e, ngx_mon_emit_q[i].name, NULL);
        }
    }

    ngx_mon_emit_close(e, '}');
}
