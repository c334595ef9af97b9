
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon.h"


static ngx_int_t ngx_http_mon_first_name(ngx_conf_t *cf,
    ngx_http_mon_srv_conf_t *mscf);
static ngx_uint_t ngx_http_mon_shared_name(ngx_http_mon_srv_conf_t **srv,
    ngx_uint_t n, ngx_uint_t i);
static in_port_t ngx_http_mon_port(ngx_http_core_main_conf_t *cmcf,
    ngx_http_mon_srv_conf_t **srv, ngx_uint_t n, ngx_uint_t i);
static ngx_uint_t ngx_http_mon_listens(ngx_http_conf_port_t *port,
    ngx_http_core_srv_conf_t *cscf);


ngx_int_t
ngx_http_mon_name_servers(ngx_conf_t *cf, ngx_http_mon_main_conf_t *mmcf)
{
    u_char                      *p;
    in_port_t                    port;
    ngx_str_t                   *labels;
    ngx_uint_t                   i, n;
    ngx_http_mon_srv_conf_t    **srv;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    srv = mmcf->servers.elts;
    n = mmcf->servers.nelts;

    labels = ngx_palloc(cf->temp_pool, (n + 1) * sizeof(ngx_str_t));
    if (labels == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_mon_first_name(cf, srv[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < n; i++) {

        labels[i] = srv[i]->label;

        if (!ngx_http_mon_shared_name(srv, n, i)) {
            continue;
        }

        port = ngx_http_mon_port(cmcf, srv, n, i);

        if (port == 0) {
            /* of a UNIX-domain socket */
            continue;
        }

        p = ngx_pnalloc(cf->pool, labels[i].len + sizeof(":65535") - 1);
        if (p == NULL) {
            return NGX_ERROR;
        }

        labels[i].len = ngx_sprintf(p, "%V:%d", &srv[i]->label, (int) port)
                        - p;
        labels[i].data = p;
    }

    for (i = 0; i < n; i++) {
        srv[i]->label = labels[i];
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_first_name(ngx_conf_t *cf, ngx_http_mon_srv_conf_t *mscf)
{
    ngx_http_server_name_t  *name;

    if (mscf->name.data) {
        mscf->label = mscf->name;
        return NGX_OK;
    }

    ngx_str_set(&mscf->label, "_");

    /* where none is given, nginx has put an empty one */

    name = mscf->cscf->server_names.elts;

    if (mscf->cscf->server_names.nelts == 0 || name[0].name.len == 0) {
        return NGX_OK;
    }

    mscf->label = name[0].name;

#if (NGX_PCRE)

    if (name[0].regex) {
        /* nginx keeps it without the "~" */
        mscf->label.len++;
        mscf->label.data = ngx_pnalloc(cf->pool, mscf->label.len);

        if (mscf->label.data == NULL) {
            return NGX_ERROR;
        }

        ngx_sprintf(mscf->label.data, "~%V", &name[0].name);
    }

#endif

    return NGX_OK;
}


static ngx_uint_t
ngx_http_mon_same_name(ngx_http_mon_srv_conf_t *a, ngx_http_mon_srv_conf_t *b)
{
    return a->label.len == b->label.len
           && ngx_strncmp(a->label.data, b->label.data, a->label.len) == 0;
}


static ngx_uint_t
ngx_http_mon_shared_name(ngx_http_mon_srv_conf_t **srv, ngx_uint_t n,
    ngx_uint_t i)
{
    ngx_uint_t  k;

    /* what the operator named alike is meant to be one */

    for (k = 0; k < n && srv[i]->name.data == NULL; k++) {

        if (k != i && srv[k]->name.data == NULL
            && ngx_http_mon_same_name(srv[i], srv[k]))
        {
            return 1;
        }
    }

    return 0;
}


/* the first port that tells the server from the others of its name */

static in_port_t
ngx_http_mon_port(ngx_http_core_main_conf_t *cmcf,
    ngx_http_mon_srv_conf_t **srv, ngx_uint_t n, ngx_uint_t i)
{
    in_port_t              first;
    ngx_uint_t             k, p;
    ngx_http_conf_port_t  *port;

    if (cmcf->ports == NULL) {
        return 0;
    }

    first = 0;
    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {

        if (!ngx_http_mon_listens(&port[p], srv[i]->cscf)) {
            continue;
        }

        if (first == 0) {
            first = port[p].port;
        }

        for (k = 0; k < n; k++) {
            if (k != i && ngx_http_mon_same_name(srv[i], srv[k])
                && ngx_http_mon_listens(&port[p], srv[k]->cscf))
            {
                break;
            }
        }

        if (k == n) {
            return port[p].port;
        }
    }

    return first;
}


static ngx_uint_t
ngx_http_mon_listens(ngx_http_conf_port_t *port,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t                  a, s;
    ngx_http_conf_addr_t       *addr;
    ngx_http_core_srv_conf_t  **servers;

    addr = port->addrs.elts;

    for (a = 0; a < port->addrs.nelts; a++) {

        servers = addr[a].servers.elts;

        for (s = 0; s < addr[a].servers.nelts; s++) {
            if (servers[s] == cscf) {
                return 1;
            }
        }
    }

    return 0;
}
