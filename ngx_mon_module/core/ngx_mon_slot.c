
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"


static ngx_uint_t ngx_mon_slot_place_locked(ngx_mon_zone_t *z);
static ngx_uint_t ngx_mon_member_dead(ngx_mon_member_t *m, ngx_uint_t reused);
static void ngx_mon_slot_gauges(ngx_mon_zone_t *z, ngx_uint_t slot);


ngx_uint_t  ngx_mon_slot;
ngx_uint_t  ngx_mon_self;


ngx_int_t
ngx_mon_slot_claim(ngx_cycle_t *cycle)
{
    static ngx_uint_t  said;

    ngx_uint_t         i;
    ngx_mon_zone_t    *z;

    ngx_mon_slot_sweep(1);

    z = ngx_mon_zone;

    ngx_mon_lock(ngx_mon_pool);

    i = ngx_mon_slot_place_locked(z);

    if (i > z->nslots && i <= z->nmembers) {

        /* before another one comes that counts there, too */

        ngx_mon_self = i;
        ngx_mon_slot_gauges(z, NGX_MON_SLOT_SHARED);
    }

    ngx_mon_unlock(ngx_mon_pool);

    if (i > z->nmembers) {
        if (!said) {
            said = 1;
            ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                          "mon zone has no place for more than %ui workers, "
                          "this one does not record for now", z->nmembers);
        }

        return NGX_DECLINED;
    }

    ngx_mon_self = i;
    ngx_mon_slot = i <= z->nslots ? i : NGX_MON_SLOT_SHARED;

    if (ngx_mon_slot != NGX_MON_SLOT_SHARED) {
        ngx_mon_slot_gauges(z, ngx_mon_slot);
    }

    ngx_memory_barrier();
    z->members[ngx_mon_self].ready = 1;

    return NGX_OK;
}


/* the number of a member; past the last one where there is no place */

static ngx_uint_t
ngx_mon_slot_place_locked(ngx_mon_zone_t *z)
{
    ngx_uint_t         i;
    ngx_mon_member_t  *m;

    for (i = 1; i <= z->nmembers; i++) {

        m = &z->members[i];

        if (m->pid) {
            continue;
        }

        m->seen = z->generation;
        m->draining = 0;
        m->ready = 0;
        m->start = ngx_mon_process_start(ngx_pid);
        ngx_memory_barrier();
        m->pid = ngx_pid;

        break;
    }

    return i;
}


void
ngx_mon_slot_release(void)
{
    ngx_mon_zone_t  *z;

    z = ngx_mon_zone;

    ngx_mon_active = 0;

    (void) ngx_atomic_cmp_set(&z->leader, ngx_pid, 0);
    (void) ngx_atomic_cmp_set(&z->members[ngx_mon_self].pid, ngx_pid, 0);

    ngx_mon_self = 0;
}


void
ngx_mon_slot_sweep(ngx_uint_t reused)
{
    ngx_pid_t          pid;
    ngx_uint_t         i;
    ngx_mon_zone_t    *z;
    ngx_mon_member_t  *m;

    z = ngx_mon_zone;

    for (i = 1; i <= z->nmembers; i++) {

        m = &z->members[i];
        pid = (ngx_pid_t) m->pid;

        if (pid == 0 || pid == ngx_pid || !ngx_mon_member_dead(m, reused)) {
            continue;
        }

        /* who left by itself set pid to 0: this one crashed, count it once */

        if (ngx_atomic_cmp_set(&m->pid, pid, 0)) {
            (void) ngx_atomic_fetch_add(&z->restarts, 1);
        }
    }
}


static ngx_uint_t
ngx_mon_member_dead(ngx_mon_member_t *m, ngx_uint_t reused)
{
    return ngx_mon_process_gone((ngx_pid_t) m->pid, reused ? m->start : 0);
}


ngx_uint_t
ngx_mon_process_gone(ngx_pid_t pid, uint64_t start)
{
    uint64_t  now;

    if (kill(pid, 0) == -1) {
        return ngx_errno == NGX_ESRCH;
    }

    /* another process may have got the number */

    if (start == 0) {
        return 0;
    }

    now = ngx_mon_process_start(pid);

    return now != 0 && now != start;
}


uint64_t
ngx_mon_process_start(ngx_pid_t pid)
{
    u_char    *p, name[sizeof("/proc//stat") + NGX_INT64_LEN], buf[1024];
    ssize_t    n;
    uint64_t   start;
    ngx_fd_t   fd;
    ngx_int_t  field;

    ngx_sprintf(name, "/proc/%P/stat%Z", pid);

    fd = ngx_open_file(name, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf) - 1);

    (void) ngx_close_file(fd);

    if (n <= 0) {
        return 0;
    }

    /* the second field is the name in parentheses, and may hold any byte */

    buf[n] = '\0';
    p = (u_char *) strrchr((char *) buf, ')');
    start = 0;

    for (field = 2; p && *p && field < 22; p++) {
        field += (*p == ' ');
    }

    for ( /* void */ ; p && *p >= '0' && *p <= '9'; p++) {
        start = start * 10 + (*p - '0');
    }

    return start;
}


ngx_uint_t
ngx_mon_slot_alive(ngx_mon_zone_t *z, ngx_uint_t slot)
{
    ngx_uint_t  i;

    if (slot != NGX_MON_SLOT_SHARED) {
        return slot <= z->nslots && z->members[slot].pid
               && z->members[slot].ready;
    }

    for (i = z->nslots + 1; i <= z->nmembers; i++) {
        if (z->members[i].pid && z->members[i].ready) {
            return 1;
        }
    }

    return 0;
}


/*
 * The gauges that a killed owner left behind.  The shared slot's go once
 * none of those that share it lives.
 */

static void
ngx_mon_slot_gauges(ngx_mon_zone_t *z, ngx_uint_t slot)
{
    ngx_uint_t               i, k, n;
    ngx_mon_node_t          *node;
    ngx_mon_block_t         *b;
    const ngx_mon_metric_t  *m;

    if (slot == NGX_MON_SLOT_SHARED) {
        for (i = z->nslots + 1; i <= z->nmembers; i++) {
            if (z->members[i].pid && i != ngx_mon_self) {
                return;
            }
        }
    }

    m = ngx_mon_metrics(&n);

    for (i = 0; i < n; i++) {

        if (m[i].merge != NGX_MON_LIVE) {
            continue;
        }

        for (node = z->lists[m[i].group].head; node; node = node->next) {
            for (b = node->blocks; b; b = b->next) {

                for (k = 0; b->slot == slot && k < m[i].vec->n; k++) {
                    b->cells[m[i].cell + k] = 0;
                }
            }
        }
    }
}


ngx_uint_t
ngx_mon_slot_lead(void)
{
    ngx_pid_t        pid;
    ngx_uint_t       i;
    ngx_mon_zone_t  *z;

    z = ngx_mon_zone;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        z->members[ngx_mon_self].draining = 1;
        (void) ngx_atomic_cmp_set(&z->leader, ngx_pid, 0);
        return 0;
    }

    pid = (ngx_pid_t) z->leader;

    if (pid == ngx_pid) {
        return 1;
    }

    if (pid != 0 && !(kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH)) {

        /* a stale number that another process has got */

        for (i = 1; i <= z->nmembers; i++) {
            if ((ngx_pid_t) z->members[i].pid == pid) {
                return 0;
            }
        }
    }

    return ngx_atomic_cmp_set(&z->leader, pid, ngx_pid);
}
