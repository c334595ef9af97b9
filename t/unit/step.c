
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * A worker that makes series and reclaims others is taken forward instruction
 * by instruction, and the zone is judged at each: if the worker were killed
 * here, could another go on, and would all memory but a piece come back?
 */


#include "zone.h"
#include <sys/ptrace.h>
#include <sys/prctl.h>


typedef void (*step_pt)(void);

static u_char  saved[ZONE_SIZE];


static ngx_mon_series_t *
step_get(ngx_uint_t i)
{
    u_char             text[16];
    ngx_str_t          values[2];
    ngx_mon_series_t  *s, *child;

    ngx_str_set(&values[0], "server");
    values[1].data = text;
    values[1].len = sprintf((char *) text, "/%u", (unsigned) i);

    s = ngx_mon_get(NGX_MON_G_LOCATION, NULL, NULL, values, 2, 0);
    ngx_mon_touch(s);

    ngx_str_set(&values[0], "GET");
    ngx_str_set(&values[1], "200");

    child = ngx_mon_get(NGX_MON_G_REQUEST, s, NULL, values, 2, 0);
    ngx_mon_touch(child);

    return s;
}


static void
step_join(void)
{
    ngx_pid = getpid();

    check(ngx_mon_slot_claim(&cycle) == NGX_OK);
    check(ngx_mon_series_init(&cycle) == NGX_OK);
}


/* time goes by: what nobody needs is reclaimed */

static void
step_idle(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 8; i++) {
        ngx_current_msec += 10;
        ngx_mon_reap(1);
    }
}


static void
step_make(void)
{
    (void) step_get(2);
    (void) step_get(3);
}


/* another worker takes over; all is as before when it has gone on */

static void
step_recover(size_t before)
{
    ngx_mon_zone_t    *z;
    ngx_mon_series_t  *s;

    z = &unit->zone;

    z->members[1].pid = 0;
    z->leader = 0;
    *unit->pool.mutex.lock = 0;

    unit_judge();

    check(ngx_mon_slot_claim(&cycle) == NGX_OK);
    check(ngx_mon_series_init(&cycle) == NGX_OK);

    s = step_get(3);
    check(s->overflow == NULL);
    check(step_get(4)->overflow == NULL);
    check(step_get(1)->overflow == NULL);

    unit_judge();

    /* what was made is in the list */

    check(s->node->listed);
    check(unit_owned(z, s->node));

    step_idle();
    unit_judge();

    check(unit_left(z) == 0);
    check(z->limbo == NULL);
    check(z->used <= before + LEAK_UNITS * NGX_MON_UNIT);

    ngx_mon_slot_release();
}


static ngx_pid_t
step_start(step_pt run)
{
    int        status;
    ngx_pid_t  pid;

    pid = fork();
    check(pid != -1);

    if (pid == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        step_join();
        (void) step_get(0);
        (void) step_get(1);
        (void) ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void) raise(SIGSTOP);
        run();
        _exit(0);
    }

    check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));

    return pid;
}


static void
step_through(step_pt run)
{
    int         status;
    size_t      before;
    ngx_pid_t   pid;
    ngx_uint_t  n, judged;
    ngx_msec_t  now;

    ngx_pid = getpid();
    ngx_current_msec = 1000;
    unit_zone_init();

    before = unit->zone.used;
    now = ngx_current_msec;
    pid = step_start(run);
    kills = 1;

    for (n = 0, judged = 0; /* void */ ; n++) {

        check(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0);
        check(waitpid(pid, &status, 0) == pid);

        if (WIFEXITED(status)) {
            break;
        }

        check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);

        /* only where the instruction changed something */

        if (ngx_memcmp(saved, unit, *pages_pos - (u_char *) unit) == 0) {
            continue;
        }

        judged++;

        ngx_memcpy(saved, unit, ZONE_SIZE);
        ngx_current_msec = now + 200;

        step_recover(before);

        ngx_memcpy(unit, saved, ZONE_SIZE);
    }

    check(WEXITSTATUS(status) == 0);
    check(judged > 100);

    printf("# %u instructions, %u states\n", (unsigned) n, (unsigned) judged);
}


static void
step_through_make(void **state)
{
    step_through(step_make);
}


static void
step_through_reclaim(void **state)
{
    step_through(step_idle);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(step_through_make),
        cmocka_unit_test(step_through_reclaim),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
