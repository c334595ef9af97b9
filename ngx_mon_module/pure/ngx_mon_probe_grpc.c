
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_probe.h"


/* RFC 9113, 4.1, 5.4.1, 6; RFC 7541, 6.2.2; the gRPC over HTTP/2 protocol */

#define NGX_MON_H2_HEAD        9
#define NGX_MON_H2_MAX         16384

#define NGX_MON_H2_DATA        0
#define NGX_MON_H2_HEADERS     1
#define NGX_MON_H2_RST_STREAM  3
#define NGX_MON_H2_SETTINGS    4
#define NGX_MON_H2_PING        6
#define NGX_MON_H2_GOAWAY      7
#define NGX_MON_H2_TYPES       8

/* ACK for SETTINGS and PING */
#define NGX_MON_H2_ACK         0x01
#define NGX_MON_H2_END_STREAM  0x01
#define NGX_MON_H2_END_HEADERS 0x04
#define NGX_MON_H2_PADDED      0x08

#define NGX_MON_H2_STREAM      1

#define NGX_MON_GRPC_PREFIX    5


typedef ngx_int_t (*ngx_mon_h2_frame_pt)(ngx_mon_probe_grpc_t *g);


static ngx_int_t ngx_mon_h2_head(ngx_mon_probe_grpc_t *g);
static ngx_int_t ngx_mon_h2_payload(ngx_mon_probe_grpc_t *g, const u_char **p,
    const u_char *last);
static ngx_int_t ngx_mon_h2_data(ngx_mon_probe_grpc_t *g, const u_char *p,
    size_t n);
static ngx_int_t ngx_mon_h2_end_stream(ngx_mon_probe_grpc_t *g);
static ngx_int_t ngx_mon_h2_settings(ngx_mon_probe_grpc_t *g);
static ngx_int_t ngx_mon_h2_ping(ngx_mon_probe_grpc_t *g);
static ngx_int_t ngx_mon_h2_rst_stream(ngx_mon_probe_grpc_t *g);
static ngx_int_t ngx_mon_h2_goaway(ngx_mon_probe_grpc_t *g);
static ngx_int_t ngx_mon_grpc_message(ngx_mon_probe_grpc_t *g);


static const u_char  ngx_mon_h2_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* SETTINGS_HEADER_TABLE_SIZE 0, SETTINGS_ENABLE_PUSH 0 */
static const u_char  ngx_mon_h2_our_settings[] = {
    0, 0, 12, NGX_MON_H2_SETTINGS, 0, 0, 0, 0, 0,
    0, 1, 0, 0, 0, 0,
    0, 2, 0, 0, 0, 0
};

/* an empty HealthCheckRequest, not compressed: the server as a whole */
static const u_char  ngx_mon_h2_message[] = {
    0, 0, 5, NGX_MON_H2_DATA, NGX_MON_H2_END_STREAM, 0, 0, 0, 1,
    0, 0, 0, 0, 0
};

/* when a frame is complete; a type without one is passed over */
static const ngx_mon_h2_frame_pt  ngx_mon_h2_frames[NGX_MON_H2_TYPES] = {
    ngx_mon_h2_end_stream,             /* DATA */
    ngx_mon_h2_end_stream,             /* HEADERS */
    NULL,                              /* PRIORITY */
    ngx_mon_h2_rst_stream,
    ngx_mon_h2_settings,
    NULL,                              /* PUSH_PROMISE */
    ngx_mon_h2_ping,
    ngx_mon_h2_goaway
};


static ngx_int_t
ngx_mon_h2_fail(ngx_mon_probe_grpc_t *g, ngx_mon_probe_reason_e reason,
    uint32_t detail)
{
    g->why.reason = reason;
    g->why.detail = detail;

    return NGX_ERROR;
}


static uint32_t
ngx_mon_h2_uint32(const u_char *p)
{
    return (uint32_t) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}


/* a length with a prefix of seven bits, below 127 + 128 * 128 */

static u_char *
ngx_mon_h2_length(u_char *p, size_t n)
{
    if (n < 127) {
        *p++ = n;
        return p;
    }

    n -= 127;
    *p++ = 127;

    if (n >= 128) {
        *p++ = 128 | (n & 127);
        n >>= 7;
    }

    *p++ = n;

    return p;
}


