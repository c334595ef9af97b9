
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_exposition.h"
#include "ngx_mon_writer.h"
#include "ngx_mon_text.h"


static void
ngx_mon_prometheus_family(const ngx_mon_metric_t *m, ngx_str_t *type,
    ngx_str_t *family)
{
    *type = *ngx_mon_type_name(m);
    *family = m->name;
}


static u_char *
ngx_mon_prometheus_bound(u_char *p, uint64_t us)
{
    return ngx_mon_micro(p, us);
}


static void
ngx_mon_prometheus_begin(ngx_mon_out_t *o)
{
    (void) o;
}


static void
ngx_mon_prometheus_sample(ngx_mon_out_t *o, const ngx_mon_sample_t *s,
    ngx_uint_t first, ngx_uint_t n)
{
    static const ngx_mon_dialect_t  dialect = {
        ngx_mon_prometheus_family,
        ngx_mon_prometheus_bound,
        0,
        0
    };

    (void) n;

    ngx_mon_exposition(o, s, first, &dialect);
}


static void
ngx_mon_prometheus_end(ngx_mon_out_t *o, ngx_uint_t n)
{
    (void) o;
    (void) n;
}


const ngx_mon_format_t  ngx_mon_prometheus = {
    ngx_string("prometheus"),
    ngx_string("text/plain; version=0.0.4; charset=utf-8"),
    ngx_mon_prometheus_begin,
    ngx_mon_prometheus_sample,
    ngx_mon_prometheus_end
};
