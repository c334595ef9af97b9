
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"
#include <nginx.h>


#define NGX_MON_CHECKS_MAX   16
#define NGX_MON_REASONS_MAX  8


typedef struct {
    const char        *name;
    ngx_mon_check_pt   check;
} ngx_mon_named_check_t;


static ngx_int_t ngx_mon_source_process(ngx_uint_t group, ngx_uint_t i,
    int64_t *cells, ngx_str_t *values);
static ngx_int_t ngx_mon_source_build(ngx_uint_t group, ngx_uint_t i,
    int64_t *cells, ngx_str_t *values);
static ngx_int_t ngx_mon_source_overflow(ngx_uint_t group, ngx_uint_t i,
    int64_t *cells, ngx_str_t *values);
static ngx_int_t ngx_mon_source_module(ngx_uint_t group, ngx_uint_t i,
    int64_t *cells, ngx_str_t *values);
static void ngx_mon_check_workers(ngx_mon_check_t *c);
static void ngx_mon_check_zone(ngx_mon_check_t *c);


static ngx_mon_named_check_t  ngx_mon_checks[NGX_MON_CHECKS_MAX];
static ngx_mon_reason_pt      ngx_mon_reasons[NGX_MON_REASONS_MAX];

ngx_uint_t                    ngx_mon_nlimited;
ngx_mon_limited_pt            ngx_mon_limiteds[NGX_MON_LIMITEDS_MAX];


void
ngx_mon_source_init(void)
{
    ngx_mon_set_source(NGX_MON_G_PROCESS, ngx_mon_source_process);
    ngx_mon_set_source(NGX_MON_G_BUILD, ngx_mon_source_build);
    ngx_mon_set_source(NGX_MON_G_OVERFLOW, ngx_mon_source_overflow);
    ngx_mon_set_source(NGX_MON_G_MODULE, ngx_mon_source_module);

    ngx_mon_add_check("workers", ngx_mon_check_workers);
    ngx_mon_add_check("zone", ngx_mon_check_zone);
}


void
ngx_mon_add_check(const char *name, ngx_mon_check_pt check)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MON_CHECKS_MAX; i++) {

        if (ngx_mon_checks[i].check == NULL
            || ngx_mon_checks[i].check == check)
        {
            ngx_mon_checks[i].name = name;
            ngx_mon_checks[i].check = check;
            return;
        }
    }
}


const char *
ngx_mon_check(ngx_uint_t i, ngx_mon_check_t *c)
{
    if (i >= NGX_MON_CHECKS_MAX || ngx_mon_checks[i].check == NULL) {
        return NULL;
    }

    c->status = NGX_MON_HEALTHY;
    c->ready = 1;
    c->len = 0;

    ngx_mon_checks[i].check(c);

    return ngx_mon_checks[i].name;
}


void
ngx_mon_add_reason(ngx_mon_reason_pt reason)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MON_REASONS_MAX; i++) {

        if (ngx_mon_reasons[i] == NULL || ngx_mon_reasons[i] == reason) {
            ngx_mon_reasons[i] = reason;
            return;
        }
    }
}


ngx_uint_t
ngx_mon_reason(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t  i, reason;

    for (i = 0; i < NGX_MON_REASONS_MAX && ngx_mon_reasons[i]; i++) {

        reason = ngx_mon_reasons[i](r, status);

        if (reason < NGX_MON_ERROR_N) {
            return reason;
        }
    }

    return NGX_MON_ERROR_N;
}


void
ngx_mon_add_limited(ngx_mon_limited_pt limited)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_mon_nlimited; i++) {
        if (ngx_mon_limiteds[i] == limited) {
            return;
        }
    }

    if (i < NGX_MON_LIMITEDS_MAX) {
        ngx_mon_limiteds[ngx_mon_nlimited++] = limited;
    }
}


