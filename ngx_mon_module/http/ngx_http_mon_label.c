
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon.h"


static void ngx_http_mon_admit(ngx_http_mon_label_t *label, ngx_str_t *value);


ngx_mon_series_t *
ngx_http_mon_labelled(ngx_http_request_t *r, ngx_http_mon_loc_conf_t *mlcf)
{
    ngx_str_t              names[NGX_HTTP_MON_LABELS_MAX + 2];
    ngx_str_t              values[NGX_HTTP_MON_LABELS_MAX + 2];
    ngx_uint_t             i, n;
    ngx_http_mon_label_t  *label;

    ngx_str_set(&names[0], "server");
    ngx_str_set(&names[1], "location");

    values[0] = mlcf->srv->label;
    values[1] = mlcf->name;

    label = mlcf->labels->elts;
    n = mlcf->labels->nelts;

    for (i = 0; i < n; i++) {

        names[i + 2] = label[i].name;

        if (ngx_http_complex_value(r, &label[i].value, &values[i + 2])
            != NGX_OK)
        {
            ngx_str_null(&values[i + 2]);
        }

        ngx_http_mon_admit(&label[i], &values[i + 2]);
    }

    return ngx_mon_get(NGX_MON_G_LOCATION, NULL, names, values, n + 2,
                       NGX_MON_TRAFFIC);
}


/* past max different values, of all workers, a label says "other" */

static void
ngx_http_mon_admit(ngx_http_mon_label_t *label, ngx_str_t *value)
{
    ngx_mon_series_t  *s;

    if (label->values == NULL) {
        s = ngx_mon_get(NGX_MON_G_LABEL, NULL, NULL, &label->name, 1,
                        NGX_MON_PIN);

        if (s->overflow == NULL) {
            label->values = s;
        }

    } else {
        s = label->values;
    }

    s = ngx_mon_get_max(NGX_MON_G_VALUE, s, NULL, value, 1, 0, label->max);

    if (s->overflow) {
        ngx_mon_overflow(NGX_MON_G_LOCATION);
        ngx_str_set(value, "other");
        return;
    }

    ngx_mon_touch(s);
}
