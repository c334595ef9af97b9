
/*
 * Copyright (C) The ngx_mon authors
 */


/* the gates as others see them: the configuration, checks, the API, metrics */


#include "ngx_http_mon_seat.h"


static ngx_http_mon_gate_t *ngx_http_mon_gate_make(ngx_conf_t *cf,
    ngx_http_mon_hook_t *hook);
static ngx_int_t ngx_http_mon_gate_declare(ngx_conf_t *cf,
    ngx_http_mon_hook_t *hook);
static void ngx_http_mon_gates_tick(ngx_cycle_t *cycle, ngx_uint_t leader);
static ngx_int_t ngx_http_mon_gates_source(ngx_uint_t group, ngx_uint_t i,
    int64_t *cells, ngx_str_t *values);
static ngx_uint_t ngx_http_mon_guard_state(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *guard, ngx_uint_t *mode);


ngx_http_mon_gate_t *
ngx_http_mon_gate_add(ngx_conf_t *cf, ngx_http_upstream_srv_conf_t *uscf,
    ngx_uint_t flags)
{
    ngx_http_mon_hook_t                *hook;
    ngx_http_mon_outlier_main_conf_t   *omcf;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_mon_upstream_module);
    hook = ngx_http_mon_hook_find(mcf, uscf);

    if (hook == NULL || !hook->stock) {
        return NULL;
    }

    if (hook->gate == NULL) {
        hook->gate = ngx_http_mon_gate_make(cf, hook);

        if (hook->gate == NULL) {
            return NULL;
        }

        ngx_http_mon_hook_guard(hook, 1);

        omcf = ngx_http_conf_get_module_main_conf(cf,
                                                  ngx_http_mon_outlier_module);
        if (omcf->gates++ == 0) {
            ngx_mon_add_tick(ngx_http_mon_gates_tick);
            ngx_mon_set_source(NGX_MON_G_PANIC, ngx_http_mon_gates_source);
        }
    }

    hook->gate->flags |= flags;

    return hook->gate;
}


static ngx_http_mon_gate_t *
ngx_http_mon_gate_make(ngx_conf_t *cf, ngx_http_mon_hook_t *hook)
{
    ngx_http_mon_gate_t              *gate;
    ngx_http_mon_outlier_srv_conf_t  *oscf;

    gate = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_gate_t));

    if (gate == NULL || ngx_http_mon_gate_declare(cf, hook) != NGX_OK) {
        return NULL;
    }

    gate->hook = hook;
    gate->pool = &gate->own;
    gate->versionp = &gate->zero;
    gate->table = &gate->empty;
    gate->made = ngx_mon_now() / 1000;
    gate->conf.window = 10000;

    /* an upstream that proxy_pass makes has no configuration */

    if (hook->uscf->srv_conf) {
        oscf = ngx_http_conf_upstream_srv_conf(hook->uscf,
                                               ngx_http_mon_outlier_module);
        if (oscf->outlier) {
            gate->on = oscf->on;
            gate->conf = oscf->conf;
        }

        gate->bad = gate->on|NGX_HTTP_MON_NO_VERDICT;
        gate->conf.slow_start = oscf->conf.slow_start;

        if (gate->conf.slow_start == NGX_CONF_UNSET_MSEC) {
            gate->conf.slow_start = 0;
        }
    }

    return gate;
}


