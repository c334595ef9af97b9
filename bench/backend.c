
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The peers of bench/resilience and bench/adaptive: one process that serves them all, each on a
 * port of its own, and does with a request what it is told to on its standard
 * input.
 *
 *     backend PORT ...
 *
 *     mode PEER DELAY STATUS PERCENT     DELAY in microseconds, plus or minus
 *                                        a half; PERCENT of the answers have
 *                                        STATUS, and the others 200
 *     pool PEER SERVERS                  serves so many at once, and the others
 *                                        one after another; 0: all at once
 *     hang PEER                          takes requests, answers none
 *     down PEER                          refuses connections, closes those
 *                                        it has
 *     dump FILE                          writes what came, "seconds peer", the
 *                                        time being CLOCK_MONOTONIC
 *
 * Each line is answered by "ok".
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define MAX_PEERS   8
#define MAX_EVENTS  256
#define MAX_SEEN    (8 << 20)


enum { MODE_ANSWER, MODE_HANG, MODE_DOWN };


/* what epoll points to begins with its kind */

enum { KIND_CONTROL, KIND_LISTEN, KIND_CONN };


typedef struct conn_s  conn_t;

typedef struct {
    int         kind;
    int         fd;         /* -1: refuses */
    int         port;
    int         mode;
    long        delay;
    int         status;
    int         percent;
    int         servers;
    int         serving;
    conn_t     *conns;
    conn_t     *line;       /* those that no server is free for */
    conn_t    **end;
} peer_t;


struct conn_s {
    int         kind;
    int         fd;         /* -1: to be freed */
    peer_t     *peer;
    conn_t     *prev;       /* of the peer */
    conn_t     *next;
    int         waits;      /* with an answer due */
    int         lines;      /* up, for a server */
    conn_t     *behind;
    int         status;
    double      due;
    conn_t     *before;     /* among those that wait, by due */
    conn_t     *after;
    size_t      len;
    char        buf[4096];
};


typedef struct {
    double      time;
    int         peer;
} seen_t;


static int      ep;
static int      npeers;
static peer_t   peers[MAX_PEERS];
static conn_t  *first, *last;           /* that wait */
static conn_t  *closed;
static seen_t  *seen;
static size_t   nseen;


static void
die(const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


static void
watch(int fd, void *data)
{
    struct epoll_event  ev;

    ev.events = EPOLLIN;
    ev.data.ptr = data;

    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == -1) {
        die("epoll_ctl failed");
    }
}


static void
peer_listen(peer_t *p)
{
    int                 on = 1;
    struct sockaddr_in  sin;

    p->fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    if (p->fd == -1) {
        die("socket failed");
    }

    setsockopt(p->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(int));

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(p->port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (bind(p->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(p->fd, 4096) == -1)
    {
        die("can't listen on port %d: %s", p->port, strerror(errno));
    }

    watch(p->fd, p);
}


static void
conn_unwait(conn_t *c)
{
    if (!c->waits) {
        return;
    }

    *(c->before ? &c->before->after : &first) = c->after;
    *(c->after ? &c->after->before : &last) = c->before;

    c->waits = 0;
    c->peer->serving--;
}


static void
conn_unline(conn_t *c)
{
    conn_t  **p;

    if (!c->lines) {
        return;
    }

    for (p = &c->peer->line; *p != c; p = &(*p)->behind) { /* void */ }

    *p = c->behind;

    if (*p == NULL) {
        c->peer->end = p;
    }

    c->lines = 0;
}


/* freed after the events, one of which may still point to it */

static void
conn_close(conn_t *c)
{
    conn_unwait(c);
    conn_unline(c);

    *(c->prev ? &c->prev->next : &c->peer->conns) = c->next;

    if (c->next) {
        c->next->prev = c->prev;
    }

    close(c->fd);
    c->fd = -1;

    c->next = closed;
    closed = c;
}


static void
conn_accept(peer_t *p)
{
    int      fd, on = 1;
    conn_t  *c;

    while ((fd = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK)) != -1) {

        c = calloc(1, sizeof(conn_t));
        if (c == NULL) {
            die("no memory");
        }

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int));

        c->kind = KIND_CONN;
        c->fd = fd;
        c->peer = p;
        c->next = p->conns;

        if (c->next) {
            c->next->prev = c;
        }

        p->conns = c;

        watch(fd, c);
    }
}


static void
conn_wait(conn_t *c, double due)
{
    conn_t  *prev;

    for (prev = last; prev && prev->due > due; prev = prev->before) {
        /* void */
    }

    c->due = due;
    c->waits = 1;
    c->peer->serving++;
    c->before = prev;
    c->after = prev ? prev->after : first;

    *(prev ? &prev->after : &first) = c;
    *(c->after ? &c->after->before : &last) = c;
}


static void
conn_answer(conn_t *c)
{
    int   n;
    char  buf[256];

    n = snprintf(buf, sizeof(buf), "HTTP/1.1 %d Status\r\n"
                 "Content-Length: 3\r\n"
                 "Connection: keep-alive\r\n\r\nok\n", c->status);

    if (send(c->fd, buf, n, MSG_NOSIGNAL) != n) {
        conn_close(c);
    }
}


static void
peer_serve(peer_t *p, double t)
{
    conn_t  *c;

    while (p->line && (p->servers == 0 || p->serving < p->servers)) {
        c = p->line;
        conn_unline(c);
        conn_wait(c, t + p->delay / 1e6
                         * (0.5 + random() / (double) RAND_MAX));
    }
}


