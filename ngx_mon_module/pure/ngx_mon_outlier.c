
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_outlier.h"


#define NGX_MON_GUARD_OUT   ((uint64_t) 1 << 63)
#define NGX_MON_GUARD_TIME  (((uint64_t) 1 << 55) - 1)

/* so far another process' clock may be ahead */
#define NGX_MON_GUARD_SKEW  10000

#define ngx_mon_guard_pack(out, row, time)                                    \
    ((out) | (uint64_t) (row) << 55 | ((time) & NGX_MON_GUARD_TIME))

#define ngx_mon_guard_rows(word)  ((word) >> 55 & NGX_MON_GUARD_ROW_MAX)


static uint64_t ngx_mon_guard_load(const ngx_mon_guard_t *g);
static uint64_t ngx_mon_guard_left(uint64_t word,
    const ngx_mon_outlier_conf_t *conf, uint64_t now);
static uint64_t ngx_mon_guard_age(uint64_t word, uint64_t now);
static ngx_uint_t ngx_mon_guard_swap(ngx_mon_guard_t *g, uint64_t old,
    uint64_t word);
static uint64_t ngx_mon_guard_failures(const ngx_mon_guard_t *g);
static void ngx_mon_guard_forget(ngx_mon_guard_t *g, uint64_t failures);
static uint64_t ngx_mon_outlier_root(uint64_t n);


static uint64_t
ngx_mon_guard_load(const ngx_mon_guard_t *g)
{
    return __atomic_load_n(&g->admission, __ATOMIC_SEQ_CST);
}


