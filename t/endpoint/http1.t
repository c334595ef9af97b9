#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# HTTP/1.0 and 1.1: where the document ends, and what the connection is good
# for after.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / { return 200 "some text\n"; }
}
EOC

$t->run();

my $host = "Host: a\r\n";

# a scrape, and another, and something else, on one connection

my $c = $t->client();

for (1 .. 3) {
	my $r = $c->get('/metrics');

	is($r->{headers}{'transfer-encoding'}, 'chunked', 'chunked');
	ok(NgxMon::Metrics->parse($r->{body}), 'whole');
	is($r->{error}, '', 'up to its end');
}

is($c->request('HEAD', '/metrics')->{status}, 200, 'HEAD after it');
is($c->get('/')->{body}, "some text\n", 'something else after it');

# pipelined

$c->send("GET /metrics HTTP/1.1\r\n$host\r\nGET / HTTP/1.1\r\n$host\r\n"
	 . "GET /metrics HTTP/1.1\r\n$host\r\n");

ok(NgxMon::Metrics->parse($c->response()->{body}), 'first of a pipeline');
is($c->response()->{body}, "some text\n", 'second');
ok(NgxMon::Metrics->parse($c->response()->{body}), 'third');
$c->close();

# HTTP/1.0, also of a client that has nothing more to say

for ('', "Connection: keep-alive\r\n") {
	my $answer = $t->http("GET /metrics HTTP/1.0\r\n$_\r\n");

	like($answer, qr{^HTTP/1.1 200 }, 'HTTP/1.0');
	unlike($answer, qr/chunked/i, 'not chunked');

	$answer =~ s/^.*?\r\n\r\n//s;
	ok(NgxMon::Metrics->parse($answer), 'whole');
}

$c = $t->client();
$c->send("GET /metrics HTTP/1.0\r\n\r\n");
shutdown $c->socket(), 1;

my $answer = $c->read_all();

$answer =~ s/^.*?\r\n\r\n//s;
ok(eval { NgxMon::Metrics->parse($answer)->get('nginx_mon_series') },
   'half-closed');

# HTTP/0.9 knows no header

$answer = $t->http("GET /metrics\r\n");
ok(NgxMon::Metrics->parse($answer), 'HTTP/0.9');

# a range of it can't be asked for, nor is there a condition to be met

my $r = $t->get('/metrics', headers => [Range => 'bytes=0-9',
	'If-Modified-Since' => 'Sat, 01 Jan 2050 00:00:00 GMT',
	'If-None-Match' => '*']);

is($r->{status}, 200, 'no range, no condition');
cmp_ok(length $r->{body}, '>', 1000, 'all of it');

done_testing();
