
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Circuit breakers of upstreams and of locations.  A call at a hooked
 * upstream asks its circuits at peer.init; before that, where it is known at
 * configuration time what a location passes to, the last handler of the
 * precontent phase refuses requests without reading their bodies.  What a
 * location passes to by variables, no upstream being called so, can't be
 * hooked: it is let through by that handler, and its verdict is read from
 * r->upstream_states.
 */


#ifndef _NGX_HTTP_MON_BREAKER_H_INCLUDED_
#define _NGX_HTTP_MON_BREAKER_H_INCLUDED_


#include "ngx_http_mon_call.h"
#include "ngx_mon_breaker.h"


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


struct ngx_http_mon_breaker_s {
    ngx_str_t                        name;
    ngx_mon_breaker_conf_t           conf;
    ngx_uint_t                       on;        /* NGX_HTTP_MON_ON_* */

    /* the upstream whose it is; NULL: of a location, or of several */
    ngx_http_upstream_srv_conf_t    *uscf;

    /* its name is the label of its location */
    ngx_uint_t                       labelled;

    /* another one of the same name= that stands for this one, or NULL */
    ngx_http_mon_breaker_t          *same;

    /* where it was configured */
    void                           **loc_conf;
    ngx_str_t                        file;
    ngx_uint_t                       line;
    uint64_t                         version;

    /* of this worker; shared is NULL until used, or while there is no room */
    ngx_mon_breaker_t                state;
    ngx_msec_t                       asked;
    ngx_mon_series_t                *series;
};


typedef struct {
    ngx_array_t                      breakers;  /* _breaker_t * */
    ngx_array_t                      locations; /* _breaker_loc_conf_t * */

    /* the first directive, for the error that says what it lacks */
    ngx_str_t                        file;
    ngx_uint_t                       line;

    /* something refuses requests, see ngx_http_mon_refuse_init() */
    ngx_uint_t                       refuses;
} ngx_http_mon_breaker_main_conf_t;


typedef struct {
    ngx_http_mon_breaker_t          *breaker;
} ngx_http_mon_breaker_srv_conf_t;


typedef struct {
    /* NGX_CONF_UNSET_PTR until merged; NULL: none */
    ngx_http_mon_breaker_t          *breaker;

    /* of the upstream that is passed to */
    ngx_http_mon_breaker_t          *upstream;

    /* of the module that passes requests on, or NULL */
    ngx_http_upstream_conf_t        *pass;

    /*
     * The content handler that passes requests there, or NULL; of several "if"
     * that apply nginx takes the configuration of one, and the handler of
     * another one, maybe.
     */
    ngx_http_handler_pt              handler;

    /* whether there is a circuit to be asked; the one, if it is only one */
    ngx_uint_t                       guarded;
    ngx_http_mon_breaker_t          *single;

    /* by variables: what upstream it will be is not known */
    ngx_uint_t                       variable;

    /* of this level, and of the one that it stands in */
    void                           **loc_conf;
    void                           **outer;
} ngx_http_mon_breaker_loc_conf_t;


/* a request that was refused, or let through to what is not hooked */

typedef struct {
    ngx_http_request_t              *request;

    /* 0: it was not refused; by a breaker, or NULL */
    ngx_uint_t                       status;
    ngx_uint_t                       reason;    /* NGX_MON_ERROR_* */
    ngx_uint_t                       wait;      /* seconds */
    ngx_http_mon_breaker_t          *refused;

    ngx_http_mon_pass_t              pass;
} ngx_http_mon_breaker_ctx_t;


extern ngx_module_t  ngx_http_mon_breaker_module;


/* ngx_http_mon_breaker_module.c */

/*
 * Adds a handler to be called before those of the content phase, behind the
 * ones that were added so before, and finds out pass and handler of all
 * locations.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_mon_breaker_precontent(ngx_conf_t *cf,
    ngx_http_handler_pt handler);


/* ngx_http_mon_breaker_conf.c */

/* Parses the parameters of the directive into b, which is zeros. */
char *ngx_http_mon_breaker_parse(ngx_conf_t *cf, ngx_http_mon_breaker_t *b);

/*
 * Gives all breakers of the configuration their names, and declares what
 * they keep.  NGX_OK, or NGX_ERROR after a message.
 */
ngx_int_t ngx_http_mon_breaker_declare(ngx_conf_t *cf,
    ngx_http_mon_breaker_main_conf_t *bmcf);


/* ngx_http_mon_breaker.c */

/* The parts of the functions below where a circuit is not closed. */
ngx_int_t ngx_http_mon_breaker_request(ngx_http_mon_call_t *call);
void ngx_http_mon_breaker_end(ngx_http_mon_call_t *call);