static void
conn_request(conn_t *c)
{
    peer_t  *p = c->peer;
    double   t = now();

    if (nseen < MAX_SEEN) {
        seen[nseen].time = t;
        seen[nseen++].peer = p - peers;
    }

    if (p->mode != MODE_ANSWER) {
        return;
    }

    c->status = random() % 100 < p->percent ? p->status : 200;

    if (p->delay == 0) {
        conn_answer(c);
        return;
    }

    c->lines = 1;
    c->behind = NULL;
    *p->end = c;
    p->end = &c->behind;

    peer_serve(p, t);
}


/* one request at a time, and none with a body */

static void
conn_read(conn_t *c)
{
    ssize_t  n;

    if (c->fd == -1) {
        return;
    }

    n = recv(c->fd, c->buf + c->len, sizeof(c->buf) - c->len, 0);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        conn_close(c);
        return;
    }

    c->len += n;

    if (c->len >= 4 && memcmp(c->buf + c->len - 4, "\r\n\r\n", 4) == 0) {
        c->len = 0;
        conn_request(c);

    } else if (c->len == sizeof(c->buf)) {
        conn_close(c);
    }
}


static void
peer_set(peer_t *p, int mode)
{
    conn_t  *c, *next;

    p->mode = mode;

    if (mode == MODE_DOWN) {

        if (p->fd != -1) {
            close(p->fd);
            p->fd = -1;
        }

        while (p->conns) {
            conn_close(p->conns);
        }

        return;
    }

    if (p->fd == -1) {
        peer_listen(p);
    }

    for (c = p->conns; c; c = next) {
        next = c->next;

        if (mode == MODE_HANG) {
            conn_unwait(c);
            conn_unline(c);
        }
    }
}


static void
dump(const char *name)
{
    FILE    *f;
    size_t   i;

    f = fopen(name, "w");
    if (f == NULL) {
        die("can't write \"%s\"", name);
    }

    for (i = 0; i < nseen; i++) {
        fprintf(f, "%.6f %d\n", seen[i].time, seen[i].peer);
    }

    fclose(f);
}


static void
control(char *line)
{
    int      n, status, percent, servers;
    long     delay;
    char     name[4096];

    if (sscanf(line, "mode %d %ld %d %d", &n, &delay, &status, &percent) == 4
        && n >= 0 && n < npeers)
    {
        peers[n].delay = delay;
        peers[n].status = status;
        peers[n].percent = percent;
        peer_set(&peers[n], MODE_ANSWER);

    } else if (sscanf(line, "pool %d %d", &n, &servers) == 2
               && n >= 0 && n < npeers)
    {
        peers[n].servers = servers;
        peer_serve(&peers[n], now());

    } else if (sscanf(line, "hang %d", &n) == 1 && n >= 0 && n < npeers) {
        peer_set(&peers[n], MODE_HANG);

    } else if (sscanf(line, "down %d", &n) == 1 && n >= 0 && n < npeers) {
        peer_set(&peers[n], MODE_DOWN);

    } else if (sscanf(line, "dump %4095s", name) == 1) {
        dump(name);

    } else {
        die("what is \"%s\"?", line);
    }

    printf("ok\n");
    fflush(stdout);
}


static void
control_read(void)
{
    char           *end;
    ssize_t         n;
    static size_t   len;
    static char     buf[8192];

    n = read(STDIN_FILENO, buf + len, sizeof(buf) - 1 - len);
    if (n <= 0) {
        exit(0);
    }

    len += n;
    buf[len] = '\0';

    while ((end = strchr(buf, '\n')) != NULL) {
        *end++ = '\0';
        control(buf);
        len -= end - buf;
        memmove(buf, end, len + 1);
    }
}


static int
answer_due(void)
{
    int      i;
    double   t, left;
    conn_t  *c;

    t = now();

    /* those of whom another one has left */

    for (i = 0; i < npeers; i++) {
        peer_serve(&peers[i], t);
    }

    while (first && first->due <= t) {
        c = first;
        conn_unwait(c);
        peer_serve(c->peer, t);
        conn_answer(c);
    }

    if (first == NULL) {
        return -1;
    }

    left = (first->due - t) * 1e3;

    return left < 1 ? 1 : (int) left;
}


int
main(int argc, char **argv)
{
    int                  i, n, kind = KIND_CONTROL;
    conn_t              *c;
    struct epoll_event   events[MAX_EVENTS];

    npeers = argc - 1;

    if (npeers < 1 || npeers > MAX_PEERS) {
        die("usage: backend PORT ...");
    }

    ep = epoll_create1(EPOLL_CLOEXEC);
    seen = malloc(sizeof(seen_t) * MAX_SEEN);

    if (ep == -1 || seen == NULL) {
        die("no memory");
    }

    watch(STDIN_FILENO, &kind);

    for (i = 0; i < npeers; i++) {
        peers[i].kind = KIND_LISTEN;
        peers[i].end = &peers[i].line;
        peers[i].port = atoi(argv[i + 1]);
        peer_listen(&peers[i]);
    }

    for ( ;; ) {
        n = epoll_wait(ep, events, MAX_EVENTS, answer_due());

        for (i = 0; i < n; i++) {

            switch (*(int *) events[i].data.ptr) {

            case KIND_CONTROL:
                control_read();
                break;

            case KIND_LISTEN:
                if (((peer_t *) events[i].data.ptr)->fd != -1) {
                    conn_accept(events[i].data.ptr);
                }
                break;

            default:
                conn_read(events[i].data.ptr);
            }
        }

        while (closed) {
            c = closed;
            closed = c->next;
            free(c);
        }
    }
}
