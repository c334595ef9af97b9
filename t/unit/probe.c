
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include "ngx_mon_probe.h"


#define BIG  300000


/* cuts an answer into pieces of n bytes, 0: one, and keeps what is sent */

typedef struct {
    ngx_int_t            rc;
    ngx_mon_probe_why_t  why;
    size_t               fed;
    size_t               nsent;
    u_char               sent[4096];
} outcome_t;


static ngx_mon_probe_codes_t  ok_codes;


static void
http_feed(outcome_t *o, const char *match, const u_char *p, size_t len,
    size_t piece)
{
    u_char                 *copy;
    size_t                  n;
    uint16_t                border[NGX_MON_PROBE_MATCH_MAX];
    ngx_mon_probe_http_t    h;
    ngx_mon_probe_match_t   m;

    if (match) {
        ngx_mon_probe_match(&m, (u_char *) match, strlen(match), border);
    }

    ngx_mon_probe_http_init(&h, &ok_codes, match ? &m : NULL);

    memset(o, 0, sizeof(outcome_t));
    o->rc = NGX_AGAIN;

    while (len && o->rc == NGX_AGAIN) {
        n = piece && piece < len ? piece : len;

        /* memory of its own, for the sanitizer */

        copy = malloc(n);
        assert_non_null(copy);
        memcpy(copy, p, n);

        o->rc = ngx_mon_probe_http(&h, copy, n);

        free(copy);

        p += n;
        len -= n;
        o->fed += n;
    }

    if (o->rc == NGX_AGAIN) {
        o->rc = ngx_mon_probe_http_end(&h);
        assert_int_equal(o->rc, NGX_ERROR);
        o->fed++;
    }

    o->why = h.why;
}


static void
http_bytes(const char *match, const u_char *p, size_t len, ngx_uint_t reason,
    ngx_uint_t detail)
{
    size_t     i;
    outcome_t  o;

    static const size_t  pieces[] = { 0, 1, 2, 3, 7, 64, 4096 };

    for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {

        http_feed(&o, match, p, len, pieces[i]);

        if (o.why.reason != reason || o.why.detail != detail
            || o.rc != (reason ? NGX_ERROR : NGX_OK))
        {
            fail_msg("\"%.60s\" by %zu: reason %u, detail %u", p, pieces[i],
                     o.why.reason, o.why.detail);
        }
    }
}


static void
http(const char *match, const char *answer, ngx_uint_t reason,
    ngx_uint_t detail)
{
    http_bytes(match, (const u_char *) answer, strlen(answer), reason,
               detail);
}


static void
codes(const char *list, ngx_int_t rc, const char *in, const char *out)
{
    ngx_str_t              s;
    ngx_mon_probe_codes_t  c;

    s.len = strlen(list);
    s.data = malloc(s.len + 1);
    assert_non_null(s.data);
    memcpy(s.data, list, s.len);

    assert_int_equal(ngx_mon_probe_codes(&c, &s), rc);

    free(s.data);

    for ( /* void */ ; *in; in += (in[3] == ' ') ? 4 : 3) {
        assert_true(ngx_mon_probe_code(&c, atoi(in)));
    }

    for ( /* void */ ; *out; out += (out[3] == ' ') ? 4 : 3) {
        assert_false(ngx_mon_probe_code(&c, atoi(out)));
    }
}


static void
test_codes(void **state)
{
    codes("200", NGX_OK, "200", "199 201 100 599");
    codes("200-399", NGX_OK, "200 255 256 319 320 399", "199 400");
    codes("200,204,300-302", NGX_OK, "200 204 300 301 302", "203 299 303");
    codes("100-599", NGX_OK, "100 599 200", "600 999 099");
    codes("599", NGX_OK, "599", "598 600");
    codes("200-200", NGX_OK, "200", "199 201");

    codes("", NGX_ERROR, "", "");
    codes("2", NGX_ERROR, "", "");
    codes("20", NGX_ERROR, "", "");
    codes("2000", NGX_ERROR, "", "");
    codes("99", NGX_ERROR, "", "");
    codes("099", NGX_ERROR, "", "");
    codes("600", NGX_ERROR, "", "");
    codes("200-600", NGX_ERROR, "", "");
    codes("300-200", NGX_ERROR, "", "");
    codes("200-", NGX_ERROR, "", "");
    codes("-200", NGX_ERROR, "", "");
    codes("200,", NGX_ERROR, "", "");
    codes(",200", NGX_ERROR, "", "");
    codes("200,,204", NGX_ERROR, "", "");
    codes("200-300-400", NGX_ERROR, "", "");
    codes("200 204", NGX_ERROR, "", "");
    codes("20x", NGX_ERROR, "", "");
    codes("+20", NGX_ERROR, "", "");
}


