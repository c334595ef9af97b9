
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"


#define NGX_MON_E(id, v1, v2)  { ngx_string(v1), ngx_string(v2) },

static const ngx_str_t  ngx_mon_error_values[][NGX_MON_VEC_LABELS] = {
    NGX_MON_ERROR_VALUES(NGX_MON_E)
};

static const ngx_str_t  ngx_mon_cache_values[][NGX_MON_VEC_LABELS] = {
    NGX_MON_CACHE_VALUES(NGX_MON_E)
};

static const ngx_str_t  ngx_mon_limit_values[][NGX_MON_VEC_LABELS] = {
    NGX_MON_LIMIT_VALUES(NGX_MON_E)
};

static const ngx_str_t  ngx_mon_failure_values[][NGX_MON_VEC_LABELS] = {
    NGX_MON_FAILURE_VALUES(NGX_MON_E)
};

static const ngx_str_t  ngx_mon_state_values[][NGX_MON_VEC_LABELS] = {
    NGX_MON_STATE_VALUES(NGX_MON_E)
};

static const ngx_str_t  ngx_mon_check_values[][NGX_MON_VEC_LABELS] = {
    NGX_MON_CHECK_VALUES(NGX_MON_E)
};

static const ngx_str_t  ngx_mon_to_values[][NGX_MON_VEC_LABELS] = {
    NGX_MON_TO_VALUES(NGX_MON_E)
};

static const ngx_str_t  ngx_mon_circuit_values[][NGX_MON_VEC_LABELS] = {
    NGX_MON_CIRCUIT_VALUES(NGX_MON_E)
};

static const ngx_str_t  ngx_mon_retry_values[][NGX_MON_VEC_LABELS] = {
    NGX_MON_RETRY_VALUES(NGX_MON_E)
};

static const ngx_str_t  ngx_mon_quota_values[][NGX_MON_VEC_LABELS] = {
    NGX_MON_QUOTA_VALUES(NGX_MON_E)
};

static const ngx_str_t  ngx_mon_protocol_values[][NGX_MON_VEC_LABELS] = {
    NGX_MON_PROTOCOL_VALUES(NGX_MON_E)
};

static const ngx_str_t  ngx_mon_bytes_values[][NGX_MON_VEC_LABELS] = {
    NGX_MON_BYTES_VALUES(NGX_MON_E)
};

static const ngx_str_t  ngx_mon_set_values[][NGX_MON_VEC_LABELS] = {
    NGX_MON_SET_VALUES(NGX_MON_E)
};

#undef NGX_MON_E


static const ngx_mon_vec_t  ngx_mon_vec_one = {
    1, 0, { ngx_null_string, ngx_null_string }, NULL
};

