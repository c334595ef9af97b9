#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A WebSocket may come of a retry; once switched it is no request in flight
# any more, of which a budget is a share.  Nor does a download that came of one
# hold a place of the budget: it may go on for as long.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_retry backoff=5ms;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;

    proxy_buffering off;

    location / { proxy_pass http://backend; }
    location /off/ { proxy_pass http://backend; mon_retry off; }
    location = /metrics { mon_metrics; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

for my $where ('', '/off') {
	my $client = $t->client();
	my $uri = "$where/ws" . ($where ? '' : '/first/1/close');

	$client->send_request('GET', $uri, headers => [
		Upgrade => 'websocket', Connection => 'upgrade' ]);
	is($client->response()->{status}, 101, "$uri: switched");

	$client->send('echo');
	is($client->read_bytes(4), 'echo', "$uri: it works");

	my $m = $t->metrics();

	is($m->get("nginx_upstream_${_}_in_flight"), 0, "$uri: no $_")
		for qw/ calls retries /;
	is($m->get('nginx_upstream_requests_in_flight'), 1,
	   "$uri: the peer has it");
	is($m->get('nginx_upstream_retries_total', outcome => 'success'), 1,
	   "$uri: successes");

	$client->close();
	$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

	$m = $t->metrics();

	is($m->get("nginx_upstream_${_}_in_flight"), 0, "$uri: no $_ after it")
		for qw/ calls retries /;
	is($m->get('nginx_upstream_retries_total'), 1, "$uri: decisions");
}

# a long answer

my $client = $t->client();

$client->send_request('GET', '/stall/first/1/close');
like($client->read_until(qr/x{50}/), qr/ 200 /, 'half of the answer');

my $m = $t->metrics();

is($m->get('nginx_upstream_requests_in_flight'), 1, 'it goes on');
is($m->get('nginx_upstream_calls_in_flight'), 1, 'a call');
is($m->get('nginx_upstream_retries_in_flight'), 0, 'no retry any more');
is($m->get('nginx_upstream_retries_total'), 1, 'not told yet');

$client->close();
$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

$m = $t->metrics();

is($m->get("nginx_upstream_${_}_in_flight"), 0, "no $_ after it")
	for qw/ calls retries /;
is($m->get('nginx_upstream_retries_total'), 2, 'told');

done_testing();
