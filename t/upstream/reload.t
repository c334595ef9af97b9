#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A reload keeps what was counted, of attempts that outlive it as well; a
# worker that is killed takes its attempts out of flight.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    zone backend 64k;
    server 127.0.0.1:%%PORT_8081%%;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://backend; }
    location = /metrics { mon_metrics; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

my $flight = 'nginx_upstream_requests_in_flight';

is($t->get('/')->{status}, 200, "request $_") for 1 .. 3;

my $client = $t->client();

$client->send_request('GET', '/wait/word');
$t->wait_metric(1, $flight);
$t->wait_metric(3, 'nginx_upstream_responses_total');

$t->reload();
is($t->metric($flight), 1, 'in flight in the old worker');
is($t->metric('nginx_upstream_responses_total', status => 200), 3,
   'the counts stay');
is($t->get('/')->{status}, 200, 'by a new worker');

$backend->tell('word');
is($client->response()->{status}, 200, 'by an old one');
$t->wait_metric(0, $flight);
$t->wait_metric(5, 'nginx_upstream_responses_total', status => 200);
$t->wait_metric(5, 'nginx_upstream_response_duration_seconds_count');

# kill -9 with an attempt in flight

my @workers = $t->workers();

$client = $t->client();
$client->send_request('GET', '/wait/other');
$t->wait_metric(1, $flight);
$t->kill_worker($_) for @workers;

$t->wait_metric(0, $flight);
is($t->metric('nginx_upstream_responses_total', status => 200), 5,
   'nothing counted is lost');
is($t->get('/')->{status}, 200, 'works on');
$t->wait_metric(6, 'nginx_upstream_responses_total', status => 200);

done_testing();
