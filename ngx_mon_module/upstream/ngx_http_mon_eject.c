
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_seat.h"


typedef struct {
    ngx_uint_t                peers;
    ngx_uint_t                out;
} ngx_http_mon_census_t;


static void ngx_http_mon_gate_count(ngx_http_mon_gate_t *gate,
    ngx_http_mon_census_t *census, uint64_t now);
static void ngx_http_mon_guard_decide(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *guard, u_char *why, uint64_t now, ngx_log_t *log);
static void ngx_http_mon_guard_ejected(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *guard, uint64_t time, u_char *why,
    ngx_http_mon_census_t *census, ngx_log_t *log);
static void ngx_http_mon_guard_lasting(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *guard, uint64_t now);
static void ngx_http_mon_gate_sweep(ngx_http_mon_gate_t *gate, uint64_t now);
static void ngx_http_mon_gate_compare(ngx_http_mon_gate_t *gate,
    ngx_http_mon_seat_t **seats, uint64_t *rates, uint64_t now);
static ngx_uint_t ngx_http_mon_gate_rates(ngx_http_mon_gate_t *gate,
    ngx_http_mon_seat_t **seats, uint64_t *rates, uint64_t now);


#define NGX_HTTP_MON_WHY_LEN      128

/* so long an answer on trial may take once it has begun, milliseconds */
#define NGX_HTTP_MON_TRIAL_GRACE  1000


void
ngx_http_mon_guard_failure(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *guard, uint64_t now, ngx_log_t *log)
{
    u_char                why[NGX_HTTP_MON_WHY_LEN], *p;
    ngx_uint_t            reason;
    ngx_mon_window_sum_t  sum;

    if (ngx_mon_guard_mode(guard->shared, &gate->conf, 0, now)
        >= NGX_MON_GUARD_TRIAL)
    {
        /* begun before it was ejected, or in panic */

        return;
    }

    (void) ngx_mon_window_add(&guard->window, now);

    reason = ngx_mon_guard_fault(guard->shared, &guard->window, &gate->conf,
                                 now, &sum);

    if (reason == NGX_MON_OUTLIER_NONE) {
        return;
    }

    p = why;

    if (reason == NGX_MON_OUTLIER_CONSECUTIVE) {
        p = ngx_sprintf(p, "%uL failures in a row, ", gate->conf.consecutive);
    }

    ngx_sprintf(p, "%uL of %uL calls failed in %uLms%Z", sum.failed,
                sum.calls, gate->conf.window);

    ngx_http_mon_guard_decide(gate, guard, why, now, log);
}


/* peers that nginx uses, each address once, and those of them that are out */

static void
ngx_http_mon_gate_count(ngx_http_mon_gate_t *gate,
    ngx_http_mon_census_t *census, uint64_t now)
{
    ngx_uint_t            i;
    ngx_http_mon_seat_t  *seat;

    ngx_memzero(census, sizeof(ngx_http_mon_census_t));

    for (i = 0; i < gate->nseats; i++) {
        seat = &gate->seats[i];

        if (!seat->first) {
            continue;
        }

        census->peers++;
        census->out += seat->guard
                       && ngx_mon_guard_mode(seat->guard->shared, &gate->conf,
                                             gate->flags, now)
                          >= NGX_MON_GUARD_TRIAL;
    }
}


/* one worker at a time: others come again with their next failure */

static void
ngx_http_mon_guard_decide(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *guard, u_char *why, uint64_t now, ngx_log_t *log)
{
    uint64_t               time;
    ngx_http_mon_census_t  census;

    if (!ngx_mon_guard_take(&gate->pool->deciding, ngx_pid)) {
        return;
    }

    time = 0;

    ngx_http_mon_gate_count(gate, &census, now);

    if (census.out < ngx_mon_outlier_limit(&gate->conf, census.peers)) {
        time = ngx_mon_guard_eject(guard->shared, &guard->window, &gate->conf,
                                   now);
        census.out++;
    }

    ngx_mon_guard_free(&gate->pool->deciding, ngx_pid);

    if (time) {
        ngx_http_mon_guard_ejected(gate, guard, time, why, &census, log);
    }
}


