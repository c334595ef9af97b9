#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A connection from the cache is counted, and has no connect time; one that
# the peer had closed is a failure, and what is tried then an attempt.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    keepalive 4;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_http_version 1.1;
    proxy_set_header Connection "";

    location / { proxy_pass http://backend; }
    location = /metrics { mon_metrics; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

my $client = $t->client();

is($client->get("/$_")->{status}, 200, "request $_") for 1 .. 5;

$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

my $m = $t->metrics();

is($m->get('nginx_upstream_connections_reused_total'), 4, 'reused');
is($m->get('nginx_upstream_connect_duration_seconds_count'), 1, 'connected');
is($m->get('nginx_upstream_header_duration_seconds_count'), 5, 'headers');
is($m->get('nginx_upstream_response_duration_seconds_count'), 5, 'responses');
is($m->get('nginx_upstream_responses_total', status => 200), 5, 'statuses');
is($m->get('nginx_upstream_failures_total'), undef, 'no failure');

my ($first) = map { $_->{conn} } $backend->requests();

is(scalar(grep { $_->{conn} == $first } $backend->requests()), 5,
   'all on one connection');

# the cached connection is closed in the face of the request

is($client->get('/close')->{status}, 502, 'closed');

$t->wait_metric(0, 'nginx_upstream_requests_in_flight');
$m = $t->metrics();

is($m->get('nginx_upstream_connections_reused_total'), 5, 'reused once more');
is($m->get('nginx_upstream_connect_duration_seconds_count'), 2,
   'then connected');
is($m->get('nginx_upstream_failures_total', reason => 'error'), 2,
   'two attempts failed');
is($m->get('nginx_upstream_header_duration_seconds_count'), 5,
   'neither had a header');

done_testing();
