
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_breaker.h"


#define NGX_MON_BREAKER_TIME  (((uint64_t) 1 << 40) - 1)


void
ngx_mon_breaker_init(ngx_mon_breaker_t *b, ngx_mon_breaker_shared_t *shared,
    const ngx_mon_breaker_conf_t *conf, uint64_t version, uint64_t random,
    uint32_t pid)
{
    b->shared = shared;
    b->conf = conf;
    b->random = random | 1;
    b->pid = pid;

    ngx_mon_window_init(&b->window, &shared->window, conf->window, version);
}


static ngx_inline uint64_t
ngx_mon_breaker_next(uint64_t state, ngx_uint_t kind, ngx_uint_t forced,
    uint64_t row, uint64_t until)
{
    return (uint64_t) kind << 62 | (uint64_t) forced << 61 | row << 56
           | ((ngx_mon_breaker_generation(state) + 1) & 0xffff) << 40
           | (until & NGX_MON_BREAKER_TIME);
}


static ngx_inline ngx_uint_t
ngx_mon_breaker_swap(uint64_t *word, uint64_t old, uint64_t new)
{
    return __atomic_compare_exchange_n(word, &old, new, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}


/* swaps the state, and says so in change */

static ngx_uint_t
ngx_mon_breaker_move(ngx_mon_breaker_t *b, uint64_t state, uint64_t next,
    ngx_mon_breaker_change_t *change)
{
    if (!ngx_mon_breaker_swap(&b->shared->state, state, next)) {
        return 0;
    }

    change->from = ngx_mon_breaker_kind(state);
    change->to = ngx_mon_breaker_kind(next);
    change->row = ngx_mon_breaker_row(next);

    return 1;
}


/* the largest time that a circuit may stay open, jitter included */

static ngx_inline uint64_t
ngx_mon_breaker_limit(const ngx_mon_breaker_t *b)
{
    return b->conf->max_open + b->conf->max_open / 10;
}


/* open * 2^(row - 1), not above max_open, then from -10% to +10% */

static uint64_t
ngx_mon_breaker_hold(ngx_mon_breaker_t *b, uint64_t row)
{
    uint64_t  ms, part;

    for (ms = b->conf->open; row > 1 && ms < b->conf->max_open; row--) {
        ms *= 2;
    }

    ms = ngx_min(ms, b->conf->max_open);
    part = ms / 10;

    /* xorshift64* */

    b->random ^= b->random >> 12;
    b->random ^= b->random << 25;
    b->random ^= b->random >> 27;

    ms += ((2 * part + 1) * (b->random * 0x2545f4914f6cdd1d >> 40) >> 24)
          - part;

    return ngx_max(ms, 1);
}


static ngx_uint_t
ngx_mon_breaker_trip(ngx_mon_breaker_t *b, uint64_t now, uint64_t state,
    ngx_mon_breaker_change_t *change)
{
    uint64_t  row;

    row = ngx_min(ngx_mon_breaker_row(state) + 1, NGX_MON_BREAKER_ROW);

    change->ms = ngx_mon_breaker_hold(b, row);

    return ngx_mon_breaker_move(b, state,
                                ngx_mon_breaker_next(state,
                                                     NGX_MON_BREAKER_OPEN, 0,
                                                     row, now + change->ms),
                                change);
}


static ngx_inline ngx_uint_t
ngx_mon_breaker_met(uint64_t n, uint64_t calls, uint64_t ratio)
{
    return ratio && n && n * 1000000 / calls >= ratio;
}


ngx_uint_t
ngx_mon_breaker_judge(ngx_mon_breaker_t *b, uint64_t now, uint64_t state,
    uint64_t row, ngx_mon_breaker_change_t *change)
{
    ngx_uint_t                     due;
    ngx_mon_window_sum_t          *sum;
    const ngx_mon_breaker_conf_t  *conf;

    conf = b->conf;
    sum = &change->sum;

    ngx_mon_window_sum(&b->window, now, sum);
    change->consecutive = row;

    if (conf->consecutive && row >= conf->consecutive) {
        change->cause = NGX_MON_BREAKER_BY_CONSECUTIVE;
        return ngx_mon_breaker_trip(b, now, state, change);
    }

    due = 0;

    if (ngx_mon_breaker_met(sum->failed, sum->calls, conf->ratio)) {
        due = 1;
        change->cause = NGX_MON_BREAKER_BY_RATIO;

    } else if (ngx_mon_breaker_met(sum->slow, sum->calls, conf->slow_ratio)) {
        due = 1;
        change->cause = NGX_MON_BREAKER_BY_SLOW;
    }

    if (due && sum->calls >= conf->min) {
        return ngx_mon_breaker_trip(b, now, state, change);
    }

    if (__atomic_load_n(&b->shared->pending, __ATOMIC_RELAXED) != due) {
        __atomic_store_n(&b->shared->pending, due, __ATOMIC_RELAXED);
    }

    return 0;
}


static void
ngx_mon_breaker_turn(ngx_mon_breaker_t *b, const ngx_mon_breaker_pass_t *pass,
    ngx_uint_t use, uint64_t now)
{
    ngx_mon_trial_turn(&b->shared->slots[pass->slot], pass->generation,
                       b->pid, use, now);
}


/* closes the circuit if all attempts of the trial were made */

static ngx_uint_t
ngx_mon_breaker_pass(ngx_mon_breaker_t *b, uint64_t state,
    ngx_mon_breaker_change_t *change)
{
    ngx_uint_t  done;

    (void) ngx_mon_trial_count(b->shared->slots, b->conf->probes,
                               ngx_mon_breaker_generation(state), &done);

    if (done < b->conf->probes) {
        return 0;
    }

    ngx_memzero(change, sizeof(ngx_mon_breaker_change_t));

    change->cause = NGX_MON_BREAKER_BY_TRIAL;
    change->sum.calls = done;

    return ngx_mon_breaker_move(b, state,
                                ngx_mon_breaker_next(state,
                                                     NGX_MON_BREAKER_CLOSED,
                                                     0, 0, 0),
                                change);
}


/* milliseconds that it stays open */

static uint64_t
ngx_mon_breaker_left(const ngx_mon_breaker_t *b, uint64_t state, uint64_t now)
{
    uint64_t  until;

    if (ngx_mon_breaker_forced(state)) {
        return b->conf->open;
    }

    until = state & NGX_MON_BREAKER_TIME;
    now &= NGX_MON_BREAKER_TIME;

    return until > now ? ngx_min(until - now, ngx_mon_breaker_limit(b)) : 0;
}


/*
 * The same, and brings a time back that is further away than it can be: the
 * clock was set, or max_open was longer once.
 */

static uint64_t
ngx_mon_breaker_until(ngx_mon_breaker_t *b, uint64_t state, uint64_t now)
{
    uint64_t  left, until;

    left = ngx_mon_breaker_left(b, state, now);
    until = (now + left) & NGX_MON_BREAKER_TIME;

    if (left && !ngx_mon_breaker_forced(state)
        && (state & NGX_MON_BREAKER_TIME) > until)
    {
        (void) ngx_mon_breaker_swap(&b->shared->state, state,
                                    (state & ~NGX_MON_BREAKER_TIME) | until);
    }

    return left;
}


/*
 * Makes it half open where it is time; the state then.  Who does has a slot
 * before: the trial can't end, nor can calls be counted, until it has emptied
 * the window.
 */

static uint64_t
ngx_mon_breaker_open(ngx_mon_breaker_t *b, uint64_t now, uint64_t state,
    ngx_mon_breaker_pass_t *pass, ngx_mon_breaker_change_t *change)
{
    uint64_t  next;

    if (ngx_mon_breaker_until(b, state, now)) {
        return state;
    }

    next = ngx_mon_breaker_next(state, NGX_MON_BREAKER_HALF_OPEN, 0,
                                ngx_mon_breaker_row(state), now);

    pass->generation = ngx_mon_breaker_generation(next);
    pass->slot = ngx_mon_trial_take(b->shared->slots, b->conf->probes,
                                    pass->generation, b->pid);

    if (pass->slot == -1 || !ngx_mon_breaker_move(b, state, next, change)) {
        return ngx_mon_breaker_load(b);
    }

    ngx_mon_window_clear(&b->shared->window, &b->shared->state, next);

    return next;
}


/* whether the slot taken is one of the trial under way, else it is none */

static ngx_uint_t
ngx_mon_breaker_on_trial(ngx_mon_breaker_t *b, uint64_t state,
    ngx_mon_breaker_pass_t *pass)
{
    if (pass->slot == -1) {
        return 0;
    }

    if (ngx_mon_breaker_kind(state) == NGX_MON_BREAKER_HALF_OPEN
        && ngx_mon_breaker_generation(state) == pass->generation)
    {
        return 1;
    }

    ngx_mon_breaker_cancel(b, pass);
    pass->slot = -1;

    return 0;
}


ngx_int_t
ngx_mon_breaker_ask(ngx_mon_breaker_t *b, uint64_t now,
    ngx_mon_breaker_pass_t *pass, ngx_mon_breaker_change_t *change)
{
    uint64_t  state;

    ngx_memzero(change, sizeof(ngx_mon_breaker_change_t));

    pass->slot = -1;
    state = ngx_mon_breaker_load(b);

    if (ngx_mon_breaker_kind(state) == NGX_MON_BREAKER_OPEN) {
        state = ngx_mon_breaker_open(b, now, state, pass, change);

        if (ngx_mon_breaker_on_trial(b, state, pass)) {
            return NGX_AGAIN;
        }
    }

    pass->generation = ngx_mon_breaker_generation(state);

    switch (ngx_mon_breaker_kind(state)) {

    case NGX_MON_BREAKER_OPEN:
        return NGX_BUSY;

    case NGX_MON_BREAKER_HALF_OPEN:
        break;

    default:
        return NGX_OK;
    }

    pass->slot = ngx_mon_trial_take(b->shared->slots, b->conf->probes,
                                    pass->generation, b->pid);

    return ngx_mon_breaker_on_trial(b, ngx_mon_breaker_load(b), pass)
           ? NGX_AGAIN : NGX_BUSY;
}


static ngx_uint_t
ngx_mon_breaker_tried(ngx_mon_breaker_t *b, uint64_t now, uint64_t state,
    ngx_mon_breaker_pass_t *pass, ngx_uint_t failed, ngx_uint_t slow,
    ngx_mon_breaker_change_t *change)
{
    ngx_uint_t  done;

    if (ngx_mon_breaker_kind(state) != NGX_MON_BREAKER_HALF_OPEN) {
        return 0;
    }

    if (!failed && !slow) {
        ngx_mon_breaker_turn(b, pass, NGX_MON_TRIAL_DONE, now);
        return ngx_mon_breaker_pass(b, state, change);
    }

    (void) ngx_mon_trial_count(b->shared->slots, b->conf->probes,
                               pass->generation, &done);

    change->cause = NGX_MON_BREAKER_BY_TRIAL;
    change->consecutive = failed ? 1 : 0;
    change->sum.calls = done + 1;
    change->sum.failed = failed ? 1 : 0;
    change->sum.slow = slow ? 1 : 0;

    return ngx_mon_breaker_trip(b, now, state, change);
}


ngx_uint_t
ngx_mon_breaker_settle(ngx_mon_breaker_t *b, uint64_t now,
    ngx_mon_breaker_pass_t *pass, ngx_uint_t failed, ngx_uint_t slow,
    ngx_mon_breaker_change_t *change)
{
    uint64_t    state, row;
    ngx_uint_t  turned;

    state = ngx_mon_breaker_load(b);

    if (ngx_mon_breaker_generation(state) != pass->generation) {
        return 0;
    }

    if (pass->slot != -1) {
        return ngx_mon_breaker_tried(b, now, state, pass, failed, slow,
                                     change);
    }

    turned = ngx_mon_window_add(&b->window, now);

    row = 0;

    if (failed) {
        row = ngx_mon_row_failed(&b->shared->consecutive, pass->generation);
    } else {
        ngx_mon_row_fine(&b->shared->consecutive, pass->generation);
    }

    if (failed || slow) {
        ngx_mon_window_fault(&b->window, now, failed, slow);

    } else if (!turned) {
        return 0;
    }

    if (ngx_mon_breaker_forced(state)
        || ngx_mon_breaker_kind(state) == NGX_MON_BREAKER_OPEN)
    {
        return 0;
    }

    return ngx_mon_breaker_judge(b, now, state, row, change);
}


void
ngx_mon_breaker_cancel(ngx_mon_breaker_t *b, ngx_mon_breaker_pass_t *pass)
{
    if (pass->slot != -1) {
        ngx_mon_breaker_turn(b, pass, NGX_MON_TRIAL_FREE, 0);
    }
}


ngx_int_t
ngx_mon_breaker_again(ngx_mon_breaker_t *b, ngx_mon_breaker_pass_t *pass)
{
    uint64_t   state;
    ngx_int_t  slot;

    state = ngx_mon_breaker_load(b);

    if (ngx_mon_breaker_kind(state) == NGX_MON_BREAKER_CLOSED) {
        return NGX_OK;
    }

    if (pass->slot == -1
        || ngx_mon_breaker_generation(state) != pass->generation)
    {
        return NGX_BUSY;
    }

    slot = ngx_mon_trial_take(b->shared->slots, b->conf->probes,
                              pass->generation, b->pid);

    if (slot == -1) {
        return NGX_BUSY;
    }

    ngx_mon_breaker_turn(b, pass, NGX_MON_TRIAL_DONE, 0);
    pass->slot = slot;

    return NGX_OK;
}


void
ngx_mon_breaker_began(ngx_mon_breaker_t *b, uint64_t now,
    ngx_mon_breaker_pass_t *pass)
{
    if (pass->slot != -1) {
        ngx_mon_breaker_turn(b, pass, NGX_MON_TRIAL_BEGAN, now);
    }
}


uint64_t
ngx_mon_breaker_wait(ngx_mon_breaker_t *b, uint64_t now)
{
    uint64_t    state;
    ngx_uint_t  held, done;

    state = ngx_mon_breaker_load(b);

    switch (ngx_mon_breaker_kind(state)) {

    case NGX_MON_BREAKER_OPEN:
        return ngx_mon_breaker_until(b, state, now);

    case NGX_MON_BREAKER_HALF_OPEN:
        held = ngx_mon_trial_count(b->shared->slots, b->conf->probes,
                                   ngx_mon_breaker_generation(state), &done);

        return held + done < b->conf->probes ? 0 : NGX_MON_BREAKER_WAIT;

    default:
        return 0;
    }
}


ngx_uint_t
ngx_mon_breaker_sweep(ngx_mon_breaker_t *b, uint64_t now,
    ngx_uint_t (*dead)(uint32_t pid), ngx_mon_breaker_change_t *change)
{
    uint64_t    state;
    ngx_uint_t  kind;

    state = ngx_mon_breaker_load(b);
    kind = ngx_mon_breaker_kind(state);

    if (kind == NGX_MON_BREAKER_CLOSED) {
        return 0;
    }

    /* while it is open there may be one that was about to begin the trial */

    ngx_mon_trial_sweep(b->shared->slots, b->conf->probes,
                        (ngx_mon_breaker_generation(state)
                         + (kind == NGX_MON_BREAKER_OPEN)) & 0xffff,
                        now, NGX_MON_BREAKER_GRACE, dead);

    return kind == NGX_MON_BREAKER_HALF_OPEN
           && ngx_mon_breaker_pass(b, state, change);
}


static ngx_uint_t
ngx_mon_breaker_command(ngx_mon_breaker_t *b, ngx_uint_t kind,
    ngx_uint_t forced, uint64_t row, ngx_mon_breaker_change_t *change)
{
    uint64_t  state;

    ngx_memzero(change, sizeof(ngx_mon_breaker_change_t));

    do {
        state = ngx_mon_breaker_load(b);

        if (forced && ngx_mon_breaker_forced(state)
            && ngx_mon_breaker_kind(state) == kind)
        {
            return 0;
        }

        change->cause = NGX_MON_BREAKER_BY_FORCE;

    } while (!ngx_mon_breaker_move(b, state,
                                   ngx_mon_breaker_next(state, kind, forced,
                                                        row, 0),
                                   change));

    return 1;
}


ngx_uint_t
ngx_mon_breaker_force(ngx_mon_breaker_t *b, uint64_t now, ngx_uint_t kind,
    ngx_mon_breaker_change_t *change)
{
    return ngx_mon_breaker_command(b, kind, 1, 0, change);
}


ngx_uint_t
ngx_mon_breaker_reset(ngx_mon_breaker_t *b, uint64_t now,
    ngx_mon_breaker_change_t *change)
{
    ngx_mon_window_reset(&b->window);

    return ngx_mon_breaker_command(b, NGX_MON_BREAKER_CLOSED, 0, 0, change);
}


void
ngx_mon_breaker_info(const ngx_mon_breaker_t *b, uint64_t now,
    ngx_mon_breaker_info_t *info)
{
    uint64_t  state;

    ngx_memzero(info, sizeof(ngx_mon_breaker_info_t));

    state = ngx_mon_breaker_load(b);

    info->kind = ngx_mon_breaker_kind(state);
    info->forced = ngx_mon_breaker_forced(state);
    info->row = ngx_mon_breaker_row(state);
    info->consecutive = ngx_mon_row_count(&b->shared->consecutive,
                                          ngx_mon_breaker_generation(state));

    ngx_mon_window_sum(&b->window, now, &info->sum);

    switch (info->kind) {

    case NGX_MON_BREAKER_OPEN:
        info->left = info->forced ? 0 : ngx_mon_breaker_left(b, state, now);
        break;

    case NGX_MON_BREAKER_HALF_OPEN:
        info->held = ngx_mon_trial_count(b->shared->slots, b->conf->probes,
                                         ngx_mon_breaker_generation(state),
                                         &info->done);
        break;

    default:
        info->kind = NGX_MON_BREAKER_CLOSED;
        break;
    }
}
