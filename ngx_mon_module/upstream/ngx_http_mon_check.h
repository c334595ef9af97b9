
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Active health checks.  The worker that leads has a checker for each peer of
 * the upstreams with mon_check, as the balancer lists them; what they find
 * stands in the words that workers share, so that whoever leads next goes on
 * from there.
 */


#ifndef _NGX_HTTP_MON_CHECK_H_INCLUDED_
#define _NGX_HTTP_MON_CHECK_H_INCLUDED_


#include "ngx_http_mon_gate.h"
#include "ngx_mon_probe.h"
#include "ngx_mon_tally.h"
#include <ngx_event_connect.h>


/* nothing here is seen outside of the .so */
#pragma GCC visibility push(hidden)


#define NGX_HTTP_MON_CHECK_HTTP  0x01
#define NGX_HTTP_MON_CHECK_TCP   0x02
#define NGX_HTTP_MON_CHECK_TLS   0x04
#define NGX_HTTP_MON_CHECK_GRPC  0x08


/* mon_check of an upstream */

typedef struct {
    ngx_uint_t                       type;        /* 0: none */
    ngx_str_t                        uri;
    ngx_str_t                        host;        /* empty: not given */
    ngx_uint_t                       port;        /* 0: the peer's */
    ngx_msec_t                       interval;
    ngx_msec_t                       timeout;
    ngx_uint_t                       fall;
    ngx_uint_t                       rise;
    ngx_uint_t                       mandatory;
    ngx_mon_probe_codes_t            codes;
    ngx_mon_probe_match_t            match;       /* len 0: none */

    ngx_str_t                        request;
    ngx_http_upstream_srv_conf_t    *uscf;
    ngx_http_mon_hook_t             *hook;

#if (NGX_HTTP_SSL)
    ngx_ssl_t                       *ssl;
#endif
} ngx_http_mon_check_conf_t;


typedef struct {
    ngx_array_t                      checks;  /* ngx_http_mon_check_conf_t * */

    /* the first one, for the error that says what it lacks */
    ngx_str_t                        file;
    ngx_uint_t                       line;
} ngx_http_mon_check_main_conf_t;


/* a peer that the leader checks */

typedef struct {
    ngx_queue_t                      queue;
    ngx_http_mon_check_conf_t       *conf;
    ngx_str_t                        name;
    struct sockaddr                 *sockaddr;
    socklen_t                        socklen;

    /* of the walk of that number through the balancer's list */
    ngx_uint_t                       seen;

    /* until the check is due; in flight, until its timeout */
    ngx_event_t                      timer;

    /* in flight: pc.connection is set */
    ngx_peer_connection_t            pc;
    ngx_pool_t                      *pool;
    ngx_log_t                        log;
    ngx_msec_t                       begun;
    uint64_t                         start;       /* ngx_mon_now() */
    size_t                           sent;
    ngx_err_t                        broken;      /* of sending */
    unsigned                         connected:1;

    union {
        ngx_mon_probe_http_t         http;
        ngx_mon_probe_grpc_t         grpc;
    } answer;
} ngx_http_mon_checker_t;


extern ngx_module_t  ngx_http_mon_check_module;


/* ngx_http_mon_check_conf.c */

/*
 * Sets conf, of whose upstream is known, by the parameters of the directive:
 * NGX_OK, or NGX_ERROR after a message.
 */
ngx_int_t ngx_http_mon_check_parse(ngx_conf_t *cf,
    ngx_http_mon_check_conf_t *ccf);


/* ngx_http_mon_check_lead.c */

/* The tick: the leader's checkers are those of the balancers' lists. */
void ngx_http_mon_check_tick(ngx_cycle_t *cycle, ngx_uint_t leader);

/* Ends all checks at once, those in flight without an outcome. */
void ngx_http_mon_check_stop(void);

/* Sets the timer, and the word, for the next check. */
void ngx_http_mon_check_schedule(ngx_http_mon_checker_t *ck);


/* ngx_http_mon_check_run.c */

/* Begins a check. */
void ngx_http_mon_check_begin(ngx_http_mon_checker_t *ck);

/* The check in flight took too long. */
void ngx_http_mon_check_timeout(ngx_http_mon_checker_t *ck);

/* Closes what is in flight, if anything is, without an outcome. */
void ngx_http_mon_check_close(ngx_http_mon_checker_t *ck);

/* The check in flight ended: closes it, notes why, and sets the next one. */
void ngx_http_mon_check_done(ngx_http_mon_checker_t *ck, ngx_uint_t reason,
    ngx_uint_t detail);


/* ngx_http_mon_check_tls.c */

#if (NGX_HTTP_SSL)

/* Makes the context of conf; NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_mon_check_tls_init(ngx_conf_t *cf,
    ngx_http_mon_check_conf_t *conf);

/* The peer accepted the connection: the handshake decides. */
void ngx_http_mon_check_tls(ngx_http_mon_checker_t *ck);

#endif


/* ngx_http_mon_check_state.c */

/* The peer's words, or NULL; to be used within the handler that got them. */
ngx_mon_tally_words_t *ngx_http_mon_check_words(ngx_http_mon_hook_t *hook,
    ngx_str_t *peer);

/*
 * The lease of the peer's checks for so many milliseconds: NGX_OK, NGX_BUSY
 * while another process that lives has it, or NGX_DECLINED where there is no
 * room for the peer's words.
 */
ngx_int_t ngx_http_mon_check_lease(ngx_http_mon_checker_t *ck,
    ngx_msec_t msec);

/* Gives the lease back. */
void ngx_http_mon_check_release(ngx_http_mon_checker_t *ck);

/* Counts a check, judges the peer, and says in the log what changed. */
void ngx_http_mon_check_note(ngx_http_mon_checker_t *ck,
    const ngx_mon_probe_why_t *why);

/* Writes why in words, such as "status 500", without a zero at the end. */
u_char *ngx_http_mon_check_text(u_char *p, u_char *last,
    const ngx_mon_probe_why_t *why);


/* what an operator sees of a peer's checks */

#define NGX_HTTP_MON_CHECK_TEXT  80

typedef struct {
    ngx_uint_t                       checked;     /* 0: not yet, that's all */
    ngx_uint_t                       passed;
    ngx_uint_t                       fails;       /* in a row */
    ngx_uint_t                       passes;
    uint64_t                         took;        /* microseconds */
    uint64_t                         ago;         /* it ended, milliseconds */
    uint64_t                         due;         /* the next, in so many */

    size_t                           len;
    u_char                           text[NGX_HTTP_MON_CHECK_TEXT];
} ngx_http_mon_check_info_t;


/*
 * The last check of a peer, as any worker may ask for it: NGX_OK, or
 * NGX_DECLINED where its upstream is not checked, or has no room for it.
 */
ngx_int_t ngx_http_mon_check_info(ngx_http_mon_hook_t *hook, ngx_str_t *peer,
    ngx_http_mon_check_info_t *info);


#pragma GCC visibility pop


#endif /* _NGX_HTTP_MON_CHECK_H_INCLUDED_ */
