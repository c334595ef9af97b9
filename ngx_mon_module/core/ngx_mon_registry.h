
/*
 * Copyright (C) The ngx_mon authors
 */


#ifndef _NGX_MON_REGISTRY_H_INCLUDED_
#define _NGX_MON_REGISTRY_H_INCLUDED_


#include "ngx_mon_values.h"


/*
 * Every metric, declared once.  A group is a kind of series: objects with the
 * same base labels and the same cells.  A row is
 *
 *     R(id, name, type, merge, unit, vector, view, help)
 *
 * and expands to the cell (NGX_MON_id), or the histogram, of a recorder, and
 * to the descriptor of the exporters, of docs/metrics and of the lint.
 * Families appear in a scrape in the order of the groups, then of the rows,
 * cells before histograms.
 */


/*
 * G(id, base labels).  LABEL and VALUE have no families: they are the sets of
 * values that the labels of mon_label have taken.  Nor have CIRCUIT, GUARD,
 * POOL and ALLOWANCE, whose cells are words of shared memory, see NGX_MON_RAW.
 */

#define NGX_MON_GROUPS(G)                                                     \
    G(REQUEST, "server,location,method,status")                               \
    G(LOCATION, "server,location")                                            \
    G(ATTEMPT, "upstream,peer,status")                                        \
    G(UPSTREAM, "upstream,peer")                                              \
    G(PEER, "upstream,peer")                                                  \
    G(BREAKER, "upstream")                                                    \
    G(BREAKER_STATE, "upstream")                                              \
    G(RETRY, "upstream")                                                      \
    G(PANIC, "upstream")                                                      \
    G(QUOTA, "upstream")                                                      \
    G(LIMITER, "zone")                                                        \
    G(CONCURRENCY, "name")                                                    \
    G(CACHE, "zone")                                                          \
    G(CACHE_SIZE, "zone")                                                     \
    G(ZONE, "zone")                                                           \
    G(SLAB, "zone,slot")                                                      \
    G(CONNECTION, "")                                                         \
    G(NGINX, "")                                                              \
    G(PROCESS, "")                                                            \
    G(WORKER, "worker")                                                       \
    G(HOST, "")                                                               \
    G(HOST_DISK, "path")                                                      \
    G(HOST_DEVICE, "device")                                                  \
    G(HOST_NETWORK, "device")                                                 \
    G(BUILD, "version,nginx")                                                 \
    G(OVERFLOW, "family")                                                     \
    G(MODULE, "")                                                             \
    G(LABEL, "label")                                                         \
    G(VALUE, "label,value")                                                   \
    G(CIRCUIT, "name")                                                        \
    G(GUARD, "upstream,peer")                                                 \
    G(POOL, "upstream")                                                       \
    G(ALLOWANCE, "upstream,peer")


/*
 * W(id, words): the state of a breaker, of a peer, of an upstream's peers, and
 * of the mon_limit of an upstream (peer "") or of a peer, shared by all workers
 * and generations of workers.
 */

#define NGX_MON_RAW(W)                                                        \
    W(CIRCUIT, 104)                                                           \
    W(GUARD, 48)                                                              \
    W(POOL, 16)                                                               \
    W(ALLOWANCE, 8)


/*
 * Views of a location's series: where mon_label is in force the gauges, which
 * are true before the labels are known, stand in a series of their own.
 */

#define NGX_MON_VIEW_TRAFFIC  0x01
#define NGX_MON_VIEW_GAUGES   0x02
#define NGX_MON_VIEW_ALL      0x03


/* cells; vector "one" is a single cell */

#define NGX_MON_REQUEST_ROWS(R)                                               \
    R(REQUESTS, "nginx_http_requests_total",                                  \
      COUNTER, SUM, NONE, one, TRAFFIC,                                       \
      "Requests answered, by method and status.")

