#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# One process that is master and worker: master_process off.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC', main => 'master_process off;');
mon_zone mon 2m inactive=2s;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /a { return 200 a; }
    location /label { mon_label n $arg_n; return 200; }
    location /wait { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location = /metrics { mon_metrics; }
    location = /health { mon_health; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

is($t->get('/a')->{status}, 200, "request $_") for 1 .. 5;
is($t->get("/label?n=$_")->{status}, 200, "label $_") for 1 .. 5;
$t->wait_metric(5, 'nginx_http_requests_total', location => '/a');
is($t->metric('nginx_workers'), 1, 'one worker');

my $client = $t->client();

$client->send_request('GET', '/wait/word');
$t->wait_metric(1, 'nginx_http_requests_in_flight');
$backend->tell('word');
is($client->response()->{status}, 200, 'answered');
$t->wait_metric(0, 'nginx_http_requests_in_flight');

is($t->get('/health')->{status}, 200, 'healthy');

ok(wait_for(sub { !defined $t->metric('nginx_http_requests_total', n => 1) },
	    20, 'series are dropped'), 'series are dropped');

is($t->get('/a')->{status}, 200, 'works on');
$t->wait_metric(0, 'nginx_worker_restarts_total');

done_testing();
