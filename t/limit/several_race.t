#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Several limits and several workers at once: the tight one lets exactly its
# burst through, and the others were charged for exactly these, whoever came
# first.

use NgxMon;

my $t = NgxMon->new(workers => 4);

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_limit_zone $arg_a zone=a:1m rate=1r/h burst=99999;
mon_limit_zone $arg_b zone=b:1m rate=1r/d burst=49;
mon_limit_zone $arg_a zone=c:1m rate=1r/h burst=99999;

keepalive_requests 100000;

server {
    listen 127.0.0.1:%%PORT_8080%% reuseport;

    location = /metrics { mon_metrics; }
    location /abc { mon_limit zone=a; mon_limit zone=b; mon_limit zone=c; empty_gif; }
    location /a { mon_limit zone=a; empty_gif; }
    location /c { mon_limit zone=c; empty_gif; }
}
EOC

$t->run();

my @clients = map { $t->client() } 1 .. 16;
my $passed = 0;

# each round has a new key of the tight limit

for my $round (1 .. 40) {
	$_->send("GET /abc?a=1&b=$round HTTP/1.1\r\nHost: a\r\n\r\n" x 10)
		for @clients;

	my $n = 0;

	for my $c (@clients) {
		$n += $c->response()->{status} == 200 for 1 .. 10;
	}

	$passed += $n;
	is($n, 50, "round $round") if $n != 50 || $round == 40;
}

is($passed, 2000, 'exactly the burst');

like($t->get("/$_?a=1")->{headers}{ratelimit}, qr/^"$_";r=97999;/,
     "$_ was charged for what passed") for qw/ a c /;

done_testing();
