
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Permits: what they promise, by one process and by several; and a process
 * that is taken forward instruction by instruction, and judged at each: were
 * it killed here, would others find all in order and go on?
 */


#include "unit.h"
#include "ngx_mon_permit.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>


#define NODES  200
#define KEYS   8


#define check(x)                                                              \
    if (!(x)) {                                                               \
        fail_msg("%s, line %d, state %u", #x, __LINE__, (unsigned) states);   \
    }


typedef struct {
    ngx_mon_permit_shared_t  shared;
    ngx_mon_permit_node_t    nodes[NODES];
    ngx_mon_permit_entry_t   keys[KEYS];

    /* of the processes of the last test */
    ngx_uint_t               inside[NGX_MON_PERMIT_PROCS + 1];
    ngx_uint_t               done;
    ngx_uint_t               most;
    ngx_uint_t               stop;
} memory_t;


static memory_t          *memory;
static memory_t           saved;
static ngx_mon_permit_t   self, other;
static ngx_uint_t         keyed, states, woken;
static uint64_t           gone[4];


#include "permit_judge.h"


static ngx_uint_t
permit_gone(uint64_t pid, uint64_t start)
{
    ngx_uint_t  i;

    for (i = 0; i < 4; i++) {
        if (gone[i] && gone[i] == pid) {
            return 1;
        }
    }

    return 0;
}


static void
permit_wake(ngx_mon_permit_t *p, const ngx_mon_permit_proc_t *proc)
{
    woken++;
}


static void
permit_open(ngx_mon_permit_t *p, uint64_t pid)
{
    ngx_memzero(p, sizeof(ngx_mon_permit_t));

    p->shared = &memory->shared;
    p->gone = permit_gone;
    p->wake = permit_wake;

    if (keyed) {
        p->entries = (u_char *) memory->keys;
        p->stride = sizeof(ngx_mon_permit_entry_t);
        p->nentries = KEYS;
    }

    check(ngx_mon_permit_claim(p, pid, 0, 7) == NGX_OK);
}


static void
permit_init(ngx_uint_t limit)
{
    if (memory == NULL) {
        memory = mmap(NULL, sizeof(memory_t), PROT_READ|PROT_WRITE,
                      MAP_ANON|MAP_SHARED, -1, 0);
    }

    ngx_memzero(memory, sizeof(memory_t));
    ngx_memzero(gone, sizeof(gone));

    ngx_mon_permit_init(&memory->shared, NODES);
    ngx_mon_permit_limit(&memory->shared, limit);

    permit_open(&self, 1001);
}


static uint32_t
permit_take(ngx_mon_permit_t *p, uint32_t entry)
{
    uint32_t   node;
    ngx_int_t  rc;

    node = ngx_mon_permit_node(p);
    check(node);

    do {
        rc = ngx_mon_permit_take(p, entry, node,
                                 ngx_mon_permit_word(p, entry));
    } while (rc == NGX_AGAIN);

    if (rc == NGX_OK) {
        return node;
    }

    ngx_mon_permit_drop(p, node);

    /* nor at once */

    check(keyed || p == &other || ngx_mon_permit_quick(p) == 0);

    return 0;
}


static uint32_t
permit_join(ngx_mon_permit_t *p, uint32_t entry)
{
    uint32_t   node;
    ngx_int_t  rc;

    node = ngx_mon_permit_node(p);
    check(node);

    do {
        rc = ngx_mon_permit_join(p, entry, node,
                                 ngx_mon_permit_word(p, entry), NODES);
    } while (rc == NGX_AGAIN);

    return node;
}


static void
permit_judge(void)
{
    permit_judge_all(&self, keyed ? KEYS : 1);
}


static void
permit_one(void **state)
{
    uint32_t  a, b, c, d, e, chain;

    permit_init(2);
    permit_open(&other, 1002);

    a = permit_take(&self, 0);
    b = permit_take(&other, 0);

    check(a && b);
    check(permit_take(&self, 0) == 0);
    check(ngx_mon_permit_join(&self, 0, ngx_mon_permit_node(&self),
                              ngx_mon_permit_word(&self, 0), 0)
          == NGX_BUSY);

    c = permit_join(&other, 0);
    d = permit_join(&self, 0);
    e = permit_join(&other, 0);

    permit_judge();
    check(ngx_mon_permit_waiting(memory->shared.entry.word) == 3);

    /* c is the first, d leaves, e is next */

    woken = 0;
    ngx_mon_permit_give(&self, a);

    check(woken == 1);
    check(ngx_mon_permit_state(&other, c) == NGX_MON_PERMIT_GRANTED);
    check(ngx_mon_permit_quit(&other, c) == NGX_DECLINED);
    check(ngx_mon_permit_quit(&self, d) == NGX_OK);

    /* nobody overtakes */

    check(permit_take(&self, 0) == 0);

    /* it has been woken, and has not looked yet */

    ngx_mon_permit_give(&other, b);
    check(woken == 1);

    chain = 0;
    check(ngx_mon_permit_mail(&other, &chain) == c);
    check(ngx_mon_permit_mail(&other, &chain) == e);
    check(ngx_mon_permit_mail(&other, &chain) == 0);
    check(ngx_mon_permit_mail(&self, &chain) == 0);

    permit_judge();

    ngx_mon_permit_give(&other, c);
    ngx_mon_permit_give(&other, e);

    check((memory->shared.entry.word & 0xffffffffff) == 0);
    permit_judge();
}


static void
permit_limits(void **state)
{
    uint32_t    nodes[8];
    ngx_uint_t  i;

    permit_init(1);

    nodes[0] = permit_take(&self, 0);

    for (i = 1; i < 8; i++) {
        nodes[i] = permit_join(&self, 0);
    }

    /* more at once */

    ngx_mon_permit_limit(&memory->shared, 5);
    ngx_mon_permit_serve(&self);

    for (i = 1; i < 8; i++) {
        check(ngx_mon_permit_state(&self, nodes[i])
              == (i < 5 ? NGX_MON_PERMIT_GRANTED : NGX_MON_PERMIT_WAITING));
    }

    /* fewer as they end */

    ngx_mon_permit_limit(&memory->shared, 2);

    for (i = 0; i < 3; i++) {
        ngx_mon_permit_give(&self, nodes[i]);
        check(ngx_mon_permit_state(&self, nodes[5])
              == NGX_MON_PERMIT_WAITING);
    }

    ngx_mon_permit_give(&self, nodes[3]);
    check(ngx_mon_permit_state(&self, nodes[5]) == NGX_MON_PERMIT_GRANTED);
    check(ngx_mon_permit_held(memory->shared.entry.word) == 2);

    permit_judge();
    ngx_mon_permit_leave(&self);

    permit_open(&self, 1001);
    permit_judge();
    check((memory->shared.entry.word & 0xffffffffff) == 0);
}


/* as many nodes as there are, and again when they were given back */

static void
permit_nodes(void **state)
{
    uint32_t    nodes[NODES];
    ngx_uint_t  i, round;

    permit_init(NODES);
    permit_open(&other, 1002);

    for (round = 0; round < 3; round++) {

        for (i = 0; i < NODES; i++) {
            nodes[i] = permit_take(round & 1 ? &other : &self, 0);
        }

        check(ngx_mon_permit_node(round & 1 ? &other : &self) == 0);
        permit_judge();

        for (i = 0; i < NODES; i++) {
            ngx_mon_permit_give(round & 1 ? &other : &self, nodes[i]);
        }

        permit_judge();

        ngx_mon_permit_leave(round & 1 ? &other : &self);
        permit_open(round & 1 ? &other : &self, 1003 + round);
    }
}


/* stepping */

typedef void (*step_pt)(void);

static uint32_t  mine[4];


/* makes the entry where it is not there, or idle */

static uint32_t
step_make(ngx_mon_permit_t *p, uint32_t entry)
{
    uint32_t                 node;
    uint64_t                 w;
    ngx_mon_permit_entry_t  *e;

    e = ngx_mon_permit_entry(p, entry);
    w = e->word;

    if (w != NGX_MON_PERMIT_GONE && ngx_mon_permit_idle(p, e, w)) {
        e->word = NGX_MON_PERMIT_GONE;
    }

    if (e->word != NGX_MON_PERMIT_GONE) {
        return permit_take(p, entry);
    }

    node = ngx_mon_permit_node(p);
    e->word = ngx_mon_permit_new(p, node);
    ngx_mon_permit_made(p, node, entry);

    return node;
}


/* what the one to be killed does, alone with these entries */

static void
step_work(void)
{
    uint32_t    a, b, c;
    ngx_uint_t  k;

    for (k = 0; k < (keyed ? 3 : 1); k++) {

        if (keyed) {
            ngx_mon_permit_give(&other, step_make(&other, k));

        } else {
            a = permit_take(&other, k);
            b = ngx_mon_permit_quick(&other);
            check(b);

            ngx_mon_permit_give(&other, b);
            ngx_mon_permit_give(&other, a);
        }

        /* of three permits one is taken */

        a = permit_take(&other, k);
        b = permit_take(&other, k);

        ngx_mon_permit_give(&other, a);

        a = permit_join(&other, k);
        c = permit_join(&other, k);

        (void) ngx_mon_permit_quit(&other, c);

        c = permit_join(&other, k);

        /* c is granted what b had */

        ngx_mon_permit_give(&other, b);
        ngx_mon_permit_give(&other, a);
        ngx_mon_permit_give(&other, c);
    }

    ngx_mon_permit_leave(&other);
}


/* it gives what others wait for */

static void
step_serve(void)
{
    ngx_mon_permit_give(&other, mine[0]);
    ngx_mon_permit_give(&other, mine[1]);
    ngx_mon_permit_leave(&other);
}


/* it waits no more */

static void
step_quits(void)
{
    check(ngx_mon_permit_quit(&other, mine[0]) == NGX_OK);
    check(ngx_mon_permit_quit(&other, mine[1]) == NGX_OK);
    ngx_mon_permit_leave(&other);
}


/* it takes back what a third one left, who was killed with the lock */

static void
step_recovers(void)
{
    gone[0] = 1003;
    check(ngx_mon_permit_recover(&other, 1) == 1);
    ngx_mon_permit_leave(&other);
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
        (void) ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void) raise(SIGSTOP);
        run();
        _exit(0);
    }

    check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));

    return pid;
}


