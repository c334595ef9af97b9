
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_ROW_H_INCLUDED_
#define _NGX_MON_ROW_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * How many calls failed in a row: a shared word, which belongs to a
 * generation, so that a process that is late neither adds to the row of a
 * later one nor ends it.
 *
 *     generation 16 | calls 48; or 0, which is none of any generation
 */

/*
 * A call of the generation failed: returns how many there are with it, or 0,
 * the word is of a later generation.
 */
uint64_t ngx_mon_row_failed(uint64_t *row, uint64_t generation);

/* A call of the generation was good. */
void ngx_mon_row_fine(uint64_t *row, uint64_t generation);

/* How many there are of the generation. */
uint64_t ngx_mon_row_count(const uint64_t *row, uint64_t generation);


#endif /* _NGX_MON_ROW_H_INCLUDED_ */