#define NGX_MON_LOCATION_ROWS(R)                                              \
    R(IN_FLIGHT, "nginx_http_requests_in_flight",                             \
      GAUGE, LIVE, NONE, one, GAUGES,                                         \
      "Requests being processed.")                                            \
    R(UPGRADED, "nginx_http_connections_upgraded",                            \
      GAUGE, LIVE, NONE, one, GAUGES,                                         \
      "Connections switched to another protocol, such as WebSocket.")         \
    R(REQUEST_BYTES, "nginx_http_request_bytes_total",                        \
      COUNTER, SUM, BYTES, one, TRAFFIC,                                      \
      "Bytes received from clients, headers included.")                       \
    R(RESPONSE_BYTES, "nginx_http_response_bytes_total",                      \
      COUNTER, SUM, BYTES, one, TRAFFIC,                                      \
      "Bytes sent to clients, headers included.")                             \
    R(SLOW, "nginx_http_slow_requests_total",                                 \
      COUNTER, SUM, NONE, one, TRAFFIC,                                       \
      "Requests that took longer than mon_slow.")                             \
    R(ERRORS, "nginx_http_errors_total",                                      \
      COUNTER, SUM, NONE, error, TRAFFIC,                                     \
      "Requests that failed, by reason.")                                     \
    R(CACHED, "nginx_http_cache_requests_total",                              \
      COUNTER, SUM, NONE, cache, TRAFFIC,                                     \
      "Requests that went through a cache, by its status.")                   \
    R(LIMITED, "nginx_http_limited_requests_total",                           \
      COUNTER, SUM, NONE, limit, TRAFFIC,                                     \
      "Requests judged by a limiter, by outcome.")

