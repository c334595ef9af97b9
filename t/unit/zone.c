
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Workers that make, use and read series of a zone of their own at random,
 * and are killed at random, while what is in the zone is judged from outside.
 * The nginx below the core is what stands here: a pool that hands out pages,
 * a lock, a log.
 */


#include "unit.h"
#include "ngx_mon_zone.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>


#define ZONE_SIZE   (512 * 1024)
#define WORKERS     3
/* in use at a time; then come others */
#define NAMES       16

/* what a killed process may leave behind: the largest piece, or a node */
#define LEAK_UNITS  (NGX_MON_CLASSES + 8)

#define check(x)  if (!(x)) { fail_msg("line %d: %s", __LINE__, #x); }


typedef struct {
    ngx_slab_pool_t  pool;
    ngx_mon_zone_t   zone;
} unit_zone_t;


static unit_zone_t          *unit;
static u_char               *pages, *pages_end, **pages_pos;
static ngx_mon_main_conf_t   conf;
static ngx_cycle_t           cycle;
static ngx_log_t             log_of_cycle;
static ngx_shm_zone_t        shm_zone;
static u_char                owned[2 * ZONE_SIZE / NGX_MON_UNIT];
static ngx_uint_t            kills;


/* nginx */

volatile ngx_msec_t          ngx_current_msec;
volatile ngx_cycle_t        *ngx_cycle = &cycle;
ngx_pid_t                    ngx_pid;
ngx_uint_t                   ngx_pagesize = 4096;
uint32_t                     ngx_crc32_table256[256];
sig_atomic_t                 ngx_terminate, ngx_quit;
ngx_uint_t                   ngx_exiting;

/* ngx_mon_module.c */

ngx_mon_hist_map_t           ngx_mon_hist_tables;
ngx_uint_t                   ngx_mon_hist_stride;
ngx_uint_t                   ngx_mon_active;
ngx_mon_main_conf_t         *ngx_mon_conf = &conf;


ngx_uint_t
ngx_shmtx_trylock(ngx_shmtx_t *mtx)
{
    return *mtx->lock == 0 && ngx_atomic_cmp_set(mtx->lock, 0, ngx_pid);
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    (void) ngx_atomic_cmp_set(mtx->lock, ngx_pid, 0);
}


ngx_uint_t
ngx_shmtx_force_unlock(ngx_shmtx_t *mtx, ngx_pid_t pid)
{
    return ngx_atomic_cmp_set(mtx->lock, pid, 0);
}


void *
ngx_slab_alloc_locked(ngx_slab_pool_t *pool, size_t size)
{
    u_char  *p;

    p = *pages_pos;

    if ((size_t) (pages_end - p) < size) {
        return NULL;
    }

    *pages_pos = p + size;

    return p;
}


void *
ngx_slab_calloc(ngx_slab_pool_t *pool, size_t size)
{
    return ngx_slab_alloc_locked(pool, ngx_align(size, ngx_pagesize));
}


uint32_t
ngx_murmur_hash2(u_char *data, size_t len)
{
    uint32_t  h;

    for (h = 2166136261u; len; len--) {
        h = (h ^ *data++) * 16777619;
    }

    return h ^ h >> 15;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    return calloc(1, size);
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    return calloc(1, size);
}


/* for "/proc/%P/stat%Z" only */

u_char * ngx_cdecl
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    int      pid;
    va_list  args;

    va_start(args, fmt);
    pid = va_arg(args, int);
    va_end(args);

    return buf + sprintf((char *) buf, "/proc/%d/stat", pid) + 1;
}


static void
unit_time(void)
{
    ngx_current_msec = ngx_mon_now() / 1000;
}


/* a zone as ngx_mon_zone.c makes it */

static void
unit_zone_init(void)
{
    size_t            size, len;
    ngx_uint_t        g;
    ngx_str_t         values[4];
    ngx_mon_node_t   *n;
    ngx_mon_zone_t   *z;
    u_char            key[NGX_MON_KEY_MAX];

    size = ZONE_SIZE + 64 * ngx_pagesize;

    unit = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                -1, 0);
    check(unit != MAP_FAILED);

    pages_pos = (u_char **) (unit + 1);
    pages = (u_char *) unit + ngx_align(sizeof(unit_zone_t) + 64,
                                        ngx_pagesize);
    pages_end = (u_char *) unit + size;
    *pages_pos = pages;

    z = &unit->zone;
    unit->pool.mutex.lock = &unit->pool.lock.lock;
    unit->pool.end = pages_end;

    ngx_mon_registry_init();

    z->nslots = 4;
    z->nmembers = 8;
    z->nbuckets = 512;
    z->members = ngx_slab_calloc(&unit->pool,
                                 9 * sizeof(ngx_mon_member_t));
    z->buckets = ngx_slab_calloc(&unit->pool, 512 * sizeof(void *));
    z->generation = 1;
    z->conf = 1;

    check(ngx_mon_alloc_init(z, &unit->pool) == NGX_OK);

    conf.inactive = 5;
    conf.bounds.n = 2;
    conf.bounds.us[0] = 100;
    conf.bounds.us[1] = 1000;
    conf.layout = &conf.bounds;
    conf.shm_zone = &shm_zone;

    ngx_mon_zone = z;
    ngx_mon_pool = &unit->pool;
    ngx_mon_bounds = conf.layout;
    ngx_mon_hist_stride = ngx_mon_hist_cells(2);
    ngx_mon_hist_map(&ngx_mon_hist_tables, conf.layout);

    cycle.log = &log_of_cycle;

    for (g = 0; g < NGX_MON_NGROUPS; g++) {
        ngx_str_set(&values[0], "other");
        values[1] = values[2] = values[3] = values[0];

        len = ngx_mon_key(key, g, 0, NULL, values, ngx_mon_groups[g].nlabels);
        n = ngx_mon_node_make_locked(z, &unit->pool, g, NULL,
                                     ngx_mon_key_hash(g, NULL, key, len),
                                     key, len, 0);
        check(n && ngx_mon_block_make_locked(z, &unit->pool, n, 0,
                                             conf.layout));
        n->conf = NGX_MON_FOREVER;
        z->lists[g].other = n;
    }
}


