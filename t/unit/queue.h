
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * A simulation of discrete events: clients, a limit with a queue in front, and
 * a backend.  Times are microseconds.
 */


#ifndef _QUEUE_H_INCLUDED_
#define _QUEUE_H_INCLUDED_


#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "unit.h"
#include "ngx_mon_gradient.h"


#define QUEUE_PARTS    8
#define QUEUE_JOBS     65536
#define QUEUE_TIMES    4000000
#define QUEUE_HOSTS    4


/* of the service time, whose mean is given */

typedef enum {
    EVEN = 0,       /* plus or minus a fifth */
    EXPONENTIAL,
    TWO_KINDS,      /* one of ten takes ten times as long as the others */
    OUTLIERS        /* one of 250 takes fifty times as long */
} queue_dist_e;


typedef struct {
    double        seconds;

    /* the backend's */
    double        servers;
    double        service;      /* at the part's begin */
    double        drift;        /* the service time's factor at its end, or 0 */

    /* requests a second, or clients that send one after another; or none */
    double        rate;
    double        clients;

    /* requests of others at the backend, at a time */
    double        others;

    /* of all requests: fail at once, or never come back before a timeout */
    double        failing;
} queue_part_t;


typedef struct {
    const char    *name;
    ngx_uint_t     shared;      /* servers share their power, as CPUs do */
    queue_dist_e   dist;
    ngx_uint_t     workers;     /* each with a clock of its own */
    ngx_uint_t     hosts;       /* with limits of their own; 0: one */
    ngx_uint_t     queue;       /* in front */
    double         patience;    /* how long a request waits there */
    ngx_uint_t     fixed;       /* a fixed limit, or 0 */
    ngx_uint_t     trace;
    queue_part_t   parts[QUEUE_PARTS];
} queue_conf_t;


typedef struct {
    double         rate;        /* good answers a second */
    double         p50;
    double         p99;
    double         limit;       /* mean, over time */
    double         least;
    double         most;
    double         base;        /* at the part's end */
    double         refused;
} queue_result_t;


typedef struct {
    double         begun;
    double         key;         /* what the backend's heap is sorted by */
    ngx_uint_t     host;
    ngx_uint_t     worker;
    ngx_uint_t     ours;
    ngx_uint_t     failed;
} queue_job_t;


/* the limit, and requests in front of it by the time at which they came */

typedef struct {
    ngx_mon_gradient_t  words;
    ngx_uint_t          in_flight;
    double             *front;
    ngx_uint_t          first, last;
} queue_host_t;


typedef struct {
    queue_conf_t         *conf;
    queue_part_t         *part;
    double                since;        /* the part began */
    double                now;
    uint64_t              random;

    queue_host_t          hosts[QUEUE_HOSTS];
    ngx_uint_t            nhosts;
    ngx_mon_gradient_conf_t  limits;

    /* requests in the backend: served, sorted by the end; or waiting */
    queue_job_t          *served;
    ngx_uint_t            nserved;
    queue_job_t          *backlog;
    ngx_uint_t            head, tail;
    double                virtual;      /* time of those that share */

    ngx_uint_t            inside;       /* the backend, of others too */
    ngx_uint_t            ours;
    ngx_uint_t            idle;         /* clients */
    double                next;         /* arrival */

    double               *times;
    ngx_uint_t            ntimes;
    double                area;
    double                noted;
    queue_result_t       *result;
} queue_t;


static inline double
queue_service(queue_t *q)
{
    double  mean, u;

    mean = q->part->service;

    if (q->part->drift) {
        mean *= 1 + (q->part->drift - 1) * (q->now - q->since)
                    / (q->part->seconds * 1e6);
    }

    u = unit_fraction(&q->random);

    switch (q->conf->dist) {

    case EXPONENTIAL:
        return -log(u) * mean;

    case TWO_KINDS:
        return (u <= 0.1 ? 10 : 1) * mean / 1.9
               * (0.8 + 0.4 * unit_fraction(&q->random));

    case OUTLIERS:
        return (u <= 0.004 ? 50 : 1) * mean / 1.196
               * (0.8 + 0.4 * unit_fraction(&q->random));

    default:
        return mean * (0.8 + 0.4 * u);
    }
}


static inline ngx_uint_t
queue_limit(queue_t *q, queue_host_t *h)
{
    return q->conf->fixed ? q->conf->fixed
                          : ngx_mon_gradient_limit(&h->words, &q->limits);
}


static inline queue_host_t *
queue_host(queue_t *q)
{
    return &q->hosts[q->nhosts > 1 ? unit_random(&q->random) % q->nhosts : 0];
}


