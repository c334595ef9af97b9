
/*
 * Copyright (C) The ngx_mon authors
 */


/* The labels within a metric, and their values: of the registry. */


#ifndef _NGX_MON_VALUES_H_INCLUDED_
#define _NGX_MON_VALUES_H_INCLUDED_


/* vectors: V(id, number of cells, skip zero, label, second label) */

#define NGX_MON_VECTORS(V)                                                    \
    V(error, 11, 1, "reason", "")                                             \
    V(cache, 8, 1, "status", "")                                              \
    V(limit, 17, 1, "limiter", "outcome")                                     \
    V(failure, 10, 1, "reason", "")                                           \
    V(check, 2, 1, "result", "")                                              \
    V(state, 5, 0, "state", "")                                               \
    V(to, 3, 0, "to", "")                                                     \
    V(circuit, 3, 0, "state", "")                                             \
    V(retry, 5, 0, "outcome", "")                                             \
    V(quota, 3, 0, "outcome", "")                                             \
    V(protocol, 5, 0, "protocol", "")                                         \
    V(bytes, 2, 0, "state", "")                                               \
    V(set, 1, 1, "", "")

#define NGX_MON_ERROR_VALUES(E)                                               \
    E(ERROR_CLIENT_ABORT, "client_abort", "")                                 \
    E(ERROR_BAD_REQUEST, "bad_request", "")                                   \
    E(ERROR_REQUEST_TIMEOUT, "request_timeout", "")                           \
    E(ERROR_TOO_LARGE, "too_large", "")                                       \
    E(ERROR_LIMITED, "limited", "")                                           \
    E(ERROR_BREAKER_OPEN, "breaker_open", "")                                 \
    E(ERROR_DEADLINE, "deadline", "")                                         \
    E(ERROR_UPSTREAM, "upstream_error", "")                                   \
    E(ERROR_UPSTREAM_TIMEOUT, "upstream_timeout", "")                         \
    E(ERROR_NO_LIVE_UPSTREAM, "no_live_upstream", "")                         \
    E(ERROR_INTERNAL, "internal", "")

/* in the order of NGX_HTTP_CACHE_MISS and on */
#define NGX_MON_CACHE_VALUES(E)                                               \
    E(CACHE_MISS, "miss", "")                                                 \
    E(CACHE_BYPASS, "bypass", "")                                             \
    E(CACHE_EXPIRED, "expired", "")                                           \
    E(CACHE_STALE, "stale", "")                                               \
    E(CACHE_UPDATING, "updating", "")                                         \
    E(CACHE_REVALIDATED, "revalidated", "")                                   \
    E(CACHE_HIT, "hit", "")                                                   \
    E(CACHE_SCARCE, "scarce", "")

/*
 * nginx's in the order of NGX_HTTP_LIMIT_REQ_PASSED and _CONN_PASSED and on;
 * queued is what waited and was let through then
 */
#define NGX_MON_LIMIT_VALUES(E)                                               \
    E(LIMIT_REQ, "limit_req", "passed")                                       \
    E(LIMIT_REQ_DELAYED, "limit_req", "delayed")                              \
    E(LIMIT_REQ_REJECTED, "limit_req", "rejected")                            \
    E(LIMIT_REQ_DELAYED_DRY, "limit_req", "delayed_dry_run")                  \
    E(LIMIT_REQ_REJECTED_DRY, "limit_req", "rejected_dry_run")                \
    E(LIMIT_CONN, "limit_conn", "passed")                                     \
    E(LIMIT_CONN_REJECTED, "limit_conn", "rejected")                          \
    E(LIMIT_CONN_REJECTED_DRY, "limit_conn", "rejected_dry_run")              \
    E(LIMIT_RATE, "mon_limit", "passed")                                      \
    E(LIMIT_RATE_DELAYED, "mon_limit", "delayed")                             \
    E(LIMIT_RATE_REJECTED, "mon_limit", "rejected")                           \
    E(LIMIT_RATE_DRY, "mon_limit", "dry_run")                                 \
    E(LIMIT_CONC, "mon_concurrency", "passed")                                \
    E(LIMIT_CONC_QUEUED, "mon_concurrency", "queued")                         \
    E(LIMIT_CONC_REJECTED, "mon_concurrency", "rejected")                     \
    E(LIMIT_CONC_TIMEOUT, "mon_concurrency", "timeout")                       \
    E(LIMIT_CONC_ABORTED, "mon_concurrency", "aborted")

#define NGX_MON_FAILURE_VALUES(E)                                             \
    E(FAILURE_ERROR, "error", "")                                             \
    E(FAILURE_TIMEOUT, "timeout", "")                                         \
    E(FAILURE_INVALID_HEADER, "invalid_header", "")                           \
    E(FAILURE_500, "http_500", "")                                            \
    E(FAILURE_502, "http_502", "")                                            \
    E(FAILURE_503, "http_503", "")                                            \
    E(FAILURE_504, "http_504", "")                                            \
    E(FAILURE_429, "http_429", "")                                            \
    E(FAILURE_5XX, "http_5xx", "")                                            \
    E(FAILURE_4XX, "http_4xx", "")

#define NGX_MON_STATE_VALUES(E)                                               \
    E(STATE_UP, "up", "")                                                     \
    E(STATE_DOWN, "down", "")                                                 \
    E(STATE_EJECTED, "ejected", "")                                           \
    E(STATE_UNHEALTHY, "unhealthy", "")                                       \
    E(STATE_DRAINING, "draining", "")

#define NGX_MON_CHECK_VALUES(E)                                               \
    E(CHECK_PASS, "pass", "")                                                 \
    E(CHECK_FAIL, "fail", "")

#define NGX_MON_TO_VALUES(E)                                                  \
    E(TO_CLOSED, "closed", "")                                                \
    E(TO_OPEN, "open", "")                                                    \
    E(TO_HALF_OPEN, "half_open", "")

#define NGX_MON_CIRCUIT_VALUES(E)                                             \
    E(CIRCUIT_CLOSED, "closed", "")                                           \
    E(CIRCUIT_OPEN, "open", "")                                               \
    E(CIRCUIT_HALF_OPEN, "half_open", "")

/* what became of a retry, or why there was none */
#define NGX_MON_RETRY_VALUES(E)                                               \
    E(RETRY_SUCCESS, "success", "")                                           \
    E(RETRY_FAILURE, "failure", "")                                           \
    E(RETRY_ABORTED, "aborted", "")                                           \
    E(RETRY_BUDGET, "budget", "")                                             \
    E(RETRY_ATTEMPTS, "attempts", "")

/* of an attempt: sent, sent to another peer than chosen first, not sent */
#define NGX_MON_QUOTA_VALUES(E)                                               \
    E(QUOTA_PASSED, "passed", "")                                             \
    E(QUOTA_DIVERTED, "diverted", "")                                         \
    E(QUOTA_REJECTED, "rejected", "")

#define NGX_MON_PROTOCOL_VALUES(E)                                            \
    E(PROTOCOL_09, "0.9", "")                                                 \
    E(PROTOCOL_10, "1.0", "")                                                 \
    E(PROTOCOL_11, "1.1", "")                                                 \
    E(PROTOCOL_2, "2", "")                                                    \
    E(PROTOCOL_3, "3", "")

#define NGX_MON_BYTES_VALUES(E)                                               \
    E(BYTES_USED, "used", "")                                                 \
    E(BYTES_FREE, "free", "")

/* a single cell, not shown while it is 0 */
#define NGX_MON_SET_VALUES(E)                                                 \
    E(SET, "", "")


#endif /* _NGX_MON_VALUES_H_INCLUDED_ */