static void
test_status(void **state)
{
    http(NULL, "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n",
         NGX_MON_PROBE_PASSED, 0);
    http(NULL, "HTTP/1.0 200\r\n\r\n", NGX_MON_PROBE_PASSED, 0);
    http(NULL, "HTTP/1.0 200 \n\n", NGX_MON_PROBE_PASSED, 0);
    http(NULL, "HTTP/12.34  302 Found\n\n", NGX_MON_PROBE_PASSED, 0);
    http(NULL, "HTTP/1.1 399 \r\n\r\nbody", NGX_MON_PROBE_PASSED, 0);

    http(NULL, "HTTP/1.1 500 No\r\n", NGX_MON_PROBE_STATUS, 500);
    http(NULL, "HTTP/1.1 404 No\r\n\r\n", NGX_MON_PROBE_STATUS, 404);
    http(NULL, "HTTP/1.1 101 Up\r\n\r\n", NGX_MON_PROBE_STATUS, 101);

    /* the status decides before anything is searched */

    http("ok", "HTTP/1.1 503 No\r\n\r\nok", NGX_MON_PROBE_STATUS, 503);

    /* interim answers */

    http(NULL, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n"
         "Link: <x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", NGX_MON_PROBE_PASSED, 0);
    http(NULL, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\n\r\n",
         NGX_MON_PROBE_STATUS, 500);
    http("x", "HTTP/1.1 103 Early\r\nContent-Length: 0\r\n\r\n"
         "HTTP/1.1 200 OK\r\n\r\nx", NGX_MON_PROBE_PASSED, 0);
    http(NULL, "HTTP/1.1 100 Continue\r\n\r\n", NGX_MON_PROBE_CLOSED, 0);
}


