
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The client of exact.t: sends GET requests on keep-alive connections to
 * 127.0.0.1, DEPTH of them at a time on each, OFFER a second in all, or with
 * OFFER 0 as many as are answered, and judges what a limit of COUNT requests
 * in PERIOD nanoseconds with that BURST let through.
 *
 *     saturate PORT URI CONNECTIONS DEPTH OFFER SECONDS COUNT PERIOD BURST
 *
 * When a request was judged is not known, but that it was between the time it
 * was sent and the time the answer had come; all below is true of whatever it
 * was within these.  nginx and this read the same clock.
 *
 *     over    By how many requests more were admitted than burst + 1 + rate x
 *             time, in that of all windows where it is the most: never above 0.
 *     short   By how many fewer were than burst + rate x time, from the first
 *             one to the last one refused: not above 0 where each request that
 *             could be admitted was there in time.
 *     steady  The same from the first one refused, without the burst.
 *     gap     The longest time between two refusals, in seconds: as long as it
 *             is below burst / rate the limit was reached all the time.
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


#define MAX_CONNECTIONS  256
#define MAX_DEPTH        64
#define MAX_ANSWERS      4000000
#define MAX_WORKERS      256


typedef struct {
    double       sent;
    double       come;
} answer_t;


typedef struct {
    answer_t    *elts;
    size_t       nelts;
} answers_t;


typedef struct {
    int          fd;
    int          waiting;    /* requests that are not answered */
    double       sent;
    double       due;
    size_t       len;
    char         buf[65536];
} conn_t;


static int        ep, port, nconns, depth, left;
static double     step, end;
static char       request[MAX_DEPTH * 256];
static size_t     request_len;
static conn_t     conns[MAX_CONNECTIONS];
static answers_t  admitted, refused;
static long       others, lost;
static long       workers[MAX_WORKERS];
static int        nworkers;


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


/* seconds since the start: exact to nanoseconds in a double */

static double
now(void)
{
    struct timespec  ts;

    static time_t    start;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    if (start == 0) {
        start = ts.tv_sec;
    }

    return ts.tv_sec - start + ts.tv_nsec / 1e9;
}


static void
add_answer(answers_t *a, double sent, double come)
{
    if (a->elts == NULL) {
        a->elts = malloc(MAX_ANSWERS * sizeof(answer_t));
        if (a->elts == NULL) {
            die("no memory");
        }
    }

    if (a->nelts == MAX_ANSWERS) {
        die("too many answers");
    }

    a->elts[a->nelts].sent = sent;
    a->elts[a->nelts++].come = come;
}


static void
add_worker(long worker)
{
    int  i;

    for (i = 0; i < nworkers; i++) {
        if (workers[i] == worker) {
            return;
        }
    }

    if (nworkers < MAX_WORKERS) {
        workers[nworkers++] = worker;
    }
}


static void
conn_open(conn_t *c)
{
    int                 on = 1;
    struct sockaddr_in  sin;
    struct epoll_event  ev;

    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd == -1) {
        die("socket failed: %s", strerror(errno));
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

    c->waiting = 0;
    c->len = 0;
}


static void
conn_send(conn_t *c, double t)
{
    int  i;

    c->sent = now();
    c->waiting = depth;
    left++;

    /* where this fails the connection is closed, which will be read */

    (void) !send(c->fd, request, request_len, MSG_NOSIGNAL);

    /* at its times, those left out that are over */

    for (i = 0; step > 0 && c->due <= t; i++) {
        c->due += step;
    }
}


/* returns the length of the answer in buf, 0 if it is not whole */

static size_t
parse(const char *buf, size_t len, int *status, long *worker)
{
    char    *p, *head;
    size_t   n;

    head = memmem(buf, len, "\r\n\r\n", 4);

    if (head == NULL) {
        return 0;
    }

    p = memmem(buf, head - buf, "\r\nContent-Length: ", 18);

    if (p == NULL) {
        die("an answer without a length: %.200s", buf);
    }

    n = head + 4 - buf + strtoul(p + 18, NULL, 10);

    if (len < n) {
        return 0;
    }

    p = memmem(buf, head - buf, "\r\nX-Worker: ", 12);

    *worker = p ? atol(p + 12) : 0;
    *status = atoi(buf + sizeof("HTTP/1.1 ") - 1);

    return n;
}


