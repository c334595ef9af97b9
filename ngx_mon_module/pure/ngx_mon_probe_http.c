
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_probe.h"


/* those before BODY read lines */

typedef enum {
    NGX_MON_PROBE_ST_STATUS = 0,
    NGX_MON_PROBE_ST_FIELD,
    NGX_MON_PROBE_ST_SIZE,
    NGX_MON_PROBE_ST_CRLF,
    NGX_MON_PROBE_ST_BODY,
    NGX_MON_PROBE_ST_CHUNK
} ngx_mon_probe_state_e;


typedef ngx_int_t (*ngx_mon_probe_line_pt)(ngx_mon_probe_http_t *h);


static ngx_int_t ngx_mon_probe_read_line(ngx_mon_probe_http_t *h,
    const u_char **pos, const u_char *last);
static ngx_int_t ngx_mon_probe_status_line(ngx_mon_probe_http_t *h);
static ngx_int_t ngx_mon_probe_field(ngx_mon_probe_http_t *h);
static ngx_int_t ngx_mon_probe_header_end(ngx_mon_probe_http_t *h);
static ngx_int_t ngx_mon_probe_size(ngx_mon_probe_http_t *h);
static ngx_int_t ngx_mon_probe_crlf(ngx_mon_probe_http_t *h);
static ngx_int_t ngx_mon_probe_body(ngx_mon_probe_http_t *h,
    const u_char **pos, const u_char *last);
static ngx_uint_t ngx_mon_probe_search(const ngx_mon_probe_match_t *m,
    size_t *matched, const u_char *p, const u_char *last);


static const ngx_mon_probe_line_pt  ngx_mon_probe_lines[] = {
    ngx_mon_probe_status_line,
    ngx_mon_probe_field,
    ngx_mon_probe_size,
    ngx_mon_probe_crlf
};


static ngx_inline ngx_uint_t
ngx_mon_probe_is_digit(u_char c)
{
    return c >= '0' && c <= '9';
}


static ngx_int_t
ngx_mon_probe_fail(ngx_mon_probe_http_t *h, ngx_mon_probe_reason_e reason)
{
    h->why.reason = reason;
    h->why.detail = (reason == NGX_MON_PROBE_STATUS) ? h->status : 0;

    return NGX_ERROR;
}


/* three digits at p, which moves past them; 0 where they are not a code */

static ngx_uint_t
ngx_mon_probe_number(const u_char **p, const u_char *last)
{
    ngx_uint_t  i, n;

    if (last - *p < 3) {
        return 0;
    }

    for (i = 0, n = 0; i < 3; i++) {

        if (!ngx_mon_probe_is_digit(**p)) {
            return 0;
        }

        n = n * 10 + (*(*p)++ - '0');
    }

    return n < NGX_MON_PROBE_STATUS_MIN || n > NGX_MON_PROBE_STATUS_MAX ? 0
                                                                        : n;
}


ngx_int_t
ngx_mon_probe_codes(ngx_mon_probe_codes_t *codes, const ngx_str_t *list)
{
    ngx_uint_t     from, to;
    const u_char  *p, *last;

    ngx_memzero(codes, sizeof(ngx_mon_probe_codes_t));

    p = list->data;
    last = p + list->len;

    for ( ;; ) {

        from = ngx_mon_probe_number(&p, last);
        to = from;

        if (p < last && *p == '-') {
            p++;
            to = ngx_mon_probe_number(&p, last);
        }

        if (from == 0 || to < from) {
            return NGX_ERROR;
        }

        for ( /* void */ ; from <= to; from++) {
            codes->bits[from / 64] |= (uint64_t) 1 << from % 64;
        }

        if (p == last) {
            return NGX_OK;
        }

        if (*p++ != ',') {
            return NGX_ERROR;
        }
    }
}


ngx_uint_t
ngx_mon_probe_code(const ngx_mon_probe_codes_t *codes, ngx_uint_t status)
{
    if (status > NGX_MON_PROBE_STATUS_MAX) {
        return 0;
    }

    return codes->bits[status / 64] >> status % 64 & 1;
}


void
ngx_mon_probe_match(ngx_mon_probe_match_t *m, u_char *text, size_t len,
    uint16_t *border)
{
    size_t  i, k;

    m->text = text;
    m->len = len;
    m->border = border;

    border[0] = 0;

    for (i = 1, k = 0; i < len; i++) {

        while (k && text[i] != text[k]) {
            k = border[k - 1];
        }

        k += (text[i] == text[k]);
        border[i] = k;
    }
}


void
ngx_mon_probe_http_init(ngx_mon_probe_http_t *h,
    const ngx_mon_probe_codes_t *codes, const ngx_mon_probe_match_t *match)
{
    ngx_memzero(h, sizeof(ngx_mon_probe_http_t));

    h->codes = codes;
    h->match = match;
}