void
ngx_mon_facts(ngx_mon_facts_t *f)
{
    ngx_uint_t       i;
    ngx_mon_zone_t  *z;

    z = ngx_mon_zone;

    ngx_mon_slot_sweep(0);

    ngx_memzero(f, sizeof(ngx_mon_facts_t));

    for (i = 1; i <= z->nmembers; i++) {
        f->workers += (z->members[i].pid != 0);
        f->draining += (z->members[i].pid != 0 && z->members[i].draining);
    }

    f->restarts = z->restarts;
    f->reloads = z->reloads;
    f->loaded = z->loaded;
    f->started = z->started;
    f->series = z->series;
    f->size = ngx_mon_pool->end - (u_char *) ngx_mon_pool;
    f->used = ngx_min(z->used, f->size);
}


static ngx_int_t
ngx_mon_source_process(ngx_uint_t group, ngx_uint_t i, int64_t *cells,
    ngx_str_t *values)
{
    ngx_mon_facts_t  f;

    if (i > 0) {
        return NGX_DONE;
    }

    ngx_mon_facts(&f);

    cells[NGX_MON_WORKERS] = f.workers;
    cells[NGX_MON_RESTARTS] = f.restarts;
    cells[NGX_MON_RELOADS] = f.reloads;
    cells[NGX_MON_RELOADED] = f.loaded;

    return NGX_OK;
}


static ngx_int_t
ngx_mon_source_build(ngx_uint_t group, ngx_uint_t i, int64_t *cells,
    ngx_str_t *values)
{
    if (i > 0) {
        return NGX_DONE;
    }

    ngx_str_set(&values[0], NGX_MON_VERSION);
    ngx_str_set(&values[1], NGINX_VERSION);

    return NGX_OK;
}


/* a group is named by its first family */

static ngx_int_t
ngx_mon_source_overflow(ngx_uint_t group, ngx_uint_t i, int64_t *cells,
    ngx_str_t *values)
{
    ngx_uint_t               k, n;
    const ngx_mon_metric_t  *m;

    if (i >= NGX_MON_NGROUPS) {
        return NGX_DONE;
    }

    if (ngx_mon_groups[i].source || ngx_mon_groups[i].nlabels == 0) {
        return NGX_DECLINED;
    }

    m = ngx_mon_metrics(&n);

    for (k = 0; k < n; k++) {

        if (m[k].group == i && (m[k].view & NGX_MON_VIEW_TRAFFIC)) {
            values[0] = m[k].name;
            cells[NGX_MON_OVERFLOWS] = ngx_mon_zone->lists[i].overflow;

            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_mon_source_module(ngx_uint_t group, ngx_uint_t i, int64_t *cells,
    ngx_str_t *values)
{
    ngx_mon_facts_t  f;

    if (i > 0) {
        return NGX_DONE;
    }

    ngx_mon_facts(&f);

    cells[NGX_MON_SERIES] = f.series;
    cells[NGX_MON_MON_BYTES + NGX_MON_BYTES_USED] = f.used;
    cells[NGX_MON_MON_BYTES + NGX_MON_BYTES_FREE] = f.size - f.used;

    return NGX_OK;
}


static void
ngx_mon_check_workers(ngx_mon_check_t *c)
{
    u_char           *p;
    ngx_core_conf_t  *ccf;
    ngx_mon_facts_t   f;

    ngx_mon_facts(&f);

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    p = ngx_snprintf(c->message, sizeof(c->message),
                     "%ui serving, %ui draining, %uL crashed",
                     f.workers - f.draining, f.draining, f.restarts);
    c->len = p - c->message;

    if (ngx_process == NGX_PROCESS_WORKER
        && (ngx_int_t) (f.workers - f.draining) < ccf->worker_processes)
    {
        c->status = NGX_MON_DEGRADED;
    }
}


static void
ngx_mon_check_zone(ngx_mon_check_t *c)
{
    u_char           *p;
    ngx_mon_facts_t   f;

    ngx_mon_facts(&f);

    p = ngx_snprintf(c->message, sizeof(c->message),
                     "%uzk of %uzk in use by %ui series",
                     f.used / 1024, f.size / 1024, f.series);
    c->len = p - c->message;

    if (f.used > f.size / 10 * 9) {
        c->status = NGX_MON_DEGRADED;
    }
}
