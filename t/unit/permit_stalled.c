
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Permits: a process that is not run for a while, while others take and give,
 * wait and are granted, leave and are replaced, and entries go to other keys.
 */


#include "stall.h"
#include "permit_judge.h"


#define NODES  16
#define KEYS   2


typedef struct {
    ngx_mon_permit_shared_t  shared;
    ngx_mon_permit_node_t    nodes[NODES];
    ngx_mon_permit_entry_t   keys[KEYS];

    /* what key an entry is of, and whether somebody is under the lock */
    uint64_t                 key[KEYS];
    uint64_t                 locked;
} memory_t;


typedef struct {
    ngx_mon_permit_t         permit;
    uint32_t                 held[8];
    ngx_uint_t               nheld;
    uint32_t                 waits;
} worker_t;


static memory_t    *memory;
static worker_t     late, other, third;
static ngx_uint_t   keyed, child;
static uint64_t     gone;


static ngx_uint_t
permit_gone(uint64_t pid, uint64_t start)
{
    if (child && pid == 1004) {

        /* who lives has the lock: it is waited for */

        stall_told[0] = STALL_FAILED;
        _exit(0);
    }

    if (child && memory->shared.lock && stall_told[STALL_TOLD + 2]++ == 0) {

        /* before it acts on what it is told */

        (void) raise(SIGSTOP);
    }

    return gone && pid == gone;
}


static void
permit_wake(ngx_mon_permit_t *p, const ngx_mon_permit_proc_t *proc)
{
}


static void
permit_open(worker_t *w, uint64_t pid)
{
    uint32_t           node;
    ngx_mon_permit_t  *p;

    ngx_memzero(w, sizeof(worker_t));

    p = &w->permit;
    p->shared = &memory->shared;
    p->gone = permit_gone;
    p->wake = permit_wake;

    if (keyed) {
        p->entries = (u_char *) memory->keys;
        p->stride = sizeof(ngx_mon_permit_entry_t);
        p->nentries = KEYS;
    }

    check(ngx_mon_permit_claim(p, pid, 0, 7) == NGX_OK);

    /* it has nodes, so that it does not need the lock for that, but few */

    memory->shared.nnodes = ngx_min(memory->shared.top + 4, NODES);

    node = ngx_mon_permit_node(p);
    check(node);
    ngx_mon_permit_drop(p, node);
}


static ngx_uint_t
permit_take(worker_t *w)
{
    uint32_t   node;
    ngx_int_t  rc;

    node = keyed ? 0 : ngx_mon_permit_quick(&w->permit);

    if (node == 0) {
        node = ngx_mon_permit_node(&w->permit);

        do {
            rc = ngx_mon_permit_take(&w->permit, 0, node,
                                     ngx_mon_permit_word(&w->permit, 0));
        } while (rc == NGX_AGAIN);

        if (rc != NGX_OK) {
            ngx_mon_permit_drop(&w->permit, node);
            return 0;
        }
    }

    w->held[w->nheld++] = node;

    return 1;
}


static ngx_int_t
permit_join(worker_t *w)
{
    ngx_int_t  rc;

    w->waits = ngx_mon_permit_node(&w->permit);

    do {
        rc = ngx_mon_permit_join(&w->permit, 0, w->waits,
                                 ngx_mon_permit_word(&w->permit, 0), 3);
    } while (rc == NGX_AGAIN);

    if (rc != NGX_DONE) {

        if (rc == NGX_OK) {
            w->held[w->nheld++] = w->waits;

        } else {
            ngx_mon_permit_drop(&w->permit, w->waits);
        }

        w->waits = 0;
    }

    return rc;
}


static void
permit_read(worker_t *w)
{
    uint32_t  chain;

    for (chain = 0; ngx_mon_permit_mail(&w->permit, &chain); ) { /* void */ }
}


static ngx_int_t
permit_quit(worker_t *w)
{
    ngx_int_t  rc;

    if (w->waits == 0) {
        return NGX_OK;
    }

    rc = ngx_mon_permit_quit(&w->permit, w->waits);

    if (rc == NGX_DECLINED) {
        permit_read(w);
        w->held[w->nheld++] = w->waits;
    }

    w->waits = 0;

    return rc;
}


/* 0: only who waits for the lock could go on */