/*
 * The header of an attempt's response was read, see call->header: of a call
 * that is probing.
 */
void ngx_http_mon_breaker_began(ngx_http_mon_call_t *call);

/*
 * Makes the breaker ready in this worker.  NGX_OK, or NGX_DECLINED where the
 * zone had no room for it: nothing is protected then.
 */
ngx_int_t ngx_http_mon_breaker_ready(ngx_http_mon_breaker_t *b);

/*
 * Of an upstream that is not hooked, for the pass in the context of the
 * request, if there is one: a response header with that verdict passes, and
 * the call ended with it; us: microseconds to the header, or to the failure.
 */
void ngx_http_mon_breaker_answered(ngx_http_request_t *r, ngx_uint_t verdict,
    uint64_t us);
void ngx_http_mon_breaker_followed(ngx_http_request_t *r, ngx_uint_t verdict,
    uint64_t us);

/* Logs and counts a transition that this worker made. */
void ngx_http_mon_breaker_moved(ngx_http_mon_breaker_t *b, ngx_log_t *log,
    ngx_mon_breaker_change_t *change);

/* The same of one that was asked for; what: "opened", "closed" or "reset". */
void ngx_http_mon_breaker_commanded(ngx_http_mon_breaker_t *b, ngx_log_t *log,
    const char *what, ngx_mon_breaker_change_t *change);

/*
 * Lets a call of the request through: NGX_OK, and pass is filled, its breaker
 * NULL where there is nothing to give back; or NGX_BUSY.
 */
ngx_int_t ngx_http_mon_breaker_admit(ngx_http_request_t *r,
    ngx_http_mon_breaker_t *b, ngx_http_mon_pass_t *pass);

/*
 * Gives the pass back, once, with the verdict, NGX_HTTP_MON_NO_VERDICT among
 * others; us: microseconds to the response header, or to the failure.
 */
void ngx_http_mon_breaker_verdict(ngx_http_request_t *r,
    ngx_http_mon_pass_t *pass, ngx_uint_t verdict, uint64_t us);


/* a closed circuit is nearly free: that much is compiled into its caller */

static ngx_mon_inline ngx_uint_t
ngx_http_mon_breaker_closed(ngx_http_mon_breaker_t *b)
{
    return b->state.shared
           && ngx_mon_breaker_kind(__atomic_load_n(&b->state.shared->state,
                                                   __ATOMIC_RELAXED))
              == NGX_MON_BREAKER_CLOSED;
}


static ngx_mon_inline ngx_uint_t
ngx_http_mon_breaker_passed(ngx_http_mon_breaker_t *b,
    ngx_http_mon_pass_t *pass)
{
    uint64_t  state;

    if (b == NULL) {
        pass->breaker = NULL;
        return 1;
    }

    if (ngx_mon_unlikely(b->state.shared == NULL)) {
        return 0;
    }

    state = __atomic_load_n(&b->state.shared->state, __ATOMIC_RELAXED);

    pass->breaker = b;
    pass->pass.generation = ngx_mon_breaker_generation(state);
    pass->pass.slot = -1;

    return ngx_mon_breaker_kind(state) == NGX_MON_BREAKER_CLOSED;
}


/*
 * Asks the circuits of the upstream and of the location.  Returns NGX_OK, and
 * breaker_leave is to be called; NGX_BUSY: refused, nothing is held, and an
 * expired answer of the cache may be served; NGX_DONE: refused, and the
 * request was finalized, peer.init must return NGX_ERROR.
 */
static ngx_mon_inline ngx_int_t
ngx_http_mon_breaker_enter(ngx_http_mon_call_t *call)
{
    ngx_http_mon_breaker_t           *b, *next;
    ngx_http_mon_breaker_loc_conf_t  *blcf;

    blcf = ngx_http_get_module_loc_conf(call->attempt.request,
                                        ngx_http_mon_breaker_module);

    b = call->attempt.origin->hook->breaker;
    next = blcf->breaker;

    if (b == NULL) {
        b = next;
        next = NULL;
    }

    if (ngx_mon_likely(!blcf->variable
                       && ngx_http_mon_breaker_passed(b, &call->pass[0])
                       && ngx_http_mon_breaker_passed(next, &call->pass[1])))
    {
        return NGX_OK;
    }

    return ngx_http_mon_breaker_request(call);
}


/* The call came to its verdict. */
static ngx_mon_inline void
ngx_http_mon_breaker_leave(ngx_http_mon_call_t *call)
{
    ngx_http_mon_breaker_t  *b;

    b = call->pass[0].breaker;

    if (call->pass[1].breaker == NULL) {

        if (b == NULL) {
            return;
        }

        if (ngx_mon_likely(call->verdict == 0 && b->conf.slow == 0
                           && ngx_mon_active
                           && ngx_mon_breaker_quick(&b->state,
                                                    ngx_current_msec,
                                                    &call->pass[0].pass)))
        {
            return;
        }
    }

    ngx_http_mon_breaker_end(call);
}


