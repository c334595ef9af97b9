
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_limit.h"


static ngx_int_t ngx_http_mon_limit_zone_key(ngx_conf_t *cf,
    ngx_http_mon_limit_zone_t *zone);
static ngx_int_t ngx_http_mon_limit_zone_parse(ngx_conf_t *cf,
    ngx_http_mon_limit_zone_t *zone);
static ngx_int_t ngx_http_mon_limit_zone_set_name(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);
static ngx_int_t ngx_http_mon_limit_quote(ngx_conf_t *cf, ngx_str_t *s,
    ngx_str_t *quoted);
static ngx_uint_t ngx_http_mon_limit_idle(const ngx_mon_key_t *key,
    uint64_t word, uint64_t now);


static const ngx_mon_param_t  ngx_http_mon_limit_zone_params[] = {
    ngx_mon_param_own("zone=", ngx_http_mon_limit_zone_set_name),
    ngx_mon_param("rate=", ngx_mon_set_text,
                  ngx_http_mon_limit_zone_t, text,
                  0, NGX_MAX_INT_T_VALUE, 0),
    ngx_mon_param("burst=", ngx_mon_set_text,
                  ngx_http_mon_limit_zone_t, burst,
                  0, NGX_MAX_INT_T_VALUE, 0),
    ngx_mon_param_end
};


/* mon_limit_zone key zone=name:size rate=rate [burst=number]; */

char *
ngx_http_mon_limit_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_mon_limit_main_conf_t *mcf = conf;

    ngx_str_t                          *value;
    ngx_shm_zone_t                     *shm_zone;
    ngx_http_mon_limit_zone_t          *zone, **zp, *other;
    ngx_http_compile_complex_value_t    ccv;

    value = cf->args->elts;

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_mon_limit_zone_t));
    zp = ngx_array_push(&mcf->zones);

    if (zone == NULL || zp == NULL) {
        return NGX_CONF_ERROR;
    }

    *zp = zone;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = &zone->key;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK
        || ngx_http_mon_limit_zone_key(cf, zone) != NGX_OK
        || ngx_http_mon_limit_zone_parse(cf, zone) != NGX_OK
        || ngx_http_mon_limit_quote(cf, &zone->name, &zone->quoted) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_http_mon_limit_first(cf);

    shm_zone = ngx_shared_memory_add(cf, &zone->name, zone->size,
                                     &ngx_http_mon_limit_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (shm_zone->data) {
        other = shm_zone->data;

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%V \"%V\" is already bound to key \"%V\"",
                           &cmd->name, &zone->name, &other->key.value);
        return NGX_CONF_ERROR;
    }

    shm_zone->init = ngx_http_mon_limit_init_zone;
    shm_zone->data = zone;

    return NGX_CONF_OK;
}


/* a key that is a variable and nothing else is had without a script */

static ngx_int_t
ngx_http_mon_limit_zone_key(ngx_conf_t *cf, ngx_http_mon_limit_zone_t *zone)
{
    u_char      c;
    ngx_str_t   name;
    ngx_uint_t  i;

    zone->index = NGX_ERROR;

    name = zone->key.value;

    if (name.len < 2 || name.data[0] != '$') {
        return NGX_OK;
    }

    name.data++;
    name.len--;

    for (i = 0; i < name.len; i++) {
        c = name.data[i];

        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_'
            && (i == 0 || c < '0' || c > '9'))
        {
            return NGX_OK;
        }
    }

    zone->index = ngx_http_get_variable_index(cf, &name);
    zone->address = (name.len == sizeof("binary_remote_addr") - 1
                     && ngx_strncasecmp(name.data,
                                        (u_char *) "binary_remote_addr",
                                        name.len)
                        == 0);

    return (zone->index == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_mon_limit_zone_parse(ngx_conf_t *cf, ngx_http_mon_limit_zone_t *zone)
{
    ngx_int_t   n;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_mon_params(cf, 2, ngx_http_mon_limit_zone_params, zone)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (zone->size == 0 || zone->text.data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have \"%s\" parameter", &value[0],
                           zone->size ? "rate" : "zone");
        return NGX_ERROR;
    }

    if (ngx_mon_rate_parse(&zone->rate, &zone->text, 0) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid rate \"rate=%V\"",
                           &zone->text);
        return NGX_ERROR;
    }

    if (zone->burst.data == NULL) {
        return NGX_OK;
    }

    n = ngx_atoi(zone->burst.data, zone->burst.len);

    if (n == NGX_ERROR
        || ngx_mon_rate_parse(&zone->rate, &zone->text, n) != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid burst \"burst=%V\"",
                           &zone->burst);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* "name:size" */

