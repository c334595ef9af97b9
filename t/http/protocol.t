#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Requests by protocol; those that never told theirs are left out.

use NgxMon;

my $t = NgxMon->new()->has('http_v2');

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    location = /metrics { mon_metrics; }
    location / { return 200 ok; }
}

server {
    listen 127.0.0.1:%%PORT_8081%% http2;
    location / { return 200 ok; }
}
EOC

$t->run();

like($t->http("GET /\r\n"), qr/^ok/, '0.9');
$t->get('/', version => '1.0') for 1 .. 2;
$t->get('/') for 1 .. 3;
$t->http("GET / HTTP/1.1\r\n\r\n");
is($t->curl('--http2-prior-knowledge', 'http://127.0.0.1:%%PORT_8081%%/'), 'ok',
   "HTTP/2, $_") for 1 .. 5;
$t->http("nonsense\r\n\r\n");
$t->http("GET / HTTP/3.0\r\nHost: a\r\n\r\n");

$t->wait_metric(14, 'nginx_http_requests_total');

my $m = $t->metrics();

for (['0.9', 1], ['1.0', 2], ['1.1', 4], ['2', 5], ['3', 0]) {
	my ($protocol, $n) = @$_;

	is($m->get('nginx_http_requests_by_protocol_total',
		   protocol => $protocol), $n, "protocol $protocol");
}

is($m->get('nginx_http_requests_total', status => 200), 11, 'answered');

done_testing();
