#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Hundreds of streams of HTTP/2 that wait for a limit, or in the queue of a
# concurrency limit, many of which are reset, and whose connections go at any
# time: nothing is left in flight or in a queue.

use NgxMon;
use NgxMon::Node qw/ node /;
use NgxMon::Process qw/ alive poll slowness /;

use JSON::PP qw/ decode_json /;

node('limit/streams.mjs');

my $t = NgxMon->new(workers => 2)->has('http_v2');

$t->conf(<<'EOC');
mon_zone mon 8m;

mon_limit_zone $arg_k zone=delay:1m rate=100r/s burst=1000;
mon_limit_zone $arg_k zone=both:1m rate=400r/s burst=1000;

http2_max_concurrent_streams 1000;
keepalive_requests 100000;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    listen 127.0.0.1:%%PORT_8081%% http2;

    location /delay { mon_limit zone=delay delay; empty_gif; }

    location /queue {
        mon_concurrency max=3 queue=200 timeout=300ms name=queue;
        proxy_pass http://127.0.0.1:%%PORT_8082%%;
    }
    location /adaptive {
        mon_concurrency max=adaptive queue=100 timeout=2s name=adaptive;
        proxy_pass http://127.0.0.1:%%PORT_8082%%;
    }
    location /both {
        mon_limit zone=both delay;
        mon_concurrency max=5 queue=200 timeout=5s name=both;
        proxy_pass http://127.0.0.1:%%PORT_8082%%;
    }
    location /deadline {
        mon_deadline 100ms;
        mon_limit zone=both delay;
        mon_concurrency max=2 queue=200 timeout=5s name=deadline;
        proxy_pass http://127.0.0.1:%%PORT_8082%%;
    }

    location = /metrics { mon_metrics; }
}
EOC

my $b = $t->backend(8082, mode => '/delay/0.01');

$t->run();

my @clients = map {
	NgxMon::Process::start($t->dir() . "/streams.$_", $t->dir(), {},
		node('limit/streams.mjs',
		     'http://127.0.0.1:' . $t->port(8081), 8 * slowness(),
		     300, '/delay?k=1', '/delay?k=2', '/queue', '/adaptive',
		     '/both?k=1', '/deadline?k=2'))
} 1 .. 3;

ok(poll(60, sub { !grep { alive($_) } @clients }), 'the clients ended');

for (1 .. @clients) {
	my $out = $t->read_file("streams.$_");
	my $told = eval { decode_json($out) };

	note("client $_: $out");
	is(NgxMon::Process::exit_status($clients[$_ - 1]), 0, "client $_: ended well");
	is(join(' ', grep { !/^(?:200|429|503|504)$/ }
		keys %{ $told->{status} }), '', "client $_: no other answers");
	cmp_ok($told->{status}{200}, '>', 0, "client $_: some passed");
}

for my $name (qw/ queue adaptive both deadline /) {
	$t->wait_metric(0, "nginx_http_concurrency_$_", name => $name)
		for qw/ in_flight queued /;
}

for my $uri (qw{ /delay /queue /adaptive /both /deadline }) {
	$t->wait_metric(0, 'nginx_http_requests_in_flight',
			location => $uri);
}

is($t->get($_)->{status}, 200, "$_: serves") for qw{ /queue /adaptive };

done_testing();
