
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The client of bench/run.  It talks HTTP/1.1 to 127.0.0.1 over blocking
 * sockets, one request at a time, and prints "name value" lines; microseconds.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define MAX_WORKERS  64
#define MAX_TRIES    4096


typedef struct {
    int      fd;
    size_t   len;
    size_t   body;      /* bytes of the body of the last response */
    char    *start;     /* of the body, as far as it is in buf */
    char     buf[65536];
} conn_t;


static conn_t  conns[MAX_WORKERS];


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

    return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}


static void
sleep_until(double t)
{
    struct timespec  ts;

    ts.tv_sec = t / 1e6;
    ts.tv_nsec = (t - ts.tv_sec * 1e6) * 1e3;

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) != 0) {
        /* interrupted */
    }
}


static void
conn_open(conn_t *c, int port, int rcvbuf)
{
    int                 on = 1;
    struct timeval      tv;
    struct sockaddr_in  sin;

    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd == -1) {
        die("socket failed");
    }

    if (rcvbuf) {
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(int));
    }

    tv.tv_sec = 30;
    tv.tv_usec = 0;

    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int));

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1) {
        die("connect to port %d failed", port);
    }
}


static void
conn_send(conn_t *c, const char *uri, const char *headers)
{
    int   n;
    char  req[8192];

    n = snprintf(req, sizeof(req), "GET %s HTTP/1.1\r\nHost: bench\r\n%s\r\n",
                 uri, headers);

    if (send(c->fd, req, n, MSG_NOSIGNAL) != n) {
        die("send of \"%s\" failed", uri);
    }
}


/* reads a response with a Content-Length */

static void
conn_recv(conn_t *c)
{
    char     *p, *end;
    ssize_t   n;

    c->len = 0;

    do {
        n = recv(c->fd, c->buf + c->len, sizeof(c->buf) - 1 - c->len, 0);
        if (n <= 0) {
            die("connection closed or timed out");
        }

        c->len += n;
        c->buf[c->len] = '\0';
        end = strstr(c->buf, "\r\n\r\n");

    } while (end == NULL);

    if (strncmp(c->buf, "HTTP/1.1 200", 12) != 0) {
        die("not a 200 response: %.30s", c->buf);
    }

    p = strcasestr(c->buf, "\r\nContent-Length:");
    if (p == NULL || p > end) {
        die("no length of the response");
    }

    c->start = end + 4;
    c->body = strtoul(p + 17, NULL, 10);

    while (c->len < (size_t) (c->start - c->buf) + c->body) {
        n = recv(c->fd, c->buf + c->len, sizeof(c->buf) - 1 - c->len, 0);
        if (n <= 0) {
            die("connection closed or timed out");
        }

        c->len += n;
    }

    c->buf[c->len] = '\0';
}


static void
conn_get(conn_t *c, const char *uri)
{
    conn_send(c, uri, "");
    conn_recv(c);
}


/* a URI that may hold a %d */

static const char *
numbered(const char *format, int i)
{
    static char  uri[4096];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
    snprintf(uri, sizeof(uri), format, i);
#pragma GCC diagnostic pop

    return uri;
}


/* goes before all other processes of its core: whether it may */

static int
first(void)
{
    struct sched_param  param;

    param.sched_priority = 1;

    return sched_setscheduler(0, SCHED_FIFO, &param) == 0;
}


/*
 * client count PORT URI N CONNS: keep-alive connections, one request in each.
 * A server on the same core sees them all at once.
 */

static void
count(int port, char **argv)
{
    long  i, k, n, m;

    n = atol(argv[1]);
    m = atol(argv[2]);

    if (m < 1 || m > MAX_WORKERS) {
        die("1 to %d connections", MAX_WORKERS);
    }

    for (i = 0; i < m; i++) {
        conn_open(&conns[i], port, 0);
    }

    first();

    for (i = 0; i < n; i += m) {

        for (k = 0; k < m && i + k < n; k++) {
            conn_send(&conns[k], numbered(argv[0], i + k), "");
        }

        for (k = 0; k < m && i + k < n; k++) {
            conn_recv(&conns[k]);
        }
    }

    printf("requests %ld\n", n);
}


/* how often the text begins in what comes, which may come in any pieces */

typedef struct {
    const char  *text;
    size_t       matched;
    long         found;
} search_t;


static void
search(search_t *s, const char *p, size_t len)
{
    for ( /* void */ ; len; len--, p++) {

        if (*p != s->text[s->matched]) {
            s->matched = (*p == s->text[0]);

        } else if (s->text[++s->matched] == '\0') {
            s->matched = 0;
            s->found++;
        }
    }
}


/*
 * client many PORT URI N DEPTH: one connection, so many requests in it at a
 * time
 */

static void
many(int port, char **argv)
{
    int        n, depth, i, len;
    char      *requests, *p;
    conn_t    *c = &conns[0];
    ssize_t    got;
    search_t   all = { "HTTP/1.1 ", 0, 0 };
    search_t   good = { "HTTP/1.1 200", 0, 0 };

    n = atoi(argv[1]);
    depth = atoi(argv[2]);
    requests = malloc(depth * 4200);

    if (requests == NULL) {
        die("no memory");
    }

    conn_open(c, port, 0);

    for (i = 0; i < n; /* void */) {

        for (p = requests, len = 0; len < depth && i < n; len++, i++) {
            p += sprintf(p, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n",
                         numbered(argv[0], i));
        }

        if (send(c->fd, requests, p - requests, MSG_NOSIGNAL)
            != p - requests)
        {
            die("send failed");
        }

        while (good.found < i) {
            got = recv(c->fd, c->buf, sizeof(c->buf), 0);
            if (got <= 0) {
                die("connection closed or timed out");
            }

            search(&all, c->buf, got);
            search(&good, c->buf, got);

            if (all.found > good.found + 1) {
                die("not a 200 response");
            }
        }
    }

    free(requests);
    printf("requests %d\n", n);
}


