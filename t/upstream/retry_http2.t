#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# HTTP/2 clients: streams wait for their retries side by side, with bodies;
# one that is reset, or whose connection goes, is not tried again.

use NgxMon;

my $t = NgxMon->new()->has('http_v2');

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_retry backoff=5ms;
}

upstream forever {
    server 127.0.0.1:%%PORT_8081%%;
    mon_retry backoff=1h min=10;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8082%% http2;

    client_body_buffer_size 4k;

    location / { proxy_pass http://backend; }
    location /forever/ { proxy_pass http://forever; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

my $flight = 'nginx_upstream_retries_in_flight';
my @forever = (upstream => 'forever');

sub attempts {
	my ($uri) = @_;

	return scalar grep { $_->{uri} eq $uri } $backend->requests();
}

# curl shows the status behind the body

sub curl {
	my ($uri, @args) = @_;

	return $t->curl('--http2-prior-knowledge', '-w', '%{http_code}',
			@args, "http://127.0.0.1:%%PORT_8082%%$uri");
}

my $body = 'line of the body' x 5000;

$t->write_file('body', $body);

is(curl('/first/1/status/503'), "GET /first/1/status/503\n200", 'retried');

for my $method (qw/ PUT POST /) {
	my $uri = "/echo/first/1/status/503?$method";
	my $out = curl($uri, '-X', $method, '--data-binary',
		       '@' . $t->dir() . '/body');

	is(substr($out, -3), $method eq 'PUT' ? 200 : 503, $method);
	ok(substr($out, 0, -3) eq $body, "$method: its body");
	is(attempts($uri), $method eq 'PUT' ? 2 : 1, "$method: attempts");
}

is(curl('/status/503/bytes/10'), 'x' x 10 . 503, 'the last answer');

# frames by hand: streams that wait

sub frame {
	my ($type, $flags, $stream, $payload) = @_;

	return substr(pack('N', length $payload), 1)
		. pack('CCN', $type, $flags, $stream) . $payload;
}

sub headers {
	my ($stream, $path) = @_;

	my %fields = (':method' => 'GET', ':scheme' => 'http',
		      ':path' => $path, ':authority' => 'localhost');

	return frame(1, 5, $stream, join '', map {
		"\0" . chr(length $_) . $_
			. chr(length $fields{$_}) . $fields{$_}
	} reverse sort keys %fields);
}

my $client = $t->client(port => 8082);

$client->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, ''));
$client->send(join '', map { headers($_, "/forever/first/1/close?$_") }
	      1, 3, 5, 7);
$t->wait_metric(4, $flight, @forever);

$client->send(frame(3, 0, 3, pack 'N', 8));
$t->wait_metric(3, $flight, @forever);
is($t->metric('nginx_upstream_retries_total', @forever,
	      outcome => 'aborted'), 1, 'a stream is reset');

$client->close();
$t->wait_metric(0, $flight, @forever);
is($t->metric('nginx_upstream_retries_total', @forever,
	      outcome => 'aborted'), 4, 'the connection is gone');
is($t->metric('nginx_upstream_calls_in_flight'), 0, 'nothing in flight');
is(attempts("/forever/first/1/close?$_"), 1, 'no attempt followed')
	for 1, 3, 5, 7;

done_testing();
