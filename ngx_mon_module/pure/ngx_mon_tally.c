
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_tally.h"


/* "last": reason 8 | detail 16 | fails 16 | passes 16 */

#define NGX_MON_TALLY_MAX    0xffff

/* "lease": until 42 | process 22 */

#define NGX_MON_TALLY_PID    22
#define NGX_MON_TALLY_PIDS   (((uint64_t) 1 << NGX_MON_TALLY_PID) - 1)

/* a lease for longer is no lease of ours, milliseconds */
#define NGX_MON_TALLY_LEASE  ((uint64_t) 24 * 3600 * 1000)


#define ngx_mon_tally_load(p)      __atomic_load_n(p, __ATOMIC_RELAXED)
#define ngx_mon_tally_store(p, v)  __atomic_store_n(p, v, __ATOMIC_RELAXED)


void
ngx_mon_tally_read(const ngx_mon_tally_words_t *w, ngx_mon_tally_t *t)
{
    uint64_t  last;

    last = ngx_mon_tally_load(&w->last);

    t->why.reason = ngx_min((last >> 48 & 0xff), NGX_MON_PROBE_N - 1);
    t->why.detail = last >> 32 & NGX_MON_TALLY_MAX;
    t->fails = last >> 16 & NGX_MON_TALLY_MAX;
    t->passes = last & NGX_MON_TALLY_MAX;
}


ngx_uint_t
ngx_mon_tally_note(ngx_mon_tally_words_t *w, ngx_uint_t state,
    const ngx_mon_probe_why_t *why, uint64_t now, uint64_t took,
    ngx_uint_t fall, ngx_uint_t rise, ngx_uint_t mandatory)
{
    uint64_t         detail;
    ngx_mon_tally_t  t;

    ngx_mon_tally_read(w, &t);

    if (why->reason == NGX_MON_PROBE_PASSED) {
        t.passes = ngx_min(t.passes + 1, NGX_MON_TALLY_MAX);
        t.fails = 0;

    } else {
        t.fails = ngx_min(t.fails + 1, NGX_MON_TALLY_MAX);
        t.passes = 0;
    }

    detail = ngx_min(why->detail, NGX_MON_TALLY_MAX);

    ngx_mon_tally_store(&w->last, (uint64_t) why->reason << 48 | detail << 32
                                  | (uint64_t) t.fails << 16 | t.passes);
    ngx_mon_tally_store(&w->time, now ? now : 1);
    ngx_mon_tally_store(&w->took, took);

    if (t.passes) {

        if (state == NGX_MON_TALLY_PASSED) {
            return NGX_MON_TALLY_FINE;
        }

        return (state == NGX_MON_TALLY_UNCHECKED || t.passes >= rise)
               ? NGX_MON_TALLY_ROSE : NGX_MON_TALLY_NONE;
    }

    if (t.fails < fall || state == NGX_MON_TALLY_FAILED) {
        return NGX_MON_TALLY_NONE;
    }

    if (mandatory && state == NGX_MON_TALLY_UNCHECKED) {
        return t.fails == fall ? NGX_MON_TALLY_STAYED : NGX_MON_TALLY_NONE;
    }

    return NGX_MON_TALLY_FELL;
}


uint64_t
ngx_mon_tally_holder(const ngx_mon_tally_words_t *w, uint64_t now)
{
    uint64_t  lease, until;

    lease = ngx_mon_tally_load(&w->lease);
    until = lease >> NGX_MON_TALLY_PID;

    if (until <= now || until - now > NGX_MON_TALLY_LEASE) {
        return 0;
    }

    return lease & NGX_MON_TALLY_PIDS;
}


ngx_uint_t
ngx_mon_tally_take(ngx_mon_tally_words_t *w, uint64_t holder, uint64_t pid,
    uint64_t now, uint64_t msec)
{
    uint64_t  lease;

    lease = ngx_mon_tally_load(&w->lease);

    if (ngx_mon_tally_holder(w, now) != holder) {
        return 0;
    }

    msec = ngx_min(msec, NGX_MON_TALLY_LEASE);

    return __atomic_compare_exchange_n(&w->lease, &lease,
                                       (now + msec) << NGX_MON_TALLY_PID
                                       | (pid & NGX_MON_TALLY_PIDS), 0,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}


void
ngx_mon_tally_free(ngx_mon_tally_words_t *w, uint64_t pid)
{
    uint64_t  lease;

    lease = ngx_mon_tally_load(&w->lease);

    if ((lease & NGX_MON_TALLY_PIDS) != (pid & NGX_MON_TALLY_PIDS)) {
        return;
    }

    (void) __atomic_compare_exchange_n(&w->lease, &lease, 0, 0,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}


uint64_t
ngx_mon_tally_due(const ngx_mon_tally_words_t *w, uint64_t now,
    uint64_t interval)
{
    uint64_t  due;

    due = ngx_mon_tally_load(&w->due);

    if (due <= now) {
        return 0;
    }

    return ngx_min(due - now, interval + interval / 10);
}


uint64_t
ngx_mon_tally_jitter(uint64_t interval, uint64_t random)
{
    uint64_t  part;

    part = interval / 10;

    return interval - part + random % (2 * part + 1);
}
