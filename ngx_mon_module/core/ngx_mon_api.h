
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The API's tree of JSON: who has something to tell registers a branch of it,
 * and knows neither requests nor what else is in the tree.
 */


#ifndef _NGX_MON_API_H_INCLUDED_
#define _NGX_MON_API_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_mon.h"
#include "ngx_mon_emit.h"
#include "ngx_mon_path.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


#define NGX_MON_BRANCHES_MAX  32

/* segments in the path of a branch */
#define NGX_MON_BRANCH_DEPTH  4


/* a walk over a branch, or over what is below it */

typedef struct {
    /* of the path, what is below the branch; decoded, any bytes but null */
    ngx_uint_t         nrest;
    const ngx_str_t   *rest;

    /* where it is: the branch's own, zeros to begin with */
    ngx_uint_t         at[4];
} ngx_mon_walk_t;


typedef struct {
    /* "http/breakers"; no branch is below another one */
    ngx_str_t          path;

    /*
     * Whether w->rest, of which there is one segment or more, names
     * something that can be read: NGX_OK or NGX_DECLINED.
     */
    ngx_int_t        (*find)(const ngx_mon_walk_t *w);

    /*
     * Emits a bounded piece, some KiB, of the one value that w->rest names,
     * and advances w->at.  NGX_AGAIN: there is more, which is asked for in
     * another iteration of the event loop maybe, and after any change; so
     * what is gone is left out.  NGX_DONE: the value is whole.  A piece that
     * finds no room is asked for again, from the same w->at.
     */
    ngx_int_t        (*emit)(ngx_mon_walk_t *w, ngx_mon_emit_t *e);

    /*
     * The methods, of NGX_HTTP_POST|NGX_HTTP_DELETE, that w->rest takes for
     * a write; NULL: none.
     */
    ngx_uint_t       (*writes)(const ngx_mon_walk_t *w);

    /*
     * Does it.  NGX_OK, w->nrest being cut to what is to be shown then; else
     * *message says why not, and NGX_DECLINED that something is not there,
     * NGX_ERROR that it went wrong.
     */
    ngx_int_t        (*write)(ngx_mon_walk_t *w, ngx_uint_t method,
                              const char **message);
} ngx_mon_branch_t;


/* a path below the API's root, and a walk over what it names */

typedef struct {
    ngx_mon_path_t     path;

    /* the branches in it, by number; in: path is one of them, or below */
    ngx_uint_t         first;
    ngx_uint_t         last;
    ngx_uint_t         in;

    ngx_mon_walk_t     walk;

    /* what is emitted of a directory */
    ngx_uint_t         branch;
    ngx_uint_t         level;
    unsigned           begun:1;
    unsigned           inside:1;
} ngx_mon_api_t;


/*
 * Adds a branch, which must live as long as the process; does nothing where
 * it was added before.  To be called from postconfiguration.
 */
void ngx_mon_add_branch(const ngx_mon_branch_t *branch);

/*
 * Looks a->path up, the other members being zeros.  NGX_OK: it can be read;
 * NGX_DECLINED: it can't, though it may take a write.
 */
ngx_int_t ngx_mon_api_find(ngx_mon_api_t *a);

/* The methods that a->path takes for a write, after find. */
ngx_uint_t ngx_mon_api_writes(ngx_mon_api_t *a);

/*
 * Does the write, see ngx_mon_branch_t; after NGX_OK a->path is what to show,
 * to be looked up again.
 */
ngx_int_t ngx_mon_api_write(ngx_mon_api_t *a, ngx_uint_t method,
    const char **message);

/*
 * Emits a bounded piece of what a->path names: NGX_AGAIN, there is more, or
 * NGX_DONE.  Where e->out.full is set it is to be called again, with more
 * room, and e as it was before.
 */
ngx_int_t ngx_mon_api_emit(ngx_mon_api_t *a, ngx_mon_emit_t *e);


#pragma GCC visibility pop


#endif /* _NGX_MON_API_H_INCLUDED_ */
