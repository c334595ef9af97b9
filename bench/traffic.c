
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The clients of bench/resilience: keep-alive connections to 127.0.0.1 that
 * send GET / at their pace, each the next one after an answer.
 *
 *     traffic PORT CLIENTS RATE SECONDS RETRIES FILE
 *
 * RATE: requests a second of all of them, 0 for as many as are answered.  An
 * answer of 5xx, or none, is asked for again up to RETRIES times.  A line for
 * each request goes to FILE, "begin latency status retry": seconds of
 * CLOCK_MONOTONIC, microseconds, 0 where no answer came, the number of the
 * retry.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
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


#define MAX_CLIENTS  512
#define TIMEOUT      20.0
#define PAUSE        0.005

#define REQUEST      "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"


typedef struct {
    int         fd;         /* -1: not connected */
    int         busy;
    int         retry;
    double      turn;       /* its own times */
    double      due;        /* of the next request */
    double      begin;      /* of this one */
    size_t      len;
    char        buf[4096];
} client_t;


static int       ep, port, retries, nclients;
static double    step, end;
static FILE     *out;
static client_t  clients[MAX_CLIENTS];


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
client_connect(client_t *c)
{
    int                 on = 1;
    struct sockaddr_in  sin;
    struct epoll_event  ev;

    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd == -1) {
        die("socket failed");
    }

    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int));

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    ev.events = EPOLLIN;
    ev.data.ptr = c;

    if (connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) == -1)
    {
        die("connect to port %d failed: %s", port, strerror(errno));
    }
}


static void
client_close(client_t *c)
{
    close(c->fd);
    c->fd = -1;
}


static void
client_send(client_t *c, double t)
{
    if (c->fd == -1) {
        client_connect(c);
    }

    c->busy = 1;
    c->len = 0;
    c->begin = t;

    /* where this fails the connection is closed, which will be read */

    (void) !send(c->fd, REQUEST, sizeof(REQUEST) - 1, MSG_NOSIGNAL);
}


static void
client_done(client_t *c, int status)
{
    double  t = now();

    fprintf(out, "%.6f %.0f %d %d\n", c->begin, (t - c->begin) * 1e6, status,
            c->retry);

    c->busy = 0;

    if ((status == 0 || status >= 500) && c->retry < retries) {
        c->retry++;
        c->due = t + PAUSE * random() / RAND_MAX;
        return;
    }

    c->retry = 0;

    /* at its own times, or all would be in step after they had to wait */

    if (step == 0) {
        c->due = t;
        return;
    }

    c->turn += step * (1 + (long) ((t - c->turn) / step));
    c->due = c->turn;
}


static void
client_read(client_t *c)
{
    int       status;
    char     *p, *head;
    ssize_t   n;

    if (c->fd == -1) {
        return;
    }

    n = recv(c->fd, c->buf + c->len, sizeof(c->buf) - 1 - c->len,
             MSG_DONTWAIT);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        client_close(c);

        if (c->busy) {
            client_done(c, 0);
        }

        return;
    }

    c->len += n;
    c->buf[c->len] = '\0';

    head = strstr(c->buf, "\r\n\r\n");
    p = strcasestr(c->buf, "\r\nContent-Length:");

    if (head == NULL || p == NULL || p > head) {

        if (c->len == sizeof(c->buf) - 1) {
            die("no answer that is understood: %.200s", c->buf);
        }

        return;
    }

    if (c->len < (size_t) (head + 4 - c->buf) + strtoul(p + 17, NULL, 10)) {
        return;
    }

    status = atoi(c->buf + sizeof("HTTP/1.1 ") - 1);

    if (strcasestr(c->buf, "\r\nConnection: close") != NULL) {
        client_close(c);
    }

    client_done(c, status);
}


/* returns milliseconds until there is something to do, -1 at the end */

static int
advance(void)
{
    int        i, busy;
    double     t, next;
    client_t  *c;

    t = now();
    next = t + 0.1;
    busy = 0;

    for (i = 0; i < nclients; i++) {
        c = &clients[i];

        if (c->busy && t - c->begin > TIMEOUT) {
            client_close(c);
            client_done(c, 0);
        }

        if (!c->busy && c->due <= t && t < end) {
            client_send(c, t);
        }

        busy += c->busy;

        if (!c->busy && c->due < next) {
            next = c->due;
        }
    }

    if (t >= end) {
        return busy ? 10 : -1;
    }

    return next <= t ? 0 : (int) ((next - t) * 1e3) + 1;
}


int
main(int argc, char **argv)
{
    int                  i, n, wait;
    double               t;
    struct epoll_event   events[MAX_CLIENTS];

    if (argc != 7) {
        die("usage: traffic PORT CLIENTS RATE SECONDS RETRIES FILE");
    }

    port = atoi(argv[1]);
    nclients = atoi(argv[2]);
    retries = atoi(argv[5]);
    out = fopen(argv[6], "w");
    ep = epoll_create1(EPOLL_CLOEXEC);

    if (nclients < 1 || nclients > MAX_CLIENTS || out == NULL || ep == -1) {
        die("1 to %d clients, and a file that can be written", MAX_CLIENTS);
    }

    t = now();
    end = t + atof(argv[4]);
    step = atof(argv[3]) > 0 ? nclients / atof(argv[3]) : 0;

    for (i = 0; i < nclients; i++) {
        clients[i].fd = -1;
        clients[i].turn = t + step * i / nclients;
        clients[i].due = clients[i].turn;
    }

    while ((wait = advance()) != -1) {
        n = epoll_wait(ep, events, MAX_CLIENTS, wait);

        for (i = 0; i < n; i++) {
            client_read(events[i].data.ptr);
        }
    }

    fclose(out);

    return 0;
}
