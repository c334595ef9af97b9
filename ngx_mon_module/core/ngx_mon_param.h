
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The parameters of a directive, "name=value" and flags, by a table: a row
 * tells how a parameter is written, what it may be, and where it goes.
 */


#ifndef _NGX_MON_PARAM_H_INCLUDED_
#define _NGX_MON_PARAM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


typedef struct ngx_mon_param_s  ngx_mon_param_t;

/*
 * Puts the value, which may be empty, of a parameter into conf.  NGX_OK;
 * NGX_DECLINED, it is none: the caller names the parameter; or NGX_ERROR
 * after a message.
 */
typedef ngx_int_t (*ngx_mon_param_pt)(ngx_conf_t *cf,
    const ngx_mon_param_t *p, ngx_str_t *value, void *conf);

struct ngx_mon_param_s {
    /* with "=", or it is a flag */
    ngx_str_t               name;
    ngx_mon_param_pt        set;
    size_t                  offset;

    ngx_int_t               low;
    ngx_int_t               high;
    /* 0: the field is left as it is */
    ngx_int_t               def;

    /* of ngx_mon_set_word(), up to one without a name */
    const ngx_conf_enum_t  *words;
};


/* where a field is, of whole words: a smaller one does not compile */
#define ngx_mon_param_at(type, field)                                         \
    (offsetof(type, field)                                                    \
     + 0 * sizeof(char[sizeof(((type *) NULL)->field) % sizeof(ngx_int_t)     \
                       ? -1 : 1]))

#define ngx_mon_param(name, set, type, field, low, high, def)                 \
    { ngx_string(name), set, ngx_mon_param_at(type, field), low, high, def,   \
      NULL }

#define ngx_mon_param_word(name, type, field, def, words)                     \
    { ngx_string(name), ngx_mon_set_word, ngx_mon_param_at(type, field),      \
      0, 0, def, words }

#define ngx_mon_param_flag(name, type, field)                                 \
    ngx_mon_param(name, ngx_mon_set_flag, type, field, 0, 0, 0)

/* one whose setter knows its field */
#define ngx_mon_param_own(name, set)                                          \
    { ngx_string(name), set, 0, 0, 0, 0, NULL }

#define ngx_mon_param_end                                                     \
    { ngx_null_string, NULL, 0, 0, 0, 0, NULL }

#define ngx_mon_param_field(p, conf)                                          \
    ((void *) ((u_char *) (conf) + (p)->offset))


/*
 * Puts the defaults of params into conf, then the arguments of the directive
 * from the first one on, 1 or more.  NGX_OK, or NGX_ERROR after a message: an
 * argument is no such parameter, is there twice, or has a wrong value.
 */
ngx_int_t ngx_mon_params(ngx_conf_t *cf, ngx_uint_t first,
    const ngx_mon_param_t *params, void *conf);

/*
 * The first argument, from the one of that number on, that is the parameter
 * of this name, "name=" or a flag's, or NULL.
 */
ngx_str_t *ngx_mon_param_arg(ngx_conf_t *cf, ngx_uint_t first,
    const ngx_str_t *name);


/*
 * Setters, each an ngx_mon_param_pt.  Those of numbers set an ngx_int_t, or
 * what is of its size, from p->low, 0 or more, to p->high.
 */

/* A whole number. */
ngx_int_t ngx_mon_set_number(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf);

/* "10s", in milliseconds. */
ngx_int_t ngx_mon_set_time(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf);

/*
 * "1.5", of which 100 is p->high, a power of ten from 100 on: with as many
 * decimals as that has room for.
 */
ngx_int_t ngx_mon_set_decimal(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf);

/* "1.5%", as a decimal, or "0". */
ngx_int_t ngx_mon_set_percent(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf);

/* One of p->words, by its value. */
ngx_int_t ngx_mon_set_word(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf);

/* 1, of a flag. */
ngx_int_t ngx_mon_set_flag(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf);

/* An ngx_str_t, of p->low to p->high bytes; it is not copied. */
ngx_int_t ngx_mon_set_text(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf);


#pragma GCC visibility pop


#endif /* _NGX_MON_PARAM_H_INCLUDED_ */