static ngx_uint_t
other_free(void)
{
    uint32_t  lock;

    lock = memory->shared.lock;

    return lock == 0
           || ngx_mon_permit_proc(&other.permit, lock & 0x3ff)->pid == gone;
}


static ngx_uint_t
other_takes(void)
{
    (void) permit_take(&other);

    return 1;
}


static ngx_uint_t
other_gives(void)
{
    if (other.nheld == 0) {
        return 1;
    }

    if (ngx_mon_permit_waiting(ngx_mon_permit_word(&other.permit, 0))
        && !other_free())
    {
        return 0;
    }

    ngx_mon_permit_give(&other.permit, other.held[--other.nheld]);

    return 1;
}


static ngx_uint_t
other_waits(void)
{
    if (!other_free() || other.waits) {
        return 0;
    }

    (void) permit_join(&other);

    return 1;
}


static ngx_uint_t
other_quits(void)
{
    if (!other_free()) {
        return 0;
    }

    (void) permit_quit(&other);

    return 1;
}


/* another worker comes, which has the same place */

static ngx_uint_t
other_leaves(void)
{
    if (!other_free()) {
        return 0;
    }

    ngx_mon_permit_leave(&other.permit);
    permit_open(&other, 1005);

    return 1;
}


static ngx_uint_t
other_serves(void)
{
    if (!other_free()) {
        return 0;
    }

    ngx_mon_permit_limit(&memory->shared, 3);
    ngx_mon_permit_serve(&other.permit);

    return 1;
}


/* entry 0 goes to another key, of which the other one has a permit */

static ngx_uint_t
other_replaces(void)
{
    uint32_t                 node;
    uint64_t                 w;
    ngx_mon_permit_entry_t  *e;

    e = &memory->keys[0];
    w = e->word;

    if (!ngx_mon_permit_idle(&other.permit, e, w)) {
        return 0;
    }

    e->word = NGX_MON_PERMIT_GONE;
    memory->key[0]++;

    node = ngx_mon_permit_node(&other.permit);
    e->word = ngx_mon_permit_new(&other.permit, node);
    ngx_mon_permit_made(&other.permit, node, 0);

    other.held[other.nheld++] = node;

    return 1;
}


/* who was gone is recovered, and another one in its place gets the lock */

static ngx_uint_t
other_recovers(void)
{
    if (!other_free()) {
        return 0;
    }

    (void) ngx_mon_permit_recover(&other.permit, 1);

    return 1;
}


static ngx_uint_t
other_locks(void)
{
    if (!other_free()) {
        return 0;
    }

    (void) ngx_mon_permit_recover(&other.permit, 1);
    permit_open(&third, 1004);
    ngx_mon_permit_lock(&third.permit);
    memory->locked = 1;

    return 1;
}


static void
permit_begin(void)
{
    ngx_memzero(memory, sizeof(memory_t));
    gone = 0;
    child = 0;

    ngx_mon_permit_init(&memory->shared, NODES);
    ngx_mon_permit_limit(&memory->shared, 2);

    permit_open(&late, 1001);
    permit_open(&other, 1002);
}


/* the last one that changed the word is another one */

static void
begin_takes(void)
{
    permit_begin();
    (void) permit_take(&other);
}


static void
begin_gives(void)
{
    permit_begin();
    (void) permit_take(&late);
    (void) permit_take(&other);
}


static void
begin_gives_waited(void)
{
    begin_gives();
    (void) permit_join(&other);
}


static void
begin_joins(void)
{
    permit_begin();
    (void) permit_take(&other);
    (void) permit_take(&other);
}


static void
begin_quits(void)
{
    begin_joins();
    (void) permit_join(&late);
}


static void
begin_leaves(void)
{
    begin_gives();
    (void) permit_join(&late);
}


/* the third one is gone: it has one, and waits for one */

static void
begin_recovers(void)
{
    permit_begin();
    permit_open(&third, 1003);

    (void) permit_take(&third);
    (void) permit_take(&other);
    (void) permit_join(&third);
    gone = 1003;
}


static void
begin_locked(void)
{
    begin_recovers();
    ngx_mon_permit_lock(&third.permit);
}


/* who is late has just got the lock of the one that is gone */

static void
begin_repairs(void)
{
    begin_recovers();
    ngx_mon_permit_lock(&late.permit);
}


