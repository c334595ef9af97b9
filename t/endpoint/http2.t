#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# HTTP/2, with windows of any size, several streams at once, and streams that
# end early.

use NgxMon;

my $t = NgxMon->new()->has('http_v2', 'http_ssl');

my $locations = join '', map { "    location /$_/ { return 200; }\n" } 1 .. 300;

$t->conf(<<"EOC");
mon_zone mon 16m;

server {
    listen 127.0.0.1:%%PORT_8080%% http2;

    location = /metrics { mon_metrics; }
    location = /health { mon_health; }
    location = /limited { mon_metrics; limit_rate 2m; }

$locations
}

server {
    listen 127.0.0.1:%%PORT_8081%%;
    location = /metrics { mon_metrics; }
    location / { return 200; }
}
EOC

$t->run();

my $url = 'http://127.0.0.1:' . $t->port();

sub whole {
	my ($body, $name) = @_;

	my $m = eval { NgxMon::Metrics->parse($body) };

	ok($m && $m->get('nginx_mon_info') == 1, $name) or diag($@);
}

# curl

my $out = $t->curl('--http2-prior-knowledge', '-D-', "$url/metrics");
my ($head, $body) = split /\r\n\r\n/, $out, 2;

like($head, qr{^HTTP/2 200}, 'HTTP/2');
like($head, qr{^content-type: text/plain; version=0.0.4; charset=utf-8\r}m,
     'type');
whole($body, 'whole');

# one connection: a scrape, health, another scrape

$out = $t->command('nghttp', '-n', '-s', "$url/metrics", "$url/health",
		   "$url/metrics?name=");
is(() = $out =~ m{^\s+\d+.* 200\s.*/(?:metrics|health)\S*$}mg, 3,
   'several');

# HEAD, a method that is not allowed

like($t->curl('--http2-prior-knowledge', '-I', "$url/metrics"),
     qr{^HTTP/2 200}, 'HEAD');
like($t->curl('--http2-prior-knowledge', '-D-', '-XPOST', "$url/metrics"),
     qr/^HTTP\/2 405.*^allow: GET, HEAD\r/ms, 'POST');

# windows, of a stream and of a connection: 2^n - 1

for (['-w', 12], ['-w', 14, '-W', 11], ['-w', 20, '-W', 12], ['-w', 30]) {
	$out = $t->command('nghttp', @$_, "$url/metrics");
	whole($out, "windows @$_");
}

$out = $t->command('nghttp', '-w', 12, "$url/limited");
whole($out, 'limit_rate and a small window');

# many streams at once

$out = $t->command('nghttp', '-n', '-s', '-m', 20, "$url/metrics");
is(() = $out =~ m{^\s+\d+.* 200\s.*/metrics$}mg, 20, 'twenty streams');

# streams that are reset, connections that are closed in the middle

sub frame {
	my ($type, $flags, $stream, $payload) = @_;

	return substr(pack('N', length $payload), 1)
		. pack('CCN', $type, $flags, $stream) . $payload;
}

sub h2 {
	my ($window, @uris) = @_;

	my $c = $t->client();
	my $id = -1;

	# SETTINGS_INITIAL_WINDOW_SIZE

	$c->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
		 . frame(4, 0, 0, pack('nN', 4, $window)));

	for my $uri (@uris) {

		# :method GET, :scheme http, :path, :authority

		$c->send(frame(1, 5, $id += 2, "\x82\x86\x04"
			 . chr(length $uri) . $uri . "\x01\x01a"));
	}

	return $c;
}

for my $window (0, 100, 65_535) {
	my $c = h2($window, ('/metrics') x 8);

	# a HEADERS frame has come
	ok($c->read_until(qr/\x01\x04\x00\x00\x00\x0f/), "window $window");

	if ($window == 100) {
		$c->send(frame(3, 0, $_, pack 'N', 8)) for 1, 5, 9;
		$c->send(frame(8, 0, 3, pack 'N', 1000));
		$c->send(frame(6, 0, 0, 'abcdefgh'));
		ok($c->read_until(qr/abcdefgh/), 'answers a ping');
	}

	$window ? $c->close() : $c->reset();
}

my $c = h2(10, '/limited', '/limited');
ok($c->read_until(qr/\x01\x04\x00\x00\x00\x03/), 'two that are limited');
$c->close();

# closed ones are gone: only this connection and its listener are left

ok(wait_for(sub {
	$t->get('/metrics', port => 8081)->{body}
		=~ /^nginx_connections_active 1$/m;
}, 10, 'connections closed'), 'all connections are closed');

whole($t->curl('--http2-prior-knowledge', "$url/metrics"), 'still whole');

done_testing();
