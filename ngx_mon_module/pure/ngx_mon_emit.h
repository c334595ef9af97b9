
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_EMIT_H_INCLUDED_
#define _NGX_MON_EMIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_mon_writer.h"


/*
 * Writes a JSON document value by value.  Whether a comma comes first is all
 * that is kept from one call to the next, so a document may be given in
 * pieces: begun with one "out" and continued with another one.
 */

typedef struct {
    ngx_mon_out_t  out;
    /* a value came before, in the same object or array */
    ngx_uint_t     comma;
} ngx_mon_emit_t;


/* Where a name is NULL: within an array, or a key was emitted before. */

/* '{' or '[', and the end of it: '}' or ']'. */
void ngx_mon_emit_open(ngx_mon_emit_t *e, const char *name, u_char bracket);
void ngx_mon_emit_close(ngx_mon_emit_t *e, u_char bracket);

/* The name of a member whose value comes next; any bytes. */
void ngx_mon_emit_key(ngx_mon_emit_t *e, const ngx_str_t *key);

/* A string of any bytes, invalid UTF-8 being replaced. */
void ngx_mon_emit_text(ngx_mon_emit_t *e, const char *name,
    const ngx_str_t *s);

/* A constant string of valid UTF-8; NULL is null. */
void ngx_mon_emit_word(ngx_mon_emit_t *e, const char *name, const char *word);

/* v, in the base unit of the unit: see ngx_mon_out_value(). */
void ngx_mon_emit_value(ngx_mon_emit_t *e, const char *name,
    ngx_mon_unit_e unit, int64_t v);

#define ngx_mon_emit_number(e, name, v)                                       \
    ngx_mon_emit_value(e, name, NGX_MON_NONE, v)

/* Milliseconds, as seconds; what is longer than 292 years is cut. */
void ngx_mon_emit_ms(ngx_mon_emit_t *e, const char *name, uint64_t ms);

/* part of whole, rounded down to millionths; null where whole is 0. */
void ngx_mon_emit_ratio(ngx_mon_emit_t *e, const char *name, uint64_t part,
    uint64_t whole);

/* true or false */
void ngx_mon_emit_flag(ngx_mon_emit_t *e, const char *name, ngx_uint_t v);

/* p50 p90 p99 p999 in seconds, within an object. */
void ngx_mon_emit_quantiles(ngx_mon_emit_t *e, const ngx_mon_hist_t *h);

/*
 * An object of count, sum, avg, min and max, the last two being the bounds of
 * the buckets that hold them, and the quantiles; but for count and sum all of
 * them are null where nothing was recorded.
 */
void ngx_mon_emit_hist(ngx_mon_emit_t *e, const char *name,
    const ngx_mon_hist_t *h);


#endif /* _NGX_MON_EMIT_H_INCLUDED_ */