/*
 * All is as it should be for those who live: they have what they had, and
 * have got what they waited for, as far as there is enough.
 */

static void
step_recover(ngx_uint_t meanwhile)
{
    uint32_t          node;
    ngx_uint_t        held, waiting, i, k;
    ngx_mon_permit_t  copy;

    copy = self;

    if (meanwhile) {

        /* others go on before anybody knows that it is gone */

        for (i = 0; i < 3; i++) {
            for (k = 0; k < (keyed ? KEYS : 1); k++) {

                node = keyed ? step_make(&self, k) : permit_take(&self, k);

                if (node) {
                    ngx_mon_permit_give(&self, node);
                }
            }
        }
    }

    gone[0] = 1002;
    gone[1] = 1003;

    (void) ngx_mon_permit_recover(&self, 1);
    ngx_mon_permit_serve(&self);

    held = 0;
    waiting = 0;

    for (i = 1; i <= memory->shared.top; i++) {

        if (memory->nodes[i - 1].owner != self.self) {
            check(memory->nodes[i - 1].owner == 0);
            check(memory->nodes[i - 1].state == NGX_MON_PERMIT_FREE);
            continue;
        }

        held += (memory->nodes[i - 1].state == NGX_MON_PERMIT_HELD
                 || memory->nodes[i - 1].state == NGX_MON_PERMIT_GRANTED);
        waiting += (memory->nodes[i - 1].state == NGX_MON_PERMIT_WAITING);
    }

    check(held + waiting == 4);
    check(held == ngx_min(4, memory->shared.limit));
    check(ngx_mon_permit_held(ngx_mon_permit_word(&self, 0)) == held);

    permit_judge();

    self = copy;
}