static inline double
queue_power(queue_t *q)
{
    double  n = q->nserved;

    if (!q->conf->shared) {
        return 1;
    }

    return n > q->part->servers ? q->part->servers / n : 1;
}


static inline void
queue_push(queue_t *q, queue_job_t *job)
{
    ngx_uint_t  i, up;

    i = q->nserved++;
    assert_true(i < QUEUE_JOBS);

    for ( /* void */ ; i; i = up) {
        up = (i - 1) / 2;

        if (q->served[up].key <= job->key) {
            break;
        }

        q->served[i] = q->served[up];
    }

    q->served[i] = *job;
}


static inline queue_job_t
queue_pop(queue_t *q)
{
    ngx_uint_t    i, down;
    queue_job_t   top, last;

    top = q->served[0];
    last = q->served[--q->nserved];

    for (i = 0; (down = 2 * i + 1) < q->nserved; i = down) {
        if (down + 1 < q->nserved
            && q->served[down + 1].key < q->served[down].key)
        {
            down++;
        }

        if (last.key <= q->served[down].key) {
            break;
        }

        q->served[i] = q->served[down];
    }

    q->served[i] = last;

    return top;
}


/* whom the backend may serve it does */

static inline void
queue_serve(queue_t *q)
{
    queue_job_t  *job;

    while (q->head != q->tail
           && (q->conf->shared || q->nserved < q->part->servers))
    {
        job = &q->backlog[q->head++ % QUEUE_JOBS];
        job->key = (q->conf->shared ? q->virtual : q->now)
                   + (job->failed ? 100 : queue_service(q));

        queue_push(q, job);
    }
}


static inline void
queue_send(queue_t *q, queue_host_t *h)
{
    queue_job_t  *job;

    job = &q->backlog[q->tail++ % QUEUE_JOBS];
    assert_true(q->tail - q->head < QUEUE_JOBS);

    job->begun = q->now;
    job->ours = h != NULL;
    job->host = h ? h - q->hosts : 0;
    job->worker = unit_random(&q->random) % q->conf->workers;
    job->failed = h && unit_fraction(&q->random) <= q->part->failing;

    q->inside++;

    if (h) {
        h->in_flight++;
        q->ours++;
    }

    queue_serve(q);
}


/* whom the limit lets through goes */

static inline void
queue_admit(queue_t *q, queue_host_t *h)
{
    double  came;

    while (h->first != h->last && h->in_flight < queue_limit(q, h)) {
        came = h->front[h->first++ % QUEUE_JOBS];

        if (q->now - came > q->conf->patience) {
            q->result->refused++;
            q->idle += q->part->clients > 0;
            continue;
        }

        queue_send(q, h);
    }
}


static inline void
queue_come(queue_t *q, queue_host_t *h)
{
    h->front[h->last++ % QUEUE_JOBS] = q->now;
    queue_admit(q, h);
}


static inline void
queue_arrive(queue_t *q)
{
    queue_host_t  *h;

    h = queue_host(q);

    if (h->last - h->first >= q->conf->queue
        && h->in_flight >= queue_limit(q, h))
    {
        q->result->refused++;
        return;
    }

    queue_come(q, h);
}


static inline void
queue_done(queue_t *q, queue_job_t *job)
{
    double                    rtt, limit;
    queue_host_t             *h;
    ngx_mon_gradient_facts_t  f;

    q->inside--;

    if (!job->ours) {
        return;
    }

    h = &q->hosts[job->host];
    rtt = q->now - job->begun;
    limit = queue_limit(q, h);

    if (!job->failed && q->ntimes < QUEUE_TIMES) {
        q->times[q->ntimes++] = rtt;
    }

    /* the clocks of workers differ by what one turn of their loops takes */

    if (ngx_mon_gradient_sample(&h->words, &q->limits,
                                q->now - job->worker * 700, rtt, h->in_flight,
                                job->failed)
        && q->conf->trace > 1)
    {
        ngx_mon_gradient_facts(&h->words, &q->limits, &f);
        printf("# %u: %8.3f limit %4u base %7.2f rtt %7.2f gradient %.3f%s\n",
               (unsigned) job->host, q->now / 1e6, (unsigned) f.limit,
               f.base / 1e3, f.rtt / 1e3,
               f.gradient / 1e6, f.probing ? " probing" : "");
    }

    h->in_flight--;
    q->ours--;
    q->idle += q->part->clients > 0;

    q->area += limit * (q->now - q->noted);
    q->noted = q->now;
    q->result->least = ngx_min(q->result->least, limit);
    q->result->most = ngx_max(q->result->most, limit);

    queue_admit(q, h);
}