static void
ngx_http_mon_guard_ejected(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *guard, uint64_t time, u_char *why,
    ngx_http_mon_census_t *census, ngx_log_t *log)
{
    ngx_mon_series_t         *s;
    ngx_http_mon_upstream_t  *up;

    up = gate->hook->upstream;

    ngx_http_mon_gate_changed(gate);

    s = ngx_http_mon_peer_series(up, &guard->name);

    ngx_mon_add(s, NGX_MON_EJECTIONS, 1);
    ngx_mon_touch(s);

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "peer \"%V\" of upstream \"%V\" is ejected for %uLms: %s; "
                  "times in a row: %ui, peers out: %ui of %ui",
                  &guard->name, &up->label, time, why,
                  ngx_mon_guard_row(guard->shared, &gate->conf,
                                    ngx_current_msec),
                  census->out, census->peers);
}


void
ngx_http_mon_guard_trial(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *guard, ngx_uint_t verdict, uint64_t now,
    ngx_log_t *log)
{
    uint64_t               time;
    ngx_mon_guard_t       *g;
    ngx_http_mon_census_t  census;

    g = guard->shared;

    if (verdict == NGX_HTTP_MON_NO_VERDICT) {
        ngx_mon_guard_free(&g->permit, ngx_pid);
        return;
    }

    if (verdict & gate->on) {
        time = ngx_mon_guard_again(g, &gate->conf, now);
        ngx_mon_guard_free(&g->permit, ngx_pid);

        if (time) {
            ngx_http_mon_gate_count(gate, &census, now);
            ngx_http_mon_guard_ejected(gate, guard, time,
                                       (u_char *) "it failed on trial",
                                       &census, log);
        }

        return;
    }

    (void) ngx_mon_window_add(&guard->window, now);

    if (ngx_mon_guard_admit(g, now, 0)) {
        ngx_http_mon_guard_return(gate, guard, "it passed its trial", log);
    }

    ngx_mon_guard_free(&g->permit, ngx_pid);
}


void
ngx_http_mon_guard_return(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *guard, const char *why, ngx_log_t *log)
{
    ngx_mon_pool_panic_stop(gate->pool, ngx_current_msec);
    ngx_http_mon_gate_changed(gate);

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "peer \"%V\" of upstream \"%V\" is back: %s",
                  &guard->name, &gate->hook->upstream->label, why);
}


void
ngx_http_mon_gate_alarm(ngx_http_mon_gate_t *gate, uint64_t now,
    ngx_log_t *log)
{
    if (ngx_mon_pool_panic(gate->pool, now, NGX_HTTP_MON_PANIC_HOLD)) {
        return;
    }

    if (ngx_mon_pool_panic_begin(gate->pool, now, NGX_HTTP_MON_PANIC_HOLD)) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "upstream \"%V\" has no usable peer, panic begins: "
                      "%ui ejected ones are used",
                      &gate->hook->upstream->label, gate->ejected);
    }

    ngx_http_mon_gate_changed(gate);
}


void
ngx_http_mon_gate_tick(ngx_http_mon_gate_t *gate, uint64_t now,
    ngx_uint_t leader)
{
    ngx_uint_t            i;
    ngx_http_mon_seat_t  *seat;

    ngx_http_mon_gate_refresh(gate, now);

    for (i = 0; i < gate->nseats; i++) {
        seat = &gate->seats[i];

        if (seat->guard && seat->guard->trial) {
            ngx_http_mon_guard_lasting(gate, seat->guard, now);
        }
    }

    if (!leader) {
        return;
    }

    ngx_http_mon_gate_bury(&gate->pool->deciding);

    for (i = 0; i < gate->nseats; i++) {
        seat = &gate->seats[i];

        if (seat->guard && seat->first) {
            ngx_http_mon_gate_bury(&seat->guard->shared->permit);
        }
    }

    if (ngx_mon_pool_panic_end(gate->pool, now, NGX_HTTP_MON_PANIC_HOLD)) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "upstream \"%V\" has usable peers, panic ends",
                      &gate->hook->upstream->label);
    }

    if (gate->conf.stdev) {
        ngx_http_mon_gate_sweep(gate, now);
    }
}