static ngx_int_t
ngx_http_mon_limit_zone_set_name(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    ngx_http_mon_limit_zone_t  *zone = conf;

    u_char     *colon;
    ngx_str_t   s;

    colon = ngx_strlchr(value->data, value->data + value->len, ':');

    zone->name.data = value->data;
    zone->name.len = colon ? colon - value->data : 0;

    s.data = value->data + zone->name.len + 1;
    s.len = zone->name.len ? value->len - zone->name.len - 1 : 0;

    zone->size = ngx_parse_size(&s);

    if (zone->size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"zone=%V\"", value);
        return NGX_ERROR;
    }

    if (zone->size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"zone=%V\" is too small", value);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* a string of RFC 9651: what it can't hold becomes "?" */

static ngx_int_t
ngx_http_mon_limit_quote(ngx_conf_t *cf, ngx_str_t *s, ngx_str_t *quoted)
{
    u_char      *p, c;
    ngx_uint_t   i;

    p = ngx_pnalloc(cf->pool, 2 * s->len + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    quoted->data = p;

    *p++ = '"';

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (c == '"' || c == '\\') {
            *p++ = '\\';
        }

        *p++ = (c < 0x20 || c > 0x7e) ? '?' : c;
    }

    *p++ = '"';

    quoted->len = p - quoted->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_mon_limit_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_mon_limit_zone_t  *ozone = data;

    ngx_http_mon_limit_zone_t  *zone;

    zone = shm_zone->data;

    if (ozone
        && (ozone->key.value.len != zone->key.value.len
            || ngx_strncmp(ozone->key.value.data, zone->key.value.data,
                           zone->key.value.len)
               != 0))
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "mon_limit \"%V\" uses the \"%V\" key while previously "
                      "it used the \"%V\" key",
                      &shm_zone->shm.name, &zone->key.value,
                      &ozone->key.value);
        return NGX_ERROR;
    }

    zone->keys.idle = ngx_http_mon_limit_idle;

    return ngx_mon_keys_init(&zone->keys, shm_zone, data);
}


static ngx_uint_t
ngx_http_mon_limit_idle(const ngx_mon_key_t *key, uint64_t word, uint64_t now)
{
    uint64_t  unit;

    unit = __atomic_load_n(&key->aux, __ATOMIC_RELAXED);

    return unit == 0 || unit > NGX_MON_GCRA_UNIT_MAX
           || ngx_mon_gcra_idle((uint32_t) unit, word, now);
}


void
ngx_http_mon_limit_tick(ngx_cycle_t *cycle, ngx_uint_t leader)
{
    ngx_uint_t                        i;
    ngx_http_mon_limit_zone_t       **zone;
    ngx_http_mon_limit_main_conf_t   *mcf;

    if (!leader) {
        return;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_mon_limit_module);
    if (mcf == NULL) {
        return;
    }

    zone = mcf->zones.elts;

    for (i = 0; i < mcf->zones.nelts; i++) {
        ngx_mon_keys_sweep(&zone[i]->keys, ngx_http_mon_limit_now());
    }
}


ngx_int_t
ngx_http_mon_limit_source(ngx_uint_t group, ngx_uint_t i, int64_t *cells,
    ngx_str_t *values)
{
    ngx_mon_keys_facts_t              facts;
    ngx_http_mon_limit_zone_t       **zone;
    ngx_http_mon_limit_main_conf_t   *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                              ngx_http_mon_limit_module);

    if (mcf == NULL || i >= mcf->zones.nelts) {
        return NGX_DONE;
    }

    zone = mcf->zones.elts;

    ngx_mon_keys_facts(&zone[i]->keys, &facts);

    values[0] = zone[i]->name;

    cells[NGX_MON_LIMIT_KEYS] = facts.keys;
    cells[NGX_MON_LIMIT_ROOM] = facts.room;
    cells[NGX_MON_LIMIT_FULL] = facts.full;
    cells[NGX_MON_LIMIT_INVALID] = facts.invalid;

    return NGX_OK;
}