static void
begin_keyed(void)
{
    permit_begin();

    memory->keys[1].word = NGX_MON_PERMIT_GONE;
    (void) permit_take(&other);
    (void) other_gives();
}


/* 0 to 3 */

static uint64_t
permit_owner(ngx_mon_permit_node_t *node)
{
    uint64_t  pid;

    pid = ngx_mon_permit_proc(&late.permit, node->owner)->pid;
    check(pid == 1001 || pid == 1002 || pid == 1003 || pid == 1005);

    return (pid - 1001) % 4 + (pid == 1005) * 3;
}


static void
permit_facts(uint64_t *facts)
{
    uint32_t                i, n;
    uint64_t                w;
    ngx_mon_permit_node_t  *node;

    /* nobody is under the lock with another one */

    check(!(memory->locked && stall_told[STALL_TOLD]));

    if (memory->locked) {
        ngx_mon_permit_unlock(&third.permit);
    }

    permit_judge_all(&late.permit, keyed ? KEYS : 1);

    w = ngx_mon_permit_word(&late.permit, 0);
    check(ngx_mon_permit_held(w) <= memory->shared.limit);

    facts[0] = ngx_mon_permit_held(w);
    facts[1] = ngx_mon_permit_waiting(w);

    for (i = 1; i <= memory->shared.top; i++) {
        node = &memory->nodes[i - 1];

        if (node->state != NGX_MON_PERMIT_FREE) {
            facts[2 + permit_owner(node) * 4 + node->state]++;
        }
    }

    for (i = 1; i <= NGX_MON_PERMIT_PROCS; i++) {
        check(memory->shared.procs[i - 1].pending == 0);
        facts[20] += memory->shared.procs[i - 1].pid;
    }

    /* who waits, in order */

    for (i = 0, n = (uint32_t) memory->shared.entry.ends; n && !keyed; i++) {
        node = &memory->nodes[n - 1];
        facts[18] |= permit_owner(node) << 4 * i;
        n = node->next;
    }

    facts[19] = memory->key[0];
}


static void
late_takes(void)
{
    stall_told[0] = permit_take(&late);
}


static void
late_gives(void)
{
    ngx_mon_permit_give(&late.permit, late.held[0]);
}


static void
late_joins(void)
{
    stall_told[0] = permit_join(&late);
}


static void
late_quits(void)
{
    stall_told[0] = permit_quit(&late);
}


static void
late_leaves(void)
{
    ngx_mon_permit_leave(&late.permit);
}


static void
late_serves(void)
{
    ngx_mon_permit_limit(&memory->shared, 3);
    ngx_mon_permit_serve(&late.permit);
}


static void
late_recovers(void)
{
    stall_told[STALL_TOLD + 1] = ngx_mon_permit_recover(&late.permit, 1);
}


static void
late_repairs(void)
{
    ngx_mon_permit_repair_locked(&late.permit);
    ngx_mon_permit_unlock(&late.permit);
}


static void
late_locks(void)
{
    child = stall_is_child;

    if (!child && memory->locked) {
        stall_told[0] = STALL_FAILED;
        return;
    }

    ngx_mon_permit_lock(&late.permit);
    stall_told[STALL_TOLD] = memory->locked;
    ngx_mon_permit_unlock(&late.permit);
}


/* as of a key that was found: its entry may be of another one by now */

static void
late_takes_key(void)
{
    uint32_t   node;
    uint64_t   w, key;
    ngx_int_t  rc;

    do {
        w = ngx_mon_permit_word(&late.permit, 0);
        key = __atomic_load_n(&memory->key[0], __ATOMIC_ACQUIRE);

        if (w == NGX_MON_PERMIT_GONE || key) {
            return;
        }

        node = ngx_mon_permit_node(&late.permit);
        rc = ngx_mon_permit_take(&late.permit, 0, node, w);

        if (rc != NGX_OK) {
            ngx_mon_permit_drop(&late.permit, node);
        }

    } while (rc == NGX_AGAIN);

    stall_told[0] = rc;
}


