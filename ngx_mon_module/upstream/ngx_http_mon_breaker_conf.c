
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_breaker.h"


#define NGX_HTTP_MON_BREAKER_DAY  86400000


static ngx_int_t ngx_http_mon_breaker_set_name(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);
static char *ngx_http_mon_breaker_sane(ngx_conf_t *cf,
    ngx_mon_breaker_conf_t *conf);
static ngx_uint_t ngx_http_mon_breaker_alike(
    ngx_http_mon_breaker_main_conf_t *bmcf, ngx_uint_t i);
static ngx_int_t ngx_http_mon_breaker_label(ngx_conf_t *cf,
    ngx_http_mon_breaker_main_conf_t *bmcf, ngx_uint_t i);
static ngx_int_t ngx_http_mon_breaker_unique(ngx_conf_t *cf,
    ngx_http_mon_breaker_main_conf_t *bmcf, ngx_uint_t i);


/* slow is in microseconds later; of slow_ratio and max_open 0 is not given */

static const ngx_mon_param_t  ngx_http_mon_breaker_params[] = {
    ngx_mon_param("name=", ngx_http_mon_breaker_set_name,
                  ngx_http_mon_breaker_t, name, 1, NGX_MON_LABEL_LEN, 0),
    ngx_mon_param("ratio=", ngx_mon_set_percent,
                  ngx_http_mon_breaker_t, conf.ratio, 0, 1000000, 500000),
    ngx_mon_param("min=", ngx_mon_set_number,
                  ngx_http_mon_breaker_t, conf.min, 1, 1000000, 20),
    ngx_mon_param("window=", ngx_mon_set_time,
                  ngx_http_mon_breaker_t, conf.window,
                  10, NGX_HTTP_MON_BREAKER_DAY, 10000),
    ngx_mon_param("consecutive=", ngx_mon_set_number,
                  ngx_http_mon_breaker_t, conf.consecutive, 0, 1000000, 0),
    ngx_mon_param("slow=", ngx_mon_set_time,
                  ngx_http_mon_breaker_t, conf.slow,
                  0, NGX_HTTP_MON_BREAKER_DAY, 0),
    ngx_mon_param("slow_ratio=", ngx_mon_set_percent,
                  ngx_http_mon_breaker_t, conf.slow_ratio, 1, 1000000, 0),
    ngx_mon_param("open=", ngx_mon_set_time,
                  ngx_http_mon_breaker_t, conf.open,
                  1, NGX_HTTP_MON_BREAKER_DAY, 10000),
    ngx_mon_param("max_open=", ngx_mon_set_time,
                  ngx_http_mon_breaker_t, conf.max_open,
                  1, 10 * NGX_HTTP_MON_BREAKER_DAY, 0),
    ngx_mon_param("probes=", ngx_mon_set_number,
                  ngx_http_mon_breaker_t, conf.probes,
                  1, NGX_MON_BREAKER_PROBES, 5),
    ngx_mon_param("on=", ngx_http_mon_set_on,
                  ngx_http_mon_breaker_t, on, 0, 0, NGX_HTTP_MON_ON_DEFAULT),
    ngx_mon_param_end
};


