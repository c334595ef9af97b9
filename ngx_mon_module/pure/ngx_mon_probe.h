
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * What a health check makes of the bytes that come from a peer.  Bytes are fed
 * as they come, in pieces of any size, and the outcome does not depend on how
 * they were cut; nothing of the answer is kept, whatever its size.
 *
 * A parser returns NGX_AGAIN while it needs more, NGX_OK when the check
 * passed, NGX_ERROR when it failed; then it says why, and must not be fed any
 * more.
 */


#ifndef _NGX_MON_PROBE_H_INCLUDED_
#define _NGX_MON_PROBE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* why; the numbers stand in shared memory over reloads */

typedef enum {
    NGX_MON_PROBE_PASSED = 0,
    NGX_MON_PROBE_STATUS,          /* detail: of the answer */
    NGX_MON_PROBE_NO_MATCH,
    NGX_MON_PROBE_INVALID,
    NGX_MON_PROBE_HEADER,          /* too long */
    NGX_MON_PROBE_CLOSED,
    NGX_MON_PROBE_TIMEOUT,
    NGX_MON_PROBE_ERRNO,           /* detail: errno */
    NGX_MON_PROBE_HANDSHAKE,
    NGX_MON_PROBE_NOT_SERVING,     /* detail: ServingStatus of gRPC */
    NGX_MON_PROBE_NO_HEALTH,       /* gRPC ended the call without a status */
    NGX_MON_PROBE_STREAM,          /* detail: error code of HTTP/2 */
    NGX_MON_PROBE_GOAWAY,          /* detail: error code of HTTP/2 */
    NGX_MON_PROBE_INTERNAL,        /* no memory, no connection */
    NGX_MON_PROBE_N
} ngx_mon_probe_reason_e;


typedef struct {
    uint32_t                  reason;
    uint32_t                  detail;
} ngx_mon_probe_why_t;


/* HTTP/1 */

#define NGX_MON_PROBE_STATUS_MIN   100
#define NGX_MON_PROBE_STATUS_MAX   599

/* bytes of all header lines, those of interim answers included */
#define NGX_MON_PROBE_HEADER_MAX   65536

/* a line is looked at so far */
#define NGX_MON_PROBE_LINE         128

#define NGX_MON_PROBE_MATCH_MAX    1024


/* a set of status codes, a bit for each */

typedef struct {
    uint64_t                  bits[(NGX_MON_PROBE_STATUS_MAX + 64) / 64];
} ngx_mon_probe_codes_t;


/* a text to be found, with Knuth, Morris and Pratt's table of its borders */

typedef struct {
    u_char                   *text;
    size_t                    len;
    uint16_t                 *border;
} ngx_mon_probe_match_t;


typedef struct {
    const ngx_mon_probe_codes_t  *codes;
    const ngx_mon_probe_match_t  *match;

    ngx_uint_t                state;
    ngx_uint_t                status;
    ngx_uint_t                chunked;
    ngx_uint_t                sized;       /* left is what was promised */
    uint64_t                  left;        /* of the body, or the chunk */
    size_t                    header;      /* bytes so far */
    size_t                    matched;     /* of the text, at the last byte */

    size_t                    len;         /* of the line, cut */
    u_char                    line[NGX_MON_PROBE_LINE];

    ngx_mon_probe_why_t       why;
} ngx_mon_probe_http_t;


/*
 * Reads a list such as "200,204,300-399" of codes from 100 to 599 into the
 * set.  NGX_OK, or NGX_ERROR for anything else.
 */
ngx_int_t ngx_mon_probe_codes(ngx_mon_probe_codes_t *codes,
    const ngx_str_t *list);

/* Whether the status is in the set. */
ngx_uint_t ngx_mon_probe_code(const ngx_mon_probe_codes_t *codes,
    ngx_uint_t status);

/*
 * Prepares to find len bytes of text, 1 to NGX_MON_PROBE_MATCH_MAX; border is
 * memory for as many numbers.  Both must outlive m.
 */
void ngx_mon_probe_match(ngx_mon_probe_match_t *m, u_char *text, size_t len,
    uint16_t *border);

/* Begins an answer; match NULL: the status decides alone. */
void ngx_mon_probe_http_init(ngx_mon_probe_http_t *h,
    const ngx_mon_probe_codes_t *codes, const ngx_mon_probe_match_t *match);

/* Feeds n bytes. */
ngx_int_t ngx_mon_probe_http(ngx_mon_probe_http_t *h, const u_char *p,
    size_t n);

/* The peer closed after an answer that was not decided: NGX_ERROR. */
ngx_int_t ngx_mon_probe_http_end(ngx_mon_probe_http_t *h);


/* gRPC: a call of grpc.health.v1.Health/Check over HTTP/2 */

#define NGX_MON_PROBE_SERVING      1

#define NGX_MON_PROBE_HOST_MAX     255

/* the request is at most so long and the host */
#define NGX_MON_PROBE_GRPC_REQUEST 256

/* acknowledgements that wait to be sent */
#define NGX_MON_PROBE_GRPC_OUT     256

/* a message, with the five bytes before it */
#define NGX_MON_PROBE_GRPC_MESSAGE 128


typedef struct {
    size_t                    nhead;
    u_char                    head[9];

    /* the frame */
    uint32_t                  length;
    uint32_t                  pos;         /* of the payload, read so far */
    uint32_t                  stream;
    u_char                    type;
    u_char                    flags;

    u_char                    pad;
    u_char                    ready;       /* the peer's SETTINGS came */
    u_char                    small[8];    /* the first bytes of a payload */

    size_t                    nmessage;
    u_char                    message[NGX_MON_PROBE_GRPC_MESSAGE];

    /* to be sent; the sender takes bytes off its front */
    size_t                    nout;
    u_char                    out[NGX_MON_PROBE_GRPC_OUT];

    ngx_mon_probe_why_t       why;
} ngx_mon_probe_grpc_t;


/*
 * Writes all that a call sends by itself to buf, of at least
 * NGX_MON_PROBE_GRPC_REQUEST + host->len bytes; host, of at most
 * NGX_MON_PROBE_HOST_MAX, becomes :authority.  Returns the length.
 */
size_t ngx_mon_probe_grpc_request(u_char *buf, const ngx_str_t *host);

/* Begins the answer to a call. */
void ngx_mon_probe_grpc_init(ngx_mon_probe_grpc_t *g);

/* Feeds n bytes; what is to be sent back is added to g->out. */
ngx_int_t ngx_mon_probe_grpc(ngx_mon_probe_grpc_t *g, const u_char *p,
    size_t n);

/* The first n bytes of g->out have been sent. */
void ngx_mon_probe_grpc_sent(ngx_mon_probe_grpc_t *g, size_t n);

/* The peer closed before the call was decided: NGX_ERROR. */
ngx_int_t ngx_mon_probe_grpc_end(ngx_mon_probe_grpc_t *g);


#endif /* _NGX_MON_PROBE_H_INCLUDED_ */