static void
conn_lost(conn_t *c)
{
    if (c->waiting) {
        lost += c->waiting;
        left--;
    }

    close(c->fd);
    conn_open(c);
}


static void
conn_read(conn_t *c)
{
    int      status;
    long     worker;
    char    *p;
    size_t   n;
    double   t;
    ssize_t  size;

    size = recv(c->fd, c->buf + c->len, sizeof(c->buf) - c->len - 1,
                MSG_DONTWAIT);

    if (size == -1 && errno == EAGAIN) {
        return;
    }

    if (size <= 0) {
        conn_lost(c);
        return;
    }

    t = now();
    c->len += size;
    c->buf[c->len] = '\0';
    p = c->buf;

    for ( ;; ) {
        n = parse(p, c->buf + c->len - p, &status, &worker);

        if (n == 0) {
            break;
        }

        if (status == 200) {
            add_answer(&admitted, c->sent, t);
            add_worker(worker);

        } else if (status == 429) {
            add_answer(&refused, c->sent, t);

        } else {
            others++;
        }

        p += n;

        if (--c->waiting == 0) {
            left--;
        }
    }

    c->len -= p - c->buf;
    memmove(c->buf, p, c->len);
}


static int
cmp_come(const void *a, const void *b)
{
    double  x, y;

    x = ((const answer_t *) a)->come;
    y = ((const answer_t *) b)->come;

    return x < y ? -1 : x > y;
}


static int
cmp_double(const void *a, const void *b)
{
    double  x, y;

    x = *(const double *) a;
    y = *(const double *) b;

    return x < y ? -1 : x > y;
}


/*
 * The maximum of (requests within a..b) - rate * (b - a).  A tree has for
 * each a, where a request was sent, rate * a + requests within a..b, as b
 * goes through the times at which answers came: a node's maximum, without
 * what was added to the nodes above it.
 */

static double   *tree, *added;
static size_t    leaves;


static void
tree_add(size_t node, size_t from, size_t to, size_t last)
{
    size_t  mid;

    if (to <= last) {
        tree[node] += 1;
        added[node] += 1;
        return;
    }

    mid = (from + to) / 2;
    tree_add(2 * node, from, mid, last);

    if (last > mid) {
        tree_add(2 * node + 1, mid + 1, to, last);
    }

    tree[node] = (tree[2 * node] > tree[2 * node + 1] ? tree[2 * node]
                  : tree[2 * node + 1]) + added[node];
}


/* of those up to last */

static double
tree_max(size_t node, size_t from, size_t to, size_t last)
{
    size_t  mid;
    double  left, right;

    if (to <= last) {
        return tree[node];
    }

    mid = (from + to) / 2;
    left = tree_max(2 * node, from, mid, last);

    if (last > mid) {
        right = tree_max(2 * node + 1, mid + 1, to, last);
        left = right > left ? right : left;
    }

    return left + added[node];
}


static void
tree_build(const double *sent, size_t n, double rate)
{
    size_t  i;

    for (leaves = 1; leaves < n; leaves *= 2) { /* void */ }

    tree = malloc(2 * leaves * sizeof(double));
    added = calloc(2 * leaves, sizeof(double));

    if (tree == NULL || added == NULL) {
        die("no memory");
    }

    for (i = 0; i < leaves; i++) {
        tree[leaves + i] = i < n ? rate * sent[i] : -1e18;
    }

    for (i = leaves - 1; i > 0; i--) {
        tree[i] = tree[2 * i] > tree[2 * i + 1] ? tree[2 * i]
                                                : tree[2 * i + 1];
    }
}


/* the number of the last one that is not above v; the first one is not */

static size_t
place(const double *sent, size_t n, double v)
{
    size_t  lo, hi, mid;

    lo = 0;
    hi = n - 1;

    while (lo < hi) {
        mid = (lo + hi + 1) / 2;

        if (sent[mid] <= v) {
            lo = mid;

        } else {
            hi = mid - 1;
        }
    }

    return lo;
}


