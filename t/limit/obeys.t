#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A client that does what the RateLimit fields say is never refused, be it as
# quick as it can: alone, beside others with keys of their own, over HTTP/2,
# and where two limits hold.

use NgxMon;
use NgxMon::Node qw/ node /;
use NgxMon::Process qw/ poll alive slowness /;

use JSON::PP qw/ decode_json /;

node('limit/obeys.mjs');

my $t = NgxMon->new(workers => 2)->has('http_v2');

$t->conf(<<'EOC');
mon_zone mon 4m;

keepalive_requests 1000000;

mon_limit_zone $arg_k zone=one:1m rate=5r/s;
mon_limit_zone $arg_k zone=burst:1m rate=20r/s burst=9;
mon_limit_zone $arg_k zone=minutes:1m rate=100r/m burst=2;
mon_limit_zone $arg_k zone=quick:1m rate=1000r/s burst=99;
mon_limit_zone $arg_k zone=short:1m rate=10r/s burst=4;
mon_limit_zone $arg_k zone=long:1m rate=60r/m burst=19;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    listen 127.0.0.1:%%PORT_8081%% http2;

    location /one { empty_gif; mon_limit zone=one; }
    location /burst { empty_gif; mon_limit zone=burst; }
    location /minutes { empty_gif; mon_limit zone=minutes; }
    location /quick { empty_gif; mon_limit zone=quick; }
    location /two { empty_gif; mon_limit zone=short; mon_limit zone=long; }
}
EOC

$t->run();

# uri, how, port, protocol; how many requests at a time, no fewer

my @clients = (
	['/one?k=1', 'greedy', 8080, '', 1],
	['/one?k=2', 'wary', 8080, '', 1],
	['/burst?k=1', 'greedy', 8080, '', 9],
	['/burst?k=2', 'greedy', 8081, 'http2', 9],
	['/burst?k=3', 'wary', 8080, '', 1],
	['/minutes?k=1', 'greedy', 8080, '', 2],
	['/minutes?k=2', 'wary', 8081, 'http2', 1],
	['/quick?k=1', 'greedy', 8081, 'http2', 50],
	['/quick?k=2', 'greedy', 8080, '', 50],
	['/two?k=1', 'greedy', 8080, '', 4],
	['/two?k=2', 'wary', 8081, 'http2', 1],
);

my $seconds = 5 * slowness();
my $n = 0;

for my $client (@clients) {
	my ($uri, $manner, $port, $protocol) = @$client;

	push @$client, 'obeys.' . $n++;
	push @$client, NgxMon::Process::start($t->dir() . "/$client->[-1]",
		$t->dir(), {}, node('limit/obeys.mjs',
		'http://127.0.0.1:' . $t->port($port) . $uri, $seconds,
		$manner, $protocol));
}

ok(poll(60, sub { !grep { alive($_->[-1]) } @clients }), 'all have ended');

for (@clients) {
	my ($uri, $manner, $port, $protocol, $most, $file, $pid) = @$_;

	my $name = join ' ', $uri, $manner, $protocol || ();
	my $out = $t->read_file($file);
	my $told = eval { decode_json($out) };

	is(NgxMon::Process::exit_status($pid), 0, "$name: ended well")
		or diag($out);

	note("$name: $out");

	is_deeply([keys %{ $told->{status} }], [200], "$name: never refused");
	is_deeply($told->{wrong}, [], "$name: understood");
	cmp_ok($told->{most}, '>=', $most, "$name: as many as are left");
	cmp_ok($told->{waited}, '>', 0, "$name: and waited");
}

done_testing();
