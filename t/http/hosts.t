#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The Host header, the URI and the method of a client make no series.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    server_name one.example;

    location = /metrics { mon_metrics; }
    location / { return 200; }
}
EOC

$t->run();

my $c = $t->client();

is($t->get('/')->{status}, 200, 'answered');

my $before = $t->metrics();

for my $n (1 .. 300) {
	my $r = $c->get("/$n?q=$n", host => "host-$n.example");

	is($r->{status}, 200, "request $n") if $r->{status} != 200;
}

# the methods that nginx does not know are one

my $method = 'FOO';

$c->request($method++, '/', host => 'x.example') for 1 .. 50;
$c->request('MKCOL', '/');
$t->wait_metric(352, 'nginx_http_requests_total');

my $after = $t->metrics();

is($after->get('nginx_http_requests_total', method => 'GET', status => 200,
	       server => 'one.example', location => '/'), 301, 'all counted');
is($after->get('nginx_http_requests_total', method => 'other'), 50,
   'unknown methods');
is($after->get('nginx_http_requests_total', method => 'MKCOL'), 1,
   'one of WebDAV');
is($after->get('nginx_mon_series') - $before->get('nginx_mon_series'), 2,
   'a series for each method');
is(scalar $after->samples('nginx_http_requests_total'), 3, 'no others');

done_testing();
