#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# HTTP/2: each stream is a request of its own, however it ends.

use NgxMon;

my $t = NgxMon->new()->has('http_v2');

$t->conf(<<'EOC');
mon_zone mon 4m;

log_format sums '$request_length $bytes_sent $request_time $uri';

server {
    listen 127.0.0.1:%%PORT_8080%%;
    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8082%% http2;
    server_name two;

    access_log %%TESTDIR%%/access.log sums;

    client_body_timeout 200ms;
    client_max_body_size 1k;
    large_client_header_buffers 2 1k;

    location / { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /444 { return 444; }
    location /quick { return 200 ok; }
}
EOC

my $b = $t->backend(8081);

$t->run();

my $total = 'nginx_http_requests_total';
my $errors = 'nginx_http_errors_total';
my $flight = 'nginx_http_requests_in_flight';

sub frame {
	my ($type, $flags, $stream, $payload) = @_;

	return substr(pack('N', length $payload), 1)
		. pack('CCN', $type, $flags, $stream) . $payload;
}

sub literal {
	my ($text) = @_;
	my $n = length($text) - 127;

	return chr(length $text) . $text if $n < 0;
	return "\x7f" . chr($n & 127 | 128) . chr($n >> 7) . $text;
}

# header fields as literals; with END_STREAM or not

sub headers {
	my ($stream, $method, $path, $end, @fields) = @_;
	my $block = '';

	unshift @fields, ':method' => $method, ':scheme' => 'http',
		':path' => $path, ':authority' => 'localhost';

	while (my ($name, $value) = splice @fields, 0, 2) {
		$block .= "\0" . literal($name) . literal($value);
	}

	return frame(1, 4 | ($end ? 1 : 0), $stream, $block);
}

sub connection {
	my $client = $t->client(port => 8082);

	$client->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, ''));

	return $client;
}

# reads up to the end of a stream; returns how it ended

sub ended {
	my ($client, $stream) = @_;

	while (defined(my $head = $client->read_bytes(9))) {
		my ($high, $low, $type, $flags, $id) = unpack 'CnCCN', $head;
		$client->read_bytes($high << 16 | $low);

		return 'reset' if $type == 3 && $id == $stream;
		return 'goaway' if $type == 7;
		return 'end' if $type < 2 && $flags & 1 && $id == $stream;
	}

	return 'closed';
}

my $c = connection();

$c->send(headers(1, 'GET', '/quick', 1));
is(ended($c, 1), 'end', 'a stream');
ok($t->wait_metric(1, $total, location => '/quick', method => 'GET',
		  status => 200), 'is a request');

# several at once on one connection

$c->send(join '', map { headers($_, 'GET', "/wait/word$_", 1) } 3, 5, 7);
$t->wait_metric(3, $flight, location => '/');
wait_for(sub { (() = $b->requests()) == 3 }, 10, 'the backend');

$c->send(frame(3, 0, 5, pack 'N', 8));
$t->wait_metric(2, $flight, location => '/');
ok($t->wait_metric(1, $total, status => 499, location => '/'),
   'a reset stream');
is($t->metric($errors, reason => 'client_abort'), 1, 'was left');

$b->tell('word3');
is(ended($c, 3), 'end', 'another');
$t->wait_metric(1, $flight, location => '/');
$c->close();
$t->wait_metric(0, $flight, location => '/');
ok($t->wait_metric(2, $total, status => 499), 'with its connection');

# a body

$c = connection();
$c->send(headers(1, 'POST', '/echo', 0) . frame(0, 0, 1, 'abc'));
$t->wait_metric(1, $flight, location => '/');
$c->send(frame(0, 1, 1, 'def'));
is(ended($c, 1), 'end', 'a body');
ok($t->wait_metric(1, $total, method => 'POST', status => 200), 'POST');

$c->send(headers(3, 'POST', '/echo', 0) . frame(0, 0, 3, 'abc'));
ended($c, 3);
$t->wait_metric(1, $total, status => 408, location => '/');
is($t->metric($errors, reason => 'request_timeout'), 1, 'a slow body');

$c->send(headers(5, 'POST', '/echo', 0, 'content-length' => 10000));
ended($c, 5);
$t->wait_metric(1, $total, status => 413, location => '/');
is($t->metric($errors, reason => 'too_large'), 1, 'a large body');

$c->send(headers(7, 'GET', '/444', 1));
is(ended($c, 7), 'reset', 'no answer');
$t->wait_metric(1, $total, status => 444, location => '/444');

# malformed

$c->send(headers(9, 'GET', 'nonsense', 1));
ended($c, 9);
$t->wait_metric(1, $total, status => 400, location => '');

$c->close();
$c = connection();
$c->send(headers(1, 'GET', '/quick', 1, 'Upper' => 'x'));
isnt(ended($c, 1), 'closed', 'a bad name of a header');
$c->close();

$c = connection();
$c->send(headers(1, 'GET', '/quick', 1, map { ("a$_" => 'x' x 900) } 1 .. 3));
is(ended($c, 1), 'goaway', 'too large a header');
$c->close();

$c = connection();
$c->send(frame(6, 0, 0, 'x'));
is(ended($c, 1), 'goaway', 'a bad frame');
$c->close();

# with other tools

is($t->curl('--http2-prior-knowledge', 'http://127.0.0.1:%%PORT_8082%%/quick'),
   'ok', 'curl');
$t->command('nghttp', '-nvm', 50,
	    'http://127.0.0.1:' . $t->port(8082) . '/quick');
wait_for(sub { $t->metric($total, location => '/quick', status => 200) >= 52 },
	 10, 'nghttp');

# the log

my ($m, %sum);

wait_for(sub {
	my @lines = split /\n/, $t->read_file('access.log');

	$m = $t->metrics();
	%sum = ();

	for (@lines) {
		my ($length, $sent, $time, $uri) = split ' ';

		$sum{length} += $length;
		$sum{sent} += $sent;
		$sum{time} += $time unless $uri eq '/quick';
	}

	return @lines == $m->get($total);
}, 10, 'as many as logged');

is($m->get('nginx_http_request_bytes_total'), $sum{length}, 'received');
is($m->get('nginx_http_response_bytes_total'), $sum{sent}, 'sent');
is($m->get('nginx_http_request_duration_seconds_count'), $m->get($total),
   'durations');

# those that came in one packet wait for each other, which the log leaves out

my $duration = $m->get('nginx_http_request_duration_seconds_sum')
	- $m->get('nginx_http_request_duration_seconds_sum',
		  location => '/quick');

cmp_ok(abs($duration - $sum{time}), '<', 0.03, "$duration, $sum{time} logged");
is($m->get($flight), 0, 'none in flight');
is($m->get('nginx_http_requests_by_protocol_total', protocol => '2'),
   $m->get($total), 'all are HTTP/2');

done_testing();
