#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# An upstream without upstream{} is called what proxy_pass names.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    listen unix:%%TESTDIR%%/back.sock;

    location / { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /path/ { proxy_pass http://127.0.0.1:%%PORT_8081%%/other/; }
    location /name { proxy_pass http://localhost:%%PORT_8081%%; }
    location /fcgi { fastcgi_pass 127.0.0.1:%%PORT_8082%%; }
    location /default { proxy_pass http://127.0.0.2; }
    location /unix { proxy_pass http://unix:%%TESTDIR%%/back.sock:/there; }
    location /there { return 200 "there\n"; }
    location = /metrics { mon_metrics; }
}
EOC

my $port = $t->port(8081);
my $unix = 'unix:' . $t->dir() . '/back.sock';

$t->backend(8081);
$t->run();

my $m = $t->metrics();
my $count = 'nginx_upstream_response_duration_seconds_count';

is($m->get($count, upstream => "127.0.0.1:$port", peer => "127.0.0.1:$port"),
   0, 'address and port');
is($m->get($count, upstream => "localhost:$port", peer => "127.0.0.1:$port"),
   0, 'name and port');
is($m->get($count, upstream => '127.0.0.2', peer => '127.0.0.2:80'), 0,
   'no port, no port in the label');
is($m->get($count, upstream => $unix, peer => $unix), 0, 'a socket');
is($m->get($count, upstream => '127.0.0.1:' . $t->port(8082)), 0, 'FastCGI');

is($t->get($_)->{status}, 200, $_) for qw{ / /path/ /name /unix };

$t->wait_metric(0, 'nginx_upstream_requests_in_flight');
$m = $t->metrics();

is($m->get($count, upstream => "127.0.0.1:$port"), 2,
   'one upstream, whatever the URI');
is($m->get($count, upstream => "localhost:$port"), 1, 'by name');
is($m->get($count, upstream => $unix, peer => $unix), 1, 'by socket');
is($m->get('nginx_upstream_responses_total', upstream => $unix, peer => $unix,
	   status => 200), 1, 'its response');

done_testing();