#define NGX_MON_ATTEMPT_ROWS(R)                                               \
    R(RESPONSES, "nginx_upstream_responses_total",                            \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Responses of the peer, by status; every attempt counts.")

#define NGX_MON_UPSTREAM_ROWS(R)                                              \
    R(PEER_IN_FLIGHT, "nginx_upstream_requests_in_flight",                    \
      GAUGE, LIVE, NONE, one, ALL,                                            \
      "Attempts being processed by the peer.")                                \
    R(SENT_BYTES, "nginx_upstream_sent_bytes_total",                          \
      COUNTER, SUM, BYTES, one, ALL,                                          \
      "Bytes sent to the peer.")                                              \
    R(RECEIVED_BYTES, "nginx_upstream_received_bytes_total",                  \
      COUNTER, SUM, BYTES, one, ALL,                                          \
      "Bytes received from the peer.")                                        \
    R(REUSED, "nginx_upstream_connections_reused_total",                      \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Attempts that used a cached keepalive connection.")                    \
    R(FAILURES, "nginx_upstream_failures_total",                              \
      COUNTER, SUM, NONE, failure, ALL,                                       \
      "Attempts that failed, by reason.")                                     \
    R(EJECTIONS, "nginx_upstream_ejections_total",                            \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Times the peer was ejected by mon_outlier.")                           \
    R(CHECKS, "nginx_upstream_checks_total",                                  \
      COUNTER, SUM, NONE, check, ALL,                                         \
      "Active checks of the peer, by result.")

#define NGX_MON_PEER_ROWS(R)                                                  \
    R(PEER_STATE, "nginx_upstream_peer_state",                                \
      GAUGE, SUM, NONE, state, ALL,                                           \
      "1 for the state the peer is in, 0 for the others.")                    \
    R(PEER_WEIGHT, "nginx_upstream_peer_weight",                              \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "The configured weight of the peer.")

#define NGX_MON_BREAKER_ROWS(R)                                               \
    R(TRANSITIONS, "nginx_upstream_breaker_transitions_total",                \
      COUNTER, SUM, NONE, to, ALL,                                            \
      "Transitions of the circuit breaker, by the state it came to.")         \
    R(REJECTED, "nginx_upstream_breaker_rejected_total",                      \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Requests refused because the circuit was open.")

#define NGX_MON_BREAKER_STATE_ROWS(R)                                         \
    R(CIRCUIT_STATE, "nginx_upstream_breaker_state",                          \
      GAUGE, SUM, NONE, circuit, ALL,                                         \
      "1 for the state the circuit breaker is in, 0 for the others.")

#define NGX_MON_RETRY_ROWS(R)                                                 \
    R(CALLS, "nginx_upstream_calls_in_flight",                                \
      GAUGE, LIVE, NONE, one, ALL,                                            \
      "Requests at the upstream, between two attempts too; mon_retry's "      \
      "budget is a share of them.")                                           \
    R(RETRYING, "nginx_upstream_retries_in_flight",                           \
      GAUGE, LIVE, NONE, one, ALL,                                            \
      "Requests being retried, the wait before it included.")                 \
    R(RETRIES, "nginx_upstream_retries_total",                                \
      COUNTER, SUM, NONE, retry, ALL,                                         \
      "Retries of requests to the upstream, by outcome.")

#define NGX_MON_PANIC_ROWS(R)                                                 \
    R(PANIC, "nginx_upstream_panic",                                          \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "1 while ejected peers are used because no other is left.")             \
    R(PANICS, "nginx_upstream_panics_total",                                  \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Times ejected peers came to be used because no other was left.")

#define NGX_MON_QUOTA_ROWS(R)                                                 \
    R(QUOTAS, "nginx_upstream_limited_requests_total",                        \
      COUNTER, SUM, NONE, quota, ALL,                                         \
      "Attempts judged by the upstream's mon_limit, by outcome.")

#define NGX_MON_LIMITER_ROWS(R)                                               \
    R(LIMIT_KEYS, "nginx_http_limit_keys",                                    \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "Keys in the zone of a limiter, those left out whose allowance is "     \
      "full again.")                                                          \
    R(LIMIT_ROOM, "nginx_http_limit_keys_capacity",                           \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "Keys that the zone of a limiter has room for.")                        \
    R(LIMIT_FULL, "nginx_http_limit_full_total",                              \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Requests whose key found no room in the zone of a limiter.")           \
    R(LIMIT_INVALID, "nginx_http_limit_invalid_total",                        \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Rates, bursts and costs from variables that could not be used.")

#define NGX_MON_CONCURRENCY_ROWS(R)                                           \
    R(CONC_LIMIT, "nginx_http_concurrency_limit",                             \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "Requests that mon_concurrency lets be processed at a time; of a key, " \
      "where it has keys.")                                                   \
    R(CONC_IN_FLIGHT, "nginx_http_concurrency_in_flight",                     \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "Requests that mon_concurrency let through and that are processed.")    \
    R(CONC_QUEUED, "nginx_http_concurrency_queued",                           \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "Requests that wait for mon_concurrency to let them through.")          \
    R(CONC_RTT, "nginx_http_concurrency_min_rtt_seconds",                     \
      GAUGE, SUM, MICRO_SECONDS, set, ALL,                                    \
      "Latency without queueing, as an adaptive mon_concurrency sees it.")    \
    R(CONC_GRADIENT, "nginx_http_concurrency_gradient_ratio",                 \
      GAUGE, SUM, MICRO_RATIO, set, ALL,                                      \
      "Latency without queueing to the present one: below 1 the adaptive "    \
      "limit shrinks.")

#define NGX_MON_CACHE_ROWS(R)                                                 \
    R(CACHE_RESPONSES, "nginx_cache_responses_total",                         \
      COUNTER, SUM, NONE, cache, ALL,                                         \
      "Look-ups in the cache, by its status; subrequests included.")

#define NGX_MON_CACHE_SIZE_ROWS(R)                                            \
    R(CACHE_BYTES, "nginx_cache_size_bytes",                                  \
      GAUGE, SUM, BYTES, one, ALL,                                            \
      "Size of the cache on disk.")                                           \
    R(CACHE_MAX_BYTES, "nginx_cache_max_size_bytes",                          \
      GAUGE, SUM, BYTES, set, ALL,                                            \
      "Size the cache is kept below, where max_size is set.")

#define NGX_MON_ZONE_ROWS(R)                                                  \
    R(ZONE_SIZE, "nginx_shared_zone_size_bytes",                              \
      GAUGE, SUM, BYTES, one, ALL,                                            \
      "Size of the shared memory zone.")                                      \
    R(ZONE_USED, "nginx_shared_zone_used_bytes",                              \
      GAUGE, SUM, BYTES, one, ALL,                                            \
      "Memory of the zone that is in use, in whole pages.")                   \
    R(ZONE_FREE, "nginx_shared_zone_free_bytes",                              \
      GAUGE, SUM, BYTES, one, ALL,                                            \
      "Memory of the zone in free pages.")

#define NGX_MON_SLAB_ROWS(R)                                                  \
    R(SLAB_USED, "nginx_shared_zone_slab_used",                               \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "Chunks of the slot's size in use.")                                    \
    R(SLAB_TOTAL, "nginx_shared_zone_slab_chunks",                            \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "Chunks of the slot's size.")                                           \
    R(SLAB_REQS, "nginx_shared_zone_slab_requests_total",                     \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Attempts to allocate a chunk of the slot's size.")                     \
    R(SLAB_FAILS, "nginx_shared_zone_slab_failures_total",                    \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Attempts to allocate a chunk of the slot's size that failed.")

#define NGX_MON_CONNECTION_ROWS(R)                                            \
    R(CONN_ACCEPTED, "nginx_connections_accepted",                            \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Accepted client connections.")                                         \
    R(CONN_HANDLED, "nginx_connections_handled",                              \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Handled client connections.")                                          \
    R(CONN_ACTIVE, "nginx_connections_active",                                \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "Active client connections.")                                           \
    R(CONN_READING, "nginx_connections_reading",                              \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "Connections where nginx is reading the request header.")               \
    R(CONN_WRITING, "nginx_connections_writing",                              \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "Connections where nginx is writing the response.")                     \
    R(CONN_WAITING, "nginx_connections_waiting",                              \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "Idle client connections.")

#define NGX_MON_NGINX_ROWS(R)                                                 \
    R(PROTOCOL, "nginx_http_requests_by_protocol_total",                      \
      COUNTER, SUM, NONE, protocol, ALL,                                      \
      "Requests by HTTP version.")                                            \
    R(TLS_HANDSHAKES, "nginx_tls_handshakes_total",                           \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Completed TLS handshakes with clients.")                               \
    R(TLS_FAILED, "nginx_tls_handshakes_failed_total",                        \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "TLS handshakes with clients that were begun and not completed.")       \
    R(TLS_REUSES, "nginx_tls_session_reuses_total",                           \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "TLS handshakes with clients that resumed a session.")

#define NGX_MON_PROCESS_ROWS(R)                                               \
    R(WORKERS, "nginx_workers",                                               \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "Worker processes that live, draining ones included.")                  \
    R(RESTARTS, "nginx_worker_restarts_total",                                \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Worker processes that crashed or were killed.")                        \
    R(RELOADS, "nginx_reloads_total",                                         \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Configuration reloads that took effect.")                              \
    R(RELOADED, "nginx_config_last_reload_timestamp_seconds",                 \
      GAUGE, SUM, MICRO_SECONDS, one, ALL,                                    \
      "When the configuration was last loaded.")

#define NGX_MON_WORKER_ROWS(R)                                                \
    R(WORKER_CPU, "nginx_worker_cpu_seconds_total",                           \
      COUNTER, SUM, MICRO_SECONDS, one, ALL,                                  \
      "CPU time of the worker, user and system.")                             \
    R(WORKER_RSS, "nginx_worker_resident_memory_bytes",                       \
      GAUGE, LIVE, BYTES, one, ALL,                                           \
      "Resident memory of the worker, shared memory included.")               \
    R(WORKER_FDS, "nginx_worker_open_fds",                                    \
      GAUGE, LIVE, NONE, one, ALL,                                            \
      "Open file descriptors of the worker.")                                 \
    R(WORKER_CONNS, "nginx_worker_connections",                               \
      GAUGE, LIVE, NONE, one, ALL,                                            \
      "Connections of the worker in use, to clients, peers and listening.")

#define NGX_MON_HOST_ROWS(R)                                                  \
    R(HOST_CPU, "nginx_host_cpu_usage_ratio",                                 \
      GAUGE, SUM, MICRO_RATIO, one, ALL,                                      \
      "Share of the host's CPU time that was not idle.")                      \
    R(HOST_LOAD, "nginx_host_load1",                                          \
      GAUGE, SUM, MICRO_NONE, one, ALL,                                       \
      "Load average of the host over one minute.")                            \
    R(HOST_MEMORY, "nginx_host_memory_total_bytes",                           \
      GAUGE, SUM, BYTES, one, ALL,                                            \
      "Memory of the host.")                                                  \
    R(HOST_AVAILABLE, "nginx_host_memory_available_bytes",                    \
      GAUGE, SUM, BYTES, one, ALL,                                            \
      "Memory of the host that can be had without swapping.")                 \
    R(CGROUP_MEMORY, "nginx_host_cgroup_memory_limit_bytes",                  \
      GAUGE, SUM, BYTES, set, ALL,                                            \
      "Memory that the control group of nginx may use, where limited.")       \
    R(CGROUP_USED, "nginx_host_cgroup_memory_used_bytes",                     \
      GAUGE, SUM, BYTES, set, ALL,                                            \
      "Memory in use in the control group that is limited, inactive page "    \
      "cache left out.")                                                      \
    R(CGROUP_CPU, "nginx_host_cgroup_cpu_limit_cores",                        \
      GAUGE, SUM, MICRO_NONE, set, ALL,                                       \
      "CPUs that the control group of nginx may use, where limited.")

#define NGX_MON_HOST_DISK_ROWS(R)                                             \
    R(DISK_SIZE, "nginx_host_disk_size_bytes",                                \
      GAUGE, SUM, BYTES, one, ALL,                                            \
      "Size of the file system at the path.")                                 \
    R(DISK_FREE, "nginx_host_disk_free_bytes",                                \
      GAUGE, SUM, BYTES, one, ALL,                                            \
      "Free space, for an unprivileged user, of the file system at the path.")

#define NGX_MON_HOST_DEVICE_ROWS(R)                                           \
    R(DISK_READ, "nginx_host_disk_read_bytes_total",                          \
      COUNTER, SUM, BYTES, one, ALL,                                          \
      "Bytes read from the block device.")                                    \
    R(DISK_WRITTEN, "nginx_host_disk_written_bytes_total",                    \
      COUNTER, SUM, BYTES, one, ALL,                                          \
      "Bytes written to the block device.")

#define NGX_MON_HOST_NETWORK_ROWS(R)                                          \
    R(NET_RECEIVE, "nginx_host_network_receive_bytes_total",                  \
      COUNTER, SUM, BYTES, one, ALL,                                          \
      "Bytes received by the network device.")                                \
    R(NET_TRANSMIT, "nginx_host_network_transmit_bytes_total",                \
      COUNTER, SUM, BYTES, one, ALL,                                          \
      "Bytes sent by the network device.")

#define NGX_MON_BUILD_ROWS(R)                                                 \
    R(BUILD_INFO, "nginx_mon_info",                                           \
      GAUGE, INFO, NONE, one, ALL,                                            \
      "Versions of the module and of nginx; always 1.")

#define NGX_MON_OVERFLOW_ROWS(R)                                              \
    R(OVERFLOWS, "nginx_mon_series_overflow_total",                           \
      COUNTER, SUM, NONE, one, ALL,                                           \
      "Observations counted under \"other\" because the zone was full or a "  \
      "limit reached.")

#define NGX_MON_MODULE_ROWS(R)                                                \
    R(SERIES, "nginx_mon_series",                                             \
      GAUGE, SUM, NONE, one, ALL,                                             \
      "Series in the zone.")                                                  \
    R(MON_BYTES, "nginx_mon_zone_bytes",                                      \
      GAUGE, SUM, BYTES, bytes, ALL,                                          \
      "Memory of the zone, by state.")


/* histograms, H(id, name, view, help): seconds, kept as microseconds */

#define NGX_MON_LOCATION_HISTS(H)                                             \
    H(DURATION, "nginx_http_request_duration_seconds", TRAFFIC,               \
      "Time from the first byte of the request to the end of the response.")  \
    H(TTFB, "nginx_http_time_to_first_byte_seconds", TRAFFIC,                 \
      "Time from the first byte of the request to the response header.")

#define NGX_MON_UPSTREAM_HISTS(H)                                             \
    H(CONNECT, "nginx_upstream_connect_duration_seconds", ALL,                \
      "Time to connect to the peer, TLS handshake included.")                 \
    H(HEADER, "nginx_upstream_header_duration_seconds", ALL,                  \
      "Time from the start of the attempt to the response header.")           \
    H(RESPONSE, "nginx_upstream_response_duration_seconds", ALL,              \
      "Time from the start of the attempt to its end.")

#define NGX_MON_WORKER_HISTS(H)                                               \
    H(LOOP_BUSY, "nginx_worker_event_loop_busy_seconds", ALL,                 \
      "Work done in one iteration of the worker's event loop.")

#define NGX_MON_LABEL_ROWS(R)

#define NGX_MON_VALUE_ROWS(R)

#define NGX_MON_CIRCUIT_ROWS(R)

#define NGX_MON_GUARD_ROWS(R)

#define NGX_MON_POOL_ROWS(R)

#define NGX_MON_ALLOWANCE_ROWS(R)

#define NGX_MON_NGINX_HISTS(H)                                                \
    H(SCRAPE, "nginx_mon_scrape_duration_seconds", ALL,                       \
      "Time to produce and send the metrics.")

#define NGX_MON_REQUEST_HISTS(H)
#define NGX_MON_ATTEMPT_HISTS(H)
#define NGX_MON_PEER_HISTS(H)
#define NGX_MON_BREAKER_HISTS(H)
#define NGX_MON_BREAKER_STATE_HISTS(H)
#define NGX_MON_RETRY_HISTS(H)
#define NGX_MON_PANIC_HISTS(H)
#define NGX_MON_QUOTA_HISTS(H)
#define NGX_MON_LIMITER_HISTS(H)
#define NGX_MON_CONCURRENCY_HISTS(H)
#define NGX_MON_CACHE_HISTS(H)
#define NGX_MON_CACHE_SIZE_HISTS(H)
#define NGX_MON_ZONE_HISTS(H)
#define NGX_MON_SLAB_HISTS(H)
#define NGX_MON_CONNECTION_HISTS(H)
#define NGX_MON_PROCESS_HISTS(H)
#define NGX_MON_HOST_HISTS(H)
#define NGX_MON_HOST_DISK_HISTS(H)
#define NGX_MON_HOST_DEVICE_HISTS(H)
#define NGX_MON_HOST_NETWORK_HISTS(H)
#define NGX_MON_BUILD_HISTS(H)
#define NGX_MON_OVERFLOW_HISTS(H)
#define NGX_MON_MODULE_HISTS(H)
#define NGX_MON_LABEL_HISTS(H)
#define NGX_MON_VALUE_HISTS(H)
#define NGX_MON_CIRCUIT_HISTS(H)
#define NGX_MON_GUARD_HISTS(H)
#define NGX_MON_POOL_HISTS(H)
#define NGX_MON_ALLOWANCE_HISTS(H)


/* expansions */

enum {
#define NGX_MON_G(id, labels)  NGX_MON_G_##id,
    NGX_MON_GROUPS(NGX_MON_G)
#undef NGX_MON_G
    NGX_MON_NGROUPS
};


enum {
    NGX_MON_LEN_one = 1,
#define NGX_MON_V(id, n, skip, l1, l2)  NGX_MON_LEN_##id = (n),
    NGX_MON_VECTORS(NGX_MON_V)
#undef NGX_MON_V
};


#define NGX_MON_E(id, v1, v2)  NGX_MON_##id,
enum { NGX_MON_ERROR_VALUES(NGX_MON_E) NGX_MON_ERROR_N };
enum { NGX_MON_CACHE_VALUES(NGX_MON_E) NGX_MON_CACHE_N };
enum { NGX_MON_LIMIT_VALUES(NGX_MON_E) NGX_MON_LIMIT_N };
enum { NGX_MON_FAILURE_VALUES(NGX_MON_E) NGX_MON_FAILURE_N };
enum { NGX_MON_CHECK_VALUES(NGX_MON_E) NGX_MON_CHECK_N };
enum { NGX_MON_STATE_VALUES(NGX_MON_E) NGX_MON_STATE_N };
enum { NGX_MON_TO_VALUES(NGX_MON_E) NGX_MON_TO_N };
enum { NGX_MON_CIRCUIT_VALUES(NGX_MON_E) NGX_MON_CIRCUIT_N };
enum { NGX_MON_RETRY_VALUES(NGX_MON_E) NGX_MON_RETRY_N };
enum { NGX_MON_QUOTA_VALUES(NGX_MON_E) NGX_MON_QUOTA_N };
enum { NGX_MON_PROTOCOL_VALUES(NGX_MON_E) NGX_MON_PROTOCOL_N };
enum { NGX_MON_BYTES_VALUES(NGX_MON_E) NGX_MON_BYTES_N };
enum { NGX_MON_SET_VALUES(NGX_MON_E) NGX_MON_SET_N };
#undef NGX_MON_E


/* NGX_MON_id: the first cell of the row within its group */

#define NGX_MON_R(id, name, type, merge, unit, vec, view, help)               \
    NGX_MON_##id, NGX_MON_LAST_##id = NGX_MON_##id + NGX_MON_LEN_##vec - 1,
#define NGX_MON_H(id, name, view, help)  NGX_MON_H_##id,

#define NGX_MON_G(group, labels)                                              \
    enum { NGX_MON_##group##_ROWS(NGX_MON_R) NGX_MON_CELLS_##group };         \
    enum { NGX_MON_##group##_HISTS(NGX_MON_H) NGX_MON_HISTS_##group };
NGX_MON_GROUPS(NGX_MON_G)
#undef NGX_MON_G
#undef NGX_MON_R
#undef NGX_MON_H


/* the most cells of a group that has families */
#define NGX_MON_CELLS_MAX  48


/* NGX_MON_WORDS_id: of a series of a group without families */

enum {
#define NGX_MON_W(id, words)  NGX_MON_WORDS_##id = (words),
    NGX_MON_RAW(NGX_MON_W)
#undef NGX_MON_W
};


#endif /* _NGX_MON_REGISTRY_H_INCLUDED_ */
