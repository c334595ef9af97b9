
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_WRITER_H_INCLUDED_
#define _NGX_MON_WRITER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_mon_metric.h"


/*
 * Where text is written.  Once something does not fit, full is set, nothing
 * more is written, and what pos points at is void: the caller gives the whole
 * of it again with more room.
 */

typedef struct {
    u_char      *pos;
    u_char      *end;
    ngx_uint_t   full;
} ngx_mon_out_t;


/* Appends len bytes, a string, a string literal. */
void ngx_mon_out(ngx_mon_out_t *o, const void *data, size_t len);
#define ngx_mon_out_str(o, s)      ngx_mon_out(o, (s)->data, (s)->len)
#define ngx_mon_out_literal(o, s)  ngx_mon_out(o, s, sizeof(s) - 1)

/* Appends v, 0 or more, in decimal. */
void ngx_mon_out_u64(ngx_mon_out_t *o, uint64_t v);

/* Appends v, a value of the unit, as an exact decimal in the base unit. */
void ngx_mon_out_value(ngx_mon_out_t *o, ngx_mon_unit_e unit, int64_t v);

/* Appends us microseconds as seconds. */
#define ngx_mon_out_seconds(o, us)                                            \
    ngx_mon_out_value(o, NGX_MON_MICRO_SECONDS, us)

/*
 * Appends s with a backslash before \, before a newline, which becomes n, and
 * where quote is set before ".
 */
void ngx_mon_out_escaped(ngx_mon_out_t *o, const ngx_str_t *s,
    ngx_uint_t quote);

/* Appends s, which is valid UTF-8, as a JSON string, quotes included. */
void ngx_mon_out_json(ngx_mon_out_t *o, const ngx_str_t *s);

/* The same for any bytes: what is no valid UTF-8 becomes U+FFFD. */
void ngx_mon_out_json_text(ngx_mon_out_t *o, const ngx_str_t *s);


/* "counter", "gauge" or "histogram" */
const ngx_str_t *ngx_mon_type_name(const ngx_mon_metric_t *m);

/* The base unit, empty where there is none: "seconds", "bytes", "ratio". */
const ngx_str_t *ngx_mon_unit_name(const ngx_mon_metric_t *m);


#endif /* _NGX_MON_WRITER_H_INCLUDED_ */
