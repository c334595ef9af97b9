#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A WebSocket's time is no latency: the response time is left out, and its
# end, even by a timeout, is no failure.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /ws {
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_read_timeout 500ms;
    }

    location = /metrics { mon_metrics; }
}
EOC

$t->backend(8081);
$t->run();

my $flight = 'nginx_upstream_requests_in_flight';

sub connected {
	my $client = $t->client();

	$client->send_request('GET', '/ws', headers => [
		Upgrade => 'websocket', Connection => 'upgrade' ]);
	is($client->response()->{status}, 101, 'switched');
	$client->send('hello' x 100);
	is($client->read_bytes(500), 'hello' x 100, 'echoed');

	return $client;
}

my $client = connected();
my $m = $t->metrics();

is($m->get($flight), 1, 'in flight');
is($m->get('nginx_upstream_responses_total', status => 101), 1, 'a response');
is($m->get('nginx_upstream_header_duration_seconds_count'), 1, 'a header');

$client->close();
ok($t->wait_metric(0, $flight), 'the client left');

my $received = $t->metric('nginx_upstream_received_bytes_total');

cmp_ok($received, '>=', 500, 'bytes of the tunnel');

$client = connected();
ok($client->closed(), 'closed by the timeout');
ok($t->wait_metric(0, $flight), 'gone');

$m = $t->metrics();

is($m->get('nginx_upstream_responses_total', status => 101), 2, 'responses');
is($m->get('nginx_upstream_header_duration_seconds_count'), 2, 'headers');
is($m->get('nginx_upstream_response_duration_seconds_count'), 0,
   'no response time');
is($m->get('nginx_upstream_failures_total'), undef, 'no failure');

done_testing();
