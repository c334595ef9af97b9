
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"
#include <sys/wait.h>


#define NGX_MON_LOCK_SPIN  1024


static ngx_uint_t ngx_mon_lock_stale(ngx_atomic_uint_t holder);


/*
 * nginx lets go of the lock of a killed worker when its master reaps it, but
 * for zones of the running cycle only, and not while the master itself waits
 * here during a reload: whoever waits looks whether the holder lives.
 */

ngx_int_t
ngx_mon_lock_word(ngx_atomic_t *lock, ngx_uint_t max)
{
    uint64_t           now, end;
    ngx_uint_t         i;
    ngx_atomic_uint_t  holder;

    end = 0;

    for ( ;; ) {

        for (i = 0; i < NGX_MON_LOCK_SPIN; i++) {

            if (*lock == 0 && ngx_atomic_cmp_set(lock, 0, ngx_pid)) {
                return NGX_OK;
            }

            ngx_cpu_pause();
        }

        holder = *lock;

        if (holder && ngx_mon_lock_stale(holder)) {

            if (ngx_atomic_cmp_set(lock, holder, ngx_pid)) {
                return NGX_OK;
            }

            continue;
        }

        if (max) {
            now = ngx_mon_now();

            if (end == 0) {
                end = now + max * 1000;

            } else if (now >= end) {
                return NGX_BUSY;
            }
        }

        ngx_sched_yield();
    }
}


void
ngx_mon_unlock_word(ngx_atomic_t *lock)
{
    (void) ngx_atomic_cmp_set(lock, ngx_pid, 0);
}


void
ngx_mon_lock(ngx_slab_pool_t *pool)
{
    (void) ngx_mon_lock_word(pool->mutex.lock, 0);
}


void
ngx_mon_unlock(ngx_slab_pool_t *pool)
{
    ngx_shmtx_unlock(&pool->mutex);
}


static ngx_uint_t
ngx_mon_lock_stale(ngx_atomic_uint_t holder)
{
    siginfo_t  info;
    ngx_pid_t  pid;

    if (holder > NGX_MAX_INT32_VALUE) {
        /* no process */
        return 1;
    }

    pid = (ngx_pid_t) holder;

    if (pid == ngx_pid) {
        /* never taken twice: a process before this one had the number */
        return 1;
    }

    if (kill(pid, 0) == -1) {
        return ngx_errno == NGX_ESRCH;
    }

    /* dead, and not reaped yet; only its parent can tell */

    ngx_memzero(&info, sizeof(siginfo_t));

    return waitid(P_PID, pid, &info, WEXITED|WNOHANG|WNOWAIT) == 0
           && info.si_pid == pid;
}