static inline void
queue_clients(queue_t *q)
{
    while (q->inside - q->ours < q->part->others) {
        queue_send(q, NULL);
    }

    while (q->idle) {
        q->idle--;
        queue_come(q, queue_host(q));
    }
}


static inline void
queue_step(queue_t *q, double end)
{
    double       t, power;
    queue_job_t  job;

    power = queue_power(q);
    t = 1e30;

    if (q->nserved) {
        t = q->conf->shared ? q->now + (q->served[0].key - q->virtual) / power
                            : q->served[0].key;
        t = ngx_max(t, q->now);
    }

    if (ngx_min(t, q->next) >= end) {
        q->virtual += (end - q->now) * power;
        q->now = end;
        return;
    }

    if (q->next < t) {
        q->virtual += (q->next - q->now) * power;
        q->now = q->next;
        q->next += -log(unit_fraction(&q->random)) * 1e6 / q->part->rate;
        queue_arrive(q);
        return;
    }

    q->virtual += (t - q->now) * power;
    q->now = t;
    job = queue_pop(q);
    queue_serve(q);
    queue_done(q, &job);
    queue_clients(q);
}


static int
queue_compare(const void *one, const void *two)
{
    double  a = *(const double *) one, b = *(const double *) two;

    return a < b ? -1 : a > b;
}


static inline void
queue_part(queue_t *q)
{
    double                    end;
    ngx_uint_t                i, busy;
    ngx_mon_gradient_facts_t  f;

    q->since = q->now;
    end = q->now + q->part->seconds * 1e6;

    q->ntimes = 0;
    q->area = 0;
    q->noted = q->now;
    q->result->least = 1e9;

    q->next = q->part->rate ? q->now : 1e30;

    for (i = 0, busy = q->ours; i < q->nhosts; i++) {
        busy += q->hosts[i].last - q->hosts[i].first;
    }

    q->idle = q->part->clients > busy ? q->part->clients - busy : 0;

    queue_serve(q);
    queue_clients(q);

    while (q->now < end) {
        queue_step(q, end);
    }

    q->result->rate = q->ntimes / q->part->seconds;
    q->result->limit = q->area / ngx_max(q->noted - q->since, 1);

    if (q->ntimes) {
        qsort(q->times, q->ntimes, sizeof(double), queue_compare);
        q->result->p50 = q->times[q->ntimes / 2];
        q->result->p99 = q->times[q->ntimes * 99 / 100];
    }

    ngx_mon_gradient_facts(&q->hosts[0].words, &q->limits, &f);
    q->result->base = f.base;

    if (q->conf->trace) {
        printf("# %s %3u: %7.1f/s p50 %6.2f p99 %6.2f limit %6.1f "
               "(%.0f-%.0f) base %.2f refused %.0f\n",
               q->conf->name, (unsigned) q->conf->fixed, q->result->rate,
               q->result->p50 / 1e3, q->result->p99 / 1e3, q->result->limit,
               q->result->least, q->result->most, q->result->base / 1e3,
               q->result->refused);
    }
}


/* once for all runs */

static void *
queue_alloc(void **p, size_t size)
{
    if (*p == NULL) {
        *p = malloc(size);
        assert_non_null(*p);
    }

    return *p;
}


/* Runs all parts; results has room for them. */

static void
queue_run(queue_conf_t *conf, queue_result_t *results)
{
    ngx_uint_t           i;
    static double       *front[QUEUE_HOSTS], *times;
    static queue_t       q;
    static queue_job_t  *served, *backlog;

    ngx_memzero(&q, sizeof(queue_t));
    ngx_memzero(results, sizeof(queue_result_t) * QUEUE_PARTS);

    q.conf = conf;
    q.nhosts = ngx_max(conf->hosts, 1);
    q.random = 88172645463325252;
    q.now = 1e6;
    q.limits.min = NGX_MON_GRADIENT_MIN;
    q.limits.max = NGX_MON_GRADIENT_MAX;

    q.times = queue_alloc((void **) &times, QUEUE_TIMES * sizeof(double));
    q.served = queue_alloc((void **) &served,
                           QUEUE_JOBS * sizeof(queue_job_t));
    q.backlog = queue_alloc((void **) &backlog,
                            QUEUE_JOBS * sizeof(queue_job_t));

    for (i = 0; i < QUEUE_HOSTS; i++) {
        q.hosts[i].front = queue_alloc((void **) &front[i],
                                       QUEUE_JOBS * sizeof(double));
    }

    for (i = 0; i < QUEUE_PARTS && conf->parts[i].seconds; i++) {
        q.part = &conf->parts[i];
        q.result = &results[i];
        queue_part(&q);
    }
}


#endif /* _QUEUE_H_INCLUDED_ */