static ngx_uint_t
ngx_mon_guard_swap(ngx_mon_guard_t *g, uint64_t old, uint64_t word)
{
    return __atomic_compare_exchange_n(&g->admission, &old, word, 0,
                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}


static uint64_t
ngx_mon_guard_failures(const ngx_mon_guard_t *g)
{
    return __atomic_load_n(&g->consecutive, __ATOMIC_RELAXED);
}


/* those in a row of before; what others have counted since stays */

static void
ngx_mon_guard_forget(ngx_mon_guard_t *g, uint64_t failures)
{
    (void) __atomic_compare_exchange_n(&g->consecutive, &failures, 0, 0,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}


/* how long a peer that is out has to wait for its trial */

static uint64_t
ngx_mon_guard_left(uint64_t word, const ngx_mon_outlier_conf_t *conf,
    uint64_t now)
{
    uint64_t  until;

    until = word & NGX_MON_GUARD_TIME;

    if (until <= now || until - now > conf->max_eject + NGX_MON_GUARD_SKEW) {
        return 0;
    }

    return until - now;
}


/* how long a peer is in */

static uint64_t
ngx_mon_guard_age(uint64_t word, uint64_t now)
{
    uint64_t  since;

    since = word & NGX_MON_GUARD_TIME;

    if (since == 0 || (since > now && since - now > NGX_MON_GUARD_SKEW)) {
        return (uint64_t) -1;
    }

    return since > now ? 0 : now - since;
}


ngx_uint_t
ngx_mon_guard_mode(const ngx_mon_guard_t *g,
    const ngx_mon_outlier_conf_t *conf, ngx_uint_t flags, uint64_t now)
{
    uint64_t  word, check;

    check = __atomic_load_n(&g->check, __ATOMIC_SEQ_CST);

    if (((flags & NGX_MON_GUARD_CHECKED) && check == NGX_MON_GUARD_FAILED)
        || ((flags & NGX_MON_GUARD_MANDATORY)
            && check != NGX_MON_GUARD_PASSED))
    {
        return NGX_MON_GUARD_UNHEALTHY;
    }

    if (__atomic_load_n(&g->forced, __ATOMIC_SEQ_CST)) {
        return NGX_MON_GUARD_FORCED;
    }

    word = ngx_mon_guard_load(g);

    if (word & NGX_MON_GUARD_OUT) {

        if (conf->max_eject == 0) {

            /* a configuration that no longer ejects */

            return NGX_MON_GUARD_IN;
        }

        return ngx_mon_guard_left(word, conf, now) ? NGX_MON_GUARD_EJECTED
                                                   : NGX_MON_GUARD_TRIAL;
    }

    return ngx_mon_guard_age(word, now) < conf->slow_start
           ? NGX_MON_GUARD_RAMP : NGX_MON_GUARD_IN;
}


uint64_t
ngx_mon_guard_share(const ngx_mon_guard_t *g,
    const ngx_mon_outlier_conf_t *conf, uint64_t now)
{
    uint64_t  word, age;

    word = ngx_mon_guard_load(g);

    if (word & NGX_MON_GUARD_OUT) {
        return NGX_MON_OUTLIER_ONE;
    }

    age = ngx_mon_guard_age(word, now);

    if (age >= conf->slow_start) {
        return NGX_MON_OUTLIER_ONE;
    }

    return NGX_MON_OUTLIER_FLOOR
           + (NGX_MON_OUTLIER_ONE - NGX_MON_OUTLIER_FLOOR) * age
             / conf->slow_start;
}


uint64_t
ngx_mon_guard_wake(const ngx_mon_guard_t *g,
    const ngx_mon_outlier_conf_t *conf, uint64_t now)
{
    uint64_t  word, time;

    word = ngx_mon_guard_load(g);

    if (word & NGX_MON_GUARD_OUT) {
        time = ngx_mon_guard_left(word, conf, now);
        return time ? time : (uint64_t) -1;
    }

    time = ngx_mon_guard_age(word, now);

    return time < conf->slow_start ? conf->slow_start - time : (uint64_t) -1;
}


ngx_uint_t
ngx_mon_guard_row(const ngx_mon_guard_t *g,
    const ngx_mon_outlier_conf_t *conf, uint64_t now)
{
    uint64_t  word, row, less;

    word = ngx_mon_guard_load(g);
    row = ngx_mon_guard_rows(word);

    if ((word & NGX_MON_GUARD_OUT) || conf->eject == 0) {
        return row;
    }

    less = ngx_mon_guard_age(word, now) / conf->eject;

    return row > less ? row - less : 0;
}


ngx_uint_t
ngx_mon_guard_fault(ngx_mon_guard_t *g, ngx_mon_window_t *w,
    const ngx_mon_outlier_conf_t *conf, uint64_t now,
    ngx_mon_window_sum_t *sum)
{
    uint64_t    n;
    ngx_uint_t  due;

    sum->calls = 0;

    ngx_mon_window_fault(w, now, 1, 0);

    n = __atomic_add_fetch(&g->consecutive, 1, __ATOMIC_RELAXED);

    /* again where it could not be done, but not at every failure */

    due = conf->consecutive && n % conf->consecutive == 0;

    if (!due && conf->ratio == 0) {
        return NGX_MON_OUTLIER_NONE;
    }

    ngx_mon_window_sum(w, now, sum);

    if (due) {
        return NGX_MON_OUTLIER_CONSECUTIVE;
    }

    return sum->calls >= ngx_max(conf->min, 1)
           && sum->failed * NGX_MON_OUTLIER_ONE >= sum->calls * conf->ratio
           ? NGX_MON_OUTLIER_RATIO : NGX_MON_OUTLIER_NONE;
}


uint64_t
ngx_mon_guard_eject(ngx_mon_guard_t *g, ngx_mon_window_t *w,
    const ngx_mon_outlier_conf_t *conf, uint64_t now)
{
    uint64_t    word, next, time, failures;
    ngx_uint_t  row;

    failures = ngx_mon_guard_failures(g);
    word = ngx_mon_guard_load(g);

    if (word & NGX_MON_GUARD_OUT) {
        return 0;
    }

    row = ngx_min(ngx_mon_guard_row(g, conf, now) + 1, NGX_MON_GUARD_ROW_MAX);
    time = ngx_min(conf->eject * row, conf->max_eject);
    next = ngx_mon_guard_pack(NGX_MON_GUARD_OUT, row, now + time);

    if (!ngx_mon_guard_swap(g, word, next)) {
        return 0;
    }

    /* unless it is back already */

    ngx_mon_guard_forget(g, failures);
    ngx_mon_window_clear(w->shared, &g->admission, next);

    return time;
}


uint64_t
ngx_mon_guard_again(ngx_mon_guard_t *g, const ngx_mon_outlier_conf_t *conf,
    uint64_t now)
{
    uint64_t    word, time;
    ngx_uint_t  row;

    word = ngx_mon_guard_load(g);

    if (!(word & NGX_MON_GUARD_OUT)
        || ngx_mon_guard_left(word, conf, now))
    {
        return 0;
    }

    row = ngx_min(ngx_mon_guard_rows(word) + 1, NGX_MON_GUARD_ROW_MAX);
    time = ngx_min(conf->eject * row, conf->max_eject);

    if (!ngx_mon_guard_swap(g, word, ngx_mon_guard_pack(NGX_MON_GUARD_OUT,
                                                        row, now + time)))
    {
        return 0;
    }

    return time;
}


ngx_uint_t
ngx_mon_guard_admit(ngx_mon_guard_t *g, uint64_t now, ngx_uint_t flags)
{
    uint64_t  word, row, failures;

    failures = ngx_mon_guard_failures(g);
    word = ngx_mon_guard_load(g);

    if (!(word & NGX_MON_GUARD_OUT)) {
        return 0;
    }

    row = (flags & NGX_MON_GUARD_AFRESH) ? 0 : ngx_mon_guard_rows(word);

    if (!ngx_mon_guard_swap(g, word, ngx_mon_guard_pack(0, row, now))) {
        return 0;
    }

    ngx_mon_guard_forget(g, failures);

    return 1;
}


void
ngx_mon_guard_restart(ngx_mon_guard_t *g, uint64_t now)
{
    uint64_t  word;

    word = ngx_mon_guard_load(g);

    if (!(word & NGX_MON_GUARD_OUT)) {
        (void) ngx_mon_guard_swap(g, word,
                     ngx_mon_guard_pack(0, ngx_mon_guard_rows(word), now));
    }
}


ngx_uint_t
ngx_mon_guard_passed(ngx_mon_guard_t *g, uint64_t now)
{
    uint64_t  check;

    check = __atomic_exchange_n(&g->check, NGX_MON_GUARD_PASSED,
                                __ATOMIC_SEQ_CST);

    if (check == NGX_MON_GUARD_FAILED) {
        ngx_mon_guard_restart(g, now);
    }

    return ngx_mon_guard_admit(g, now, 0) || check != NGX_MON_GUARD_PASSED;
}


ngx_uint_t
ngx_mon_guard_failed(ngx_mon_guard_t *g)
{
    return __atomic_exchange_n(&g->check, NGX_MON_GUARD_FAILED,
                               __ATOMIC_SEQ_CST)
           != NGX_MON_GUARD_FAILED;
}


ngx_uint_t
ngx_mon_guard_take(uint64_t *word, uint64_t pid)
{
    uint64_t  nobody;

    nobody = 0;

    return __atomic_load_n(word, __ATOMIC_RELAXED) == 0
           && __atomic_compare_exchange_n(word, &nobody, pid, 0,
                                          __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}


void
ngx_mon_guard_free(uint64_t *word, uint64_t pid)
{
    (void) __atomic_compare_exchange_n(word, &pid, 0, 0, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED);
}


ngx_uint_t
ngx_mon_outlier_limit(const ngx_mon_outlier_conf_t *conf, ngx_uint_t n)
{
    if (n < 2 || conf->max_ejected == 0) {
        return 0;
    }

    return ngx_max(n * conf->max_ejected / NGX_MON_OUTLIER_ONE, 1);
}


uint64_t
ngx_mon_outlier_threshold(const ngx_mon_outlier_conf_t *conf,
    const uint64_t *rates, ngx_uint_t n)
{
    int64_t     d;
    uint64_t    mean, below, sum;
    ngx_uint_t  i;

    if (n < NGX_MON_OUTLIER_PEERS || conf->stdev == 0) {
        return 0;
    }

    sum = 0;

    for (i = 0; i < n; i++) {
        sum += rates[i];
    }

    mean = sum / n;
    sum = 0;

    for (i = 0; i < n; i++) {
        d = (int64_t) (rates[i] - mean);
        sum += (uint64_t) (d * d);
    }

    below = conf->stdev * ngx_mon_outlier_root(sum / n)
            / NGX_MON_OUTLIER_SIGMA;

    return mean > below ? mean - below : 0;
}


/* the square root, rounded down, of what is less than 2^62 */

static uint64_t
ngx_mon_outlier_root(uint64_t n)
{
    uint64_t  bit, root;

    root = 0;

    for (bit = (uint64_t) 1 << 30; bit; bit >>= 1) {
        if ((root + bit) * (root + bit) <= n) {
            root += bit;
        }
    }

    return root;
}


ngx_uint_t
ngx_mon_pool_panic(const ngx_mon_pool_t *p, uint64_t now, uint64_t hold)
{
    uint64_t  until;

    until = __atomic_load_n(&p->panic, __ATOMIC_SEQ_CST);

    return until > now && until - now <= hold + NGX_MON_GUARD_SKEW;
}


ngx_uint_t
ngx_mon_pool_panic_begin(ngx_mon_pool_t *p, uint64_t now, uint64_t hold)
{
    uint64_t  until;

    until = __atomic_load_n(&p->panic, __ATOMIC_RELAXED);

    if (!__atomic_compare_exchange_n(&p->panic, &until, now + hold, 0,
                                     __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
        || until)
    {
        return 0;
    }

    (void) __atomic_add_fetch(&p->panics, 1, __ATOMIC_RELAXED);

    return 1;
}


void
ngx_mon_pool_panic_stop(ngx_mon_pool_t *p, uint64_t now)
{
    uint64_t  until;

    until = __atomic_load_n(&p->panic, __ATOMIC_RELAXED);

    if (until > now) {
        (void) __atomic_compare_exchange_n(&p->panic, &until, now, 0,
                                           __ATOMIC_SEQ_CST,
                                           __ATOMIC_RELAXED);
    }
}


ngx_uint_t
ngx_mon_pool_panic_end(ngx_mon_pool_t *p, uint64_t now, uint64_t hold)
{
    uint64_t  until;

    until = __atomic_load_n(&p->panic, __ATOMIC_RELAXED);

    return until
           && (now >= until + hold || until > now + hold + NGX_MON_GUARD_SKEW)
           && __atomic_compare_exchange_n(&p->panic, &until, 0, 0,
                                          __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}


ngx_uint_t
ngx_mon_pool_due(const ngx_mon_pool_t *p, uint64_t now, uint64_t window)
{
    uint64_t  swept;

    swept = __atomic_load_n(&p->swept, __ATOMIC_RELAXED);

    return swept == 0 || now < swept || now - swept >= window;
}