/* opens a connection to each worker: /pid answers with the worker's pid */

static void
connect_workers(int port, int workers)
{
    int      i, found, tries, pids[MAX_WORKERS];
    conn_t  *c;

    found = 0;

    for (tries = 0; found < workers; tries++) {

        if (tries == MAX_TRIES || workers > MAX_WORKERS) {
            die("only %d of %d workers answer", found, workers);
        }

        c = &conns[found];
        conn_open(c, port, 0);
        conn_get(c, "/pid");
        pids[found] = atoi(c->start);

        for (i = 0; pids[i] != pids[found]; i++) {
            /* void */
        }

        if (i == found) {
            found++;
            continue;
        }

        close(c->fd);
    }
}


/* client fill PORT FORMAT FROM TO WORKERS: each URI once to each worker */

static void
fill(int port, char **argv)
{
    int  i, w, workers;

    workers = atoi(argv[3]);
    connect_workers(port, workers);

    for (i = atoi(argv[1]); i < atoi(argv[2]); i++) {
        for (w = 0; w < workers; w++) {
            conn_get(&conns[w], numbered(argv[0], i));
        }
    }

    printf("requests %d\n", (atoi(argv[2]) - atoi(argv[1])) * workers);
}


static int
compare(const void *a, const void *b)
{
    double  x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}


static void
print_quantiles(double *v, long n)
{
    qsort(v, n, sizeof(double), compare);

    printf("requests %ld\np50 %.0f\np99 %.0f\np999 %.0f\nmax %.0f\n", n,
           v[n / 2], v[n * 99 / 100], v[n * 999 / 1000], v[n - 1]);
}


/*
 * client latency PORT URI RATE SECONDS: requests at a steady rate.  A request
 * that could not be sent in time, since the one before was not answered yet,
 * is measured from when it was due.
 */

static void
latency(int port, char **argv)
{
    long                 i, n;
    double               due, step, start, *v;
    conn_t              *c = &conns[0];

    n = atol(argv[1]) * atol(argv[2]);
    step = 1e6 / atol(argv[1]);

    v = calloc(n, sizeof(double));
    if (v == NULL || n == 0) {
        die("no requests");
    }

    /* the instrument must not wait for a core behind the other clients */

    printf("realtime %d\n", first());

    conn_open(c, port, 0);
    conn_get(c, argv[0]);

    due = now();

    for (i = 0; i < n; i++) {
        due += step;
        start = due;

        if (now() < due) {
            sleep_until(due);
            start = now();
        }

        conn_get(c, argv[0]);
        v[i] = now() - start;
    }

    print_quantiles(v, n);
    free(v);
}


/* one scrape to the end of the connection; returns the body's size */

static size_t
get_all(conn_t *c, int port, const char *uri, int rcvbuf, int stall)
{
    size_t   size;
    ssize_t  n;

    conn_open(c, port, rcvbuf);
    conn_send(c, uri, "Connection: close\r\n");

    if (stall) {
        usleep(stall * 1000);
    }

    size = 0;
    c->len = 0;

    for ( ;; ) {

        /* keeps the head of the response and its last 5 bytes */

        n = recv(c->fd, c->buf + c->len, sizeof(c->buf) - c->len, 0);
        if (n < 0) {
            die("scrape timed out");
        }

        if (n == 0) {
            break;
        }

        if (size == 0 && strncmp(c->buf, "HTTP/1.1 200", 12) != 0) {
            die("not a 200 response: %.30s", c->buf);
        }

        size += n;
        c->len += n;

        if (c->len > 5) {
            memmove(c->buf, c->buf + c->len - 5, 5);
            c->len = 5;
        }
    }

    if (c->len != 5 || memcmp(c->buf, "0\r\n\r\n", 5) != 0) {
        die("scrape cut after %zu bytes", size);
    }

    close(c->fd);

    return size;
}


/* client scrape PORT URI SECONDS: scrapes one after the other */

static void
scrape(int port, char **argv)
{
    long     n, max;
    size_t   size;
    double   t, v, end, worst;
    conn_t  *c = &conns[0];

    max = 1000000;
    worst = 0;
    size = 0;
    end = now() + atof(argv[1]) * 1e6;

    for (n = 0; n < max && (n == 0 || now() < end); n++) {
        t = now();
        size = get_all(c, port, argv[0], 0, 0);
        v = now() - t;
        worst = v > worst ? v : worst;
    }

    printf("scrapes %ld\nbytes %zu\nslowest %.0f\n", n, size, worst);
}


/* client stall PORT URI MS: a scrape by a client slow to read */

static void
stall(int port, char **argv)
{
    printf("bytes %zu\n",
           get_all(&conns[0], port, argv[0], 4096, atoi(argv[1])));
}


int
main(int argc, char **argv)
{
    size_t  i;

    static const struct {
        const char  *name;
        void       (*run)(int port, char **argv);
        int          args;
    } modes[] = {
        { "count", count, 3 },
        { "fill", fill, 4 },
        { "latency", latency, 3 },
        { "many", many, 3 },
        { "scrape", scrape, 2 },
        { "stall", stall, 2 }
    };

    for (i = 0; argc > 2 && i < sizeof(modes) / sizeof(modes[0]); i++) {

        if (strcmp(argv[1], modes[i].name) == 0 && argc - 3 == modes[i].args)
        {
            modes[i].run(atoi(argv[2]), argv + 3);
            return 0;
        }
    }

    die("usage: client mode port arguments: see the sources");

    return 1;
}