static void
step_through(step_pt run)
{
    int         status;
    ngx_pid_t   pid;
    ngx_uint_t  n;

    pid = step_start(run);

    for (n = 0, states = 0; /* void */ ; n++) {

        check(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0);
        check(waitpid(pid, &status, 0) == pid);

        if (WIFEXITED(status)) {
            break;
        }

        check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);

        /* only where the instruction changed something */

        if (ngx_memcmp(&saved, memory, sizeof(memory_t)) == 0) {
            continue;
        }

        states++;

        ngx_memcpy(&saved, memory, sizeof(memory_t));
        step_recover(0);
        ngx_memcpy(memory, &saved, sizeof(memory_t));
        ngx_memzero(gone, sizeof(gone));

        step_recover(1);
        ngx_memcpy(memory, &saved, sizeof(memory_t));
        ngx_memzero(gone, sizeof(gone));
    }

    check(WEXITSTATUS(status) == 0);
    check(states > 20);

    printf("# %u instructions, %u states\n", (unsigned) n, (unsigned) states);
}


/* of the permits self has two, and waits for two */

static void
step_prepare(ngx_uint_t limit)
{
    permit_init(limit);
    permit_open(&other, 1002);
}


static void
step_through_work(void **state)
{
    /* as many as both need, so that nobody waits */

    step_prepare(NODES / 2);

    (void) permit_take(&self, 0);
    (void) permit_take(&self, 0);
    (void) permit_take(&self, 0);
    (void) permit_take(&self, 0);

    step_through(step_work);
}


