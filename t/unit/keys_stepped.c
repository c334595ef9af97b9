
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * A process that is taken forward instruction by instruction, and at each it
 * is as if it had been killed there: is all in order, does nobody else's key
 * suffer, is no cell lost?
 */


#include "keys_judge.h"
#include <sys/ptrace.h>
#include <sys/wait.h>


#define ZONE   (20 * 1024)
#define LIVE   20
#define NOW    1000


static u_char      saved[ZONE + 4096];
static ngx_uint_t  before;


static ngx_str_t
keys_name(u_char *buf, const char *kind, uint64_t i, size_t len)
{
    ngx_str_t  s;

    s.data = buf;
    s.len = sprintf((char *) buf, "%s%lu", kind, (unsigned long) i);

    while (s.len < len) {
        buf[s.len++] = 'a' + i % 26;
    }

    return s;
}


static ngx_mon_key_t *
keys_insert(const char *kind, uint64_t i, size_t len, uint64_t now,
    uint64_t aux, uint64_t word)
{
    u_char      buf[512];
    ngx_str_t   s;
    ngx_uint_t  made;

    s = keys_name(buf, kind, i, len);

    return keys_make(&s, now, aux, &word, &made);
}


static void
keys_begin(void)
{
    ngx_uint_t  i;

    check(keys_zone(ZONE) == NGX_OK);

    for (i = 0; i < LIVE; i++) {
        check(keys_insert("live", i, i * 9, NOW, KEPT, 5000 + i));
    }
}


/* cells that are a key's, or free: all but what the sweep has to find */

static ngx_uint_t
keys_known(void)
{
    uint32_t        i;
    ngx_uint_t      n;
    ngx_mon_key_t  *k;

    n = keys.ncells - keys.pieces[0].fresh;

    for (i = 1; i <= keys.pieces[0].fresh; i++) {
        k = ngx_mon_keys_cell(&keys, i);

        n += k->word != NGX_MON_KEY_GONE || k->aux == 0
             || ngx_mon_cells_part(&keys, 0, i);
    }

    return n;
}


/* it was killed at this instruction; then others go on */

static void
keys_judge_step(const char *kind, ngx_uint_t pair)
{
    u_char          buf[512];
    uint64_t        word;
    ngx_str_t       s;
    ngx_uint_t      i, made;
    ngx_mon_key_t  *k;

    memcpy(saved, pool, sizeof(saved));
    keys.pieces[0].lock = 0;

    keys_judge_cells();

    for (i = 0; i < LIVE; i++) {
        s = keys_name(buf, "live", i, i * 9);
        k = keys_find(&s, &word);

        check((k && word == 5000 + i && k->aux == KEPT)
              || (pair && i == 7 && k == NULL)
              || (pair && i == 7 && word == 9000 && k->aux == 78));
    }

    s = keys_name(buf, kind, 1, 150);
    check(keys_find(&s, &word) == NULL || word == 7000);

    word = 7000;
    k = keys_make(&s, NOW, 1, &word, &made);
    check(k && word == 7000 && k->aux == 1);
    check(keys_find(&s, &word) == k);

    keys_judge_cells();

    for (i = 0; i < 4; i++) {
        ngx_mon_keys_sweep(&keys, NOW);
    }

    keys_judge_cells();
    check(keys_known() == keys.ncells);
    check(keys.pieces[0].live >= LIVE + 1 - pair);
    check(keys_find(&s, &word) == k);

    memcpy(pool, saved, sizeof(saved));
}


static void
keys_step(void (*run)(void), const char *kind, ngx_uint_t pair)
{
    int         status;
    ngx_pid_t   pid;
    ngx_uint_t  n, stride;

    pid = fork();
    check(pid != -1);

    if (pid == 0) {
        ngx_pid = getpid();
        (void) alarm(120);

        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
            _exit(77);
        }

        (void) raise(SIGSTOP);
        run();
        _exit(0);
    }

    /* sanitizers take many instructions for one */

    stride = 1;

#if defined(__SANITIZE_ADDRESS__)
    stride = 7;
#endif

    for (n = 0; /* void */ ; n++) {
        check(waitpid(pid, &status, 0) == pid);

        if (!WIFSTOPPED(status)) {
            break;
        }

        if (n % stride == 0) {
            keys_judge_step(kind, pair);
        }

        check(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0);
    }

    check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    keys_judge_step(kind, pair);

    print_message("# %u steps\n", (unsigned) n);
    check(n > before);

    keys_unmap();
}


static void
keys_insert_new(void)
{
    (void) keys_insert("new", 1, 150, NOW, 1, 7000);
}


/* of fresh cells, in an empty table but for the keys that live */

static void
keys_stepped_fresh(void **state)
{
    keys_begin();
    before = 200;

    keys_step(keys_insert_new, "new", 0);
}


/* in the place of others that are idle, some of several cells */

static void
keys_stepped_used(void **state)
{
    ngx_uint_t  i;

    keys_begin();

    for (i = 0; i < 1000; i++) {
        if (!keys_insert("idle", i, i % 3 * 60, 10, 1, 100)) {
            break;
        }
    }

    check(i < 1000);
    before = 500;

    keys_step(keys_insert_new, "new", 0);
}


static void
keys_sweep_all(void)
{
    ngx_mon_keys_sweep(&keys, NOW);
}


static void
keys_stepped_sweep(void **state)
{
    ngx_uint_t  i;

    keys_begin();

    for (i = 0; i < 12; i++) {
        check(keys_insert("idle", i, i % 3 * 60, 10, 1, 100));
    }

    before = 500;

    keys_step(keys_sweep_all, "new", 0);
}


static void
keys_change_one(void)
{
    u_char          buf[512];
    uint64_t        word;
    ngx_str_t       s;
    ngx_mon_key_t  *k;

    s = keys_name(buf, "live", 7, 63);
    k = keys_find(&s, &word);

    if (k == NULL
        || ngx_mon_keys_change(&keys, ngx_mon_keys_hash(&keys, &s), k, word,
                               9000, 78)
           != NGX_OK)
    {
        _exit(1);
    }
}


static void
keys_stepped_change(void **state)
{
    keys_begin();
    before = 50;

    keys_step(keys_change_one, "new", 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(keys_stepped_fresh),
        cmocka_unit_test(keys_stepped_used),
        cmocka_unit_test(keys_stepped_sweep),
        cmocka_unit_test(keys_stepped_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
