
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Preloaded into nginx by deadline_aio.t: while the file named in SLOW_FILE is
 * there, reads and writes of the threads of a pool take half a second.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>


static void
slow(void)
{
    const char  *name;

    name = getenv("SLOW_FILE");

    if (name && syscall(SYS_gettid) != getpid() && access(name, F_OK) == 0) {
        usleep(500000);
    }
}


ssize_t
pread64(int fd, void *buf, size_t size, off64_t offset)
{
    static ssize_t  (*next)(int, void *, size_t, off64_t);

    if (next == NULL) {
        next = dlsym(RTLD_NEXT, "pread64");
    }

    slow();

    return next(fd, buf, size, offset);
}


ssize_t
pwrite64(int fd, const void *buf, size_t size, off64_t offset)
{
    static ssize_t  (*next)(int, const void *, size_t, off64_t);

    if (next == NULL) {
        next = dlsym(RTLD_NEXT, "pwrite64");
    }

    slow();

    return next(fd, buf, size, offset);
}


ssize_t
sendfile64(int out, int in, off64_t *offset, size_t size)
{
    static ssize_t  (*next)(int, int, off64_t *, size_t);

    if (next == NULL) {
        next = dlsym(RTLD_NEXT, "sendfile64");
    }

    slow();

    return next(out, in, offset, size);
}
