#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Requests that clients leave or are too slow for: 408, 444, 499, and those
# whose header is not whole.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    client_header_timeout 200ms;
    client_body_timeout 200ms;

    location = /metrics { mon_metrics; }
    location /444 { return 444; }
    location / { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /ignore/ {
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        proxy_ignore_client_abort on;
    }
    location /unbuffered/ {
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        proxy_request_buffering off;
        proxy_http_version 1.1;
    }
}
EOC

my $b = $t->backend(8081);

$t->run();

my $requests = 0;

# waits for one more request; returns what has grown

sub counted {
	my ($what, $location, $status, $reason) = @_;

	$t->wait_metric(++$requests, 'nginx_http_requests_total') or return;

	my $m = $t->metrics();
	my @series = (location => $location);

	cmp_ok($m->get('nginx_http_requests_total', @series,
		       status => $status) // 0, '>', 0, "$what: $status");
	cmp_ok($m->get('nginx_http_errors_total', @series,
		       reason => $reason) // 0, '>', 0, "$what: $reason")
		if $reason;
	is($m->get('nginx_http_requests_in_flight'), 0, "$what: not in flight");
	is($m->get('nginx_http_request_duration_seconds_count'), $requests,
	   "$what: a duration");

	return $m;
}

# without a byte there is no request

$t->client()->close();

# 408

my $c = $t->client();

$c->send("GET / HTTP/1.1\r\nHo");
is($c->read_all(), '', 'a slow header has no answer');

my $m = counted('a slow header', '', 408, 'request_timeout');

cmp_ok($m->get('nginx_http_request_duration_seconds_sum'), '>=', 0.19,
       'as long as it took');
is($m->get('nginx_http_time_to_first_byte_seconds_count'), 0,
   'no answer, no first byte');

for my $location (qw{ / /unbuffered/ }) {
	$c = $t->client();
	$c->send_request('POST', $location, headers => ['Content-Length' => 9]);
	$c->send('1234');
	is($c->read_all(), '', 'a slow body has no answer');
	$m = counted('a slow body', $location, 408, 'request_timeout');
}

# 444

$c = $t->client();
$c->send_request('GET', '/444');
is($c->read_all(), '', 'no answer');
$m = counted('no answer', '/444', 444);
is($m->get('nginx_http_errors_total', location => '/444'), undef,
   'no failure: as configured');

# 499

for my $close (qw/ close reset /) {
	my $n = () = $b->requests();

	$c = $t->client();
	$c->send_request('GET', "/wait/$close");
	wait_for(sub { (() = $b->requests()) > $n }, 10, 'the backend');
	is($t->metric('nginx_http_requests_in_flight', location => '/'), 1,
	   'in flight');
	$c->$close();
	$m = counted("left by $close", '/', 499, 'client_abort');
}

is($m->get('nginx_http_requests_total', status => 499), 2, '499 twice');

# one that leaves in the middle of the header, or of the body

$t->client()->send("GET / HTTP/1.1\r\nHo")->close();
counted('half a header', '', 400, 'bad_request');

$c = $t->client();
$c->send_request('POST', '/', headers => ['Content-Length' => 9]);
$c->send('1234');
$c->close();
counted('half a body', '/', 400, 'bad_request');

# one that nginx does not care about

$c = $t->client();
$c->send_request('GET', '/ignore/wait/ignore');
wait_for(sub { grep { $_->{uri} =~ /ignore/ } $b->requests() }, 10, 'backend');
$c->close();
is($t->metric('nginx_http_requests_in_flight', location => '/ignore/'), 1,
   'still in flight');
$b->tell('ignore');
counted('ignored', '/ignore/', 200);

done_testing();
