#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Requests that are delayed: in pipelines, with bodies, beside limit_req, with
# a deadline, in subrequests; whose clients leave, and over a reload.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new(workers => 2)->has('http_auth_request', 'http_v2');

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_limit_zone $arg_k zone=ten:1m rate=10r/s burst=100;
mon_limit_zone $arg_k zone=slow:1m rate=1r/s burst=100;
mon_limit_zone $arg_k zone=hour:1m rate=1r/h burst=100;
limit_req_zone $arg_k zone=stock:1m rate=5r/s;
limit_conn_zone $arg_k zone=conn:1m;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    listen 127.0.0.1:%%PORT_8081%% http2;

    root %%TESTDIR%%/html;

    location /ten { mon_limit zone=ten delay; empty_gif; }
    location /slow { mon_limit zone=slow delay; empty_gif; }
    location /echo/ {
        mon_limit zone=ten delay;
        proxy_pass http://127.0.0.1:%%PORT_8082%%;
    }
    location /deadline {
        mon_deadline 300ms;
        mon_limit zone=hour delay;
        empty_gif;
    }
    location /stock {
        limit_req zone=stock burst=100;
        limit_conn conn 100;
        mon_limit zone=ten delay;
        empty_gif;
    }
    location /auth/ { auth_request /ten; alias %%TESTDIR%%/html/; }
    location /ssi/ { ssi on; ssi_types *; alias %%TESTDIR%%/html/; }
    location /mirror/ { mirror /ten; alias %%TESTDIR%%/html/; }

    location = /metrics { mon_metrics; }
}
EOC

$t->write_file('html/plain.html', "plain\n");
$t->write_file('html/page.shtml', join '', map {
	qq{<!--#include virtual="/plain.html" -->}
	. qq{<!--#include virtual="/ten?k=ssi" -->}
} 1 .. 3);

my $b = $t->backend(8082);

$t->run();

# Sends requests; returns the statuses, and how long it took.

sub pipeline {
	my ($client, @requests) = @_;

	my $begin = time();

	$client->send(join '', @requests);

	my @status = map { $client->response()->{status} } @requests;

	return (join(' ', @status), time() - $begin);
}

sub is_delayed {
	my ($name, $took, $least) = @_;

	# nginx's timers are in milliseconds, and its clock may be a little old

	cmp_ok($took, '>=', $least - 0.05, "$name: delayed");
}

sub delayed {
	my ($location) = @_;

	return $t->metric('nginx_http_limited_requests_total',
			  location => $location, limiter => 'mon_limit',
			  outcome => 'delayed') // 0;
}

# one behind the other

my ($status, $took) = pipeline($t->client(),
	("GET /ten?k=1 HTTP/1.1\r\nHost: a\r\n\r\n") x 8);

is($status, join(' ', (200) x 8), 'a pipeline');
is_delayed('a pipeline', $took, .7);
is(delayed('/ten'), 7, 'counted');

# bodies

($status, $took) = pipeline($t->client(), map {
	"POST /echo/echo?k=2 HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n"
	. "\r\n" . 'x' x 100000
} 1 .. 4);

is($status, '200 200 200 200', 'bodies');
is_delayed('bodies', $took, .3);

my $c = $t->client();

$c->get('/echo/echo?k=3') for 1, 2;
$c->send("POST /echo/echo?k=3 HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n"
	 . "Expect: 100-continue\r\n\r\n");
$c->send('hello ');
is($c->response()->{body}, 'hello ', 'a body that is waited for');

# a deadline

$t->get('/deadline?k=4');

my $begin = time();

is($t->get('/deadline?k=4')->{status}, 504, 'a deadline');
cmp_ok(time() - $begin, '<', 100, 'holds');

# limit_req delays, too, and each at its turn

($status, $took) = pipeline($t->client(),
	("GET /stock?k=5 HTTP/1.1\r\nHost: a\r\n\r\n") x 4);

is($status, '200 200 200 200', 'beside limit_req');
is_delayed('beside limit_req', $took, .6);

# clients that leave

my @clients = map { $t->client() } 1 .. 10;

$_->send_request('GET', '/slow?k=6') for @clients;
$t->wait_metric(9, 'nginx_http_requests_in_flight', location => '/slow');
$_ % 2 ? $clients[$_]->reset() : $clients[$_]->close() for 0 .. 9;
$t->wait_metric(0, 'nginx_http_requests_in_flight', location => '/slow');
is($t->metric('nginx_http_requests_total', location => '/slow',
	      status => '499'), 9, 'clients that leave');

# streams

my $out = $t->command('nghttp', '-v', map { "http://127.0.0.1:"
	. $t->port(8081) . "/ten?k=7&$_" } 1 .. 8);

is(() = $out =~ /:status: 200/g, 8, 'streams');

# subrequests

for my $uri ('/auth/plain.html?k=8', '/mirror/plain.html?k=9') {
	my $r = $t->get($uri);

	is($r->{status}, 200, $uri) for 1;
	is($t->get($uri)->{body}, "plain\n", "$uri again") for 1 .. 2;
}

my $r = $t->get('/ssi/page.shtml');

is($r->{status}, 200, 'SSI');
is(() = $r->{body} =~ /plain\nGIF89a/g, 3, 'complete, and in order');

# a reload

@clients = map { $t->client() } 1 .. 3;
$_->send_request('GET', '/slow?k=10', close => 1) for @clients;
$t->wait_metric(2, 'nginx_http_requests_in_flight', location => '/slow');
$t->reload();
is($_->response()->{status}, 200, 'over a reload') for @clients;

# and a worker that is killed

@clients = map { $t->client() } 1 .. 3;
$_->send_request('GET', '/slow?k=10', close => 1) for @clients;
$t->wait_metric(3, 'nginx_http_requests_in_flight', location => '/slow');
$t->kill_worker($_) for $t->workers();
$t->wait_metric(0, 'nginx_http_requests_in_flight', location => '/slow');
is($t->get('/ten?k=11')->{status}, 200, 'over a kill');

done_testing();
