
/*
 * Copyright (C) The ngx_mon authors
 */


/* http/breakers of the API: breakers by their name.  A walk is at the [0]th. */


#include "ngx_http_mon_breaker.h"


static ngx_int_t ngx_http_mon_api_breaker_find(const ngx_mon_walk_t *w);
static ngx_int_t ngx_http_mon_api_breaker_emit(ngx_mon_walk_t *w,
    ngx_mon_emit_t *e);
static ngx_uint_t ngx_http_mon_api_breaker_writes(const ngx_mon_walk_t *w);
static ngx_int_t ngx_http_mon_api_breaker_write(ngx_mon_walk_t *w,
    ngx_uint_t method, const char **message);
static ngx_int_t ngx_http_mon_api_breaker_verb(const ngx_str_t *word);
static void ngx_http_mon_api_breaker(ngx_http_mon_breaker_view_t *v,
    ngx_mon_emit_t *e);
static void ngx_http_mon_api_breaker_window(ngx_http_mon_breaker_view_t *v,
    ngx_mon_emit_t *e);
static void ngx_http_mon_api_breaker_counters(ngx_str_t *name,
    ngx_mon_emit_t *e);
static void ngx_http_mon_api_breaker_conf(const ngx_mon_breaker_conf_t *conf,
    ngx_mon_emit_t *e);


/* by NGX_HTTP_MON_BREAKER_RESET and on */

static const char *ngx_http_mon_api_breaker_verbs[] = {
    "reset", "open", "close"
};

#define NGX_HTTP_MON_API_VERBS                                                \
    (sizeof(ngx_http_mon_api_breaker_verbs) / sizeof(char *))


const ngx_mon_branch_t  ngx_http_mon_api_breakers = {
    ngx_string("http/breakers"),
    ngx_http_mon_api_breaker_find,
    ngx_http_mon_api_breaker_emit,
    ngx_http_mon_api_breaker_writes,
    ngx_http_mon_api_breaker_write
};


static ngx_int_t
ngx_http_mon_api_breaker_number(const ngx_str_t *name)
{
    ngx_str_t  s;

    s = *name;

    return ngx_http_mon_breaker_find(&s);
}


static ngx_int_t
ngx_http_mon_api_breaker_find(const ngx_mon_walk_t *w)
{
    return w->nrest == 1
           && ngx_http_mon_api_breaker_number(&w->rest[0]) != NGX_ERROR
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_mon_api_breaker_emit(ngx_mon_walk_t *w, ngx_mon_emit_t *e)
{
    ngx_int_t                    i;
    ngx_http_mon_breaker_view_t  v;

    if (w->nrest) {
        i = ngx_http_mon_api_breaker_number(&w->rest[0]);

        ngx_mon_emit_open(e, NULL, '{');

        if (i != NGX_ERROR && ngx_http_mon_breaker_view(i, &v) != NGX_DONE) {
            ngx_http_mon_api_breaker(&v, e);
        }

        ngx_mon_emit_close(e, '}');
        return NGX_DONE;
    }

    if (w->at[0] == 0) {
        ngx_mon_emit_open(e, NULL, '{');
    }

    if (ngx_http_mon_breaker_view(w->at[0], &v) == NGX_DONE) {
        ngx_mon_emit_close(e, '}');
        return NGX_DONE;
    }

    ngx_mon_emit_key(e, &v.name);
    ngx_mon_emit_open(e, NULL, '{');
    ngx_http_mon_api_breaker(&v, e);
    ngx_mon_emit_close(e, '}');

    w->at[0]++;

    return NGX_AGAIN;
}


/* "reset" of all, or a verb behind a name */

static ngx_uint_t
ngx_http_mon_api_breaker_writes(const ngx_mon_walk_t *w)
{
    ngx_int_t  verb;

    if (w->nrest == 0 || w->nrest > 2) {
        return 0;
    }

    verb = ngx_http_mon_api_breaker_verb(&w->rest[w->nrest - 1]);

    if (w->nrest == 1) {
        return verb == NGX_HTTP_MON_BREAKER_RESET ? NGX_HTTP_POST : 0;
    }

    return verb != NGX_ERROR
           && ngx_http_mon_api_breaker_number(&w->rest[0]) != NGX_ERROR
           ? NGX_HTTP_POST : 0;
}


static ngx_int_t
ngx_http_mon_api_breaker_write(ngx_mon_walk_t *w, ngx_uint_t method,
    const char **message)
{
    ngx_int_t                    i, rc, verb;
    ngx_http_mon_breaker_view_t  v;

    verb = ngx_http_mon_api_breaker_verb(&w->rest[w->nrest - 1]);

    if (w->nrest == 2) {
        w->nrest = 1;

        i = ngx_http_mon_api_breaker_number(&w->rest[0]);
        rc = ngx_http_mon_breaker_command(i, verb, ngx_cycle->log);

    } else {
        w->nrest = 0;
        rc = NGX_OK;

        for (i = 0; ngx_http_mon_breaker_view(i, &v) != NGX_DONE; i++) {

            if (ngx_http_mon_breaker_command(i, verb, ngx_cycle->log)
                != NGX_OK)
            {
                rc = NGX_DECLINED;
            }
        }
    }

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    *message = "mon_zone has no room for the breaker's state";

    return NGX_ERROR;
}


/* NGX_HTTP_MON_BREAKER_*, or NGX_ERROR */

static ngx_int_t
ngx_http_mon_api_breaker_verb(const ngx_str_t *word)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_MON_API_VERBS; i++) {
        if (ngx_mon_path_is(word, ngx_http_mon_api_breaker_verbs[i])) {
            return i;
        }
    }

    return NGX_ERROR;
}