static ngx_int_t
ngx_http_mon_gate_declare(ngx_conf_t *cf, ngx_http_mon_hook_t *hook)
{
    ngx_str_t                 values[2];
    ngx_uint_t                i;
    ngx_http_mon_upstream_t  *up;

    up = hook->upstream;
    values[0] = up->label;

    if (ngx_mon_declare(cf, NGX_MON_G_POOL, values, 1, NGX_MON_VIEW_ALL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i <= up->mask; i++) {

        if (up->table[i] == NULL) {
            continue;
        }

        values[1] = up->table[i]->name;

        if (ngx_mon_declare(cf, NGX_MON_G_GUARD, values, 2, NGX_MON_VIEW_ALL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_mon_gates_tick(ngx_cycle_t *cycle, ngx_uint_t leader)
{
    ngx_uint_t                          i;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_mon_upstream_module);

    for (i = 0; i <= mcf->mask; i++) {
        if (mcf->hooks[i].uscf && mcf->hooks[i].gate) {
            ngx_http_mon_gate_tick(mcf->hooks[i].gate, ngx_current_msec,
                                   leader);
        }
    }
}


static ngx_int_t
ngx_http_mon_gates_source(ngx_uint_t group, ngx_uint_t i, int64_t *cells,
    ngx_str_t *values)
{
    ngx_http_mon_gate_t                *gate;
    ngx_http_mon_upstream_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                              ngx_http_mon_upstream_module);

    if (mcf == NULL || mcf->hooks == NULL || i > mcf->mask) {
        return NGX_DONE;
    }

    gate = mcf->hooks[i].gate;

    if (mcf->hooks[i].uscf == NULL || gate == NULL || gate->on == 0) {
        return NGX_DECLINED;
    }

    ngx_http_mon_gate_update(gate);

    cells[NGX_MON_PANIC] = ngx_http_mon_gate_panic(&mcf->hooks[i]);
    cells[NGX_MON_PANICS] = ngx_http_mon_gate_panics(&mcf->hooks[i]);

    values[0] = gate->hook->upstream->label;

    return NGX_OK;
}


void
ngx_http_mon_gate_update(ngx_http_mon_gate_t *gate)
{
    ngx_http_mon_gate_refresh(gate, ngx_current_msec);
}


ngx_uint_t
ngx_http_mon_gate_panic(ngx_http_mon_hook_t *hook)
{
    return hook->gate && ngx_mon_pool_panic(hook->gate->pool, ngx_current_msec,
                                            NGX_HTTP_MON_PANIC_HOLD);
}


uint64_t
ngx_http_mon_gate_panics(ngx_http_mon_hook_t *hook)
{
    return hook->gate ? __atomic_load_n(&hook->gate->pool->panics,
                                        __ATOMIC_RELAXED)
                      : 0;
}


ngx_uint_t
ngx_http_mon_gate_judges(ngx_http_mon_hook_t *hook)
{
    return hook->gate && hook->gate->on;
}


ngx_http_mon_guard_t *
ngx_http_mon_gate_guard(ngx_http_mon_hook_t *hook, ngx_str_t *peer)
{
    ngx_http_mon_guard_t  *guard;

    if (hook->gate == NULL) {
        return NULL;
    }

    ngx_http_mon_gate_update(hook->gate);

    guard = ngx_http_mon_guard_find(hook->gate, peer);

    return guard && guard->seated ? guard : NULL;
}


ngx_mon_guard_t *
ngx_http_mon_gate_words(ngx_http_mon_hook_t *hook, ngx_str_t *peer)
{
    ngx_http_mon_guard_t  *guard;

    guard = ngx_http_mon_gate_guard(hook, peer);

    return guard ? guard->shared : NULL;
}


ngx_int_t
ngx_http_mon_gate_passed(ngx_http_mon_hook_t *hook, ngx_str_t *peer)
{
    ngx_uint_t             mode;
    ngx_http_mon_guard_t  *guard;

    guard = ngx_http_mon_gate_guard(hook, peer);

    if (guard == NULL) {
        return NGX_DECLINED;
    }

    mode = ngx_mon_guard_mode(guard->shared, &hook->gate->conf, 0,
                              ngx_current_msec);

    if (!ngx_mon_guard_passed(guard->shared, ngx_current_msec)) {
        return NGX_OK;
    }

    if (mode == NGX_MON_GUARD_EJECTED || mode == NGX_MON_GUARD_TRIAL) {
        ngx_http_mon_guard_return(hook->gate, guard, "an active check passed",
                                  ngx_cycle->log);
        return NGX_OK;
    }

    ngx_mon_pool_panic_stop(hook->gate->pool, ngx_current_msec);
    ngx_http_mon_gate_changed(hook->gate);

    return NGX_OK;
}


ngx_int_t
ngx_http_mon_gate_failed(ngx_http_mon_hook_t *hook, ngx_str_t *peer)
{
    ngx_http_mon_guard_t  *guard;

    guard = ngx_http_mon_gate_guard(hook, peer);

    if (guard == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_mon_guard_failed(guard->shared)) {
        ngx_http_mon_gate_changed(hook->gate);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mon_gate_eject(ngx_http_mon_hook_t *hook, ngx_str_t *peer)
{
    ngx_http_mon_guard_t  *guard;

    guard = ngx_http_mon_gate_guard(hook, peer);

    if (guard == NULL) {
        return NGX_DECLINED;
    }

    if (__atomic_exchange_n(&guard->shared->forced, 1, __ATOMIC_SEQ_CST)
        != 1)
    {
        ngx_http_mon_gate_changed(hook->gate);

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "peer \"%V\" of upstream \"%V\" is ejected by hand, "
                      "until it is restored",
                      &guard->name, &hook->upstream->label);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mon_gate_restore(ngx_http_mon_hook_t *hook, ngx_str_t *peer)
{
    ngx_uint_t             forced;
    ngx_http_mon_guard_t  *guard;

    guard = ngx_http_mon_gate_guard(hook, peer);

    if (guard == NULL) {
        return NGX_DECLINED;
    }

    forced = __atomic_exchange_n(&guard->shared->forced, 0, __ATOMIC_SEQ_CST);

    if (forced) {
        ngx_mon_guard_restart(guard->shared, ngx_current_msec);
    }

    if (ngx_mon_guard_admit(guard->shared, ngx_current_msec,
                            NGX_MON_GUARD_AFRESH)
        || forced)
    {
        ngx_http_mon_guard_return(hook->gate, guard, "restored by hand",
                                  ngx_cycle->log);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_mon_gate_peer(ngx_http_mon_hook_t *hook, ngx_str_t *peer,
    ngx_http_mon_gate_peer_t *p)
{
    uint64_t               now;
    ngx_uint_t             mode;
    ngx_mon_guard_t       *g;
    ngx_http_mon_gate_t   *gate;
    ngx_http_mon_guard_t  *guard;
    ngx_mon_window_sum_t   sum;

    guard = ngx_http_mon_gate_guard(hook, peer);

    if (guard == NULL) {
        return NGX_DECLINED;
    }

    now = ngx_current_msec;
    gate = hook->gate;
    g = guard->shared;

    p->state = ngx_http_mon_guard_state(gate, guard, &mode);
    p->forced = __atomic_load_n(&g->forced, __ATOMIC_RELAXED) != 0;
    p->trial = (mode == NGX_MON_GUARD_TRIAL);
    p->check = __atomic_load_n(&g->check, __ATOMIC_RELAXED);
    p->row = ngx_mon_guard_row(g, &gate->conf, now);
    p->left = (mode == NGX_MON_GUARD_EJECTED)
              ? ngx_mon_guard_wake(g, &gate->conf, now) : 0;

    ngx_mon_window_sum(&guard->window, now, &sum);

    p->calls = sum.calls;
    p->failed = sum.failed;
    p->consecutive = __atomic_load_n(&g->consecutive, __ATOMIC_RELAXED);
    p->share = (mode > NGX_MON_GUARD_RAMP)
               ? 0 : ngx_mon_guard_share(g, &gate->conf, now);

    return NGX_OK;
}


ngx_uint_t
ngx_http_mon_gate_state(ngx_http_mon_gate_t *gate,
    ngx_http_upstream_rr_peer_t *peer)
{
    ngx_uint_t            mode;
    ngx_http_mon_seat_t  *seat;

    seat = ngx_http_mon_seat_find(gate, peer);

    if (seat == NULL || seat->guard == NULL) {
        return NGX_MON_STATE_UP;
    }

    return ngx_http_mon_guard_state(gate, seat->guard, &mode);
}


static ngx_uint_t
ngx_http_mon_guard_state(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *guard, ngx_uint_t *mode)
{
    *mode = ngx_mon_guard_mode(guard->shared, &gate->conf, gate->flags,
                               ngx_current_msec);

    switch (*mode) {

    case NGX_MON_GUARD_IN:
    case NGX_MON_GUARD_RAMP:
        return NGX_MON_STATE_UP;

    case NGX_MON_GUARD_UNHEALTHY:
        return NGX_MON_STATE_UNHEALTHY;

    default:
        return NGX_MON_STATE_EJECTED;
    }
}
