
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_writer.h"
#include "ngx_mon_text.h"


static const ngx_str_t  ngx_mon_types[] = {
    ngx_string("counter"),
    ngx_string("gauge"),
    ngx_string("histogram")
};


static const ngx_str_t  ngx_mon_units[] = {
    ngx_null_string,
    ngx_string("bytes"),
    ngx_null_string,
    ngx_string("seconds"),
    ngx_string("ratio")
};


void
ngx_mon_out(ngx_mon_out_t *o, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }

    if (o->full || (size_t) (o->end - o->pos) < len) {
        o->full = 1;
        return;
    }

    o->pos = ngx_cpymem(o->pos, data, len);
}


void
ngx_mon_out_u64(ngx_mon_out_t *o, uint64_t v)
{
    u_char  *p, number[NGX_MON_NUMBER_LEN];

    p = ngx_mon_u64(number, v);
    ngx_mon_out(o, number, p - number);
}


void
ngx_mon_out_value(ngx_mon_out_t *o, ngx_mon_unit_e unit, int64_t v)
{
    u_char  *p, number[NGX_MON_NUMBER_LEN];

    p = ngx_mon_unit_micro(unit) ? ngx_mon_micro(number, v)
                                 : ngx_mon_i64(number, v);

    ngx_mon_out(o, number, p - number);
}


void
ngx_mon_out_escaped(ngx_mon_out_t *o, const ngx_str_t *s, ngx_uint_t quote)
{
    u_char  *p, *from, *last;

    from = s->data;
    last = s->data + s->len;

    for (p = from; p < last; p++) {

        if (*p != '\\' && *p != '\n' && (*p != '"' || !quote)) {
            continue;
        }

        ngx_mon_out(o, from, p - from);
        ngx_mon_out_literal(o, "\\");

        from = p;

        if (*p == '\n') {
            ngx_mon_out_literal(o, "n");
            from++;
        }
    }

    ngx_mon_out(o, from, last - from);
}


static void
ngx_mon_out_json_chars(ngx_mon_out_t *o, const u_char *p, size_t len)
{
    u_char               code[6];
    const u_char        *from, *last;
    static const u_char  hex[] = "0123456789abcdef";

    from = p;
    last = p + len;

    for ( /* void */ ; p < last; p++) {

        if (*p >= 0x20 && *p != '"' && *p != '\\') {
            continue;
        }

        ngx_mon_out(o, from, p - from);
        from = p + 1;

        if (*p >= 0x20) {
            ngx_mon_out_literal(o, "\\");
            ngx_mon_out(o, p, 1);
            continue;
        }

        ngx_memcpy(code, "\\u00", 4);
        code[4] = hex[*p >> 4];
        code[5] = hex[*p & 0xf];
        ngx_mon_out(o, code, 6);
    }

    ngx_mon_out(o, from, last - from);
}


void
ngx_mon_out_json(ngx_mon_out_t *o, const ngx_str_t *s)
{
    ngx_mon_out_literal(o, "\"");
    ngx_mon_out_json_chars(o, s->data, s->len);
    ngx_mon_out_literal(o, "\"");
}


void
ngx_mon_out_json_text(ngx_mon_out_t *o, const ngx_str_t *s)
{
    size_t   n;
    u_char  *p, *from, *last;

    ngx_mon_out_literal(o, "\"");

    from = s->data;
    last = s->data + s->len;

    for (p = from; p < last; p += n) {

        n = *p < 0x80 ? 1 : ngx_mon_utf8_char(p, last);

        if (n) {
            continue;
        }

        ngx_mon_out_json_chars(o, from, p - from);
        ngx_mon_out_literal(o, "\xef\xbf\xbd");

        n = 1;
        from = p + 1;
    }

    ngx_mon_out_json_chars(o, from, last - from);
    ngx_mon_out_literal(o, "\"");
}


const ngx_str_t *
ngx_mon_type_name(const ngx_mon_metric_t *m)
{
    return &ngx_mon_types[m->type];
}


const ngx_str_t *
ngx_mon_unit_name(const ngx_mon_metric_t *m)
{
    /* a histogram is one of microseconds */

    return &ngx_mon_units[m->type == NGX_MON_HISTOGRAM ? NGX_MON_MICRO_SECONDS
                                                       : m->unit];
}