/* ngx_http_mon_refuse.c */

/* Of the precontent phase. */
ngx_int_t ngx_http_mon_refuse_handler(ngx_http_request_t *r);

/*
 * Refuses a request at peer.init: NGX_BUSY where an expired answer of the
 * cache may be served, else the request is finalized, and NGX_DONE.
 */
ngx_int_t ngx_http_mon_refuse_upstream(ngx_http_request_t *r,
    ngx_http_mon_breaker_t *b);

/* The context of the request, or NULL. */
ngx_http_mon_breaker_ctx_t *ngx_http_mon_refuse_ctx(ngx_http_request_t *r);

/*
 * Makes it a request that is refused with this status, 400 or more, for this
 * reason, NGX_MON_ERROR_*, and a Retry-After of so many seconds.  Returns its
 * context, or NULL without memory.
 */
ngx_http_mon_breaker_ctx_t *ngx_http_mon_refuse_as(ngx_http_request_t *r,
    ngx_uint_t status, ngx_uint_t reason, ngx_uint_t wait);

/*
 * Whether nginx serves an expired answer of the cache once peer.get returns
 * NGX_DECLINED, with no tries left.
 */
ngx_uint_t ngx_http_mon_refuse_stale(ngx_http_request_t *r);

/*
 * From peer.init or peer.get, which must return NGX_ERROR then: ends the
 * upstream and finalizes the request with rc.  Returns NGX_DONE.
 */
ngx_int_t ngx_http_mon_refuse_end(ngx_http_request_t *r, ngx_int_t rc);

/* Whether the cache will be asked before what pass, or NULL, passes to. */
ngx_uint_t ngx_http_mon_refuse_cached(ngx_http_request_t *r,
    ngx_http_upstream_conf_t *pass);

/*
 * Puts in place what adds Retry-After and tells the reason: from the
 * postconfiguration of whatever refuses requests.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_mon_refuse_init(ngx_conf_t *cf);

/* ngx_http_mon_breaker_variables.c */

/* Adds them.  NGX_OK, or NGX_ERROR without memory. */
ngx_int_t ngx_http_mon_breaker_variables(ngx_conf_t *cf);


/* ngx_http_mon_breaker_admin.c */

/* The source of the group BREAKER_STATE. */
ngx_int_t ngx_http_mon_breaker_source(ngx_uint_t group, ngx_uint_t i,
    int64_t *cells, ngx_str_t *values);

/* The health check "breakers": one that is not closed degrades. */
void ngx_http_mon_breaker_health(ngx_mon_check_t *c);

/* Frees what dead workers hold. */
void ngx_http_mon_breaker_tick(ngx_cycle_t *cycle, ngx_uint_t leader);


/* for those who show and command breakers */

typedef struct {
    ngx_str_t                        name;
    /* of an upstream, else of a location */
    ngx_uint_t                       upstream;
    ngx_mon_breaker_conf_t           conf;
    ngx_mon_breaker_info_t           info;
} ngx_http_mon_breaker_view_t;

/* closed, open, half_open */
extern const ngx_str_t  ngx_http_mon_breaker_kinds[];

/*
 * Fills v with the i-th breaker of the configuration; its strings live as
 * long as the cycle.  NGX_OK; NGX_DECLINED: there is no room for its state,
 * which is shown closed; NGX_DONE past the last.
 */
ngx_int_t ngx_http_mon_breaker_view(ngx_uint_t i,
    ngx_http_mon_breaker_view_t *v);

/* The number of the breaker of that name, or NGX_ERROR. */
ngx_int_t ngx_http_mon_breaker_find(ngx_str_t *name);

#define NGX_HTTP_MON_BREAKER_RESET  0
#define NGX_HTTP_MON_BREAKER_OPEN   1
#define NGX_HTTP_MON_BREAKER_CLOSE  2

/*
 * Commands the i-th breaker: it stays open or closed, whatever happens and
 * over reloads, until it is reset.  log gets a line of it.  NGX_OK, or
 * NGX_DECLINED: no such breaker, or no room for its state.
 */
ngx_int_t ngx_http_mon_breaker_command(ngx_uint_t i, ngx_uint_t command,
    ngx_log_t *log);


/* ngx_http_mon_api_breaker.c */

/* http/breakers of the API. */
extern const ngx_mon_branch_t  ngx_http_mon_api_breakers;


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_BREAKER_H_INCLUDED_ */