ngx_int_t
ngx_mon_probe_http(ngx_mon_probe_http_t *h, const u_char *p, size_t n)
{
    ngx_int_t      rc;
    const u_char  *last;

    rc = NGX_AGAIN;
    last = p + n;

    while (p < last && rc == NGX_AGAIN) {

        if (h->state >= NGX_MON_PROBE_ST_BODY) {
            rc = ngx_mon_probe_body(h, &p, last);
            continue;
        }

        rc = ngx_mon_probe_read_line(h, &p, last);

        if (rc == NGX_OK) {
            rc = ngx_mon_probe_lines[h->state](h);
            h->len = 0;
        }
    }

    return rc;
}


ngx_int_t
ngx_mon_probe_http_end(ngx_mon_probe_http_t *h)
{
    if (h->state == NGX_MON_PROBE_ST_BODY && !h->sized) {
        return ngx_mon_probe_fail(h, NGX_MON_PROBE_NO_MATCH);
    }

    return ngx_mon_probe_fail(h, NGX_MON_PROBE_CLOSED);
}


/* NGX_OK at the end of a line, which stands in h->line without it */

static ngx_int_t
ngx_mon_probe_read_line(ngx_mon_probe_http_t *h, const u_char **pos,
    const u_char *last)
{
    u_char  c;

    while (*pos < last) {

        c = *(*pos)++;

        if (h->state <= NGX_MON_PROBE_ST_FIELD
            && ++h->header > NGX_MON_PROBE_HEADER_MAX)
        {
            return ngx_mon_probe_fail(h, NGX_MON_PROBE_HEADER);
        }

        if (c == LF) {

            if (h->len && h->line[h->len - 1] == CR) {
                h->len--;
            }

            return NGX_OK;
        }

        if (h->len < NGX_MON_PROBE_LINE) {
            h->line[h->len++] = c;
        }

        /* what is no HTTP may never send an end of line */

        if (h->state == NGX_MON_PROBE_ST_STATUS && h->len <= 5
            && c != "HTTP/"[h->len - 1])
        {
            return ngx_mon_probe_fail(h, NGX_MON_PROBE_INVALID);
        }
    }

    return NGX_AGAIN;
}


/* HTTP/<digits>.<digits> <three digits>[ <anything>] */

static ngx_int_t
ngx_mon_probe_status_line(ngx_mon_probe_http_t *h)
{
    ngx_uint_t     i;
    const u_char  *p, *from, *last;

    p = h->line + 5;
    last = h->line + h->len;

    for (i = 0; i < 2; i++) {

        for (from = p; p < last && ngx_mon_probe_is_digit(*p); p++) {
            /* void */
        }

        if (p == from || p >= last || *p != (i ? ' ' : '.')) {
            return ngx_mon_probe_fail(h, NGX_MON_PROBE_INVALID);
        }

        p++;
    }

    while (p < last && *p == ' ') {
        p++;
    }

    h->status = ngx_mon_probe_number(&p, last);

    if (h->status == 0 || (p < last && *p != ' ')) {
        return ngx_mon_probe_fail(h, NGX_MON_PROBE_INVALID);
    }

    h->state = NGX_MON_PROBE_ST_FIELD;

    if (h->status < 200 && h->status != 101) {
        /* an interim answer, the real one comes after it */
        return NGX_AGAIN;
    }

    return ngx_mon_probe_code(h->codes, h->status)
           ? NGX_AGAIN : ngx_mon_probe_fail(h, NGX_MON_PROBE_STATUS);
}


/* the value of the field where the line begins with its name, or NULL */

static const u_char *
ngx_mon_probe_value(ngx_mon_probe_http_t *h, const char *name, size_t len)
{
    size_t  i;

    if (h->len <= len || h->line[len] != ':') {
        return NULL;
    }

    for (i = 0; i < len; i++) {
        if (ngx_tolower(h->line[i]) != (u_char) name[i]) {
            return NULL;
        }
    }

    for (i++; i < h->len && (h->line[i] == ' ' || h->line[i] == '\t'); i++) {
        /* void */
    }

    while (h->len > i
           && (h->line[h->len - 1] == ' ' || h->line[h->len - 1] == '\t'))
    {
        h->len--;
    }

    return h->line + i;
}


