#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The client leaves while the peer thinks: no verdict about the peer, and
# nothing stays in flight.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://backend; }
    location = /metrics { mon_metrics; }
}
EOC

$t->backend(8081);
$t->run();

my $flight = 'nginx_upstream_requests_in_flight';
my @peer = (upstream => 'backend', peer => '127.0.0.1:' . $t->port(8081));
my @clients = map { $t->client() } 1 .. 5;

$_->send_request('GET', '/wait/word') for @clients;
ok($t->wait_metric(5, $flight, @peer), 'in flight');

(shift @clients)->close();
ok($t->wait_metric(4, $flight, @peer), 'one left');

$_->reset() for @clients;
ok($t->wait_metric(0, $flight, @peer), 'all left');

my $m = $t->metrics();

is($m->get('nginx_upstream_failures_total'), undef, 'no verdict');
is($m->get('nginx_upstream_responses_total'), undef, 'no response');
is($m->get('nginx_upstream_connect_duration_seconds_count'), 5, 'connected');
is($m->get('nginx_upstream_header_duration_seconds_count'), 0, 'no header');
is($m->get('nginx_upstream_response_duration_seconds_count'), 0, 'no end');
cmp_ok($m->get('nginx_upstream_sent_bytes_total'), '>', 100, 'bytes sent');

# in the middle of the body

my $client = $t->client();

$client->send_request('GET', '/slow/0.2/bytes/100000');
ok($client->read_until(qr/xxxx/), 'the body began');
is($t->metric($flight, @peer), 1, 'in flight again');
is($t->metric('nginx_upstream_responses_total', status => 200), 1,
   'a response is counted when it comes, not when it ends');
$client->reset();

ok($t->wait_metric(0, $flight, @peer), 'left again');
is($t->metric('nginx_upstream_failures_total'), undef, 'still no verdict');

done_testing();