/* the answer on trial began well, and goes on: its end is not waited for */

static void
ngx_http_mon_guard_lasting(ngx_http_mon_gate_t *gate,
    ngx_http_mon_guard_t *guard, uint64_t now)
{
    if (now - guard->answered < NGX_HTTP_MON_TRIAL_GRACE) {
        return;
    }

    guard->trial->trial = 0;
    guard->trial = NULL;

    ngx_http_mon_guard_trial(gate, guard, 0, now, ngx_cycle->log);
}


void
ngx_http_mon_gate_bury(uint64_t *word)
{
    uint64_t  pid;

    pid = __atomic_load_n(word, __ATOMIC_RELAXED);

    if (pid == 0) {
        return;
    }

    if (pid > 0x7fffffff || (kill((ngx_pid_t) pid, 0) == -1
                             && ngx_errno == NGX_ESRCH))
    {
        ngx_mon_guard_free(word, pid);
    }
}


/* compares the success rates, at most once in a window */

static void
ngx_http_mon_gate_sweep(ngx_http_mon_gate_t *gate, uint64_t now)
{
    uint64_t              *rates;
    ngx_http_mon_seat_t  **seats;

    if (!ngx_mon_pool_due(gate->pool, now, gate->conf.window)) {
        return;
    }

    seats = ngx_alloc(gate->nseats * (sizeof(ngx_http_mon_seat_t *)
                                      + sizeof(uint64_t)) + 1,
                      ngx_cycle->log);
    if (seats == NULL) {
        return;
    }

    rates = (uint64_t *) &seats[gate->nseats];

    ngx_http_mon_gate_compare(gate, seats, rates, now);

    ngx_free(seats);
}


static void
ngx_http_mon_gate_compare(ngx_http_mon_gate_t *gate,
    ngx_http_mon_seat_t **seats, uint64_t *rates, uint64_t now)
{
    u_char      why[NGX_HTTP_MON_WHY_LEN];
    uint64_t    threshold;
    ngx_uint_t  i, n;

    n = ngx_http_mon_gate_rates(gate, seats, rates, now);

    if (n < NGX_MON_OUTLIER_PEERS) {
        return;
    }

    __atomic_store_n(&gate->pool->swept, now, __ATOMIC_RELAXED);

    threshold = ngx_mon_outlier_threshold(&gate->conf, rates, n);

    for (i = 0; i < n; i++) {

        if (rates[i] >= threshold) {
            continue;
        }

        ngx_sprintf(why, "success rate %uL.%02uL%% is below %uL.%02uL%%, the "
                    "bound of %ui peers%Z",
                    rates[i] / 10000, rates[i] / 100 % 100,
                    threshold / 10000, threshold / 100 % 100, n);

        ngx_http_mon_guard_decide(gate, seats[i]->guard, why, now,
                                  ngx_cycle->log);
    }
}


static ngx_uint_t
ngx_http_mon_gate_rates(ngx_http_mon_gate_t *gate,
    ngx_http_mon_seat_t **seats, uint64_t *rates, uint64_t now)
{
    ngx_uint_t             i, n;
    ngx_http_mon_seat_t   *seat;
    ngx_mon_window_sum_t   sum;

    n = 0;

    for (i = 0; i < gate->nseats; i++) {
        seat = &gate->seats[i];

        if (seat->guard == NULL || !seat->first
            || seat->guard->mode >= NGX_MON_GUARD_TRIAL)
        {
            continue;
        }

        ngx_mon_window_sum(&seat->guard->window, now, &sum);

        if (sum.calls >= NGX_MON_OUTLIER_VOLUME) {
            seats[n] = seat;
            rates[n++] = (sum.calls - sum.failed) * 1000000 / sum.calls;
        }
    }

    return n;
}
