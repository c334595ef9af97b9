#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Requests that end before a location is chosen count under location "", with
# the status and the reason.

use NgxMon;

my $t = NgxMon->new()->has('http_ssl');

$t->conf(<<'EOC');
mon_zone mon 4m;

keepalive_timeout 0;
lingering_timeout 50ms;

large_client_header_buffers 2 1k;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    server_name plain;

    location = /metrics { mon_metrics; }
    location / { client_max_body_size 10; proxy_pass http://127.0.0.1:1; }
    location /431 { return 431; }
    location /400 { return 400; }
}

server {
    listen 127.0.0.1:%%PORT_8081%% ssl;
    server_name tls;
    ssl_certificate tls.crt;
    ssl_certificate_key tls.key;

    location / { return 200; }
}

server {
    listen 127.0.0.1:%%PORT_8083%% ssl;
    server_name verifies;
    ssl_certificate tls.crt;
    ssl_certificate_key tls.key;
    ssl_client_certificate tls.crt;
    ssl_verify_client on;

    location / { return 200; }
}

server {
    listen 127.0.0.1:%%PORT_8082%%;
    server_name pages;

    error_page 400 494 414 /page;
    location = /page { return 200; }
    location / { return 200; }
}
EOC

$t->command('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes',
	    '-subj', '/CN=localhost', '-days', '1',
	    '-keyout', $t->dir() . '/tls.key', '-out', $t->dir() . '/tls.crt');
$t->run();

my $long = 'x' x 2000;
my $get = "GET / HTTP/1.1\r\nHost: a\r\n";

for (['a bad line', "GET\r\n\r\n", 400, 'bad_request'],
     ['a bad method', "get / HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'bad_request'],
     ['a bad version', "GET / HTTP/x\r\nHost: a\r\n\r\n", 400, 'bad_request'],
     ['a bad URI', "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'bad_request'],
     ['a bad header', "${get}a\0b: c\r\n\r\n", 400, 'bad_request'],
     ['no Host', "GET / HTTP/1.1\r\n\r\n", 400, 'bad_request'],
     ['two Hosts', "${get}Host: b\r\n\r\n", 400, 'bad_request'],
     ['a bad Host', "GET / HTTP/1.1\r\nHost: a/b\0\r\n\r\n", 400,
      'bad_request'],
     ['a bad length', "${get}Content-Length: x\r\n\r\n", 400, 'bad_request'],
     ['length and chunks', "${get}Content-Length: 10\r\n"
      . "Transfer-Encoding: chunked\r\n\r\n", 400, 'bad_request'],
     ['a long line', "GET /$long HTTP/1.1\r\nHost: a\r\n\r\n", 414,
      'too_large'],
     ['a long header', "${get}a: $long\r\n\r\n", 400, 'too_large'],
     ['many headers', $get . "a: b\r\n" x 2000 . "\r\n", 400, 'too_large'],
     ['version 2', "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, 'bad_request'],
     ['version 3', "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, 'bad_request'],
     ['TRACE', "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405, ''],
     ['plain HTTP to TLS', "$get\r\n", 400, 'bad_request', 8081],
     ['an error page for 400', "GET / HTTP/1.1\r\n\r\n", 400, 'bad_request',
      8082, '= /page'],
     ['an error page for 414', "GET /$long HTTP/1.1\r\nHost: a\r\n\r\n", 414,
      'too_large', 8082, '= /page'],
     ['an error page for 494', "${get}a: $long\r\n\r\n", 400, 'too_large',
      8082, '= /page'],
     ['a large body', "POST / HTTP/1.1\r\nHost: a\r\n"
      . "Content-Length: 11\r\n\r\n", 413, 'too_large', 8080, '/'],
     ['431', "GET /431 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 431,
      'too_large', 8080, '/431'],
     ['400', "GET /400 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400,
      'bad_request', 8080, '/400'])
{
	my ($what, $bytes, $status, $reason, $port, $location) = @$_;
	my $server = { 8080 => 'plain', 8081 => 'tls', 8082 => 'pages' }
		->{$port // 8080};
	my $before = $t->metrics();

	$t->http($bytes, port => $port // 8080);

	$t->wait_metric(($before->get('nginx_http_requests_total') // 0) + 1,
			'nginx_http_requests_total');

	my $after = $t->metrics();
	my @series = (server => $server, location => $location // '');
	my $more = sub {
		my ($name, @labels) = @_;

		$name = "nginx_http_$name";

		return ($after->get($name, @series, @labels) // 0)
			- ($before->get($name, @series, @labels) // 0);
	};

	is($more->('requests_total', status => $status), 1,
	   "$what: $status");
	is($more->('errors_total', reason => $reason), $reason ? 1 : 0,
	   "$what: $reason");
	is($more->('request_duration_seconds_count'), 1, "$what: duration");
}

# a client without the certificate that is asked for: 496, which becomes 400

$t->curl('https://127.0.0.1:%%PORT_8083%%/');
$t->wait_metric(1, 'nginx_http_requests_total', server => 'verifies',
		location => '', status => 400);

my $m = $t->metrics();

is($m->get('nginx_http_errors_total', server => 'verifies',
	   reason => 'bad_request'), 1, 'no certificate: bad_request');
is($m->get('nginx_http_requests_in_flight'), 0, 'none in flight');

done_testing();
