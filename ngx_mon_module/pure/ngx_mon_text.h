
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_TEXT_H_INCLUDED_
#define _NGX_MON_TEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The length of the character at p, before last: valid UTF-8 and no control,
 * see below; 0 where there is none.
 */
size_t ngx_mon_utf8_char(const u_char *p, const u_char *last);

/*
 * Copies len bytes of anything to dst as valid UTF-8 without control
 * characters.  Every byte of an invalid sequence (overlong, truncated, a
 * surrogate, past U+10FFFF) and of a control (C0 but tab and newline, DEL,
 * C1) becomes U+FFFD.  The result is cut at max bytes, never inside a
 * character.  dst holds max bytes and does not overlap src.  Returns the
 * length of the result.
 */
size_t ngx_mon_utf8_clean(u_char *dst, const u_char *src, size_t len,
    size_t max);


/* the most bytes that one of the functions below writes */
#define NGX_MON_NUMBER_LEN  32


/* Writes v in decimal to p.  Returns the end. */
u_char *ngx_mon_u64(u_char *p, uint64_t v);
u_char *ngx_mon_i64(u_char *p, int64_t v);

/*
 * Writes v millionths to p as an exact decimal of at most six decimals,
 * without trailing zeros: 1500000 is "1.5", 2000000 is "2".  Returns the end.
 */
u_char *ngx_mon_micro(u_char *p, int64_t v);

/*
 * The same for v > 0 as OpenMetrics wants an "le": a float for certain, and
 * with an exponent where Go's %g has one: "2.0", "1e-05", "2.5e+06".
 */
u_char *ngx_mon_micro_canonical(u_char *p, uint64_t v);


#endif /* _NGX_MON_TEXT_H_INCLUDED_ */