static void
ngx_http_mon_api_breaker(ngx_http_mon_breaker_view_t *v, ngx_mon_emit_t *e)
{
    ngx_mon_breaker_info_t  *info;

    info = &v->info;

    ngx_mon_emit_word(e, "scope", v->upstream ? "upstream" : "location");
    ngx_mon_emit_text(e, "state", &ngx_http_mon_breaker_kinds[info->kind]);
    ngx_mon_emit_flag(e, "forced", info->forced);
    ngx_mon_emit_number(e, "opened_in_a_row", info->row);

    if (info->kind == NGX_MON_BREAKER_OPEN && !info->forced) {
        ngx_mon_emit_ms(e, "half_open_in", info->left);

    } else {
        ngx_mon_emit_word(e, "half_open_in", NULL);
    }

    ngx_http_mon_api_breaker_window(v, e);

    ngx_mon_emit_open(e, "trial", '{');
    ngx_mon_emit_number(e, "under_way", info->held);
    ngx_mon_emit_number(e, "succeeded", info->done);
    ngx_mon_emit_close(e, '}');

    ngx_http_mon_api_breaker_counters(&v->name, e);
    ngx_http_mon_api_breaker_conf(&v->conf, e);
}


static void
ngx_http_mon_api_breaker_window(ngx_http_mon_breaker_view_t *v,
    ngx_mon_emit_t *e)
{
    ngx_mon_window_sum_t  *sum;

    sum = &v->info.sum;

    ngx_mon_emit_open(e, "window", '{');
    ngx_mon_emit_number(e, "calls", sum->calls);
    ngx_mon_emit_number(e, "failed", sum->failed);
    ngx_mon_emit_number(e, "slow", sum->slow);
    ngx_mon_emit_ratio(e, "failed_ratio", sum->failed, sum->calls);
    ngx_mon_emit_ratio(e, "slow_ratio", sum->slow, sum->calls);
    ngx_mon_emit_number(e, "failed_in_a_row", v->info.consecutive);
    ngx_mon_emit_close(e, '}');
}


static void
ngx_http_mon_api_breaker_counters(ngx_str_t *name, ngx_mon_emit_t *e)
{
    int64_t          cells[NGX_MON_CELLS_MAX];
    ngx_uint_t       i;
    ngx_mon_node_t  *node;

    ngx_memzero(cells, sizeof(cells));

    node = ngx_mon_find(NGX_MON_G_BREAKER, NULL, name, 1);

    if (node) {
        ngx_mon_read(node, cells);
    }

    ngx_mon_emit_number(e, "rejected", cells[NGX_MON_REJECTED]);

    ngx_mon_emit_open(e, "transitions", '{');

    for (i = 0; i < NGX_MON_TO_N; i++) {
        ngx_mon_emit_key(e, &ngx_http_mon_breaker_kinds[i]);
        ngx_mon_emit_number(e, NULL, cells[NGX_MON_TRANSITIONS + i]);
    }

    ngx_mon_emit_close(e, '}');
}


/* the parameters in force */

static void
ngx_http_mon_api_breaker_conf(const ngx_mon_breaker_conf_t *conf,
    ngx_mon_emit_t *e)
{
    ngx_mon_emit_open(e, "limits", '{');
    ngx_mon_emit_value(e, "ratio", NGX_MON_MICRO_RATIO, conf->ratio);
    ngx_mon_emit_number(e, "min", conf->min);
    ngx_mon_emit_ms(e, "window", conf->window);
    ngx_mon_emit_number(e, "consecutive", conf->consecutive);
    ngx_mon_emit_value(e, "slow", NGX_MON_MICRO_SECONDS, conf->slow);
    ngx_mon_emit_value(e, "slow_ratio", NGX_MON_MICRO_RATIO, conf->slow_ratio);
    ngx_mon_emit_ms(e, "open", conf->open);
    ngx_mon_emit_ms(e, "max_open", conf->max_open);
    ngx_mon_emit_number(e, "probes", conf->probes);
    ngx_mon_emit_close(e, '}');
}