static double
most(double rate)
{
    size_t     i, n;
    double    *sent, max, v;
    answer_t  *a;

    n = admitted.nelts;

    sent = malloc(n * sizeof(double));
    if (sent == NULL) {
        die("no memory");
    }

    for (i = 0; i < n; i++) {
        sent[i] = admitted.elts[i].sent;
    }

    qsort(sent, n, sizeof(double), cmp_double);
    qsort(admitted.elts, n, sizeof(answer_t), cmp_come);
    tree_build(sent, n, rate);

    max = -1e18;

    for (i = 0; i < n; i++) {
        a = &admitted.elts[i];

        tree_add(1, 0, leaves - 1, place(sent, n, a->sent));

        v = tree_max(1, 0, leaves - 1, place(sent, n, a->come))
            - rate * a->come;
        max = v > max ? v : max;
    }

    free(sent);

    return max;
}


/* of those admitted, how many may have been judged within these times */

static size_t
within(double from, double to)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < admitted.nelts; i++) {
        n += admitted.elts[i].come >= from && admitted.elts[i].sent <= to;
    }

    return n;
}


static void
judge(double rate, double burst)
{
    size_t     i;
    double     gap, first;
    answer_t  *a, *b;

    printf("admitted %zu\nrefused %zu\nothers %ld\nlost %ld\nworkers %d\n",
           admitted.nelts, refused.nelts, others, lost, nworkers);

    if (admitted.nelts == 0) {
        return;
    }

    printf("over %.6f\n", most(rate) - burst - 1);

    if (refused.nelts < 2) {
        return;
    }

    qsort(refused.elts, refused.nelts, sizeof(answer_t), cmp_come);

    gap = 0;
    first = admitted.elts[0].come;
    a = &refused.elts[0];

    for (b = a + 1; b < a + refused.nelts; b++) {
        gap = b->come - b[-1].sent > gap ? b->come - b[-1].sent : gap;
    }

    b--;

    /* the last one to have been sent: others may have come behind it */

    for (i = 0; i < refused.nelts; i++) {
        b = refused.elts[i].sent > b->sent ? &refused.elts[i] : b;
    }

    printf("time %.6f\ngap %.6f\n", b->sent - first, gap);
    printf("short %.6f\n", burst + rate * (b->sent - first)
           - within(0, b->come));
    printf("steady %.6f\n", rate * (b->sent - a->come)
           - within(a->sent, b->come));
}


static int
until(double t)
{
    int     i;
    double  next;

    next = end;

    for (i = 0; i < nconns; i++) {
        if (conns[i].waiting == 0 && conns[i].due < next) {
            next = conns[i].due;
        }
    }

    return next <= t ? 0 : (int) ((next - t) * 1e3) + 1;
}


static void
run(double seconds)
{
    int                  i, n;
    double               t;
    struct epoll_event   events[MAX_CONNECTIONS];

    t = now();
    end = t + seconds;

    for (i = 0; i < nconns; i++) {
        conn_open(&conns[i]);
        conns[i].due = now() + 0.05 + step * i / nconns;
    }

    /* what was sent is waited for, but not for ever */

    while ((t = now()) < end || (left && t < end + 10)) {

        for (i = 0; i < nconns && t < end; i++) {
            if (conns[i].waiting == 0 && conns[i].due <= t) {
                conn_send(&conns[i], t);
            }
        }

        n = epoll_wait(ep, events, MAX_CONNECTIONS, t < end ? until(t) : 100);

        for (i = 0; i < n; i++) {
            conn_read(events[i].data.ptr);
        }
    }
}


int
main(int argc, char **argv)
{
    int     i;
    double  offer;

    if (argc != 10) {
        die("usage: saturate PORT URI CONNECTIONS DEPTH OFFER SECONDS COUNT "
            "PERIOD BURST");
    }

    port = atoi(argv[1]);
    nconns = atoi(argv[3]);
    depth = atoi(argv[4]);
    offer = atof(argv[5]);

    if (nconns < 1 || nconns > MAX_CONNECTIONS || depth < 1
        || depth > MAX_DEPTH || strlen(argv[2]) > 128)
    {
        die("out of range");
    }

    step = offer > 0 ? nconns * depth / offer : 0;

    for (i = 0; i < depth; i++) {
        request_len += sprintf(request + request_len,
                               "GET %s HTTP/1.1\r\nHost: test\r\n\r\n",
                               argv[2]);
    }

    ep = epoll_create1(EPOLL_CLOEXEC);
    if (ep == -1) {
        die("epoll failed");
    }

    run(atof(argv[6]));
    judge(atof(argv[7]) * 1e9 / atof(argv[8]), atof(argv[9]));

    return 0;
}