static void
test_garbage(void **state)
{
    http(NULL, "", NGX_MON_PROBE_CLOSED, 0);
    http(NULL, "HTT", NGX_MON_PROBE_CLOSED, 0);
    http(NULL, "HTTP/1.1 200 OK\r\nServer: x\r\n", NGX_MON_PROBE_CLOSED, 0);
    http(NULL, "HTTP/1.1 200 OK", NGX_MON_PROBE_CLOSED, 0);

    http(NULL, "SSH-2.0-x", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "\r\nHTTP/1.1 200 OK\r\n\r\n", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "<html>200", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP", NGX_MON_PROBE_CLOSED, 0);
    http(NULL, "HTTP\r\n", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/\r\n", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/1\r\n", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/1.\r\n", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/1.1\r\n", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/1.1 \r\n", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/1.1 20\r\n", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/1.1 2000\r\n", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/1.1 099 \r\n", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/1.1 600 \r\n", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/1.1 2x0 \r\n", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/x.1 200 \r\n", NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/.1 200 \r\n", NGX_MON_PROBE_INVALID, 0);
    http_bytes(NULL, (u_char *) "\0\0\0\0", 4, NGX_MON_PROBE_INVALID, 0);

    http(NULL, "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
         NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
         NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
         NGX_MON_PROBE_INVALID, 0);
    http(NULL, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n"
         "\r\n", NGX_MON_PROBE_INVALID, 0);
}


static void
test_match(void **state)
{
    http("ready", "HTTP/1.1 200 OK\r\n\r\nall is ready", 0, 0);
    http("ready", "HTTP/1.1 200 OK\r\n\r\nready", 0, 0);
    http("ready", "HTTP/1.1 200 OK\r\n\r\nreread ready", 0, 0);
    http("aab", "HTTP/1.1 200 OK\r\n\r\naaaaaaaaaab", 0, 0);
    http("abcabd", "HTTP/1.1 200 OK\r\n\r\nabcabcabcabd", 0, 0);
    http("aabaaac", "HTTP/1.1 200 OK\r\n\r\naabaabaabaaac", 0, 0);
    http("x", "HTTP/1.1 200 OK\r\n\r\nx", 0, 0);

    /* in the body only, as it was sent */

    http("ready", "HTTP/1.1 200 ready\r\nX: ready\r\n\r\nrea dy",
         NGX_MON_PROBE_NO_MATCH, 0);
    http("ready", "HTTP/1.1 200 OK\r\n\r\nREADY", NGX_MON_PROBE_NO_MATCH, 0);
    http("ready", "HTTP/1.1 200 rea\r\n\r\ndy", NGX_MON_PROBE_NO_MATCH, 0);
    http("x", "HTTP/1.1 200 OK\r\n\r\n", NGX_MON_PROBE_NO_MATCH, 0);

    http("x", "HTTP/1.1 204 OK\r\n\r\n", NGX_MON_PROBE_NO_MATCH, 0);
    http("x", "HTTP/1.1 304 OK\r\nContent-Length: 9\r\n\r\n",
         NGX_MON_PROBE_NO_MATCH, 0);
}


static void
test_length(void **state)
{
    http("end", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12end", 0, 0);
    http("end", "HTTP/1.1 200 OK\r\ncontent-length:\t6  \r\n\r\n12end6", 0, 0);

    http("end", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n12end",
         NGX_MON_PROBE_NO_MATCH, 0);
    http("end", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nend",
         NGX_MON_PROBE_NO_MATCH, 0);
    http("end", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n12345",
         NGX_MON_PROBE_CLOSED, 0);

    /* names that only look like it */

    http("end", "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n"
         "X-Content-Length: 1\r\nContent-Lengths: 1\r\n\r\n12end", 0, 0);
}


static void
test_chunked(void **state)
{
    http("end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3\r\n12e\r\n1;a=b\r\nn\r\n00A \r\nd234567890\r\n0\r\n\r\n", 0, 0);
    http("end", "HTTP/1.1 200 OK\r\nTRANSFER-encoding: gzip, CHUNKED \r\n"
         "Content-Length: 1\r\n\r\n3\nend\n", 0, 0);

    http("end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3\r\n12e\r\n0\r\nend: end\r\n\r\n", NGX_MON_PROBE_NO_MATCH, 0);
    http("end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3\r\n12e\r\n", NGX_MON_PROBE_CLOSED, 0);
    http("end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3\r\n12en\r\n", NGX_MON_PROBE_INVALID, 0);
    http("end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
         NGX_MON_PROBE_INVALID, 0);
    http("end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
         NGX_MON_PROBE_INVALID, 0);
    http("end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3g\r\n",
         NGX_MON_PROBE_INVALID, 0);
    http("end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "fffffffffffffffff\r\nend", NGX_MON_PROBE_INVALID, 0);
    http("end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\n3\r\nend",
         0, 0);
}


/* whatever the size, the end of the text is found, and no more is read */

static void
test_large(void **state)
{
    char    *p;
    size_t   n;

    p = test_malloc(BIG + 1);

    n = sprintf(p, "HTTP/1.1 200 OK\r\n\r\n");
    memset(p + n, 'a', BIG - n);
    p[BIG] = '\0';

    http("aab", p, NGX_MON_PROBE_NO_MATCH, 0);
    memcpy(p + BIG - 1, "b", 1);
    http("aab", p, 0, 0);

    memset(p + n, 'a', BIG - n);
    http("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", p, 0, 0);

    /* without a match the body is not waited for */

    http(NULL, p, 0, 0);

    /* header lines longer than the buffer, and too many */

    n = sprintf(p, "HTTP/1.1 200 OK\r\nX: ");
    memset(p + n, 'a', 60000);
    strcpy(p + n + 60000, "\r\n\r\n");
    http(NULL, p, 0, 0);

    memset(p + n, 'a', BIG - n);
    http(NULL, p, NGX_MON_PROBE_HEADER, 0);

    for (n = 0; n + 25 < BIG; n += 25) {
        memcpy(p + n, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    }

    p[n] = '\0';
    http(NULL, p, NGX_MON_PROBE_HEADER, 0);

    test_free(p);
}


static ngx_uint_t
naive(const u_char *p, size_t n, const u_char *text, size_t len)
{
    size_t  i;

    for (i = 0; i + len <= n; i++) {
        if (memcmp(p + i, text, len) == 0) {
            return 1;
        }
    }

    return 0;
}


static void
test_random_match(void **state)
{
    size_t      i, n, len;
    u_char      answer[256];
    char        text[9];
    uint64_t    seed;
    ngx_uint_t  k;

    seed = 1;
    memcpy(answer, "HTTP/1.1 200 \n\n", 15);

    for (k = 0; k < 3000; k++) {

        len = 1 + unit_random(&seed) % 8;
        n = unit_random(&seed) % 200;

        for (i = 0; i < len; i++) {
            text[i] = 'a' + unit_random(&seed) % 2;
        }

        text[len] = '\0';

        for (i = 0; i < n; i++) {
            answer[15 + i] = 'a' + unit_random(&seed) % 2;
        }

        http_bytes(text, answer, 15 + n,
                   naive(answer + 15, n, (u_char *) text, len)
                   ? NGX_MON_PROBE_PASSED : NGX_MON_PROBE_NO_MATCH, 0);
    }
}


/* gRPC */

static u_char  frames[65536];
static size_t  nframes;

/* as long as no frame may be, and a multiple of 6 */
static u_char  zeros[16386];


static void
frame(ngx_uint_t type, ngx_uint_t flags, ngx_uint_t stream, const void *data,
    size_t len)
{
    u_char  *p;

    p = frames + nframes;

    assert_true(nframes + 9 + len <= sizeof(frames));

    p[0] = len >> 16;
    p[1] = len >> 8;
    p[2] = len;
    p[3] = type;
    p[4] = flags;
    p[5] = stream >> 24;
    p[6] = stream >> 16;
    p[7] = stream >> 8;
    p[8] = stream;

    memcpy(p + 9, data, len);
    nframes += 9 + len;
}


static void
begin(void)
{
    nframes = 0;
    frame(4, 0, 0, "\0\3\0\0\0\x64", 6);
    frame(4, 1, 0, "", 0);
    frame(8, 0, 0, "\0\0\1\0", 4);
    frame(1, 4, 1, "\x88", 1);
}


static void
grpc_feed(outcome_t *o, size_t piece)
{
    u_char                *p, *copy;
    size_t                 n, len;
    ngx_mon_probe_grpc_t   g;

    ngx_mon_probe_grpc_init(&g);

    memset(o, 0, sizeof(outcome_t));
    o->rc = NGX_AGAIN;

    p = frames;
    len = nframes;

    while (len && o->rc == NGX_AGAIN) {
        n = piece && piece < len ? piece : len;

        copy = malloc(n);
        assert_non_null(copy);
        memcpy(copy, p, n);

        o->rc = ngx_mon_probe_grpc(&g, copy, n);

        free(copy);

        p += n;
        len -= n;

        /* the peer takes half of it at a time, but all in the end */

        while (g.nout) {
            n = (g.nout + 1) / 2;
            memcpy(o->sent + o->nsent, g.out, n);
            o->nsent += n;
            ngx_mon_probe_grpc_sent(&g, n);
        }
    }

    if (o->rc == NGX_AGAIN) {
        o->rc = ngx_mon_probe_grpc_end(&g);
        assert_int_equal(o->rc, NGX_ERROR);
    }

    o->why = g.why;
}


static void
grpc(ngx_uint_t reason, ngx_uint_t detail)
{
    size_t     i;
    outcome_t  o;

    static const size_t  pieces[] = { 0, 1, 2, 3, 8, 9, 10, 50 };

    for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {

        grpc_feed(&o, pieces[i]);

        if (o.why.reason != reason || o.why.detail != detail
            || o.rc != (reason ? NGX_ERROR : NGX_OK))
        {
            fail_msg("by %zu: reason %u, detail %u, not %lu, %lu", pieces[i],
                     o.why.reason, o.why.detail, reason, detail);
        }
    }
}


static void
test_request(void **state)
{
    size_t     i, n;
    u_char    *p, *buf;
    ngx_str_t  host;

    static const size_t  hosts[] = { 0, 1, 126, 127, 128, 254, 255 };

    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {

        host.len = hosts[i];
        host.data = malloc(host.len + 1);
        buf = malloc(NGX_MON_PROBE_GRPC_REQUEST + host.len);
        assert_non_null(host.data);
        assert_non_null(buf);

        memset(host.data, 'h', host.len);

        n = ngx_mon_probe_grpc_request(buf, &host);
        assert_true(n <= NGX_MON_PROBE_GRPC_REQUEST + host.len);

        assert_memory_equal(buf, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);

        /* SETTINGS, HEADERS and DATA, and that is all */

        p = buf + 24;
        assert_memory_equal(p, "\0\0\14\4\0\0\0\0\0", 9);
        p += 9 + 12;
        assert_memory_equal(p + 3, "\1\4\0\0\0\1\x83\x86\4\34/grpc.he", 16);
        p += 9 + (p[0] << 16 | p[1] << 8 | p[2]);
        assert_memory_equal(p, "\0\0\5\0\1\0\0\0\1\0\0\0\0\0", 14);
        assert_true(p + 14 == buf + n);

        free(host.data);
        free(buf);
    }
}


static void
test_serving(void **state)
{
    begin();
    frame(0, 0, 1, "\0\0\0\0\2\10\1", 7);
    grpc(NGX_MON_PROBE_PASSED, 0);

    begin();
    frame(0, 0, 1, "\0\0\0\0\2\10\2", 7);
    grpc(NGX_MON_PROBE_NOT_SERVING, 2);

    begin();
    frame(0, 0, 1, "\0\0\0\0\0", 5);
    grpc(NGX_MON_PROBE_NOT_SERVING, 0);

    begin();
    frame(0, 0, 1, "\0\0\0\0\3\10\xff\7", 8);
    grpc(NGX_MON_PROBE_NOT_SERVING, 1023);

    /* padded; in many frames, with others between; the last one ends it */

    begin();
    frame(0, 8, 1, "\3\0\0\0\0\2\10\1\0\0\0", 11);
    grpc(NGX_MON_PROBE_PASSED, 0);

    begin();
    frame(0, 8, 1, "\0", 1);
    frame(0, 8, 1, "\4\0\0\0\0", 5);
    frame(0, 0, 1, "", 0);
    frame(0, 0, 1, "\0\0", 2);
    frame(6, 0, 0, "12345678", 8);
    frame(0x77, 0xff, 0x7fffffff, "anything", 8);
    frame(0, 8, 1, "\1\0\0\2\10\7", 6);
    frame(2, 0, 1, "12345", 5);
    frame(0, 1, 1, "\1", 1);
    grpc(NGX_MON_PROBE_PASSED, 0);

    /* unknown fields, and the last status counts */

    begin();
    frame(0, 0, 1, "\0\0\0\0\31\10\2\22\2ab\31" "12345678\45" "1234\30\x80\1"
          "\10\1", 30);
    grpc(NGX_MON_PROBE_PASSED, 0);
}


static void
test_acks(void **state)
{
    size_t     i;
    outcome_t  o;

    static const u_char  expected[] =
        "\0\0\0\4\1\0\0\0\0"
        "\0\0\10\6\1\0\0\0\0" "12345678"
        "\0\0\0\4\1\0\0\0\0";

    nframes = 0;
    frame(4, 0, 0, "", 0);
    frame(6, 0, 0, "12345678", 8);
    frame(6, 1, 0, "87654321", 8);
    frame(4, 0, 0, "\0\4\0\1\0\0\0\5\0\0\x40\0", 12);
    frame(4, 1, 0, "", 0);
    frame(0, 1, 1, "\0\0\0\0\2\10\1", 7);
    grpc(NGX_MON_PROBE_PASSED, 0);

    grpc_feed(&o, 1);
    assert_int_equal(o.nsent, sizeof(expected) - 1);
    assert_memory_equal(o.sent, expected, o.nsent);

    /* too many at once for one that takes none */

    nframes = 0;
    frame(4, 0, 0, "", 0);

    for (i = 0; i < 100; i++) {
        frame(6, 0, 0, "12345678", 8);
    }

    frame(0, 1, 1, "\0\0\0\0\2\10\1", 7);
    grpc_feed(&o, 0);
    assert_int_equal(o.rc, NGX_ERROR);
    assert_int_equal(o.why.reason, NGX_MON_PROBE_INVALID);

    grpc_feed(&o, 30);
    assert_int_equal(o.rc, NGX_OK);
}


static void
test_refusals(void **state)
{
    begin();
    grpc(NGX_MON_PROBE_CLOSED, 0);

    begin();
    frame(0, 0, 1, "\0\0\0\0\2\10", 6);
    grpc(NGX_MON_PROBE_CLOSED, 0);

    /* trailers only, as for a method that is not there */

    nframes = 0;
    frame(4, 0, 0, "", 0);
    frame(1, 5, 1, "\x88", 1);
    grpc(NGX_MON_PROBE_NO_HEALTH, 0);

    begin();
    frame(0, 1, 1, "", 0);
    grpc(NGX_MON_PROBE_NO_HEALTH, 0);

    begin();
    frame(3, 0, 1, "\0\0\0\7", 4);
    grpc(NGX_MON_PROBE_STREAM, 7);

    begin();
    frame(7, 0, 0, "\0\0\0\0\0\0\0\0", 8);
    grpc(NGX_MON_PROBE_GOAWAY, 0);

    begin();
    frame(7, 0, 0, "\0\0\0\1\0\0\0\13too many", 16);
    grpc(NGX_MON_PROBE_GOAWAY, 11);

    /* a graceful end, and a stream that is not ours */

    begin();
    frame(7, 0, 0, "\x7f\xff\xff\xff\0\0\0\0", 8);
    frame(3, 0, 3, "\0\0\0\7", 4);
    frame(0, 0, 1, "\0\0\0\0\2\10\1", 7);
    grpc(NGX_MON_PROBE_PASSED, 0);
}


static void
test_invalid(void **state)
{
    size_t  i;

    static const struct {
        ngx_uint_t   type;
        ngx_uint_t   flags;
        ngx_uint_t   stream;
        const char  *data;
        size_t       len;
    } bad[] = {
        { 0, 0, 0, "\0\0\0\0\2\10\1", 7 },
        { 0, 0, 3, "\0\0\0\0\2\10\1", 7 },
        { 0, 8, 1, "", 0 },
        { 0, 8, 1, "\1", 1 },
        { 0, 8, 1, "\xff" "1234", 5 },
        { 0, 0, 1, "\1\0\0\0\2\10\1", 7 },
        { 0, 0, 1, "\0\0\0\1\0\10\1", 7 },
        { 0, 0, 1, "\0\xff\xff\xff\xff", 5 },
        { 0, 0, 1, "\0\0\0\0\1\10", 6 },
        { 0, 0, 1, "\0\0\0\0\2\10\x80", 7 },
        { 0, 0, 1, "\0\0\0\0\2\22\1", 7 },
        { 0, 0, 1, "\0\0\0\0\2\23\1", 7 },
        { 0, 0, 1, "\0\0\0\0\2\31\1", 7 },
        { 0, 0, 1, "\0\0\0\0\13\22\xff\xff\xff\xff\xff\xff\xff\xff\xff\1",
          16 },
        { 0, 0, 1, "<html>", 6 },
        { 4, 0, 1, "", 0 },
        { 4, 0, 0, "12345", 5 },
        { 6, 0, 0, "1234567", 7 },
        { 6, 0, 1, "12345678", 8 },
        { 3, 0, 1, "123", 3 },
        { 7, 0, 0, "1234567", 7 },
        { 7, 0, 1, "12345678", 8 }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        begin();
        frame(bad[i].type, bad[i].flags, bad[i].stream, bad[i].data,
              bad[i].len);
        grpc(NGX_MON_PROBE_INVALID, 0);
    }

    /* no HTTP/2 at all, or no SETTINGS first */

    nframes = sprintf((char *) frames, "HTTP/1.1 400 Bad Request\r\n\r\n");
    grpc(NGX_MON_PROBE_INVALID, 0);

    nframes = 0;
    frame(6, 0, 0, "12345678", 8);
    grpc(NGX_MON_PROBE_INVALID, 0);

    nframes = 0;
    frame(4, 1, 0, "", 0);
    grpc(NGX_MON_PROBE_INVALID, 0);

    nframes = 0;
    frame(4, 0, 0, zeros, sizeof(zeros));
    grpc(NGX_MON_PROBE_INVALID, 0);

    nframes = 0;
    grpc(NGX_MON_PROBE_CLOSED, 0);
}


int
main(void)
{
    ngx_str_t  list = ngx_string("200-399");

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_random_match),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_serving),
        cmocka_unit_test(test_acks),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_invalid)
    };

    (void) ngx_mon_probe_codes(&ok_codes, &list);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
