
/*
 * Copyright (C) The ngx_mon authors
 */


/* capabilities on their way: each one deletes its lines as it comes */


#include "ngx_http_mon_call.h"


void
ngx_http_mon_gate_init(ngx_http_mon_call_t *call)
{
}


ngx_int_t
ngx_http_mon_gate_get(ngx_http_mon_call_t *call, ngx_peer_connection_t *pc)
{
    return call->attempt.get(pc, call->attempt.data);
}


void
ngx_http_mon_gate_end(ngx_http_mon_call_t *call)
{
}
