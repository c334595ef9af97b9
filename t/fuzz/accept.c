
/*
 * Copyright (C) The ngx_mon authors
 */


#include "fuzz.h"
#include "ngx_mon_accept.h"


static const ngx_mon_media_t  offers[] = {
    { ngx_string("text/plain"),
      ngx_string("version"), ngx_string("0.0.4") },
    { ngx_string("application/openmetrics-text"),
      ngx_string("version"), ngx_string("1.0.0") },
    { ngx_string("application/openmetrics-text"),
      ngx_string("version"), ngx_string("0.0.1") },
    { ngx_string("application/json"),
      ngx_null_string, ngx_null_string }
};


static ngx_uint_t
choose(const u_char *p, size_t len)
{
    ngx_str_t  header;

    header.data = (u_char *) p;
    header.len = len;

    return ngx_mon_accept(&header, offers,
                          sizeof(offers) / sizeof(offers[0]));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char      *p;
    size_t       i;
    ngx_uint_t   chosen;

    p = malloc(size + 1);
    check(p);

    memcpy(p + 1, data, size);

    chosen = choose(p + 1, size);
    check(chosen < sizeof(offers) / sizeof(offers[0]));

    /* neither an empty element nor the case of letters makes a difference */

    p[0] = ',';
    check(choose(p, size + 1) == chosen);

    for (i = 1; i <= size; i++) {
        p[i] = ngx_toupper(p[i]);
    }

    check(choose(p + 1, size) == chosen);

    free(p);

    return 0;
}
