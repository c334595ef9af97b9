
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"
#include "ngx_mon_param.h"


#define NGX_MON_TICK        1000
#define NGX_MON_TICKS_MAX   12

#define NGX_MON_INACTIVE    3600000
#define NGX_MON_SIZE_MIN    (64 * 1024)


static ngx_int_t ngx_mon_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_mon_postconfiguration(ngx_conf_t *cf);
static void *ngx_mon_create_main_conf(ngx_conf_t *cf);
static char *ngx_mon_zone_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_mon_buckets(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static uint64_t ngx_mon_parse_seconds(ngx_str_t *s);
static ngx_int_t ngx_mon_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_mon_init_process(ngx_cycle_t *cycle);
static void ngx_mon_exit_process(ngx_cycle_t *cycle);
static void ngx_mon_begin(ngx_cycle_t *cycle);
static void ngx_mon_tick_init(ngx_cycle_t *cycle);
static void ngx_mon_tick(ngx_event_t *ev);
static void ngx_mon_tick_all(ngx_uint_t leader);


ngx_mon_hist_map_t           ngx_mon_hist_tables;
ngx_uint_t                   ngx_mon_hist_stride;
ngx_uint_t                   ngx_mon_active;
ngx_mon_follow_pt            ngx_mon_follow;
ngx_mon_place_pt             ngx_mon_place;
ngx_mon_main_conf_t         *ngx_mon_conf;

static ngx_mon_tick_pt       ngx_mon_ticks[NGX_MON_TICKS_MAX];
static ngx_event_t           ngx_mon_timer;
static ngx_connection_t      ngx_mon_dumb;


/* microseconds */
static const uint64_t        ngx_mon_default_buckets[] = {
    500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
    1000000, 2500000, 5000000, 10000000
};


static const ngx_mon_param_t  ngx_mon_zone_params[] = {
    ngx_mon_param("inactive=", ngx_mon_set_time,
                  ngx_mon_main_conf_t, inactive,
                  1, NGX_MAX_INT_T_VALUE, NGX_MON_INACTIVE),
    ngx_mon_param_end
};


static ngx_command_t  ngx_mon_commands[] = {

    { ngx_string("mon_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE23,
      ngx_mon_zone_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("mon_buckets"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_mon_buckets,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_mon_module_ctx = {
    ngx_mon_preconfiguration,              /* preconfiguration */
    ngx_mon_postconfiguration,             /* postconfiguration */

    ngx_mon_create_main_conf,              /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_mon_module = {
    NGX_MODULE_V1,
    &ngx_mon_module_ctx,                   /* module context */
    ngx_mon_commands,                      /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_mon_init_module,                   /* init module */
    ngx_mon_init_process,                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_mon_exit_process,                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_mon_preconfiguration(ngx_conf_t *cf)
{
    ngx_mon_registry_init();
    ngx_mon_source_init();

    return NGX_OK;
}


static void *
ngx_mon_create_main_conf(ngx_conf_t *cf)
{
    ngx_mon_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_mon_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    mcf->cycle = cf->cycle;

    mcf->declared = ngx_array_create(cf->pool, 16, sizeof(ngx_mon_declared_t));
    if (mcf->declared == NULL
        || ngx_array_init(&mcf->filters, cf->pool, 4, sizeof(ngx_mon_filter_t))
           != NGX_OK)
    {
        return NULL;
    }

    return mcf;
}


static ngx_int_t
ngx_mon_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t            i;
    ngx_mon_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_mon_module);

    if (mcf->bounds.n == 0) {

        mcf->bounds.n = sizeof(ngx_mon_default_buckets) / sizeof(uint64_t);

        for (i = 0; i < mcf->bounds.n; i++) {
            mcf->bounds.us[i] = ngx_mon_default_buckets[i];
        }
    }

    return NGX_OK;
}


static char *
ngx_mon_zone_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mon_main_conf_t  *mcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (mcf->shm_zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid zone name \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    size = ngx_parse_size(&value[2]);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid zone size \"%V\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    if (size < NGX_MON_SIZE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone size \"%V\" is too small, use at least %uz",
                           &value[2], (size_t) NGX_MON_SIZE_MIN);
        return NGX_CONF_ERROR;
    }

    if (ngx_mon_params(cf, 3, ngx_mon_zone_params, mcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    mcf->shm_zone = ngx_shared_memory_add(cf, &value[1], size,
                                          &ngx_mon_module);
    if (mcf->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (mcf->shm_zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "zone \"%V\" is already used",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    mcf->shm_zone->init = ngx_mon_init_zone;
    mcf->shm_zone->data = mcf;

    return NGX_CONF_OK;
}


static char *
ngx_mon_buckets(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mon_main_conf_t  *mcf = conf;

    uint64_t     us;
    ngx_str_t   *value;
    ngx_uint_t   i, n;

    if (mcf->bounds.n) {
        return "is duplicate";
    }

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    if (n > NGX_MON_BOUNDS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "too many buckets, \"%V\" is past the %d allowed",
                           &value[NGX_MON_BOUNDS_MAX + 1],
                           NGX_MON_BOUNDS_MAX);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < n; i++) {

        us = ngx_mon_parse_seconds(&value[i + 1]);

        if (us == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid bucket \"%V\", seconds from 0.000001 "
                               "to 3600 are expected", &value[i + 1]);
            return NGX_CONF_ERROR;
        }

        if (i && us <= mcf->bounds.us[i - 1]) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "bucket \"%V\" is not above the one before it",
                               &value[i + 1]);
            return NGX_CONF_ERROR;
        }

        mcf->bounds.us[i] = us;
    }

    mcf->bounds.n = n;

    return NGX_CONF_OK;
}


/* seconds with up to six decimals, in microseconds; 0 where they are not */

static uint64_t
ngx_mon_parse_seconds(ngx_str_t *s)
{
    size_t     frac;
    u_char    *dot, *last;
    uint64_t   us;
    ngx_int_t  n;

    us = 0;
    last = s->data + s->len;
    dot = ngx_strlchr(s->data, last, '.');

    if (dot == NULL) {
        dot = last;
    }

    if (dot > s->data) {
        n = ngx_atoi(s->data, dot - s->data);

        if (n == NGX_ERROR || n > 3600) {
            return 0;
        }

        us = (uint64_t) n * 1000000;
    }

    if (dot < last) {
        frac = last - dot - 1;
        n = ngx_atoi(dot + 1, frac);

        if (n == NGX_ERROR || frac > 6) {
            return 0;
        }

        for ( /* void */ ; frac < 6; frac++) {
            n *= 10;
        }

        us += n;
    }

    return us > (uint64_t) 3600 * 1000000 ? 0 : us;
}


ngx_uint_t
ngx_mon_configured(ngx_conf_t *cf)
{
    ngx_mon_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_mon_module);

    return mcf->shm_zone != NULL;
}


ngx_int_t
ngx_mon_declare(ngx_conf_t *cf, ngx_uint_t group, const ngx_str_t *values,
    ngx_uint_t nvalues, ngx_uint_t view)
{
    ngx_uint_t            i;
    ngx_mon_declared_t   *d;
    ngx_mon_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_mon_module);

    d = ngx_array_push(mcf->declared);
    if (d == NULL) {
        return NGX_ERROR;
    }

    d->group = group;
    d->view = view;
    d->nvalues = nvalues;

    for (i = 0; i < nvalues; i++) {
        d->values[i] = values[i];
    }

    return NGX_OK;
}


void
ngx_mon_add_tick(ngx_mon_tick_pt tick)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MON_TICKS_MAX; i++) {

        if (ngx_mon_ticks[i] == NULL || ngx_mon_ticks[i] == tick) {
            ngx_mon_ticks[i] = tick;
            return;
        }
    }
}