/* literal, not indexed, without Huffman; index 0: the name is literal, too */

static u_char *
ngx_mon_h2_field(u_char *p, ngx_uint_t index, const char *name,
    const u_char *value, size_t len)
{
    size_t  n;

    /* an index past 14 of the static table is none that is used here */

    *p++ = index;

    if (index == 0) {
        n = ngx_strlen(name);
        p = ngx_mon_h2_length(p, n);
        p = ngx_cpymem(p, name, n);
    }

    p = ngx_mon_h2_length(p, len);

    return ngx_cpymem(p, value, len);
}


size_t
ngx_mon_probe_grpc_request(u_char *buf, const ngx_str_t *host)
{
    u_char     *p, *head;
    size_t      n;
    ngx_uint_t  i;

    static const struct {
        const char  *name;
        ngx_str_t    value;
    } fields[] = {
        { "content-type", ngx_string("application/grpc") },
        { "te", ngx_string("trailers") },
        { "user-agent", ngx_string("nginx/ngx_mon") }
    };

    static const ngx_str_t  path = ngx_string("/grpc.health.v1.Health/Check");

    p = ngx_cpymem(buf, ngx_mon_h2_preface, sizeof(ngx_mon_h2_preface) - 1);
    p = ngx_cpymem(p, ngx_mon_h2_our_settings,
                   sizeof(ngx_mon_h2_our_settings));

    head = p;
    p += NGX_MON_H2_HEAD;

    /* of the static table: 3 :method POST, 6 :scheme http */

    *p++ = 0x80 | 3;
    *p++ = 0x80 | 6;
    p = ngx_mon_h2_field(p, 4, NULL, path.data, path.len);
    p = ngx_mon_h2_field(p, 1, NULL, host->data, host->len);

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        p = ngx_mon_h2_field(p, 0, fields[i].name, fields[i].value.data,
                             fields[i].value.len);
    }

    n = p - head - NGX_MON_H2_HEAD;

    ngx_memzero(head, NGX_MON_H2_HEAD);
    head[1] = n >> 8;
    head[2] = n & 0xff;
    head[3] = NGX_MON_H2_HEADERS;
    head[4] = NGX_MON_H2_END_HEADERS;
    head[8] = NGX_MON_H2_STREAM;

    p = ngx_cpymem(p, ngx_mon_h2_message, sizeof(ngx_mon_h2_message));

    return p - buf;
}


void
ngx_mon_probe_grpc_init(ngx_mon_probe_grpc_t *g)
{
    ngx_memzero(g, sizeof(ngx_mon_probe_grpc_t));
}


ngx_int_t
ngx_mon_probe_grpc(ngx_mon_probe_grpc_t *g, const u_char *p, size_t n)
{
    ngx_int_t      rc;
    const u_char  *last;

    rc = NGX_AGAIN;
    last = p + n;

    while (p < last && rc == NGX_AGAIN) {

        if (g->nhead < NGX_MON_H2_HEAD) {
            g->head[g->nhead++] = *p++;

            if (g->nhead < NGX_MON_H2_HEAD) {
                continue;
            }

            rc = ngx_mon_h2_head(g);

        } else {
            rc = ngx_mon_h2_payload(g, &p, last);
        }

        if (rc == NGX_AGAIN && g->pos == g->length) {

            if (g->type < NGX_MON_H2_TYPES && ngx_mon_h2_frames[g->type]) {
                rc = ngx_mon_h2_frames[g->type](g);
            }

            g->nhead = 0;
        }
    }

    return rc;
}


void
ngx_mon_probe_grpc_sent(ngx_mon_probe_grpc_t *g, size_t n)
{
    g->nout -= n;
    ngx_memmove(g->out, g->out + n, g->nout);
}


ngx_int_t
ngx_mon_probe_grpc_end(ngx_mon_probe_grpc_t *g)
{
    return ngx_mon_h2_fail(g, NGX_MON_PROBE_CLOSED, 0);
}


