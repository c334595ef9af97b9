
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * A process that is not run for a while.  An operation is made by a process of
 * its own, which is stopped before the n-th access to the memory that is
 * shared; there others make whole operations, and it goes on to its end.  This
 * is done for n = 0, 1, 2 ... until the operation has fewer accesses, and may
 * be done with two stops.
 *
 * The rule is the same for all: what has come of it must be what comes of the
 * same operations one after another, with the one that was late at some place
 * among them.  So nothing is ever done twice, or lost, or half.
 *
 * The memory is closed to that process: each access is a fault, for which it
 * is opened for a single instruction.  What it does in its own memory in
 * between is of no interest to anybody.
 */


#ifndef _STALL_H_INCLUDED_
#define _STALL_H_INCLUDED_


#include "unit.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <ucontext.h>


#define STALL_TOLD   4
#define STALL_FACTS  32
#define STALL_ABOUT  24
#define STALL_OPS    12

/* so many stops are all made */
#define STALL_ALL    48
#define STALL_NEVER  ((ngx_uint_t) -1)

#if defined(__x86_64__)
#define stall_flags(uc)  (uc)->uc_mcontext.gregs[REG_EFL]
#else
/* skipped: a single instruction is asked for in another way there */
#define stall_flags(uc)  stall_no_flags
static greg_t  stall_no_flags;
#endif

/* of the processor: a trap behind the next instruction */
#define STALL_TRAP  0x100


/* 1, or 0: it can't be made, since who is late has a lock */
typedef ngx_uint_t (*stall_op_pt)(void);


typedef struct {
    /* what they share: whole pages */
    void          *memory;
    size_t         size;

    /* a part of it whose accesses do not count, or NULL: whole pages */
    void          *open;
    size_t         open_size;

    /* makes all as it was, also what is private; before each run */
    void         (*begin)(void);

    /* what is late: what it finds goes to stall_told, and counts */
    void         (*late)(void);

    /* of others, one after another, NULL behind the last one */
    stall_op_pt    others[STALL_OPS + 1];

    /*
     * All else that counts, once they are done, in STALL_FACTS words that are
     * 0; and by how much those from STALL_ABOUT on may differ.
     */
    void         (*facts)(uint64_t *facts);
    uint64_t       slack;
} stall_t;


/* of stall_told[0]: it could not be done, and was not; that is no fault */
#define STALL_FAILED  ((uint64_t) -77)


#define check(x)                                                              \
    if (!(x)) {                                                               \
        fail_msg("%s, line %d, stopped before access %d, %d", #x, __LINE__,   \
                 (int) stall_stops[0], (int) stall_stops[1]);                 \
    }


/* all 0 before each run; as many behind them are for its own judge */
static uint64_t    *stall_told;

static stall_t     *stall_of;
static ngx_uint_t   stall_stops[2];
static ngx_uint_t   stall_n;
static ngx_uint_t   stall_is_child;

/* operations of others that were made: bits */
static ngx_uint_t   stall_made;


/* Memory that processes share, zeros. */

static void *
stall_memory(size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1,
             0);
    check(p != MAP_FAILED);

    return p;
}


static void
stall_protect(int prot)
{
    u_char  *begin, *end;

    begin = stall_of->memory;
    end = begin + stall_of->size;

    if (stall_of->open) {
        if (mprotect(begin, (u_char *) stall_of->open - begin, prot) == -1) {
            _exit(70);
        }

        begin = (u_char *) stall_of->open + stall_of->open_size;
    }

    if (mprotect(begin, end - begin, prot) == -1) {
        _exit(70);
    }
}


static void
stall_touched(int signo, siginfo_t *info, void *data)
{
    u_char      *p;
    ucontext_t  *uc;

    uc = data;
    p = info->si_addr;

    if (p < (u_char *) stall_of->memory
        || p >= (u_char *) stall_of->memory + stall_of->size)
    {
        (void) signal(signo, SIG_DFL);
        return;
    }

    if (stall_n == stall_stops[0] || stall_n == stall_stops[1]) {
        (void) raise(SIGSTOP);
    }

    stall_n++;
    stall_flags(uc) |= STALL_TRAP;
    stall_protect(PROT_READ|PROT_WRITE);
}


static void
stall_stepped(int signo, siginfo_t *info, void *data)
{
    ucontext_t  *uc;

    uc = data;
    stall_flags(uc) &= ~STALL_TRAP;
    stall_protect(PROT_NONE);
}


static void
stall_child(void)
{
    struct sigaction  sa;

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void) alarm(60);

    ngx_memzero(&sa, sizeof(sa));
    sa.sa_flags = SA_SIGINFO;

    sa.sa_sigaction = stall_touched;
    (void) sigaction(SIGSEGV, &sa, NULL);

    sa.sa_sigaction = stall_stepped;
    (void) sigaction(SIGTRAP, &sa, NULL);

    stall_n = 0;
    stall_is_child = 1;

    stall_protect(PROT_NONE);
    stall_of->late();

    _exit(0);
}


