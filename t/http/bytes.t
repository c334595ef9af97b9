#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Bytes are those of $request_length and $bytes_sent, durations agree with
# $request_time: the sums over an access log are the metrics.

use NgxMon;

my $t = NgxMon->new()->has('http_v2');

$t->conf(<<'EOC');
mon_zone mon 4m;

log_format sums '$status $request_length $bytes_sent $request_time '
                '$request_method';

server {
    listen 127.0.0.1:%%PORT_8080%%;
    listen 127.0.0.1:%%PORT_8082%% http2;

    location = /metrics { mon_metrics; }

    location / {
        access_log %%TESTDIR%%/access.log sums;
        root %%TESTDIR%%/www;
    }
    location /p/ {
        access_log %%TESTDIR%%/access.log sums;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        gzip on;
        gzip_types text/plain;
    }
}
EOC

$t->write_file('www/large', 'x' x 300000);
$t->write_file('www/empty', '');
$t->backend(8081);
$t->run();

$t->get('/empty');
$t->get('/large');
$t->request('HEAD', '/large');
$t->get('/large', headers => [ Range => 'bytes=10-19' ]);
$t->get('/nothing');
$t->get('/large', version => '1.0');

my ($modified) = $t->get('/empty')->{headers}{'last-modified'};

is($t->get('/empty', headers => [ 'If-Modified-Since' => $modified ])
   ->{status}, 304, 'not modified');
$t->get('/p/bytes/5000', headers => [ 'Accept-Encoding' => 'gzip' ]);
$t->get('/p/delay/0.1/slow/0.01/bytes/50');
$t->request('POST', '/p/echo', body => 'y' x 5000);
$t->http("POST /p/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	 . "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
$t->http("GET /empty\r\n");

my $c = $t->client();

$c->get('/empty') for 1 .. 5;
$c->close();

# one that leaves in the middle

$c = $t->client(rcvbuf => 4096);
$c->send_request('GET', '/large');
$c->read_bytes(1000);
$c->reset();

# HTTP/2

is($t->curl('--http2-prior-knowledge', '-d', 'z' x 100,
	    'http://127.0.0.1:%%PORT_8082%%/p/echo'), 'z' x 100, 'HTTP/2');
$t->curl('--http2-prior-knowledge', '-o', $t->dir() . '/out',
	 'http://127.0.0.1:%%PORT_8082%%/large');

# the log phases of one request, ours is not the last

my (@lines, $requests, $m);

wait_for(sub {
	@lines = map { [ split ' ' ] }
		split /\n/, $t->read_file('access.log');
	$m = $t->metrics();
	$requests = $m->get('nginx_http_requests_total');

	return $requests == 21 && @lines == 21;
}, 10, 'all logged');

my %sum;

for (@lines) {
	my ($status, $length, $sent, $time, $method) = @$_;

	$sum{length} += $length;
	$sum{sent} += $sent;
	$sum{time} += $time;
	$sum{"$method $status"}++;
}

is($m->get('nginx_http_request_bytes_total'), $sum{length}, 'received');
is($m->get('nginx_http_response_bytes_total'), $sum{sent}, 'sent');

is($m->get('nginx_http_requests_total', method => (split / /)[0],
	   status => (split / /)[1]), $sum{$_}, $_)
	for grep { / / } sort keys %sum;

is($m->get('nginx_http_request_duration_seconds_count'), 21, 'durations');

# each is true to a millisecond and what handling takes

my $duration = $m->get('nginx_http_request_duration_seconds_sum');

cmp_ok(abs($duration - $sum{time}), '<', 21 * 0.0015,
       "the sum of durations, $duration, $sum{time} in the log");
cmp_ok($m->get('nginx_http_time_to_first_byte_seconds_sum'), '<', $duration,
       'the first byte comes before the last');

done_testing();