static ngx_int_t
ngx_mon_h2_head(ngx_mon_probe_grpc_t *g)
{
    g->length = ngx_mon_h2_uint32(g->head) >> 8;
    g->type = g->head[3];
    g->flags = g->head[4];
    g->stream = ngx_mon_h2_uint32(g->head + 5) & 0x7fffffff;
    g->pos = 0;
    g->pad = 0;

    /* the first frame tells a peer that speaks something else */

    if (!g->ready
        && (g->type != NGX_MON_H2_SETTINGS || (g->flags & NGX_MON_H2_ACK)))
    {
        return ngx_mon_h2_fail(g, NGX_MON_PROBE_INVALID, 0);
    }

    g->ready = 1;

    if (g->length > NGX_MON_H2_MAX
        || (g->type == NGX_MON_H2_SETTINGS && (g->stream || g->length % 6))
        || (g->type == NGX_MON_H2_PING && (g->stream || g->length != 8))
        || (g->type == NGX_MON_H2_RST_STREAM && g->length != 4)
        || (g->type == NGX_MON_H2_GOAWAY && (g->stream || g->length < 8))
        || (g->type == NGX_MON_H2_DATA && g->stream != NGX_MON_H2_STREAM)
        || (g->type == NGX_MON_H2_DATA && (g->flags & NGX_MON_H2_PADDED)
            && g->length == 0))
    {
        return ngx_mon_h2_fail(g, NGX_MON_PROBE_INVALID, 0);
    }

    return NGX_AGAIN;
}


/* what is here of the frame: g->pos > 0 or there is none yet */

