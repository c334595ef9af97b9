#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline in one process below valgrind: a request that ends in the middle
# of something leaves nothing that is used afterwards.

BEGIN { $ENV{VALGRIND} = 1; }

use NgxMon;

plan(skip_all => 'no valgrind') unless grep { -x "$_/valgrind" }
	split /:/, $ENV{PATH};
plan(skip_all => 'sanitizers and valgrind exclude each other')
	if $ENV{NGX_MON_SANITIZED};

my $t = NgxMon->new()->has('http_v2', 'http_auth_request');

$t->conf(<<'EOC', main => 'master_process off;');
mon_zone mon 4m;
limit_req_zone $uri zone=limit:64k rate=1r/m;
proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:64k;

upstream backend {
    zone backend 64k;
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    keepalive 2;
    mon_retry on=http_500 attempts=9 backoff=10ms;
    mon_breaker ratio=100% min=1000;
}

server {
    listen 127.0.0.1:%%PORT_8080%% sndbuf=16k;

    mon_deadline 400ms;
    proxy_http_version 1.1;
    proxy_set_header Connection '';

    location = /metrics { mon_deadline off; mon_metrics; }
    location / { proxy_pass http://backend; }
    location /limit { limit_req zone=limit burst=9; return 200; alias /; }
    location /auth/ { auth_request /check; proxy_pass http://backend; }
    location = /check { proxy_pass http://backend/wait/a; }
    location = /copy { proxy_pass http://backend/delay/0.6; }
    location /mirror/ { mirror /copy; proxy_pass http://backend; }
    location /ssi/ {
        ssi on;
        ssi_types *;
        return 200 '<!--# include virtual="/wait/a" --><!--# include virtual="/wait/b" -->';
    }
    location /cache/ {
        proxy_cache cache;
        proxy_cache_lock on;
        proxy_cache_valid 1h;
        proxy_pass http://backend;
    }
    location /caught/ { error_page 504 = @caught; proxy_pass http://backend; }
    location @caught { proxy_pass http://backend; }
    location /sent/ { proxy_buffering off; proxy_pass http://backend; }
    location /stream/ { proxy_request_buffering off; proxy_pass http://backend; }
    location /file { alias %%TESTDIR%%/large; }
}

server {
    listen 127.0.0.1:%%PORT_8082%% http2;
    mon_deadline 400ms;
    location / { proxy_pass http://backend; }
}
EOC

$t->write_file('large', 'x' x 1000000);

my $b = $t->backend(8081);

$t->run();

is($t->get($_)->{status}, 504, $_) for qw{ /wait/a /auth/ /mirror/wait/a /ssi/
	/stall /cache/wait/a };
is($t->get('/caught/delay/0.6')->{status}, 200, 'caught');
is($t->get('/')->{status}, 200, 'on time');

# several at once

my @clients = map { $t->client() } 1 .. 12;

$clients[$_]->send_request('GET', '/cache/wait/a') for 0 .. 2;
$clients[$_]->send("POST /echo HTTP/1.1\r\nHost: a\r\n"
		   . "Content-Length: 100\r\n\r\n123") for 3, 4;
$clients[$_]->send("POST /stream/echo HTTP/1.1\r\nHost: a\r\n"
		   . "Content-Length: 100\r\n\r\n123") for 5, 6;
$clients[$_]->send_request('GET', '/sent/stall') for 7, 8;
$clients[$_]->send_request('GET', '/wait/a') for 9 .. 11;
$clients[11]->close();
$_->response() for @clients[0 .. 10];
$_->close() for @clients;

$b->mode('/delay/0.1/status/500');
like($t->get('/')->{status}, qr/^50[04]$/, 'retries');
$b->mode('/wait/a');

# a slow reader, and HTTP/2

my $client = $t->client(rcvbuf => 4096);

$client->send_request('GET', '/file');
$t->command('nghttp', '-nvm', 5,
	    'http://127.0.0.1:' . $t->port(8082) . '/wait/a');
$t->curl('--http2-prior-knowledge', '--limit-rate', '1k', '-d', 'x' x 5000,
	 'http://127.0.0.1:%%PORT_8082%%/wait/a');
ok($client->closed(), 'a slow reader');
$client->close();

my $m;

ok(wait_for(sub {
	$m = $t->metrics();
	$m->get('nginx_http_requests_in_flight') == 0
		&& $m->get('nginx_upstream_requests_in_flight') == 0
}, 10, 'nothing in flight'), 'nothing in flight');

cmp_ok($m->get('nginx_http_errors_total', reason => 'deadline'), '>=', 17,
       'counted');

done_testing();
