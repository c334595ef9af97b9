#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A connection that was refused, or took too long, is a failure and nothing
# else: no duration of 0, no response.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8082%%;
    server 127.0.0.1:%%PORT_8081%% backup;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_connect_timeout 300ms;

    location / { proxy_pass http://backend; }
    location /none { proxy_pass http://127.0.0.1:%%PORT_8082%%; }
    location /hole { proxy_pass http://127.0.0.1:%%PORT_8083%%; }
    location = /metrics { mon_metrics; }
}
EOC

$t->backend(8081);
$t->blackhole(8083);
$t->run();

is($t->get('/')->{status}, 200, 'the other peer answered');
is($t->get('/none')->{status}, 502, 'refused');
is($t->get('/hole')->{status}, 504, 'timed out');

$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

my $m = $t->metrics();
my ($up, $none, $hole) = map { '127.0.0.1:' . $t->port($_) } 8081 .. 8083;

for ([backend => $none, 'error'], [$none, $none, 'error'],
     [$hole, $hole, 'timeout'])
{
	my ($upstream, $peer, $reason) = @$_;
	my @peer = (upstream => $upstream, peer => $peer);

	is($m->get('nginx_upstream_failures_total', @peer), 1,
	   "$upstream: one failure");
	is($m->get('nginx_upstream_failures_total', @peer,
		   reason => $reason), 1, "$upstream: $reason");
	is($m->get('nginx_upstream_responses_total', @peer), undef,
	   "$upstream: no response");
	is($m->get("nginx_upstream_${_}_duration_seconds_count", @peer), 0,
	   "$upstream: no $_ time") for qw/ connect header response /;
	is($m->get("nginx_upstream_${_}_bytes_total", @peer), 0,
	   "$upstream: no bytes $_") for qw/ sent received /;
}

is($m->get('nginx_upstream_responses_total', upstream => 'backend',
	   peer => $up, status => 200), 1, 'the attempt after it counts');

done_testing();
