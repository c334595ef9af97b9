
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* not assert(): it must hold whatever NDEBUG says */

#define check(expr)                                                           \
    if (!(expr)) {                                                            \
        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #expr);            \
        abort();                                                              \
    }


/* takes n bytes of the input, or what is left, as a number */

static ngx_inline uint64_t
fuzz_number(const uint8_t **data, size_t *size, size_t n)
{
    uint64_t  v;

    for (v = 0; n && *size; n--) {
        v = v << 8 | *(*data)++;
        (*size)--;
    }

    return v;
}


#endif /* _FUZZ_H_INCLUDED_ */
