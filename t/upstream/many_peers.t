#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A thousand peers: each is told apart and shown once.

use NgxMon;

my $t = NgxMon->new();

my @addrs = map { my $i = $_; map { "127.0.$i.$_" } 1 .. 200 } 1 .. 5;
my $servers = join "\n", map { "server $_:%%PORT_8081%%;" } @addrs;

$t->conf(<<"EOC");
mon_zone mon 16m;

upstream backend {
    zone backend 2m;
    $servers
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    keepalive_requests 10000;
    location / { proxy_pass http://backend; }
    location = /metrics { mon_metrics; }
}
EOC

$t->backend(8081, addr => '0.0.0.0');
$t->run();

my $client = $t->client();
my $ok = grep { $client->get('/')->{status} == 200 } 1 .. 1100;

is($ok, 1100, 'answered');
$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

my $m = $t->metrics();
my @n = map { $_->{value} } $m->samples('nginx_upstream_responses_total');

is(scalar @n, 1000, 'every peer answered');
is(scalar(grep { $_ == 1 } @n), 900, 'in turn');
is(scalar(grep { $_ == 2 } @n), 100, 'and again');
is(scalar(() = $m->samples('nginx_upstream_peer_weight')), 1000, 'weights');
is($m->get('nginx_upstream_peer_state', state => 'up'), 1000, 'states');

done_testing();