static ngx_int_t
ngx_mon_probe_field(ngx_mon_probe_http_t *h)
{
    ngx_uint_t     i;
    const u_char  *p, *last;

    if (h->len == 0) {
        return ngx_mon_probe_header_end(h);
    }

    p = ngx_mon_probe_value(h, "transfer-encoding",
                            sizeof("transfer-encoding") - 1);
    last = h->line + h->len;

    if (p) {

        /* the last coding is what frames the body */

        if (last - p < 7) {
            return NGX_AGAIN;
        }

        for (i = 0, p = last - 7; i < 7; i++) {
            if (ngx_tolower(p[i]) != (u_char) "chunked"[i]) {
                return NGX_AGAIN;
            }
        }

        h->chunked = 1;

        return NGX_AGAIN;
    }

    p = ngx_mon_probe_value(h, "content-length", sizeof("content-length") - 1);
    last = h->line + h->len;

    if (p == NULL) {
        return NGX_AGAIN;
    }

    if (p == last || last - p > 18) {
        return ngx_mon_probe_fail(h, NGX_MON_PROBE_INVALID);
    }

    for (h->left = 0; p < last; p++) {

        if (!ngx_mon_probe_is_digit(*p)) {
            return ngx_mon_probe_fail(h, NGX_MON_PROBE_INVALID);
        }

        h->left = h->left * 10 + (*p - '0');
    }

    h->sized = 1;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_mon_probe_header_end(ngx_mon_probe_http_t *h)
{
    if (h->status < 200 && h->status != 101) {
        h->state = NGX_MON_PROBE_ST_STATUS;
        h->chunked = 0;
        h->sized = 0;

        return NGX_AGAIN;
    }

    if (h->match == NULL) {
        h->why.reason = NGX_MON_PROBE_PASSED;
        return NGX_OK;
    }

    if (h->status == 204 || h->status == 304
        || (h->sized && !h->chunked && h->left == 0))
    {
        return ngx_mon_probe_fail(h, NGX_MON_PROBE_NO_MATCH);
    }

    h->state = h->chunked ? NGX_MON_PROBE_ST_SIZE : NGX_MON_PROBE_ST_BODY;

    return NGX_AGAIN;
}


/* <hex>[;<extensions>] */

static ngx_int_t
ngx_mon_probe_size(ngx_mon_probe_http_t *h)
{
    u_char      c;
    size_t      i;
    ngx_uint_t  digit;

    h->left = 0;

    for (i = 0; i < h->len; i++) {

        c = ngx_tolower(h->line[i]);

        if (ngx_mon_probe_is_digit(c)) {
            digit = c - '0';

        } else if (c >= 'a' && c <= 'f') {
            digit = c - 'a' + 10;

        } else {
            break;
        }

        if (h->left >> 56) {
            return ngx_mon_probe_fail(h, NGX_MON_PROBE_INVALID);
        }

        h->left = h->left * 16 + digit;
    }

    if (i == 0 || (i < h->len && h->line[i] != ';' && h->line[i] != ' '
                   && h->line[i] != '\t'))
    {
        return ngx_mon_probe_fail(h, NGX_MON_PROBE_INVALID);
    }

    if (h->left == 0) {
        return ngx_mon_probe_fail(h, NGX_MON_PROBE_NO_MATCH);
    }

    h->state = NGX_MON_PROBE_ST_CHUNK;

    return NGX_AGAIN;
}


/* the end of a chunk */

static ngx_int_t
ngx_mon_probe_crlf(ngx_mon_probe_http_t *h)
{
    if (h->len) {
        return ngx_mon_probe_fail(h, NGX_MON_PROBE_INVALID);
    }

    h->state = NGX_MON_PROBE_ST_SIZE;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_mon_probe_body(ngx_mon_probe_http_t *h, const u_char **pos,
    const u_char *last)
{
    const u_char  *p;

    p = *pos;

    if (h->state == NGX_MON_PROBE_ST_BODY && !h->sized) {
        *pos = last;

    } else {
        last = p + ngx_min((uint64_t) (last - p), h->left);
        h->left -= last - p;
        *pos = last;
    }

    if (ngx_mon_probe_search(h->match, &h->matched, p, last)) {
        h->why.reason = NGX_MON_PROBE_PASSED;
        return NGX_OK;
    }

    if (h->state == NGX_MON_PROBE_ST_BODY) {
        return h->sized && h->left == 0
               ? ngx_mon_probe_fail(h, NGX_MON_PROBE_NO_MATCH) : NGX_AGAIN;
    }

    if (h->left == 0) {
        h->state = NGX_MON_PROBE_ST_CRLF;
    }

    return NGX_AGAIN;
}


static ngx_uint_t
ngx_mon_probe_search(const ngx_mon_probe_match_t *m, size_t *matched,
    const u_char *p, const u_char *last)
{
    size_t  k;

    k = *matched;

    for ( /* void */ ; p < last; p++) {

        while (k && *p != m->text[k]) {
            k = m->border[k - 1];
        }

        k += (*p == m->text[k]);

        if (k == m->len) {
            return 1;
        }
    }

    *matched = k;

    return 0;
}
