
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Workers that make, use and read series of a zone at random, and are killed
 * at random, while what is in the zone is judged from outside.
 */


#include "zone.h"
#include <sys/prctl.h>


#define WORKERS     3
/* in use at a time; then come others */
#define NAMES       16


static void
unit_time(void)
{
    ngx_current_msec = ngx_mon_now() / 1000;
}


static void
unit_use(uint64_t *seed, ngx_mon_series_t **held)
{
    u_char             text[32], method[8];
    ngx_str_t          values[2];
    ngx_uint_t         i;
    ngx_mon_series_t  *s, *child;

    values[0].data = (u_char *) "server";
    values[0].len = 1 + unit_random(seed) % 2;
    values[1].data = text;
    values[1].len = sprintf((char *) text, "/%u",
                            (unsigned) (ngx_current_msec / 8 * NAMES
                                        + unit_random(seed) % NAMES));

    s = ngx_mon_get(NGX_MON_G_LOCATION, NULL, NULL, values, 2, 0);

    ngx_mon_touch(s);
    ngx_mon_observe(s, NGX_MON_H_TTFB, unit_random(seed) % 10000);

    if (s->overflow) {
        return;
    }

    /* a mark in the cells, to tell whose they are */
    ngx_mon_set(s, NGX_MON_SLOW, s->node->hash);

    values[0].data = (u_char *) "GET";
    values[0].len = 3;
    values[1].data = method;
    values[1].len = sprintf((char *) method, "%u",
                            200 + (unsigned) unit_random(seed) % 3);

    child = ngx_mon_get_max(NGX_MON_G_REQUEST, s, NULL, values, 2, 0, 2);

    if (child->overflow == NULL) {
        ngx_mon_touch(child);
        ngx_mon_set(child, NGX_MON_REQUESTS, child->node->hash);
    }

    i = unit_random(seed) % 4;

    if (held[i] && unit_random(seed) % 512) {
        ngx_mon_set(held[i], NGX_MON_SLOW, held[i]->node->hash);

    } else if (held[i]) {
        ngx_mon_set(held[i], NGX_MON_SLOW, held[i]->node->hash);
        held[i]->refs--;
        held[i] = NULL;

    } else if (unit_random(seed) % 64 == 0) {
        s->refs++;
        held[i] = s;
    }
}


/* a scrape that rests between two steps */

static void
unit_read(ngx_mon_cursor_t *c, ngx_uint_t *open, uint64_t *seed)
{
    ngx_int_t         rc;
    ngx_uint_t        i, first;
    ngx_mon_sample_t  s;

    if (!*open) {
        ngx_mon_cursor_open(c, NULL, NULL);
        *open = 1;
    }

    for (i = unit_random(seed) % 64; i; i--) {

        rc = ngx_mon_cursor_next(c, &s, &first);

        if (rc == NGX_DONE) {
            ngx_mon_cursor_close(c);
            *open = 0;
            return;
        }

        if (rc == NGX_OK && s.nlabels && s.labels[0].name.len > 16) {
            _exit(2);
        }
    }
}


static void
unit_worker(uint64_t seed)
{
    ngx_uint_t         i, open;
    ngx_mon_series_t  *held[4];
    ngx_mon_cursor_t   cursor;

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void) alarm(60);

    ngx_pid = getpid();
    open = 0;
    ngx_memzero(held, sizeof(held));
    unit_time();

    if (ngx_mon_slot_claim(&cycle) != NGX_OK
        || ngx_mon_series_init(&cycle) != NGX_OK)
    {
        _exit(3);
    }

    ngx_mon_active = 1;

    for ( ;; ) {
        unit_time();

        for (i = unit_random(&seed) % 32; i; i--) {
            unit_use(&seed, held);
        }

        unit_read(&cursor, &open, &seed);

        if (unit_random(&seed) % 4 == 0) {
            ngx_mon_reap(ngx_mon_slot_lead());
        }
    }
}


