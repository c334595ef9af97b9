
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_EXPORT_H_INCLUDED_
#define _NGX_MON_EXPORT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_mon_metric.h"
#include "ngx_mon_writer.h"


/*
 * A format turns samples into bytes.  It keeps no state between two calls.
 *   begin   what comes before everything;
 *   sample  one sample; first: of its family; n: samples given before it;
 *   end     what comes after everything; n: samples given.
 */

typedef struct {
    ngx_str_t    name;
    ngx_str_t    content_type;
    void       (*begin)(ngx_mon_out_t *o);
    void       (*sample)(ngx_mon_out_t *o, const ngx_mon_sample_t *s,
                         ngx_uint_t first, ngx_uint_t n);
    void       (*end)(ngx_mon_out_t *o, ngx_uint_t n);
} ngx_mon_format_t;


/* Prometheus text exposition format 0.0.4 */
extern const ngx_mon_format_t  ngx_mon_prometheus;

/* OpenMetrics 1.0 text */
extern const ngx_mon_format_t  ngx_mon_openmetrics;

/* JSON, RFC 8259: {"families":[{"name":…,"metrics":[…]}, …]} */
extern const ngx_mon_format_t  ngx_mon_json;


#endif /* _NGX_MON_EXPORT_H_INCLUDED_ */