static ngx_uint_t
stall_nops(void)
{
    ngx_uint_t  n;

    for (n = 0; stall_of->others[n]; n++) { /* void */ }

    return n;
}


/* those from one on, until before another one, of the bits given */

static void
stall_others(ngx_uint_t from, ngx_uint_t until, ngx_uint_t bits)
{
    for ( /* void */ ; from < until; from++) {
        if ((bits & 1 << from) && stall_of->others[from]()) {
            stall_made |= 1 << from;
        }
    }
}


static void
stall_begin(void)
{
    ngx_memzero(stall_told, 2 * STALL_TOLD * sizeof(uint64_t));
    stall_made = 0;
    stall_of->begin();
}


static void
stall_facts(uint64_t *facts)
{
    ngx_memzero(facts, (STALL_FACTS + STALL_TOLD) * sizeof(uint64_t));
    ngx_memcpy(facts + STALL_FACTS, stall_told, STALL_TOLD * sizeof(uint64_t));
    stall_of->facts(facts);
}


static ngx_uint_t
stall_alike(const uint64_t *a, const uint64_t *b)
{
    uint64_t    slack;
    ngx_uint_t  i;

    for (i = 0; i < STALL_FACTS + STALL_TOLD; i++) {
        slack = (i >= STALL_ABOUT && i < STALL_FACTS) ? stall_of->slack : 0;

        if (a[i] - b[i] + slack > 2 * slack) {
            return 0;
        }
    }

    return 1;
}


static void
stall_judge(void)
{
    uint64_t    found[STALL_FACTS + STALL_TOLD], facts[sizeof(found) / 8];
    ngx_uint_t  i, n, made, failed;

    stall_facts(found);

    n = stall_nops();
    made = stall_made;
    failed = (stall_told[0] == STALL_FAILED);

    for (i = 0; i <= n; i++) {

        stall_begin();
        stall_others(0, i, made);

        if (failed) {
            stall_told[0] = STALL_FAILED;

        } else {
            stall_of->late();
        }

        stall_others(i, n, made);
        stall_facts(facts);

        if (stall_alike(facts, found)) {
            return;
        }
    }

    for (i = 0; i < STALL_FACTS + STALL_TOLD; i++) {
        if (found[i] || facts[i]) {
            print_message("# %s %u: %lx, last: %lx\n",
                          i < STALL_FACTS ? "fact" : "told",
                          (unsigned) (i % STALL_FACTS),
                          (unsigned long) found[i], (unsigned long) facts[i]);
        }
    }

    fail_msg("stopped before access %d, %d: as of no order of operations",
             (int) stall_stops[0], (int) stall_stops[1]);
}


/* so often it was stopped; split of the others' are made at the first stop */

static ngx_uint_t
stall_run(ngx_uint_t first, ngx_uint_t second, ngx_uint_t split)
{
    int         status;
    ngx_pid_t   pid;
    ngx_uint_t  stops, n;

    stall_stops[0] = first;
    stall_stops[1] = second;

    stall_begin();
    n = stall_nops();

    pid = fork();
    check(pid != -1);

    if (pid == 0) {
        stall_child();
    }

    for (stops = 0; /* void */ ; stops++) {
        check(waitpid(pid, &status, WUNTRACED) == pid);

        if (!WIFSTOPPED(status)) {
            break;
        }

        stall_others(stops ? split : 0, stops ? n : split, (ngx_uint_t) -1);
        check(kill(pid, SIGCONT) == 0);
    }

    check(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    /* without a second stop the others are the last */

    if (stops == 1) {
        stall_others(split, n, (ngx_uint_t) -1);
    }

    if (stops) {
        stall_judge();
    }

    return stops;
}


/*
 * All stops, of which there are at least so many; of a long operation some of
 * those that come late.  With twice set also all pairs, with some of the
 * operations at the first, and the others at the second one.
 */

static void
stall(stall_t *s, ngx_uint_t least, ngx_uint_t twice)
{
    ngx_uint_t  i, k, n, split, runs;

#if !defined(__x86_64__)
    skip();
#endif

    stall_of = s;
    runs = 0;

    if (stall_told == NULL) {
        stall_told = stall_memory(4096);
    }

    n = stall_nops();

    for (i = 0; stall_run(i, STALL_NEVER, n); i += 1 + i / STALL_ALL) {
        runs++;

        for (split = 1; twice && split < n; split++) {
            for (k = i + 1; stall_run(i, k, split) == 2; k++) {
                runs++;
            }
        }
    }

    print_message("# %u accesses, %u runs\n", (unsigned) i, (unsigned) runs);
    check(i >= least);
}


#endif /* _STALL_H_INCLUDED_ */
