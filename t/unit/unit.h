
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _UNIT_H_INCLUDED_
#define _UNIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <setjmp.h>
#include <cmocka.h>


/* the name of it since cmocka 2 */
#ifdef assert_uint_in_range
#undef assert_in_range
#define assert_in_range  assert_uint_in_range
#endif


/* xorshift64*: the same numbers in every run */

static ngx_inline uint64_t
unit_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;

    return *state * 0x2545f4914f6cdd1d;
}


/* from 0 to 1, without 0 */

static ngx_inline double
unit_fraction(uint64_t *state)
{
    return ((double) (unit_random(state) >> 11) + 1) / 9007199254740992.0;
}


#endif /* _UNIT_H_INCLUDED_ */