static void
permit_stall(void (*begin)(void), void (*op)(void), const stall_op_pt *others,
    ngx_uint_t least)
{
    ngx_uint_t  i;
    stall_t     s;

    ngx_memzero(&s, sizeof(s));

    s.memory = memory;
    s.size = ngx_align(sizeof(memory_t), 4096);
    s.begin = begin;
    s.late = op;
    s.facts = permit_facts;

    /* most of the processes that there may be */

    s.open = (u_char *) memory + 4096;
    s.open_size = 60 * 1024;

    for (i = 0; others[i]; i++) {
        s.others[i] = others[i];
    }

    if (least == 0) {

        /* it stops by itself */

        stall_of = &s;
        check(stall_run(STALL_NEVER, STALL_NEVER, 1) == 1);
        return;
    }

    stall(&s, least, 0);
}


static const stall_op_pt  others_take[] = {
    other_takes, other_gives, other_takes, other_takes, NULL
};

static const stall_op_pt  others_wait[] = {
    other_takes, other_waits, other_gives, other_quits, NULL
};

static const stall_op_pt  others_leave[] = {
    other_gives, other_waits, other_serves, other_leaves, other_takes, NULL
};


static void
permit_late_takes(void **state)
{
    permit_stall(permit_begin, late_takes, others_take, 5);
    permit_stall(begin_takes, late_takes, others_take, 5);
    permit_stall(begin_takes, late_takes, others_wait, 5);
    permit_stall(begin_takes, late_takes, others_leave, 5);
}


static void
permit_late_gives(void **state)
{
    permit_stall(begin_gives, late_gives, others_take, 5);
    permit_stall(begin_gives, late_gives, others_wait, 5);
    permit_stall(begin_gives, late_gives, others_leave, 5);
    permit_stall(begin_gives_waited, late_gives, others_take, 20);
    permit_stall(begin_gives_waited, late_gives, others_wait, 20);
    permit_stall(begin_gives_waited, late_gives, others_leave, 20);
}


static void
permit_late_waits(void **state)
{
    permit_stall(begin_takes, late_joins, others_take, 10);
    permit_stall(begin_joins, late_joins, others_take, 10);
    permit_stall(begin_joins, late_joins, others_wait, 10);
    permit_stall(begin_joins, late_joins, others_leave, 10);
    permit_stall(begin_quits, late_quits, others_take, 10);
    permit_stall(begin_quits, late_quits, others_wait, 10);
    permit_stall(begin_quits, late_quits, others_leave, 10);
    permit_stall(begin_quits, late_serves, others_wait, 10);
    permit_stall(begin_quits, late_serves, others_leave, 10);
}


static void
permit_late_leaves(void **state)
{
    permit_stall(begin_leaves, late_leaves, others_wait, 50);
    permit_stall(begin_leaves, late_leaves, others_leave, 50);
}


static void
permit_late_recovers(void **state)
{
    static const stall_op_pt  recovers[] = {
        other_waits, other_recovers, other_gives, other_takes, NULL
    };

    permit_stall(begin_recovers, late_recovers, recovers, 50);
    permit_stall(begin_recovers, late_recovers, others_wait, 50);
    permit_stall(begin_repairs, late_repairs, recovers, 50);
    permit_stall(begin_repairs, late_repairs, others_take, 50);
}


/* the lock of one that is gone, which another one in its place has by now */

static void
permit_late_locks(void **state)
{
    static const stall_op_pt  locks[] = { other_locks, NULL };

    permit_stall(begin_locked, late_locks, locks, 0);
}


static void
permit_late_keys(void **state)
{
    static const stall_op_pt  replaces[] = {
        other_replaces, other_takes, other_gives, NULL
    };

    static const stall_op_pt  takes[] = {
        other_takes, other_gives, other_replaces, other_gives, NULL
    };

    keyed = 1;
    permit_stall(begin_keyed, late_takes_key, replaces, 5);
    permit_stall(begin_keyed, late_takes_key, takes, 5);
    keyed = 0;
}


static int
permit_setup(void **state)
{
    memory = stall_memory(ngx_align(sizeof(memory_t), 4096));

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(permit_late_takes),
        cmocka_unit_test(permit_late_gives),
        cmocka_unit_test(permit_late_waits),
        cmocka_unit_test(permit_late_leaves),
        cmocka_unit_test(permit_late_recovers),
        cmocka_unit_test(permit_late_locks),
        cmocka_unit_test(permit_late_keys),
    };

    return cmocka_run_group_tests(tests, permit_setup, NULL);
}
