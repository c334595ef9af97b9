
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_endpoint.h"
#include "ngx_mon_text.h"
#include "ngx_mon_writer.h"


/* room for checks with messages that are all escapes */
#define NGX_HTTP_MON_HEALTH_SIZE  20480


static ngx_uint_t ngx_http_mon_health_body(ngx_mon_out_t *o, ngx_uint_t probe);
static ngx_uint_t ngx_http_mon_health_checks(ngx_mon_out_t *o,
    ngx_uint_t *ready);
static void ngx_http_mon_health_head(ngx_mon_out_t *o, ngx_uint_t status);
static ngx_int_t ngx_http_mon_health_send(ngx_http_request_t *r, ngx_buf_t *b,
    ngx_uint_t status);


/* by NGX_MON_HEALTHY and on */

static const ngx_str_t  ngx_http_mon_health_status[] = {
    ngx_string("healthy"),
    ngx_string("degraded"),
    ngx_string("unhealthy"),
    ngx_string("critical")
};


ngx_int_t
ngx_http_mon_health_handler(ngx_http_request_t *r)
{
    u_char                        *checks;
    ngx_buf_t                     *b;
    ngx_int_t                      rc;
    ngx_uint_t                     status;
    ngx_mon_out_t                  o;
    ngx_http_mon_endpoint_conf_t  *ecf;

    rc = ngx_http_mon_endpoint_begin(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ecf = ngx_http_get_module_loc_conf(r, ngx_http_mon_endpoint_module);

    b = ngx_create_temp_buf(r->pool, NGX_HTTP_MON_HEALTH_SIZE);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* the checks tell the status, which stands before them */

    checks = b->start + NGX_HTTP_MON_HEALTH_SIZE / 16;

    o.pos = checks;
    o.end = b->end;
    o.full = 0;

    status = ngx_http_mon_health_body(&o, ecf->health);

    if (o.full) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = o.pos;

    o.pos = b->start;
    o.end = checks;

    ngx_http_mon_health_head(&o, status);

    b->last = ngx_movemem(o.pos, checks, b->last - checks);

    return ngx_http_mon_health_send(r, b, status);
}


static ngx_uint_t
ngx_http_mon_health_body(ngx_mon_out_t *o, ngx_uint_t probe)
{
    ngx_uint_t  status, ready;

    status = NGX_MON_HEALTHY;
    ready = 1;

    ngx_mon_out_literal(o, ",\"checks\":{");

    if (probe != NGX_HTTP_MON_LIVE) {
        status = ngx_http_mon_health_checks(o, &ready);
    }

    ngx_mon_out_literal(o, "}}\n");

    if (probe != NGX_HTTP_MON_READY) {
        return status;
    }

    if (!ready || ngx_exiting) {
        return NGX_MON_UNHEALTHY;
    }

    /* what is wrong elsewhere is no reason to send no requests */

    return ngx_min(status, NGX_MON_DEGRADED);
}


static void
ngx_http_mon_health_head(ngx_mon_out_t *o, ngx_uint_t status)
{
    u_char           *p, buf[64];
    ngx_tm_t          tm;
    ngx_mon_facts_t   f;

    ngx_mon_facts(&f);
    ngx_gmtime(ngx_time(), &tm);

    ngx_mon_out_literal(o, "{\"status\":");
    ngx_mon_out_json(o, &ngx_http_mon_health_status[status]);

    p = ngx_sprintf(buf, "%4d-%02d-%02dT%02d:%02d:%02dZ",
                    tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                    tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);

    ngx_mon_out_literal(o, ",\"timestamp\":\"");
    ngx_mon_out(o, buf, p - buf);
    ngx_mon_out_literal(o, "\",\"uptime_seconds\":");
    ngx_mon_out_u64(o, ngx_max(ngx_time() - f.started, 0));
}


/* returns the worst status */

static ngx_uint_t
ngx_http_mon_health_checks(ngx_mon_out_t *o, ngx_uint_t *ready)
{
    u_char            message[sizeof(((ngx_mon_check_t *) 0)->message)];
    ngx_str_t         s;
    ngx_uint_t        i, status;
    const char       *name;
    ngx_mon_check_t   c;

    status = NGX_MON_HEALTHY;

    for (i = 0; (name = ngx_mon_check(i, &c)) != NULL; i++) {

        status = ngx_max(status, c.status);
        *ready = *ready && c.ready;

        if (i) {
            ngx_mon_out_literal(o, ",");
        }

        s.data = (u_char *) name;
        s.len = ngx_strlen(name);
        ngx_mon_out_json(o, &s);

        ngx_mon_out_literal(o, ":{\"status\":");
        ngx_mon_out_json(o, &ngx_http_mon_health_status[c.status]);

        s.data = message;
        s.len = ngx_mon_utf8_clean(message, c.message, c.len,
                                   sizeof(message));

        ngx_mon_out_literal(o, ",\"message\":");
        ngx_mon_out_json(o, &s);
        ngx_mon_out_literal(o, "}");
    }

    return status;
}


static ngx_int_t
ngx_http_mon_health_send(ngx_http_request_t *r, ngx_buf_t *b,
    ngx_uint_t status)
{
    ngx_int_t    rc;
    ngx_chain_t  out;

    r->headers_out.status = status < NGX_MON_UNHEALTHY
                            ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE;
    r->headers_out.content_length_n = b->last - b->pos;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