static void
step_through_keys(void **state)
{
    ngx_uint_t  k;

    keyed = 1;
    step_prepare(NODES / 2);

    for (k = 0; k < KEYS; k++) {
        memory->keys[k].word = NGX_MON_PERMIT_GONE;
    }

    for (k = 0; k < 4; k++) {
        (void) step_make(&self, 0);
    }

    step_through(step_work);
    keyed = 0;
}


static void
step_through_queue(void **state)
{
    step_prepare(3);

    (void) permit_take(&self, 0);
    mine[0] = permit_take(&other, 0);
    mine[1] = permit_take(&other, 0);
    (void) permit_join(&self, 0);
    (void) permit_join(&self, 0);
    (void) permit_join(&self, 0);

    step_through(step_serve);
}


static void
step_through_wait(void **state)
{
    step_prepare(2);

    (void) permit_take(&self, 0);
    (void) permit_take(&self, 0);
    (void) permit_join(&self, 0);
    (void) permit_join(&self, 0);

    mine[0] = permit_join(&other, 0);
    (void) permit_join(&other, 0);
    mine[1] = permit_join(&other, 0);

    step_through(step_quits);
}


static void
step_through_recovery(void **state)
{
    ngx_mon_permit_t  third;

    step_prepare(3);
    permit_open(&third, 1003);

    (void) permit_take(&self, 0);
    (void) permit_take(&third, 0);
    (void) permit_take(&third, 0);
    (void) permit_join(&self, 0);
    (void) permit_join(&third, 0);
    (void) permit_join(&self, 0);
    (void) permit_join(&third, 0);
    (void) permit_join(&self, 0);

    ngx_mon_permit_lock(&third);

    step_through(step_recovers);
}


/* several at a time, of whom some are killed */

#define WORKERS  4
#define LIMIT    3


