#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline and a request body that comes slowly: 504, the rest of the body
# is no request, and an error page gets no half of a body.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend { server 127.0.0.1:%%PORT_8081%%; }

server {
    listen 127.0.0.1:%%PORT_8080%%;

    mon_deadline 200ms;
    client_body_buffer_size 1k;
    lingering_timeout 1s;

    location = /metrics { mon_deadline off; mon_metrics; }
    location /up/ { proxy_pass http://backend; }
    location /stream/ {
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://backend;
    }
    location /caught/ {
        error_page 504 = @echo;
        proxy_pass http://backend;
    }
    location /streamed/ {
        error_page 504 = @echo;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://backend;
    }
    location /held/ {
        error_page 504 = @echoed;
        proxy_pass http://backend/stall;
    }
    location @echoed {
        rewrite ^ /echo break;
        proxy_pass http://backend;
    }
    location @echo { proxy_pass http://backend; }
    location /page/ {
        error_page 504 /echo/page;
        proxy_pass http://backend;
    }
    location /echo/ { proxy_pass http://backend; }
    location /ssi/ {
        ssi on;
        ssi_types *;
        return 200 '<!--# include virtual="/up/wait/a" -->';
    }
    location /mirror/ { mirror /copy; proxy_pass http://backend; }
    location = /copy { internal; proxy_pass http://backend; }
    location /discard/ { return 200 ok; }
    location /head/ { return 200 ok; }
}
EOC

$t->backend(8081);
$t->run();

my $n = 0;

sub slow {
	my ($uri, $what, $headers, $part, $status) = @_;
	my $client = $t->client();
	my $start = time();

	$client->send("POST $uri HTTP/1.1\r\nHost: a\r\n$headers\r\n$part");

	my $r = $client->response();
	my $took = time() - $start;

	$n++;
	is($r->{status}, $status // 504, "$what: answered");
	cmp_ok($took, '>', 0.19, 'not before its time');
	cmp_ok($took, '<', 1.5, 'but then');

	# what comes now is the body, whatever it looks like

	$client->send("GET /head/ HTTP/1.1\r\nHost: a\r\n\r\n");
	is($client->read_all(), '', 'the connection is not used again');
	isnt($client->{error}, 'timeout', 'but closed');

	return $r;
}

my $length = "Content-Length: 100000\r\n";
my $chunked = "Transfer-Encoding: chunked\r\n";

slow('/up/echo', 'length', $length, '');
slow('/up/echo', 'length, a part', $length, 'x' x 100);
slow('/up/echo', 'length, on disk', $length, 'x' x 50000);
slow('/up/echo', 'chunked', $chunked, "5\r\nhello\r\n");
slow('/up/echo', 'chunked, on disk', $chunked,
     "c350\r\n" . 'x' x 50000 . "\r\n");
slow('/stream/echo', 'unbuffered', $length, 'x' x 100);
slow('/stream/echo', 'unbuffered, chunked', $chunked, "5\r\nhello\r\n");
slow('/mirror/echo', 'mirror', $length, 'x' x 100);

for my $uri (qw{ /caught/echo /streamed/echo /page/echo }) {
	for ([ 'length', $length, 'x' x 100 ],
	     [ 'on disk', $length, 'x' x 50000 ],
	     [ 'chunked', $chunked, "5\r\nhello\r\n" ])
	{
		my ($what, @body) = @$_;
		my $r = slow($uri, "$uri, $what", @body, $uri =~ /page/ ? 504
							 : 200);

		is($r->{body}, '', 'the error page has no body to read');
		$n-- unless $uri =~ /page/;
	}
}

# a body that nobody wants comes while something else is waited for

for ([ 'length', $length, 'x' x 100 ], [ 'chunked', $chunked, "5\r\nhel" ]) {
	my ($what, $header, $part) = @$_;
	my $client = $t->client();

	$client->send("POST /ssi/ HTTP/1.1\r\nHost: a\r\n$header\r\n$part");
	is($client->response()->{status}, 504, "$what, discarded");
	$client->send($what eq 'chunked' ? "lo\r\n0\r\n\r\n" : 'x' x 99900);
	is($client->get('/head/')->{status}, 200, 'to its end');
	$client->close();
	$n++;
}

# the file of a body is closed when the response begins, which is taken back

for (100, 50000) {
	my $r = $t->request('POST', '/held/', body => 'x' x $_);

	is($r->{status}, 200, "held back, $_");
	is($r->{body}, $_ == 100 ? 'x' x 100 : '', 'what is there of the body');
}

# on time

is($t->request('POST', '/up/echo', body => 'x' x 50000)->{body}, 'x' x 50000,
   'on time');

# a body that nobody wants comes after the answer

my $client = $t->client();

$client->send("POST /discard/ HTTP/1.1\r\nHost: a\r\n"
	      . "Content-Length: 100\r\n\r\n" . 'x' x 50);
is($client->response()->{status}, 200, 'a body that is not read');
select undef, undef, undef, 0.3;
$client->send('x' x 50);
is($client->get('/head/')->{status}, 200, 'is not under the deadline');
$client->close();

# a header that comes slowly

$client = $t->client();
$client->send("GET /head/ HTTP/1.1\r\n");
select undef, undef, undef, 0.3;
$client->send("Host: a\r\n\r\n");
is($client->response()->{status}, 504, 'late when it has come');
is($client->get('/head/')->{status}, 200, 'the connection goes on');
select undef, undef, undef, 0.3;
is($client->get('/head/')->{status}, 200, 'its age does not count');
$client->close();
$n++;

my $m;

ok(wait_for(sub {
	$m = $t->metrics();
	$m->get('nginx_http_requests_in_flight') == 0
		&& $m->get('nginx_upstream_requests_in_flight') == 0
		&& $m->get('nginx_connections_active') == 1
}, 10, 'nothing in flight'), 'nothing in flight');

is($m->get('nginx_http_errors_total', reason => 'deadline'), $n, 'counted');
is($m->get('nginx_http_errors_total'), $n, 'as nothing else');
is($m->get('nginx_upstream_failures_total', upstream => 'backend') // 0, 2,
   'no peer is at fault for a client');
cmp_ok(scalar $t->log_lines(
	qr/\[info\].*deadline of 200ms exceeded while reading client request b/),
       '>=', $n - 5, 'who was waited for');

done_testing();
