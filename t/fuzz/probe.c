
/*
 * Copyright (C) The ngx_mon authors
 */


#include "fuzz.h"
#include "ngx_mon_probe.h"


typedef struct {
    ngx_int_t            rc;
    ngx_mon_probe_why_t  why;
} outcome_t;


static ngx_mon_probe_codes_t  codes;
static ngx_mon_probe_match_t  match;
static u_char                 text[] = "abaabab";
static uint16_t               border[sizeof(text)];


/* memory of its own, so that a step outside is seen */

static u_char *
copy(const uint8_t *p, size_t n)
{
    u_char  *c;

    c = malloc(n);
    check(c);
    memcpy(c, p, n);

    return c;
}


static outcome_t
http(const uint8_t *p, size_t size, size_t piece, ngx_uint_t search)
{
    u_char                *c;
    size_t                 n;
    outcome_t              o;
    ngx_mon_probe_http_t   h;

    ngx_mon_probe_http_init(&h, &codes, search ? &match : NULL);

    for (o.rc = NGX_AGAIN; size && o.rc == NGX_AGAIN; size -= n, p += n) {
        n = ngx_min(piece, size);
        c = copy(p, n);
        o.rc = ngx_mon_probe_http(&h, c, n);
        free(c);
    }

    if (o.rc == NGX_AGAIN) {
        o.rc = ngx_mon_probe_http_end(&h);
    }

    o.why = h.why;

    return o;
}


static outcome_t
grpc(const uint8_t *p, size_t size, size_t piece)
{
    u_char                *c;
    size_t                 n;
    outcome_t              o;
    ngx_mon_probe_grpc_t   g;

    ngx_mon_probe_grpc_init(&g);

    for (o.rc = NGX_AGAIN; size && o.rc == NGX_AGAIN; size -= n, p += n) {
        n = ngx_min(piece, size);
        c = copy(p, n);
        o.rc = ngx_mon_probe_grpc(&g, c, n);
        free(c);

        check(g.nout <= NGX_MON_PROBE_GRPC_OUT);

        ngx_mon_probe_grpc_sent(&g, g.nout);
    }

    if (o.rc == NGX_AGAIN) {
        o.rc = ngx_mon_probe_grpc_end(&g);
    }

    o.why = g.why;

    return o;
}


/* the same outcome, however it is cut; the first byte says which parser */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                 kind;
    size_t                 piece;
    outcome_t              a, b;
    ngx_str_t              list = ngx_string("200-399");
    ngx_mon_probe_codes_t  c;

    check(ngx_mon_probe_codes(&codes, &list) == NGX_OK);
    ngx_mon_probe_match(&match, text, sizeof(text) - 1, border);

    if (size == 0) {
        return 0;
    }

    kind = *data++;
    size--;
    piece = 1 + kind / 3 % 10;

    if (kind % 3 == 2) {

        /* less than what fits in out, whatever the frames */

        a = grpc(data, size, 1);
        b = grpc(data, size, piece);

    } else {
        a = http(data, size, size, kind % 3);
        b = http(data, size, piece, kind % 3);
    }

    check(a.rc == NGX_OK || a.rc == NGX_ERROR);
    check((a.rc == NGX_OK) == (a.why.reason == NGX_MON_PROBE_PASSED));
    check(a.why.reason < NGX_MON_PROBE_N);
    check(a.rc == b.rc && a.why.reason == b.why.reason
          && a.why.detail == b.why.detail);

    list.data = copy(data, size);
    list.len = size;
    (void) ngx_mon_probe_codes(&c, &list);
    free(list.data);

    return 0;
}