static ngx_uint_t
crowd_gone(uint64_t pid, uint64_t start)
{
    return pid != 1001 && kill(pid, 0) == -1;
}


static void
crowd_enter(ngx_mon_permit_t *p)
{
    ngx_uint_t  i, n;

    (void) __atomic_fetch_add(&memory->inside[p->self], 1, __ATOMIC_SEQ_CST);

    for (n = 0, i = 1; i < 16; i++) {
        n += __atomic_load_n(&memory->inside[i], __ATOMIC_SEQ_CST);
    }

    if (n > memory->most) {
        memory->most = n;
    }
}


static void
crowd_leave(ngx_mon_permit_t *p, uint32_t node)
{
    (void) __atomic_fetch_sub(&memory->inside[p->self], 1, __ATOMIC_SEQ_CST);

    ngx_mon_permit_give(p, node);
    (void) __atomic_fetch_add(&memory->done, 1, __ATOMIC_RELAXED);
}


static void
crowd_work(uint64_t pid)
{
    uint32_t    node, mail, chain;
    uint64_t    random;

    random = pid * 7919;
    permit_open(&other, pid);
    other.gone = crowd_gone;

    while (!memory->stop) {

        node = permit_join(&other, 0);

        while (ngx_mon_permit_state(&other, node) == NGX_MON_PERMIT_WAITING) {

            if (unit_random(&random) % 4096 == 0
                && ngx_mon_permit_quit(&other, node) == NGX_OK)
            {
                node = 0;
                break;
            }
        }

        if (node == 0) {
            continue;
        }

        if (ngx_mon_permit_granted(&other, node)) {

            for (chain = 0; (mail = ngx_mon_permit_mail(&other, &chain)); ) {
                check(mail == node);
            }
        }

        crowd_enter(&other);
        crowd_leave(&other, node);

        node = ngx_mon_permit_quick(&other);

        if (node) {
            crowd_enter(&other);
            crowd_leave(&other, node);
        }
    }

    ngx_mon_permit_leave(&other);
    _exit(0);
}


static ngx_pid_t
crowd_start(void)
{
    ngx_pid_t  pid;

    pid = fork();

    if (pid == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        crowd_work(getpid());
    }

    return pid;
}


static void
permit_crowd(void **state)
{
    uint64_t    random;
    ngx_pid_t   pids[WORKERS];
    ngx_uint_t  i, k, kills;

    random = 42;
    states = 0;

    permit_init(LIMIT);
    self.gone = crowd_gone;

    for (i = 0; i < WORKERS; i++) {
        pids[i] = crowd_start();
    }

    for (kills = 0; kills < 200; kills++) {

        usleep(unit_random(&random) % 5000);

        i = unit_random(&random) % WORKERS;

        (void) kill(pids[i], SIGKILL);
        (void) waitpid(pids[i], NULL, 0);

        for (k = 1; k < 16; k++) {
            if (memory->shared.procs[k - 1].pid == (uint64_t) pids[i]) {
                memory->inside[k] = 0;
            }
        }

        (void) ngx_mon_permit_recover(&self, 1);

        pids[i] = crowd_start();
    }

    memory->stop = 1;

    for (i = 0; i < WORKERS; i++) {
        int  status;

        check(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
    }

    ngx_mon_permit_serve(&self);
    permit_judge();

    check((memory->shared.entry.word & 0xffffffffff) == 0);
    check(memory->most <= LIMIT);
    check(memory->most > 1);

    printf("# %u permits, %u kills\n", (unsigned) memory->done,
           (unsigned) kills);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(permit_one),
        cmocka_unit_test(permit_limits),
        cmocka_unit_test(permit_nodes),
        cmocka_unit_test(step_through_work),
        cmocka_unit_test(step_through_keys),
        cmocka_unit_test(step_through_queue),
        cmocka_unit_test(step_through_wait),
        cmocka_unit_test(step_through_recovery),
        cmocka_unit_test(permit_crowd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
