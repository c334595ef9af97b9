
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_ACCEPT_H_INCLUDED_
#define _NGX_MON_ACCEPT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * A media type that is offered, such as "text/plain".  Where a client asks
 * for the type with a parameter of the name "param", its value must be
 * "value"; param may be empty, and parameters of other names don't matter.
 */

typedef struct {
    ngx_str_t  type;
    ngx_str_t  param;
    ngx_str_t  value;
} ngx_mon_media_t;


/*
 * Chooses among n > 0 offers by the value of an Accept header, which may be
 * any bytes.  An offer is judged by the most specific range that it matches;
 * the highest q-value wins, then the more specific range, then the earlier
 * one, then the earlier offer.  A range with a bad q-value is passed over.
 * Returns the index of the offer, 0 where none is acceptable: an answer of
 * the default type serves better than 406.
 */
ngx_uint_t ngx_mon_accept(const ngx_str_t *header,
    const ngx_mon_media_t *offers, ngx_uint_t n);


#endif /* _NGX_MON_ACCEPT_H_INCLUDED_ */
