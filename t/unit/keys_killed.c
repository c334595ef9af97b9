
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Processes that make, use and replace keys of one table at random, also
 * while they are killed at random, and what the table is then.
 */


#include "unit.h"
#include "keys_judge.h"
#include <sys/prctl.h>
#include <sys/wait.h>


#define PROCESSES  8
#define COUNTERS   64
#define ZONE       (128 * 1024)
#define ROUNDS     400
#define VICTIMS    4


/* what a process did: where it was killed in between, more begun than done */

typedef struct {
    uint64_t  begun[COUNTERS];
    uint64_t  done[COUNTERS];
    uint64_t  made;
    uint64_t  full;
} account_t;


static account_t  *accounts;
static uint64_t   *clock_of_all;


static uint64_t
keys_now(void)
{
    return __atomic_fetch_add(clock_of_all, 1, __ATOMIC_RELAXED);
}


/* the i-th key of a kind: short ones, and such of several cells */

static ngx_str_t
keys_name(u_char *buf, const char *kind, uint64_t i)
{
    ngx_str_t  s;

    s.data = buf;
    s.len = sprintf((char *) buf, "%s%lu", kind, (unsigned long) i);

    while (i % 4 == 0 && s.len < 8 + (i * 37) % 400) {
        buf[s.len++] = 'a' + i % 26;
    }

    return s;
}


