#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Every attempt at a peer counts, by its own clock: the one that answered, and
# those before it.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8082%%;
    server 127.0.0.1:%%PORT_8081%% backup;
}

upstream idle {
    server 127.0.0.1:%%PORT_8081%%;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_next_upstream error timeout http_500;

    location / { proxy_pass http://backend; }
    location /idle { proxy_pass http://idle; }
    location = /metrics { mon_metrics; }
}
EOC

my $port = $t->port(8081);
my $first = $t->port(8082);

$t->backend(8081);

my $backend = $t->backend(8082);

$t->run();

# configured peers are there from the start, with zeros

my @names = qw/ connect_duration_seconds_count header_duration_seconds_count
	response_duration_seconds_count requests_in_flight sent_bytes_total
	received_bytes_total connections_reused_total /;

my $m = $t->metrics();

for my $peer ($first, $port) {
	is($m->get("nginx_upstream_$_", upstream => 'backend',
		   peer => "127.0.0.1:$peer"), 0, "$_ $peer") for @names;
}

is($m->get('nginx_upstream_responses_total'), undef, 'no response yet');
is($m->get('nginx_upstream_failures_total'), undef, 'no failure yet');

# the first peer answers after a while, and then breaks

$backend->mode('/status/500/delay/0.3');
is($t->get('/')->{status}, 200, 'the second peer answered');

$t->wait_metric(0, 'nginx_upstream_requests_in_flight');
$m = $t->metrics();

sub of {
	my ($name, $peer, %labels) = @_;

	return $m->get("nginx_upstream_$name", upstream => 'backend',
		       peer => "127.0.0.1:$peer", %labels);
}

is(of('responses_total', $first, status => 500), 1, 'first response');
is(of('failures_total', $first, reason => 'http_500'), 1, 'a failure');
is(of('failures_total', $first), 1, 'but one');
is(of('responses_total', $port, status => 200), 1, 'second response');
is(of('failures_total', $port), undef, 'no failure of the second');

for my $peer ($first, $port) {
	is(of("${_}_duration_seconds_count", $peer), 1, "$_ of $peer")
		for qw/ connect header response /;
	cmp_ok(of('sent_bytes_total', $peer), '>', 20, "sent to $peer");
	cmp_ok(of('received_bytes_total', $peer), '>', 20, "from $peer");
	is(of('requests_in_flight', $peer), 0, "none in flight at $peer");
	is(of('connections_reused_total', $peer), 0, "none reused at $peer");
}

cmp_ok(of('header_duration_seconds_sum', $first), '>=', 0.3, 'slow');
cmp_ok(of('header_duration_seconds_sum', $port), '<', 0.2,
       'the clock of the second attempt is its own');

for my $peer ($first, $port) {
	my ($connect, $header, $response) = map {
		of("${_}_duration_seconds_sum", $peer)
	} qw/ connect header response /;

	cmp_ok($connect, '>', 0, "connect time of $peer");
	cmp_ok($connect, '<', 0.2, "connecting to $peer is fast");
	cmp_ok($connect, '<', $header, "connected before the header of $peer");
	cmp_ok($header, '<=', $response, "header before the end of $peer");
}

is($m->get('nginx_upstream_responses_total', upstream => 'idle'), undef,
   'another upstream with the same peer stands apart');

done_testing();
