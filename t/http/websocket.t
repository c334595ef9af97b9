#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# An upgraded connection: a gauge while it is open, a request when it ends,
# and no latency.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;

    location = /metrics { mon_metrics; }
    location / { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /if/ {
        if ($http_upgrade) {
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }
    }
    location /off/ {
        mon off;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /slow/ {
        mon_slow 1ms;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

$t->backend(8081);
$t->run();

my $gauge = 'nginx_http_connections_upgraded';

sub connected {
	my ($uri) = @_;
	my $client = $t->client();

	$client->send_request('GET', $uri, headers => [
		Upgrade => 'websocket', Connection => 'upgrade' ]);
	is($client->response()->{status}, 101, "$uri switched");
	$client->send('x' x 1000);
	is(length $client->read_bytes(1000), 1000, "$uri echoed");

	return $client;
}

for (['/', '/ws'], ['/if/', '/if/ws'], ['/if/', '/if/ws'],
     ['/slow/', '/slow/0/ws'])
{
	my ($location, $uri) = @$_;
	my @labels = (location => $location);
	my $n = $t->metric('nginx_http_requests_total', @labels) // 0;
	my @clients = map { connected($uri) } 1 .. 2;

	is($t->metric($gauge, @labels), 2, "$uri: two open");
	is($t->metric('nginx_http_requests_in_flight', @labels), 2,
	   "$uri: two in flight");

	$clients[0]->close();
	$t->wait_metric(1, $gauge, @labels);
	$clients[1]->reset();
	$t->wait_metric(0, $gauge, @labels);

	my $m = $t->metrics();

	is($m->get('nginx_http_requests_total', @labels, status => 101), $n + 2,
	   "$uri: two requests");
	is($m->get("nginx_http_${_}_seconds_count", @labels), 0, "$uri: no $_")
		for qw/ request_duration time_to_first_byte /;
	is($m->get('nginx_http_requests_in_flight', @labels), 0,
	   "$uri: none in flight");
	is($m->get('nginx_http_slow_requests_total', @labels), 0,
	   "$uri: not slow");
	cmp_ok($m->get('nginx_http_response_bytes_total', @labels), '>=', 2000,
	       "$uri: bytes of the tunnel");
}

my $client = connected('/off/ws');

is($t->metric($gauge), 0, 'none where it is off');
$client->close();

# what did not switch is an answer like any other

is($t->get('/status/403', headers => [ Upgrade => 'websocket' ])->{status},
   403, 'refused');
is($t->metric('nginx_http_request_duration_seconds_count', location => '/'),
   1, 'has a duration');
is($t->metric($gauge), 0, 'none open');

done_testing();
