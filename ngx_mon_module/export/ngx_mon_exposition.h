
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_EXPOSITION_H_INCLUDED_
#define _NGX_MON_EXPOSITION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_mon_export.h"


/* What tells the text formats of the Prometheus family apart. */

typedef struct {
    /*
     * Fills type and family, the name that HELP and TYPE go by.  The strings
     * may point into the metric.
     */
    void        (*family)(const ngx_mon_metric_t *m, ngx_str_t *type,
                          ngx_str_t *family);

    /* writes a bound, microseconds, as the value of "le"; returns the end */
    u_char     *(*bound)(u_char *p, uint64_t us);

    /* quotes are escaped in HELP too */
    ngx_uint_t    quote;

    /* units have a line */
    ngx_uint_t    unit;
} ngx_mon_dialect_t;


/* Writes a sample, see ngx_mon_format_t. */
void ngx_mon_exposition(ngx_mon_out_t *o, const ngx_mon_sample_t *s,
    ngx_uint_t first, const ngx_mon_dialect_t *d);


#endif /* _NGX_MON_EXPOSITION_H_INCLUDED_ */