static ngx_pid_t
unit_spawn(uint64_t *seed)
{
    uint64_t   n;
    ngx_pid_t  pid;

    n = unit_random(seed);
    pid = fork();

    check(pid != -1);

    if (pid == 0) {
        unit_worker(n);
    }

    return pid;
}


static void
unit_kill(ngx_pid_t pid)
{
    int  status;

    check(kill(pid, SIGKILL) == 0);

    /* the lock of a process that is dead and not yet reaped */

    ngx_mon_lock(ngx_mon_pool);
    ngx_mon_unlock(ngx_mon_pool);

    check(waitpid(pid, &status, 0) == pid);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

    kills++;
}


static void
unit_all_go(size_t before)
{
    ngx_uint_t       i;
    ngx_mon_zone_t  *z;

    z = &unit->zone;

    check(ngx_mon_slot_claim(&cycle) == NGX_OK);
    check(ngx_mon_series_init(&cycle) == NGX_OK);

    for (i = 0; i < 2000 && (unit_left(z) || z->limbo); i++) {
        usleep(1000);
        unit_time();
        ngx_mon_reap(ngx_mon_slot_lead());
    }

    check(unit_left(z) == 0);
    check(z->limbo == NULL);
    check(z->used <= before + kills * LEAK_UNITS * NGX_MON_UNIT);

    printf("# %u generations, %u kills, %u bytes lost\n",
           (unsigned) z->generation, (unsigned) kills,
           (unsigned) (z->used - before));
}


static void
zone_killed(void **state)
{
    size_t      before;
    uint64_t    seed;
    ngx_pid_t   pids[WORKERS];
    ngx_uint_t  i, round;

    seed = 0x9e3779b97f4a7c15;

    ngx_pid = getpid();
    unit_time();
    unit_zone_init();

    before = unit->zone.used;

    for (i = 0; i < WORKERS; i++) {
        pids[i] = unit_spawn(&seed);
    }

    for (round = 0; round < 250; round++) {
        usleep(unit_random(&seed) % 12000);

        i = unit_random(&seed) % WORKERS;
        unit_kill(pids[i]);
        unit_judge();
        pids[i] = unit_spawn(&seed);
    }

    usleep(20000);
    check(unit->zone.generation > 100);

    for (i = 0; i < WORKERS; i++) {
        unit_kill(pids[i]);
    }

    unit_judge();
    unit_time();
    unit_all_go(before);
    unit_judge();

    /* some died before they were members */
    check(unit->zone.restarts <= kills);
    check(unit->zone.restarts > kills / 2);
}


/* room is found where there is any, and only there */

static void
zone_alloc(void **state)
{
    void            *p[4096];
    size_t           size[4096], want;
    uint64_t         seed;
    ngx_uint_t       i, n, run, longest, round;
    ngx_mon_zone_t  *z;

    seed = 1;
    n = 0;
    kills = 0;

    unit_zone_init();
    z = &unit->zone;

    for (round = 0; round < 40000; round++) {

        want = 1 + unit_random(&seed) % (round % 3 ? 300 : 8192);

        if (n < 4096 && unit_random(&seed) % 1000 < 520) {

            p[n] = ngx_mon_alloc_locked(z, &unit->pool, want);

            if (p[n]) {
                check(((u_char *) p[n])[want - 1] == 0);
                ngx_memset(p[n], 0xff, want);
                size[n++] = want;
                continue;
            }

            for (i = 0, run = 0, longest = 0; i < z->nunits; i++) {
                run = (z->map[i / 64] >> (i % 64) & 1) ? 0 : run + 1;
                longest = ngx_max(longest, run);
            }

            check(longest * NGX_MON_UNIT < want);

        } else if (n) {
            i = unit_random(&seed) % n--;
            ngx_mon_free_locked(z, p[i], size[i]);
            p[i] = p[n];
            size[i] = size[n];
        }
    }

    check(pages_end - *pages_pos < (ssize_t) ngx_pagesize);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(zone_alloc),
        cmocka_unit_test(zone_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
