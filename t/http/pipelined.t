#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Pipelined requests count each, where each of them goes.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location /a { return 200 a; }
    location /b/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /c { root %%TESTDIR%%; }
}
EOC

$t->write_file('c', 'c' x 100000);
$t->backend(8081);
$t->run();

my $request = sub { "GET $_[0] HTTP/1.1\r\nHost: a\r\n\r\n" };
my @uris = (('/a', '/b/', '/c', '/b/delay/0.1') x 5, '/a');
my $c = $t->client();

$c->send(join '', map { $request->($_) } @uris);
is($c->response()->{status}, 200, $_) for @uris;

$t->wait_metric(21, 'nginx_http_requests_total');

my $m = $t->metrics();

is($m->get('nginx_http_requests_total', location => '/a'), 6, '/a');
is($m->get('nginx_http_requests_total', location => '/b/'), 10, '/b/');
is($m->get('nginx_http_requests_total', location => '/c'), 5, '/c');
is($m->get('nginx_http_requests_in_flight'), 0, 'none in flight');

# the wait for the one before is not theirs

cmp_ok($m->get('nginx_http_request_duration_seconds_sum', location => '/b/'),
       '>=', 0.5, 'the slow ones');
cmp_ok($m->get('nginx_http_request_duration_seconds_sum', location => '/b/'),
       '<', 1, 'no others');
cmp_ok($m->get('nginx_http_request_duration_seconds_sum', location => '/a'),
       '<', 0.1, 'the quick ones');

is($c->get('/a')->{status}, 200, 'the connection goes on');
is($t->metric('nginx_http_requests_by_protocol_total', protocol => '1.1'), 22,
   'all are HTTP/1.1');

done_testing();
