
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_PATH_H_INCLUDED_
#define _NGX_MON_PATH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_MON_PATH_MAX  32


/* A path as its segments, decoded: a slash may be part of one. */

typedef struct {
    ngx_uint_t  n;
    ngx_str_t   segments[NGX_MON_PATH_MAX];
} ngx_mon_path_t;


/*
 * Takes a path apart: up to ? or #, at each slash.  Empty segments are left
 * out, as is one that is a dot; two dots take the one before away.  With
 * escaped set %XX is decoded first, to dots too, but an encoded slash parts
 * no segments.  The segments point into buf, of len bytes.
 *
 * Returns NGX_OK, or NGX_DECLINED for what names nothing: a null, a wrong
 * escape, too many segments, two dots too many, or a segment with dots
 * between its slashes, which nginx and this page understand differently.
 */
ngx_int_t ngx_mon_path_parse(ngx_mon_path_t *path, u_char *buf,
    const u_char *uri, size_t len, ngx_uint_t escaped);

/*
 * Where path begins with all segments of prefix: takes them away, NGX_OK;
 * else NGX_DECLINED.
 */
ngx_int_t ngx_mon_path_strip(ngx_mon_path_t *path,
    const ngx_mon_path_t *prefix);

/* Whether a segment is this word. */
ngx_uint_t ngx_mon_path_is(const ngx_str_t *segment, const char *word);


#endif /* _NGX_MON_PATH_H_INCLUDED_ */
