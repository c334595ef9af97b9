
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_exposition.h"
#include "ngx_mon_writer.h"
#include "ngx_mon_text.h"


/* Takes the suffix off the name, or returns 0 where the name has none. */

static ngx_uint_t
ngx_mon_openmetrics_cut(ngx_str_t *name, const ngx_str_t *suffix)
{
    size_t  n;

    if (name->len <= suffix->len) {
        return 0;
    }

    n = name->len - suffix->len;

    if (ngx_memcmp(name->data + n, suffix->data, suffix->len) != 0) {
        return 0;
    }

    name->len = n;

    return 1;
}


/*
 * The sample of a counter or an info has a suffix that its family hasn't;
 * without the suffix it can't be one.
 */

static void
ngx_mon_openmetrics_family(const ngx_mon_metric_t *m, ngx_str_t *type,
    ngx_str_t *family)
{
    static const ngx_str_t  total = ngx_string("_total");
    static const ngx_str_t  info = ngx_string("_info");

    *type = *ngx_mon_type_name(m);
    *family = m->name;

    if (m->merge == NGX_MON_INFO) {
        if (ngx_mon_openmetrics_cut(family, &info)) {
            ngx_str_set(type, "info");
        }

        return;
    }

    if (m->type == NGX_MON_COUNTER && !ngx_mon_openmetrics_cut(family, &total))
    {
        ngx_str_set(type, "unknown");
    }
}


static void
ngx_mon_openmetrics_begin(ngx_mon_out_t *o)
{
    (void) o;
}


static void
ngx_mon_openmetrics_sample(ngx_mon_out_t *o, const ngx_mon_sample_t *s,
    ngx_uint_t first, ngx_uint_t n)
{
    static const ngx_mon_dialect_t  dialect = {
        ngx_mon_openmetrics_family,
        ngx_mon_micro_canonical,
        1,
        1
    };

    (void) n;

    ngx_mon_exposition(o, s, first, &dialect);
}


static void
ngx_mon_openmetrics_end(ngx_mon_out_t *o, ngx_uint_t n)
{
    (void) n;

    ngx_mon_out_literal(o, "# EOF\n");
}


const ngx_mon_format_t  ngx_mon_openmetrics = {
    ngx_string("openmetrics"),
    ngx_string("application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ngx_mon_openmetrics_begin,
    ngx_mon_openmetrics_sample,
    ngx_mon_openmetrics_end
};
