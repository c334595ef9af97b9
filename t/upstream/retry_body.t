#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A retry sends the request's body again, from memory or from disk; which
# methods are retried is decided as by proxy_next_upstream.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_retry attempts=3 backoff=5ms;
}

upstream refused {
    server 127.0.0.1:%%PORT_8083%% max_fails=0;
    server 127.0.0.1:%%PORT_8081%% max_fails=0 backup;
    mon_retry backoff=5ms;
}

upstream first {
    server 127.0.0.1:%%PORT_8083%%;
    mon_retry backoff=1h on=error;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    client_body_buffer_size 4k;
    client_max_body_size 10m;
    proxy_http_version 1.1;

    location / { proxy_pass http://backend; }
    location /file/ {
        proxy_pass http://backend;
        client_body_in_file_only clean;
    }
    location /twice/ {
        proxy_pass http://backend;
        mon_retry attempts=3 backoff=5ms non_idempotent;
    }
    location /streamed/ {
        proxy_pass http://backend;
        proxy_request_buffering off;
        mon_retry backoff=5ms non_idempotent;
    }
    location /refused/ { proxy_pass http://refused; }
    location /refused/streamed/ {
        proxy_pass http://refused;
        proxy_request_buffering off;
    }
    location /waits/ {
        proxy_pass http://first;
        proxy_request_buffering off;
        mon_retry backoff=300ms attempts=20 on=error;
    }
    location = /metrics { mon_metrics; }
}
EOC

my @backends = map { $t->backend($_) } 8081, 8082;

$t->run();

sub attempts {
	my ($uri) = @_;

	return scalar grep { $_->{uri} eq $uri }
		map { $_->requests() } @backends;
}

my %body = (
	small => 'abc' x 100,
	large => join('', map { chr(32 + $_ % 90) } 1 .. 600_000),
);

sub tried {
	my ($method, $where, $size, $status, $n, %o) = @_;

	my $uri = "$where/echo/first/1/status/503?$method-$size-"
		. ($o{chunked} // '');
	my $r = $o{chunked} ? chunked($method, $uri, $body{$size})
		: $t->request($method, $uri, body => $body{$size});

	is($r->{status}, $status, "$method $uri: $status");
	ok($r->{body} eq $body{$size}, "$method $uri: its body")
		or diag(length $r->{body});
	is(attempts($uri), $n, "$method $uri: $n attempts");
}

sub chunked {
	my ($method, $uri, $body) = @_;

	my $client = $t->client();

	$client->send("$method $uri HTTP/1.1\r\nHost: localhost\r\n"
		. "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
		. join('', map { sprintf "%x\r\n%s\r\n", length $_, $_ }
		       $body =~ /(.{1,32768})/sg) . "0\r\n\r\n");

	return $client->response();
}

# two backends count a path each: two failures, then an answer

for my $size (sort keys %body) {
	tried('PUT', '', $size, 200, 3);
	tried('PUT', '', $size, 200, 3, chunked => 1);
	tried('POST', '', $size, 503, 1);
	tried('POST', '/twice', $size, 200, 3);
	tried('PATCH', '/twice', $size, 200, 3);
	tried('PUT', '/file', $size, 200, 3);

	# what was streamed is gone; a body that came with the header is not

	my $n = $size eq 'small' ? 2 : 1;

	tried('PUT', '/streamed', $size, 503, $n);
	tried('POST', '/streamed', $size, 503, $n);
	tried('PUT', '/streamed', $size, 503, $n, chunked => 1);
}

is($t->request('LOCK', '/status/503')->{status}, 503, 'LOCK');
is(attempts('/status/503'), 1, 'is not repeated');
is($t->request('DELETE', '/status/503?')->{status}, 503, 'DELETE');
is(attempts('/status/503?'), 3, 'is');

# nothing was sent yet

for my $where ('/refused', '/refused/streamed') {
	for my $size (sort keys %body) {
		my $r = $t->request('POST', "$where/echo?$size",
				    body => $body{$size});

		is($r->{status}, 200, "$where $size: at the next one");
		ok($r->{body} eq $body{$size}, "$where $size: its body");
	}
}

# the wait of one that is streamed

my $client = $t->client();

$client->send_request('POST', '/waits/echo', body => $body{large});
$t->wait_metric(1, 'nginx_upstream_retries_in_flight', upstream => 'first');

my $late = $t->backend(8083);
my $r = $client->response();

is($r->{status}, 200, 'streamed after a wait');
ok($r->{body} eq $body{large}, 'all of it');

done_testing();
