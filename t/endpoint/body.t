#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The body of a GET is discarded, and the connection goes on.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    client_max_body_size 100k;
    lingering_timeout 60s;

    location = /metrics { mon_metrics; }
    location = /health { mon_health; }
    location = /limited { mon_metrics; limit_rate 100k; limit_rate_after 1k; }
}
EOC

$t->run();

for my $uri (qw{ /metrics /health /limited }) {

	my $c = $t->client();

	for my $n (0, 1, 1000, 90_000) {
		my $r = $c->get($uri, body => 'x' x $n);

		is($r->{status}, 200, "$uri with $n bytes");
		is($r->{error}, '', 'whole');
	}

	my $r = $c->get($uri, headers => ['Transfer-Encoding' => 'chunked',
					  'X' => "y\r\n\r\n5\r\nhello\r\n0"]);

	is($r->{status}, 200, "$uri with chunks");

	# one that comes after the answer has begun

	$c = $t->client();
	$c->send("GET $uri HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");

	like($c->read_until(qr/\r\n/), qr/ 200 /, 'answered before the body');

	$c->send('x' x 30_000);
	$c->send('x' x 30_000);

	like($c->read_until($uri eq '/health' ? qr/\}\}\n/ : qr/\r\n0\r\n\r\n/),
	     qr/\S/, 'the rest of the answer');
	is($c->get('/health')->{status}, 200, 'the connection goes on');

	# one that never comes whole

	$c = $t->client();
	$c->send("GET $uri HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\nx");
	like($c->read_until(qr/\r\n/), qr/ 200 /, 'half a body');
	$c->close();

	is($t->get($uri, body => 'x' x 110_000)->{status}, 413, 'too large');
	is($t->get($uri, headers => ['Content-Length' => '-1'])->{status}, 400,
	   'malformed');
}

done_testing();