char *
ngx_http_mon_breaker_parse(ngx_conf_t *cf, ngx_http_mon_breaker_t *b)
{
    /* any later configuration has a larger one */
    b->version = ngx_mon_now() / 1000;

    if (ngx_mon_params(cf, 1, ngx_http_mon_breaker_params, b) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    b->labelled = b->name.len == 0;

    return ngx_http_mon_breaker_sane(cf, &b->conf);
}


/* that of an upstream has the upstream's */

static ngx_int_t
ngx_http_mon_breaker_set_name(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_http_mon_breaker_t  *b = conf;

    return b->uscf ? NGX_DECLINED : ngx_mon_set_text(cf, p, value, conf);
}


static char *
ngx_http_mon_breaker_sane(ngx_conf_t *cf, ngx_mon_breaker_conf_t *conf)
{
    if (conf->slow_ratio && conf->slow == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"slow_ratio\" requires \"slow\"");
        return NGX_CONF_ERROR;
    }

    if (conf->max_open && conf->max_open < conf->open) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"max_open\" is less than \"open\"");
        return NGX_CONF_ERROR;
    }

    if (conf->slow_ratio == 0) {
        conf->slow_ratio = 1000000;
    }

    if (conf->max_open == 0) {
        conf->max_open = ngx_max(conf->open, 300000);
    }

    conf->slow *= 1000;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_mon_breaker_declare(ngx_conf_t *cf,
    ngx_http_mon_breaker_main_conf_t *bmcf)
{
    ngx_uint_t                i;
    ngx_http_mon_breaker_t  **b;

    b = bmcf->breakers.elts;

    for (i = 0; i < bmcf->breakers.nelts; i++) {

        if (ngx_http_mon_breaker_label(cf, bmcf, i) != NGX_OK
            || ngx_http_mon_breaker_unique(cf, bmcf, i) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (b[i]->same) {
            continue;
        }

        if (ngx_mon_declare(cf, NGX_MON_G_CIRCUIT, &b[i]->name, 1,
                            NGX_MON_VIEW_ALL)
            != NGX_OK
            || ngx_mon_declare(cf, NGX_MON_G_BREAKER, &b[i]->name, 1,
                               NGX_MON_VIEW_ALL)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* whether another breaker has the label of its location for a name, too */

static ngx_uint_t
ngx_http_mon_breaker_alike(ngx_http_mon_breaker_main_conf_t *bmcf,
    ngx_uint_t i)
{
    ngx_str_t                 server, name, other;
    ngx_uint_t                k;
    ngx_http_mon_breaker_t  **b;

    b = bmcf->breakers.elts;

    ngx_mon_place(b[i]->loc_conf, &server, &name);

    for (k = 0; k < bmcf->breakers.nelts; k++) {

        if (k == i || !b[k]->labelled) {
            continue;
        }

        ngx_mon_place(b[k]->loc_conf, &server, &other);

        if (other.len == name.len
            && ngx_strncmp(other.data, name.data, name.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* the label of the location, after that of the server if need be */

static ngx_int_t
ngx_http_mon_breaker_label(ngx_conf_t *cf,
    ngx_http_mon_breaker_main_conf_t *bmcf, ngx_uint_t i)
{
    u_char                  *p;
    ngx_str_t                server, name;
    ngx_http_mon_breaker_t  *b;

    b = ((ngx_http_mon_breaker_t **) bmcf->breakers.elts)[i];

    if (b->labelled) {

        ngx_mon_place(b->loc_conf, &server, &name);

        if (ngx_http_mon_breaker_alike(bmcf, i)) {

            p = ngx_pnalloc(cf->pool, server.len + 1 + name.len);
            if (p == NULL) {
                return NGX_ERROR;
            }

            name.len = ngx_sprintf(p, "%V %V", &server, &name) - p;
            name.data = p;
        }

        b->name = name;
    }

    b->name.len = ngx_min(b->name.len, NGX_MON_LABEL_LEN);

    return NGX_OK;
}


static ngx_int_t
ngx_http_mon_breaker_unique(ngx_conf_t *cf,
    ngx_http_mon_breaker_main_conf_t *bmcf, ngx_uint_t i)
{
    ngx_uint_t                k;
    ngx_http_mon_breaker_t  **b;

    b = bmcf->breakers.elts;

    for (k = 0; k < i; k++) {

        if (b[k]->same || b[k]->name.len != b[i]->name.len
            || ngx_strncmp(b[k]->name.data, b[i]->name.data, b[i]->name.len)
               != 0)
        {
            continue;
        }

        if (b[k]->uscf || b[k]->labelled || b[i]->uscf || b[i]->labelled) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "breaker \"%V\" has the name of another one in "
                          "%V:%ui, add \"name=\", in %V:%ui",
                          &b[i]->name, &b[k]->file, b[k]->line,
                          &b[i]->file, b[i]->line);
            return NGX_ERROR;
        }

        if (b[k]->on != b[i]->on
            || ngx_memcmp(&b[k]->conf, &b[i]->conf,
                          sizeof(ngx_mon_breaker_conf_t))
               != 0)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "breaker \"%V\" has other parameters in %V:%ui, "
                          "in %V:%ui",
                          &b[i]->name, &b[k]->file, b[k]->line,
                          &b[i]->file, b[i]->line);
            return NGX_ERROR;
        }

        b[i]->same = b[k];
        break;
    }

    return NGX_OK;
}
