#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline and TLS, with the client and with the peer.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new()->has('http_ssl', 'http_v2');

$t->command('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes',
	    '-subj', '/CN=localhost', '-days', '30', '-keyout',
	    $t->dir() . '/key', '-out', $t->dir() . '/cert');

$t->conf(<<'EOC');
mon_zone mon 4m;

ssl_certificate cert;
ssl_certificate_key key;

upstream tls { server 127.0.0.1:%%PORT_8084%%; keepalive 2; }

server {
    listen 127.0.0.1:%%PORT_8080%%;
    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8082%% ssl http2 sndbuf=32k;

    mon_deadline 300ms;

    location / { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /fast { return 200 fast; }
    location /file { alias %%TESTDIR%%/large; }
    location /sent/ {
        proxy_buffering off;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /tls/ {
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass https://tls/;
    }
    location /handshake/ { proxy_pass https://127.0.0.1:%%PORT_8083%%; }
}

server {
    listen 127.0.0.1:%%PORT_8084%% ssl;
    mon off;
    location / { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
}
EOC

# more than any socket buffers

$t->write_file('large', 'x' x 40000000);

my $b = $t->backend(8081);

# takes connections and says nothing

my $silent = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1',
				   LocalPort => $t->port(8083), Listen => 10,
				   ReuseAddr => 1) or die "$!";

$t->run();

my $base = 'https://127.0.0.1:' . $t->port(8082);
my $n = 0;

for my $version ('--http1.1', '--http2') {
	for my $uri (qw{ /wait/a /tls/wait/a /handshake/ /tls/wait/a }) {
		my $start = time();
		my $out = $t->curl($version, '-o', '/dev/null', "$base$uri",
				   '-o', '/dev/null', "$base/fast", '-w',
				   '%{http_code} %{num_connects} ');
		my $took = time() - $start;

		is($out, '504 1 200 0 ', "$version $uri: 504, and goes on");
		cmp_ok($took, '>', 0.25, 'not before its time');
		cmp_ok($took, '<', 10, 'but then');
		$n++;
	}

	# 18: partial, 92: a stream was reset, 56: no close_notify

	my $out = $t->curl($version, '-w', '%{http_code}', "$base/stall");

	like(($? >> 8) . " $out", $version =~ /2$/ ? qr/^92 / : qr/^0 .*504$/s,
	     "$version: held back");
	$n++;

	$t->curl($version, '-o', '/dev/null', "$base/sent/stall");
	like($? >> 8, qr/^(?:18|56|92)$/, "$version: half an answer");
	$t->curl($version, '-o', '/dev/null', '--limit-rate', '300k',
		 "$base/file");
	like($? >> 8, qr/^(?:18|56|92)$/, "$version: a slow reader");
	$n += 2;

	is($t->curl($version, '-d', 'x' x 100000, "$base/echo"), 'x' x 100000,
	   "$version: on time");
}

my $m;

ok(wait_for(sub {
	$m = $t->metrics();
	($m->get('nginx_http_requests_in_flight') // 0) == 0
		&& $m->get('nginx_upstream_requests_in_flight') == 0
		&& $m->get('nginx_connections_active') <= 3
}, 10, 'nothing in flight'), 'nothing in flight');

is($m->get('nginx_http_errors_total', reason => 'deadline'), $n, 'counted');

done_testing();