#define NGX_MON_V(id, n, skip, l1, l2)                                        \
    _Static_assert(sizeof(ngx_mon_##id##_values) == (n)                       \
                   * NGX_MON_VEC_LABELS * sizeof(ngx_str_t), #id);            \
    static const ngx_mon_vec_t  ngx_mon_vec_##id = {                          \
        (n), (skip), { ngx_string(l1), ngx_string(l2) },                      \
        ngx_mon_##id##_values                                                 \
    };
NGX_MON_VECTORS(NGX_MON_V)
#undef NGX_MON_V


#define NGX_MON_R(id, name, type, merge, unit, vec, view, help)               \
    { ngx_string(name), ngx_string(help), NGX_MON_##type, NGX_MON_##merge,    \
      NGX_MON_##unit, 0, NGX_MON_VIEW_##view, NGX_MON_##id,                   \
      &ngx_mon_vec_##vec },

#define NGX_MON_H(id, name, view, help)                                       \
    { ngx_string(name), ngx_string(help), NGX_MON_HISTOGRAM, NGX_MON_SUM,     \
      NGX_MON_MICRO_SECONDS, 0, NGX_MON_VIEW_##view, NGX_MON_H_##id,          \
      &ngx_mon_vec_one },

/* the group is filled in when the module is first configured */

static ngx_mon_metric_t  ngx_mon_table[] = {
#define NGX_MON_G(id, labels)                                                 \
    NGX_MON_##id##_ROWS(NGX_MON_R)                                            \
    NGX_MON_##id##_HISTS(NGX_MON_H)
    NGX_MON_GROUPS(NGX_MON_G)
#undef NGX_MON_G
};

#undef NGX_MON_R
#undef NGX_MON_H

#define NGX_MON_NMETRICS                                                      \
    (sizeof(ngx_mon_table) / sizeof(ngx_mon_metric_t))


#define NGX_MON_R(id, name, type, merge, unit, vec, view, help)  + 1
#define NGX_MON_H(id, name, view, help)  + 1

static const u_char  ngx_mon_rows[] = {
#define NGX_MON_G(id, labels)                                                 \
    0 NGX_MON_##id##_ROWS(NGX_MON_R) NGX_MON_##id##_HISTS(NGX_MON_H),
    NGX_MON_GROUPS(NGX_MON_G)
#undef NGX_MON_G
};

#undef NGX_MON_R
#undef NGX_MON_H


ngx_mon_group_t  ngx_mon_groups[] = {
#define NGX_MON_G(id, labels)                                                 \
    { ngx_string(labels), 0, NGX_MON_CELLS_##id, NGX_MON_HISTS_##id, 0,      \
      NULL },
    NGX_MON_GROUPS(NGX_MON_G)
#undef NGX_MON_G
};


#define NGX_MON_G(id, labels)                                                 \
    _Static_assert((int) NGX_MON_CELLS_##id <= NGX_MON_CELLS_MAX, #id);
NGX_MON_GROUPS(NGX_MON_G)
#undef NGX_MON_G


/* groups without families, and the words of their series */

static const ngx_uint_t  ngx_mon_raw[][2] = {
#define NGX_MON_W(id, words)  { NGX_MON_G_##id, (words) },
    NGX_MON_RAW(NGX_MON_W)
#undef NGX_MON_W
};

#define NGX_MON_NRAW  (sizeof(ngx_mon_raw) / sizeof(ngx_mon_raw[0]))


const ngx_mon_metric_t *
ngx_mon_metrics(ngx_uint_t *n)
{
    *n = NGX_MON_NMETRICS;

    return ngx_mon_table;
}


void
ngx_mon_registry_init(void)
{
    ngx_str_t   *labels;
    ngx_uint_t   g, i, k;

    for (g = 0, i = 0; g < NGX_MON_NGROUPS; g++) {

        for (k = 0; k < ngx_mon_rows[g]; k++) {
            ngx_mon_table[i++].group = g;
        }

        labels = &ngx_mon_groups[g].labels;
        ngx_mon_groups[g].nlabels = labels->len ? 1 : 0;

        for (k = 0; k < labels->len; k++) {
            ngx_mon_groups[g].nlabels += (labels->data[k] == ',');
        }
    }

    for (i = 0; i < NGX_MON_NRAW; i++) {
        ngx_mon_groups[ngx_mon_raw[i][0]].cells = ngx_mon_raw[i][1];
        ngx_mon_groups[ngx_mon_raw[i][0]].raw = 1;
    }
}


const ngx_str_t *
ngx_mon_group_labels(ngx_uint_t group)
{
    return &ngx_mon_groups[group].labels;
}


void
ngx_mon_set_source(ngx_uint_t group, ngx_mon_source_pt src)
{
    ngx_mon_groups[group].source = src;
}


uint32_t
ngx_mon_registry_hash(void)
{
    uint32_t                 hash;
    ngx_uint_t               i, n;
    const ngx_mon_metric_t  *m;

    m = ngx_mon_metrics(&n);

    ngx_crc32_init(hash);

    for (i = 0; i < n; i++) {
        ngx_crc32_update(&hash, m[i].name.data, m[i].name.len);
        ngx_crc32_update(&hash, (u_char *) &m[i].group, sizeof(ngx_uint_t));
        ngx_crc32_update(&hash, (u_char *) &m[i].cell, sizeof(ngx_uint_t));
        ngx_crc32_update(&hash, (u_char *) &m[i].vec->n, sizeof(ngx_uint_t));
    }

    ngx_crc32_update(&hash, (u_char *) ngx_mon_raw, sizeof(ngx_mon_raw));

    ngx_crc32_final(hash);

    return hash;
}