static ngx_int_t
ngx_mon_h2_payload(ngx_mon_probe_grpc_t *g, const u_char **pos,
    const u_char *last)
{
    size_t         n;
    const u_char  *p;

    p = *pos;
    n = ngx_min((size_t) (last - p), g->length - g->pos);

    if (g->type == NGX_MON_H2_DATA && (g->flags & NGX_MON_H2_PADDED)
        && g->pos == 0)
    {
        g->pad = *p;
        g->pos = 1;
        *pos = p + 1;

        return g->pad < g->length
               ? NGX_AGAIN : ngx_mon_h2_fail(g, NGX_MON_PROBE_INVALID, 0);
    }

    if (g->type == NGX_MON_H2_DATA) {

        if (g->pos < g->length - g->pad) {
            n = ngx_min(n, g->length - g->pad - g->pos);
            g->pos += n;
            *pos = p + n;

            return ngx_mon_h2_data(g, p, n);
        }

    } else if (g->pos < sizeof(g->small)) {
        n = ngx_min(n, sizeof(g->small) - g->pos);
        ngx_memcpy(g->small + g->pos, p, n);
    }

    g->pos += n;
    *pos = p + n;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_mon_h2_data(ngx_mon_probe_grpc_t *g, const u_char *p, size_t n)
{
    size_t    take, need;
    uint32_t  length;

    while (n) {

        need = NGX_MON_GRPC_PREFIX;

        if (g->nmessage >= NGX_MON_GRPC_PREFIX) {
            need += ngx_mon_h2_uint32(g->message + 1);
        }

        take = ngx_min(n, need - g->nmessage);

        ngx_memcpy(g->message + g->nmessage, p, take);
        g->nmessage += take;
        p += take;
        n -= take;

        if (g->nmessage < NGX_MON_GRPC_PREFIX) {
            continue;
        }

        length = ngx_mon_h2_uint32(g->message + 1);

        if (g->message[0] != 0
            || length > NGX_MON_PROBE_GRPC_MESSAGE - NGX_MON_GRPC_PREFIX)
        {
            return ngx_mon_h2_fail(g, NGX_MON_PROBE_INVALID, 0);
        }

        if (g->nmessage == NGX_MON_GRPC_PREFIX + length) {
            return ngx_mon_grpc_message(g);
        }
    }

    return NGX_AGAIN;
}


/* of a frame of DATA or HEADERS */

static ngx_int_t
ngx_mon_h2_end_stream(ngx_mon_probe_grpc_t *g)
{
    if (g->stream == NGX_MON_H2_STREAM && (g->flags & NGX_MON_H2_END_STREAM)) {
        return ngx_mon_h2_fail(g, NGX_MON_PROBE_NO_HEALTH, 0);
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_mon_h2_ack(ngx_mon_probe_grpc_t *g, size_t len)
{
    u_char  *p;

    /* who sends so many and takes no answers means no good */

    if (g->nout + NGX_MON_H2_HEAD + len > NGX_MON_PROBE_GRPC_OUT) {
        return ngx_mon_h2_fail(g, NGX_MON_PROBE_INVALID, 0);
    }

    p = g->out + g->nout;

    ngx_memzero(p, NGX_MON_H2_HEAD);
    p[2] = len;
    p[3] = g->type;
    p[4] = NGX_MON_H2_ACK;
    ngx_memcpy(p + NGX_MON_H2_HEAD, g->small, len);

    g->nout += NGX_MON_H2_HEAD + len;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_mon_h2_settings(ngx_mon_probe_grpc_t *g)
{
    return (g->flags & NGX_MON_H2_ACK) ? NGX_AGAIN : ngx_mon_h2_ack(g, 0);
}


static ngx_int_t
ngx_mon_h2_ping(ngx_mon_probe_grpc_t *g)
{
    return (g->flags & NGX_MON_H2_ACK) ? NGX_AGAIN : ngx_mon_h2_ack(g, 8);
}


static ngx_int_t
ngx_mon_h2_rst_stream(ngx_mon_probe_grpc_t *g)
{
    if (g->stream != NGX_MON_H2_STREAM) {
        return NGX_AGAIN;
    }

    return ngx_mon_h2_fail(g, NGX_MON_PROBE_STREAM,
                           ngx_mon_h2_uint32(g->small));
}


/* a graceful one lets our stream end */

static ngx_int_t
ngx_mon_h2_goaway(ngx_mon_probe_grpc_t *g)
{
    uint32_t  last, code;

    last = ngx_mon_h2_uint32(g->small) & 0x7fffffff;
    code = ngx_mon_h2_uint32(g->small + 4);

    if (code == 0 && last >= NGX_MON_H2_STREAM) {
        return NGX_AGAIN;
    }

    return ngx_mon_h2_fail(g, NGX_MON_PROBE_GOAWAY, code);
}


/* a number of protobuf; NGX_ERROR where there is none */

static ngx_int_t
ngx_mon_grpc_varint(const u_char **p, const u_char *last, uint64_t *v)
{
    ngx_uint_t  shift;

    *v = 0;

    for (shift = 0; *p < last && shift < 64; shift += 7) {

        *v |= (uint64_t) (**p & 0x7f) << shift;

        if (*(*p)++ < 0x80) {
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


/* skips the value of a field we don't know, by its wire type */

static ngx_int_t
ngx_mon_grpc_skip(const u_char **p, const u_char *last, ngx_uint_t wire)
{
    uint64_t  n;

    switch (wire) {

    case 0:
        return ngx_mon_grpc_varint(p, last, &n);

    case 1:
        n = 8;
        break;

    case 2:
        if (ngx_mon_grpc_varint(p, last, &n) != NGX_OK) {
            return NGX_ERROR;
        }

        break;

    case 5:
        n = 4;
        break;

    default:
        return NGX_ERROR;
    }

    if (n > (uint64_t) (last - *p)) {
        return NGX_ERROR;
    }

    *p += n;

    return NGX_OK;
}


/* HealthCheckResponse { ServingStatus status = 1; } */

static ngx_int_t
ngx_mon_grpc_message(ngx_mon_probe_grpc_t *g)
{
    uint64_t       tag, status;
    ngx_int_t      rc;
    const u_char  *p, *last;

    status = 0;
    p = g->message + NGX_MON_GRPC_PREFIX;
    last = g->message + g->nmessage;

    while (p < last) {

        rc = ngx_mon_grpc_varint(&p, last, &tag);

        if (rc == NGX_OK) {
            rc = (tag == (1 << 3))
                 ? ngx_mon_grpc_varint(&p, last, &status)
                 : ngx_mon_grpc_skip(&p, last, tag & 7);
        }

        if (rc != NGX_OK) {
            return ngx_mon_h2_fail(g, NGX_MON_PROBE_INVALID, 0);
        }
    }

    if (status != NGX_MON_PROBE_SERVING) {
        return ngx_mon_h2_fail(g, NGX_MON_PROBE_NOT_SERVING,
                               ngx_min(status, 0xffff));
    }

    g->why.reason = NGX_MON_PROBE_PASSED;

    return NGX_OK;
}
