
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_breaker.h"


static ngx_http_mon_breaker_t *ngx_http_mon_breaker_nth(ngx_uint_t i);
static ngx_uint_t ngx_http_mon_breaker_dead(uint32_t pid);


const ngx_str_t  ngx_http_mon_breaker_kinds[] = {
    ngx_string("closed"),
    ngx_string("open"),
    ngx_string("half_open")
};


/* the i-th that is not the same as one before, or NULL */

static ngx_http_mon_breaker_t *
ngx_http_mon_breaker_nth(ngx_uint_t i)
{
    ngx_uint_t                         k;
    ngx_http_mon_breaker_t           **b;
    ngx_http_mon_breaker_main_conf_t  *bmcf;

    bmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_mon_breaker_module);
    if (bmcf == NULL) {
        return NULL;
    }

    b = bmcf->breakers.elts;

    for (k = 0; k < bmcf->breakers.nelts; k++) {
        if (b[k]->same == NULL && i-- == 0) {
            return b[k];
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_mon_breaker_view(ngx_uint_t i, ngx_http_mon_breaker_view_t *v)
{
    ngx_http_mon_breaker_t  *b;

    b = ngx_http_mon_breaker_nth(i);

    if (b == NULL) {
        return NGX_DONE;
    }

    v->name = b->name;
    v->upstream = b->uscf != NULL;
    v->conf = b->conf;

    if (ngx_http_mon_breaker_ready(b) != NGX_OK) {
        ngx_memzero(&v->info, sizeof(ngx_mon_breaker_info_t));
        return NGX_DECLINED;
    }

    ngx_mon_breaker_info(&b->state, ngx_current_msec, &v->info);

    return NGX_OK;
}


ngx_int_t
ngx_http_mon_breaker_find(ngx_str_t *name)
{
    ngx_uint_t                         i, k;
    ngx_http_mon_breaker_t           **b;
    ngx_http_mon_breaker_main_conf_t  *bmcf;

    bmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_mon_breaker_module);
    if (bmcf == NULL) {
        return NGX_ERROR;
    }

    b = bmcf->breakers.elts;

    for (i = 0, k = 0; k < bmcf->breakers.nelts; k++) {

        if (b[k]->same) {
            continue;
        }

        if (b[k]->name.len == name->len
            && ngx_strncmp(b[k]->name.data, name->data, name->len) == 0)
        {
            return i;
        }

        i++;
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_http_mon_breaker_command(ngx_uint_t i, ngx_uint_t command, ngx_log_t *log)
{
    const char                *what;
    ngx_http_mon_breaker_t    *b;
    ngx_mon_breaker_change_t   change;

    b = ngx_http_mon_breaker_nth(i);

    if (b == NULL || ngx_http_mon_breaker_ready(b) != NGX_OK) {
        return NGX_DECLINED;
    }

    switch (command) {

    case NGX_HTTP_MON_BREAKER_OPEN:
        (void) ngx_mon_breaker_force(&b->state, ngx_current_msec,
                                     NGX_MON_BREAKER_OPEN, &change);
        what = "opened";
        break;

    case NGX_HTTP_MON_BREAKER_CLOSE:
        (void) ngx_mon_breaker_force(&b->state, ngx_current_msec,
                                     NGX_MON_BREAKER_CLOSED, &change);
        what = "closed";
        break;

    default: /* NGX_HTTP_MON_BREAKER_RESET */
        (void) ngx_mon_breaker_reset(&b->state, ngx_current_msec, &change);
        what = "reset";
        break;
    }

    ngx_http_mon_breaker_commanded(b, log, what, &change);

    return NGX_OK;
}


ngx_int_t
ngx_http_mon_breaker_source(ngx_uint_t group, ngx_uint_t i, int64_t *cells,
    ngx_str_t *values)
{
    ngx_int_t                    rc;
    ngx_http_mon_breaker_view_t  v;

    rc = ngx_http_mon_breaker_view(i, &v);

    if (rc == NGX_DONE) {
        return NGX_DONE;
    }

    values[0] = v.name;
    cells[NGX_MON_CIRCUIT_STATE + v.info.kind] = 1;

    return NGX_OK;
}


void
ngx_http_mon_breaker_health(ngx_mon_check_t *c)
{
    u_char                       *p, *last;
    ngx_int_t                     rc;
    ngx_uint_t                    i, n;
    ngx_http_mon_breaker_view_t   v;

    p = c->message;
    last = p + sizeof(c->message);
    n = 0;

    for (i = 0; /* void */ ; i++) {

        rc = ngx_http_mon_breaker_view(i, &v);

        if (rc == NGX_DONE) {
            break;
        }

        if (v.info.kind == NGX_MON_BREAKER_CLOSED) {
            continue;
        }

        c->status = NGX_MON_DEGRADED;

        p = ngx_slprintf(p, last, "%s\"%V\" is %V", n++ ? ", " : "", &v.name,
                         &ngx_http_mon_breaker_kinds[v.info.kind]);
    }

    if (n == 0) {
        p = ngx_slprintf(p, last, "%ui closed", i);
    }

    c->len = p - c->message;
}


static ngx_uint_t
ngx_http_mon_breaker_dead(uint32_t pid)
{
    return kill((ngx_pid_t) pid, 0) == -1 && ngx_errno == NGX_ESRCH;
}


void
ngx_http_mon_breaker_tick(ngx_cycle_t *cycle, ngx_uint_t leader)
{
    ngx_uint_t                 i;
    ngx_http_mon_breaker_t    *b;
    ngx_mon_breaker_change_t   change;

    if (!leader) {
        return;
    }

    for (i = 0; /* void */ ; i++) {

        b = ngx_http_mon_breaker_nth(i);

        if (b == NULL) {
            return;
        }

        if (ngx_http_mon_breaker_ready(b) == NGX_OK
            && ngx_mon_breaker_sweep(&b->state, ngx_current_msec,
                                     ngx_http_mon_breaker_dead, &change))
        {
            ngx_http_mon_breaker_moved(b, cycle->log, &change);
        }
    }
}
