
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_http_mon_call.h"


/* failure: of attempts without a response; status: of those with one */

static const struct {
    ngx_str_t   name;
    ngx_uint_t  on;
    ngx_int_t   failure;
    ngx_uint_t  status;
} ngx_http_mon_verdicts[] = {
    { ngx_string("error"), NGX_HTTP_MON_ON_ERROR,
      NGX_MON_FAILURE_ERROR, 0 },
    { ngx_string("timeout"), NGX_HTTP_MON_ON_TIMEOUT,
      NGX_MON_FAILURE_TIMEOUT, 0 },
    { ngx_string("invalid_header"), NGX_HTTP_MON_ON_INVALID_HEADER,
      NGX_MON_FAILURE_INVALID_HEADER, 0 },
    { ngx_string("http_500"), NGX_HTTP_MON_ON_500, NGX_DECLINED, 500 },
    { ngx_string("http_502"), NGX_HTTP_MON_ON_502, NGX_DECLINED, 502 },
    { ngx_string("http_503"), NGX_HTTP_MON_ON_503, NGX_DECLINED, 503 },
    { ngx_string("http_504"), NGX_HTTP_MON_ON_504, NGX_DECLINED, 504 },
    { ngx_string("http_429"), NGX_HTTP_MON_ON_429, NGX_DECLINED, 429 },
    { ngx_string("http_403"), NGX_HTTP_MON_ON_403, NGX_DECLINED, 403 },
    { ngx_string("http_404"), NGX_HTTP_MON_ON_404, NGX_DECLINED, 404 },
    { ngx_null_string, 0, NGX_DECLINED, 0 }
};


ngx_int_t
ngx_http_mon_set_on(ngx_conf_t *cf, const ngx_mon_param_t *p,
    ngx_str_t *value, void *conf)
{
    u_char      *q, *last, *comma;
    ngx_str_t    word;
    ngx_uint_t   i, *on;

    on = ngx_mon_param_field(p, conf);
    *on = 0;

    q = value->data;
    last = q + value->len;

    do {
        comma = ngx_strlchr(q, last, ',');

        word.data = q;
        word.len = (comma ? comma : last) - q;

        for (i = 0; ngx_http_mon_verdicts[i].on; i++) {
            if (ngx_http_mon_verdicts[i].name.len == word.len
                && ngx_strncmp(ngx_http_mon_verdicts[i].name.data, word.data,
                               word.len)
                   == 0)
            {
                break;
            }
        }

        if (ngx_http_mon_verdicts[i].on == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\"",
                               &word);
            return NGX_ERROR;
        }

        *on |= ngx_http_mon_verdicts[i].on;

        q = comma ? comma + 1 : NULL;

    } while (q);

    return NGX_OK;
}


ngx_uint_t
ngx_http_mon_verdict(ngx_uint_t status, ngx_int_t failure)
{
    ngx_uint_t  i;

    if (ngx_mon_likely(status && status < NGX_HTTP_FORBIDDEN
                       && failure == NGX_DECLINED))
    {
        return 0;
    }

    if (status == 0 && failure == NGX_DECLINED) {
        return NGX_HTTP_MON_NO_VERDICT;
    }

    for (i = 0; ngx_http_mon_verdicts[i].on; i++) {

        if (ngx_http_mon_verdicts[i].status
            ? ngx_http_mon_verdicts[i].status == status
            : ngx_http_mon_verdicts[i].failure == failure)
        {
            return ngx_http_mon_verdicts[i].on;
        }
    }

    return 0;
}
