
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_zone.h"
#include <sys/wait.h>


#define NGX_MON_LOCK_SPIN  1024


static ngx_uint_t ngx_mon_lock_stale(ngx_pid_t pid);


/*
 * nginx lets go of the lock of a killed worker when its master reaps it, but
 * for zones of the running cycle only, and not while the master itself waits
 * here during a reload: whoever waits looks whether the holder lives.
 */

void
ngx_mon_lock(ngx_slab_pool_t *pool)
{
    ngx_pid_t   pid;
    ngx_uint_t  i;

    for ( ;; ) {

        for (i = 0; i < NGX_MON_LOCK_SPIN; i++) {

            if (ngx_shmtx_trylock(&pool->mutex)) {
                return;
            }

            ngx_cpu_pause();
        }

        pid = (ngx_pid_t) *pool->mutex.lock;

        if (pid && ngx_mon_lock_stale(pid)) {
            (void) ngx_shmtx_force_unlock(&pool->mutex, pid);

        } else {
            ngx_sched_yield();
        }
    }
}


void
ngx_mon_unlock(ngx_slab_pool_t *pool)
{
    ngx_shmtx_unlock(&pool->mutex);
}


static ngx_uint_t
ngx_mon_lock_stale(ngx_pid_t pid)
{
    siginfo_t  info;

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