static ngx_mon_main_conf_t *
ngx_mon_cycle_conf(ngx_cycle_t *cycle)
{
    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL) {
        return NULL;
    }

    return ngx_http_cycle_get_module_main_conf(cycle, ngx_mon_module);
}


static ngx_int_t
ngx_mon_init_module(ngx_cycle_t *cycle)
{
    ngx_mon_main_conf_t  *mcf;

    mcf = ngx_mon_cycle_conf(cycle);

    if (mcf && mcf->zone && !ngx_test_config) {
        ngx_mon_zone_commit(mcf);
    }

    ngx_mon_filters_keep();

    if (ngx_process == NGX_PROCESS_SINGLE && ngx_mon_self) {
        /* a reload without a master: nginx begins no process anew */
        return ngx_mon_init_process(cycle);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_mon_init_process(ngx_cycle_t *cycle)
{
    ngx_mon_main_conf_t  *mcf;

    if (ngx_mon_active) {
        ngx_mon_active = 0;
        ngx_mon_loop_stop();
    }

    if (ngx_mon_timer.timer_set) {
        ngx_del_timer(&ngx_mon_timer);
    }

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_mon_cycle_conf(cycle);

    if (mcf) {
        ngx_mon_filters_put(mcf);
    }

    if (ngx_mon_self && (mcf == NULL || mcf->zone != ngx_mon_zone)) {
        /*
         * The zone of the cycle before is about to be unmapped, and handles
         * on it are kept everywhere: this process records no more.
         */
        ngx_mon_slot_release();
        return NGX_OK;
    }

    if (mcf == NULL || mcf->zone == NULL) {
        return NGX_OK;
    }

    ngx_mon_conf = mcf;
    ngx_mon_zone = mcf->zone;
    ngx_mon_pool = mcf->shpool;
    ngx_mon_bounds = mcf->layout;
    ngx_mon_hist_stride = ngx_mon_hist_cells(mcf->layout->n);
    ngx_mon_hist_map(&ngx_mon_hist_tables, mcf->layout);

    ngx_mon_begin(cycle);
    ngx_mon_tick_init(cycle);

    return NGX_OK;
}


/* records from here on, if there is a place; else a later tick tries again */

static void
ngx_mon_begin(ngx_cycle_t *cycle)
{
    if (ngx_mon_self == 0 && ngx_mon_slot_claim(cycle) != NGX_OK) {
        return;
    }

    if (ngx_mon_series_init(cycle) != NGX_OK) {
        ngx_mon_slot_release();
        return;
    }

    ngx_mon_active = 1;

    ngx_mon_loop_init();
}


static void
ngx_mon_tick_init(ngx_cycle_t *cycle)
{
    ngx_mon_dumb.fd = (ngx_socket_t) -1;

    ngx_mon_timer.handler = ngx_mon_tick;
    ngx_mon_timer.data = &ngx_mon_dumb;
    ngx_mon_timer.log = cycle->log;
    ngx_mon_timer.cancelable = 1;

    ngx_add_timer(&ngx_mon_timer, 1);
}


static void
ngx_mon_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_mon_active) {
        /* what was not counted since the last one */
        ngx_mon_tick_all(0);
    }

    if (ngx_mon_self) {
        ngx_mon_slot_release();
    }
}


static void
ngx_mon_tick(ngx_event_t *ev)
{
    ngx_uint_t  leader;

    ngx_add_timer(ev, NGX_MON_TICK);

    if (ngx_process == NGX_PROCESS_SINGLE) {
        /* it has what is left of a configuration that failed meanwhile */
        ngx_mon_filters_put(ngx_mon_conf);
    }

    if (!ngx_mon_active) {

        if (!ngx_exiting) {
            ngx_mon_begin((ngx_cycle_t *) ngx_cycle);
        }

        return;
    }

    leader = ngx_mon_slot_lead();

    ngx_mon_reap(leader);
    ngx_mon_tick_all(leader);
}


static void
ngx_mon_tick_all(ngx_uint_t leader)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MON_TICKS_MAX && ngx_mon_ticks[i]; i++) {
        ngx_mon_ticks[i]((ngx_cycle_t *) ngx_cycle, leader);
    }
}