static void
keys_count(account_t *a, ngx_uint_t i)
{
    u_char          buf[512];
    uint64_t        word;
    ngx_str_t       s;
    ngx_uint_t      made;
    ngx_mon_key_t  *k;

    s = keys_name(buf, "counter", i);
    (void) __atomic_fetch_add(&a->begun[i], 1, __ATOMIC_SEQ_CST);

    for ( ;; ) {
        k = keys_find(&s, &word);

        if (k == NULL) {
            word = 1;
            k = keys_make(&s, keys_now(), KEPT, &word, &made);

            if (k == NULL) {
                continue;
            }

            if (made) {
                break;
            }
        }

        if (__atomic_compare_exchange_n(&k->word, &word, word + 1, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        {
            break;
        }
    }

    (void) __atomic_fetch_add(&a->done[i], 1, __ATOMIC_SEQ_CST);
}


static void
keys_passer_by(account_t *a, uint64_t i)
{
    u_char          buf[512];
    uint64_t        now, word;
    ngx_str_t       s;
    ngx_uint_t      made;

    s = keys_name(buf, "once", i);
    now = keys_now();
    word = now + 100;

    if (keys_find(&s, &word) == NULL) {
        word = now + 100;

        if (keys_make(&s, now, 1, &word, &made)) {
            a->made++;

        } else {
            a->full++;
        }
    }
}


/*
 * A key of this process alone, that comes back when it is about to go: either
 * it is replaced, or it lives on.
 */

static void
keys_regular(account_t *a, uint64_t seed)
{
    u_char          buf[512];
    uint64_t        word, next;
    ngx_str_t       s;
    ngx_uint_t      made;
    ngx_mon_key_t  *k, *again;

    s = keys_name(buf, "regular", (a - accounts) * 4 + seed % 4);
    next = keys_now() + 40;
    k = keys_find(&s, &word);

    if (k == NULL
        || !__atomic_compare_exchange_n(&k->word, &word, next, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
    {
        word = next;
        k = keys_make(&s, keys_now(), 1, &word, &made);

        /* a look-up may miss it: it is found now, if it did not go then */

        if (k == NULL || !made) {
            return;
        }
    }

    again = keys_make(&s, 0, 1, &word, &made);

    if (again && (again != k || made || word != next) && keys_now() < next) {
        _exit(3);
    }
}


static void
keys_work(account_t *a, uint64_t seed, ngx_uint_t n)
{
    uint64_t    got;
    u_char      buf[NGX_MON_KEY_LEN];
    ngx_str_t   s;
    ngx_uint_t  at;

    ngx_pid = getpid();

    for ( /* void */ ; n; n--) {

        switch (unit_random(&seed) % 4) {

        case 0:
            keys_count(a, unit_random(&seed) % COUNTERS);
            break;

        case 1:
            keys_count(a, 0);
            break;

        case 2:
            keys_regular(a, unit_random(&seed));
            break;

        default:
            keys_passer_by(a, unit_random(&seed));
        }

        if (unit_random(&seed) % 256 == 0) {
            ngx_mon_keys_sweep(&keys, keys_now());

            at = unit_random(&seed) % keys.ncells;
            (void) ngx_mon_keys_next(&keys, &at, keys_now(), &s, buf, &got);
        }
    }
}


static ngx_pid_t
keys_spawn(ngx_uint_t i, uint64_t seed, ngx_uint_t n)
{
    ngx_pid_t  pid;

    pid = fork();
    check(pid != -1);

    if (pid == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) alarm(120);
        keys_work(&accounts[i], seed, n);
        _exit(0);
    }

    return pid;
}


/* the counters count all that was done, and no more than was begun */

static void
keys_judge_counters(ngx_uint_t exact)
{
    u_char          buf[512];
    uint64_t        word, begun, done;
    ngx_str_t       s;
    ngx_uint_t      i, p;
    ngx_mon_key_t  *k;

    for (i = 0; i < COUNTERS; i++) {

        for (p = 0, done = 0; p < PROCESSES; p++) {
            done += __atomic_load_n(&accounts[p].done[i], __ATOMIC_SEQ_CST);
        }

        s = keys_name(buf, "counter", i);
        k = ngx_mon_cells_look(&keys, 0, ngx_mon_keys_hash(&keys, &s), &s);
        word = k ? __atomic_load_n(&k->word, __ATOMIC_SEQ_CST) : 0;

        for (p = 0, begun = 0; p < PROCESSES; p++) {
            begun += __atomic_load_n(&accounts[p].begun[i], __ATOMIC_SEQ_CST);
        }

        check(done <= word && word <= begun);
        check(!exact || word == done);
    }
}


static void
keys_judge(void)
{
    check(ngx_mon_lock_word(&keys.pieces[0].lock, 5000) == NGX_OK);

    keys_judge_cells();
    keys_judge_counters(0);

    ngx_mon_unlock_word(&keys.pieces[0].lock);
}


/* all that may go goes, and is room for as many keys as there are cells */

static void
keys_judge_room(void)
{
    u_char          buf[512];
    uint64_t        now, word;
    ngx_str_t       s;
    ngx_uint_t      i, free, made;
    ngx_mon_key_t  *k;

    now = keys_now() + 1000;

    for (i = 0; i < 100; i++) {
        ngx_mon_keys_sweep(&keys, now);
    }

    free = keys.ncells - keys.pieces[0].fresh;

    for (i = 1; i <= keys.pieces[0].fresh; i++) {
        k = ngx_mon_keys_cell(&keys, i);

        if (k->word != NGX_MON_KEY_GONE) {
            check(k->aux == KEPT);

        } else if (!ngx_mon_cells_part(&keys, 0, i)) {
            check(k->aux == 0 && !k->linked);
            free++;
        }
    }

    check(keys.pieces[0].live <= COUNTERS);

    /* once it was full, it is looked for with less zeal */

    for (i = 0; i < free + 100; /* void */) {
        s.data = buf;
        s.len = sprintf((char *) buf, "last%lu", (unsigned long) i);
        word = now + 1000;

        if (keys_make(&s, now, 1, &word, &made) == NULL) {
            check(i == free);
            break;
        }

        check(made);
        i++;
    }

    print_message("# room for %u of %u\n", (unsigned) i,
                  (unsigned) keys.ncells);
}


static void
keys_begin(void)
{
    accounts = mmap(NULL, (PROCESSES + 1) * sizeof(account_t),
                    PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    check(accounts != MAP_FAILED);

    clock_of_all = (uint64_t *) &accounts[PROCESSES];
    *clock_of_all = 1000;

    check(keys_zone(ZONE) == NGX_OK);
    check(keys.npieces == 1);
}


/* none is killed: the counters are exact */

static void
keys_hammered(void **state)
{
    int         status;
    ngx_pid_t   pids[PROCESSES];
    ngx_uint_t  i;

    keys_begin();

    for (i = 0; i < PROCESSES; i++) {
        pids[i] = keys_spawn(i, 77 + i, 40000);
    }

    for (i = 0; i < PROCESSES; i++) {
        check(waitpid(pids[i], &status, 0) == pids[i]);
        check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }

    keys_judge();
    keys_judge_counters(1);
    keys_judge_room();

    for (i = 0; i < PROCESSES; i++) {
        check(accounts[i].made > 100 * accounts[i].full);
    }

    keys_unmap();
}


static void
keys_killed(void **state)
{
    int         status;
    uint64_t    seed, made;
    ngx_pid_t   pids[VICTIMS];
    ngx_uint_t  i, round, held;

    keys_begin();

    seed = 1234;
    held = 0;

    for (i = 0; i < VICTIMS; i++) {
        pids[i] = keys_spawn(i, unit_random(&seed), NGX_MAX_INT32_VALUE);
    }

    for (round = 0; round < ROUNDS; round++) {
        (void) usleep(unit_random(&seed) % 3000);

        i = unit_random(&seed) % VICTIMS;

        check(kill(pids[i], SIGKILL) == 0);
        held += keys.pieces[0].lock == (ngx_atomic_uint_t) pids[i];

        keys_judge();

        check(waitpid(pids[i], &status, 0) == pids[i]);
        check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        pids[i] = keys_spawn(i, unit_random(&seed), NGX_MAX_INT32_VALUE);
    }

    for (i = 0; i < VICTIMS; i++) {
        check(kill(pids[i], SIGKILL) == 0);
    }

    for (i = 0, made = 0; i < VICTIMS; i++) {
        check(waitpid(pids[i], &status, 0) == pids[i]);
        made += accounts[i].made;
    }

    keys_judge();
    keys_judge_room();

    print_message("# %u kills, about %u with the lock held, %lu keys made\n",
                  ROUNDS + VICTIMS, (unsigned) held, (unsigned long) made);

    keys_unmap();
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(keys_hammered),
        cmocka_unit_test(keys_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