/* workers */

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

    if (held[i]) {
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


/* the judgement, under the lock */

static void
unit_own(ngx_mon_zone_t *z, void *p, size_t units)
{
    size_t  i, k;

    i = ((u_char *) p - z->base) / NGX_MON_UNIT;

    check((u_char *) p >= z->base && i + units <= z->nunits);
    check(((u_char *) p - z->base) % NGX_MON_UNIT == 0);

    for (k = i; k < i + units; k++) {
        check(!owned[k]);
        check(z->map[k / 64] >> (k % 64) & 1);
        owned[k] = 1;
    }
}


static ngx_uint_t
unit_owned(ngx_mon_zone_t *z, ngx_mon_node_t *n)
{
    return owned[((u_char *) n - z->base) / NGX_MON_UNIT];
}


static void
unit_node(ngx_mon_zone_t *z, ngx_mon_node_t *n)
{
    uint64_t          mark;
    ngx_mon_block_t  *b;

    unit_own(z, n, n->units);

    check(n->state <= NGX_MON_DEAD_NODE);
    check(n->hash == ngx_mon_key_hash(n->group, n->parent, n->key, n->len));

    for (b = n->blocks; b; b = b->next) {
        unit_own(z, b, b->units);
        check(b->slot <= z->nslots);

        mark = 0;

        if (n->group == NGX_MON_G_LOCATION) {
            mark = b->cells[NGX_MON_SLOW];
        } else if (n->group == NGX_MON_G_REQUEST) {
            mark = b->cells[NGX_MON_REQUESTS];
        }

        check(mark == 0 || mark == n->hash);
    }
}


static void
unit_lists(ngx_mon_zone_t *z)
{
    ngx_uint_t       g, i, n;
    ngx_mon_node_t  *node, *p;

    for (g = 0, n = 0; g < NGX_MON_NGROUPS; g++) {

        for (node = z->lists[g].head; node; node = node->next) {
            check(node->group == g);
            unit_node(z, node);
            n++;

            if (node->parent) {
                check(node->parent->children);
                check(node->parent->state != NGX_MON_DEAD_NODE);
            }

            for (p = z->buckets[node->hash & (z->nbuckets - 1)];
                 p && p != node;
                 p = p->chain) { /* void */ }

            check(p == node);
        }
    }

    check(z->series <= n + kills && z->series + kills >= n);

    /* one that was not listed is one whose maker was killed */

    for (i = 0, n = 0; i < z->nbuckets; i++) {
        for (node = z->buckets[i]; node; node = node->chain) {
            if (!unit_owned(z, node)) {
                unit_node(z, node);
                n++;
            }
        }
    }

    check(n <= kills);

    for (node = z->limbo; node; node = node->limbo) {
        check(node->state == NGX_MON_DEAD_NODE);
        unit_node(z, node);
    }
}


static void
unit_judge(void)
{
    ngx_uint_t       i, k, run, leaked;
    ngx_mon_zone_t  *z;

    z = &unit->zone;

    ngx_mon_lock(ngx_mon_pool);

    ngx_memzero(owned, sizeof(owned));
    unit_lists(z);

    for (i = 0, leaked = 0; i < z->nunits; i++) {
        leaked += !owned[i] && (z->map[i / 64] >> (i % 64) & 1);
    }

    check(leaked <= kills * LEAK_UNITS);

    /* no room is overlooked */

    for (k = 1; k <= NGX_MON_CLASSES; k += 7) {
        for (i = 0, run = 0; i < z->nunits; i++) {
            run = (z->map[i / 64] >> (i % 64) & 1) ? 0 : run + 1;
            check(run < k || i + 1 - k >= z->first[k]);
        }
    }

    ngx_mon_unlock(ngx_mon_pool);
}


/* a parent whose child was lost with its maker can't go */

static ngx_uint_t
unit_left(ngx_mon_zone_t *z)
{
    ngx_uint_t       g, left;
    ngx_mon_node_t  *n;

    left = 0;

    for (g = 0; g < NGX_MON_NGROUPS; g++) {
        for (n = z->lists[g].head; n; n = n->next) {
            left += n->conf != NGX_MON_FOREVER && n->children == 0;
        }
    }

    return left;
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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(zone_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
