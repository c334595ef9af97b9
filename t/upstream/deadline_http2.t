#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline and HTTP/2: a stream ends, its connection goes on.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new()->has('http_v2', 'http_auth_request');

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend { server 127.0.0.1:%%PORT_8081%%; keepalive 4; }

server {
    listen 127.0.0.1:%%PORT_8080%%;
    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8082%% http2;

    mon_deadline 600ms;
    client_body_buffer_size 1k;
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    location / { proxy_pass http://backend; }
    location /fast { return 200 fast; }
    location /unbuffered/ { proxy_buffering off; proxy_pass http://backend; }
    location /stream/ {
        proxy_request_buffering off;
        proxy_pass http://backend;
    }
    location /caught/ { error_page 504 = @late; proxy_pass http://backend; }
    location @late { proxy_pass http://backend; }
    location /auth/ { auth_request /check; proxy_pass http://backend; }
    location = /check { proxy_pass http://backend/wait/a; }
    location /file { alias %%TESTDIR%%/large; }
}
EOC

$t->write_file('large', 'x' x 1000000);

my $b = $t->backend(8081);

$t->run();

my $errors = 'nginx_http_errors_total';
my $n = 0;

sub frame {
	my ($type, $flags, $stream, $payload) = @_;

	return substr(pack('N', length $payload), 1)
		. pack('CCN', $type, $flags, $stream) . $payload;
}

sub literal {
	return chr(length $_[0]) . $_[0];
}

sub headers {
	my ($stream, $method, $path, $end) = @_;

	return frame(1, 4 | ($end ? 1 : 0), $stream, join '', map {
		"\0" . literal($_->[0]) . literal($_->[1])
	} [':method', $method], [':scheme', 'http'], [':path', $path],
		[':authority', 'localhost']);
}

sub connection {
	my ($settings) = @_;
	my $client = $t->client(port => 8082);

	$client->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
		      . frame(4, 0, 0, $settings // ''));

	return $client;
}

# reads up to the end of a stream: how it ended.  nginx writes the status first,
# as an index or a literal, which may be Huffman coded

sub ended {
	my ($client, $stream) = @_;
	my $status = 'none';

	while (defined(my $head = $client->read_bytes(9))) {
		my ($high, $low, $type, $flags, $id) = unpack 'CnCCN', $head;
		my $data = $client->read_bytes($high << 16 | $low);

		$status = $data =~ /^\x20?\x88/ ? 200
			: $data =~ /^\x20?[\x08\x48](?:\x82\x6c\x01|\x03504)/
			? 504 : unpack 'H*', $data
			if $type == 1 && $id == $stream;

		return "reset " . unpack 'N', $data
			if $type == 3 && $id == $stream;
		return 'goaway' if $type == 7;
		return $status if $type < 2 && $flags & 1 && $id == $stream;
	}

	return $client->{error};
}

my $c = connection();
my $id = -1;

sub late {
	my ($what, $expected, $method, $path, @data) = @_;
	my $start = time();

	$id += 2;
	$c->send(headers($id, $method, $path, !@data));
	$c->send(frame(0, 0, $id, $_)) for @data;

	is(ended($c, $id), $expected, "$what: $expected");

	my $took = time() - $start;

	cmp_ok($took, '>', 0.55, 'not before its time');
	cmp_ok($took, '<', 10, 'but then');
	$n++ unless $expected eq 200;

	# the rest of a body that nobody waits for

	$c->send(frame(0, 1, $id, 'rest')) if @data;
	$id += 2;
	$c->send(headers($id, 'GET', '/fast', 1));
	is(ended($c, $id), 200, 'the connection goes on');
}

late('a peer', 504, 'GET', '/wait/a');
late('a subrequest', 504, 'GET', '/auth/');
late('a body', 504, 'POST', '/echo', 'x');
late('a large body', 504, 'POST', '/echo', 'x' x 10000);
late('no body yet', 504, 'POST', '/echo', '');
late('a stream of a body', 504, 'POST', '/stream/echo', 'x');
late('a body, caught', 200, 'POST', '/caught/delay/0.2/echo', 'x');
late('half an answer', 'reset 2', 'GET', '/unbuffered/stall');
late('a slow answer', 'reset 2', 'GET', '/unbuffered/slow/0.1/bytes/50000');

# the rest of the body comes while the error page is made

$id += 2;
$c->send(headers($id, 'POST', '/caught/wait/page', 0) . frame(0, 0, $id, 'x'));
$t->wait_metric(1, 'nginx_upstream_requests_in_flight');
$c->send(frame(0, 0, $id, 'x' x 5000) . frame(0, 1, $id, 'x'));
$b->tell('page');
is(ended($c, $id), 200, 'the rest of a body');
is((grep { $_->{uri} =~ /page/ } $b->requests()), 1, 'starts nothing');

# many streams at once, one of them on time

my $start = time();
my @ids = map { $id += 2 } 1 .. 30;

$c->send(join '', map { headers($_, 'GET', '/wait/b', 1) } @ids);
$id += 2;
$c->send(headers($id, 'GET', '/fast', 1));

wait_for(sub { $t->metric($errors, reason => 'deadline') >= $n + 30 }, 10,
	 'all of them');
$n += 30;
cmp_ok(time() - $start, '<', 4, 'at the same time');
$c->close();

# a client whose window is small, and one that leaves before

$c = connection(pack 'nN', 4, 1000);
$c->send(headers(1, 'GET', '/file', 1));
is(ended($c, 1), 'reset 2', 'no window');
$c->send(headers(3, 'GET', '/wait/a', 1));
$t->wait_metric(1, 'nginx_upstream_requests_in_flight');
$c->send(frame(3, 0, 3, pack 'N', 8));
$t->wait_metric(1, $errors, reason => 'client_abort');
$c->send(headers(5, 'POST', '/wait/a', 0));
$t->wait_metric(1, 'nginx_http_requests_in_flight');
$c->close();
$t->wait_metric(2, $errors, reason => 'client_abort');
$n++;

my $m;

ok(wait_for(sub {
	$m = $t->metrics();
	$m->get('nginx_http_requests_in_flight') == 0
		&& $m->get('nginx_upstream_requests_in_flight') == 0
		&& $m->get('nginx_connections_active') == 1
}, 10, 'nothing in flight'), 'nothing in flight');

is($m->get($errors, reason => 'deadline'), $n, 'counted');
is($m->get($errors), $n + 2, 'and nothing else');

done_testing();
