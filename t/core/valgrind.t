#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A mixed session in one process below valgrind: no invalid or uninitialized
# memory is used, and nothing of the module's is lost.

BEGIN { $ENV{VALGRIND} = 1; }

use NgxMon;

plan(skip_all => 'no valgrind') unless grep { -x "$_/valgrind" }
	split /:/, $ENV{PATH};
plan(skip_all => 'sanitizers and valgrind exclude each other')
	if $ENV{NGX_MON_SANITIZED};

my $t = NgxMon->new();

$t->conf(<<'EOC', main => 'master_process off;');
mon_zone mon 512k inactive=1s;
limit_req_zone $binary_remote_addr zone=limit:64k rate=1r/s;
proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:64k;

upstream backend {
    zone backend 64k;
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    keepalive 2;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /a { return 200 a; }
    location /named { try_files /none @named; }
    location @named { mon_slow 1ms; proxy_pass http://backend; }
    location /label { mon_label n $arg_n max=1000; return 200; }
    location /few { mon_label n $arg_n max=2; return 200; }
    location /limit { limit_req zone=limit; return 204; }
    location /up { proxy_pass http://backend; proxy_http_version 1.1;
                   proxy_set_header Connection ''; }
    location /variable { proxy_pass http://127.0.0.1:$arg_port; }
    location /cache { proxy_pass http://backend; proxy_cache cache;
                      proxy_cache_valid 1m; }
    location = /metrics { mon_metrics; }
    location = /health { mon_health; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

is($t->get('/a')->{status}, 200, 'a request');
is($t->get($_)->{status}, 200, $_) for qw{ /named /up/ /up/bytes/50000
	/cache/1 /cache/1 /few?n=1 /few?n=2 /few?n=3 };
is($t->get('/variable?port=' . $t->port(8081))->{status}, 200, 'a variable');
is($t->get('/variable?port=' . $t->port(8083))->{status}, 502, 'refused');
is($t->get('/up/status/503')->{status}, 503, 'an error');
is($t->get('/up/reset')->{status}, 502, 'a reset');
ok($t->get('/limit'), 'limited') for 1 .. 3;
like($t->http("garbage\r\n\r\n"), qr/400/, 'garbage');
like($t->http("GET /a HTTP/1.1\r\n\r\n"), qr/400/, 'no host');

# a client that leaves

my $client = $t->client();

$client->send_request('GET', '/up/wait/word');
$t->wait_metric(1, 'nginx_upstream_requests_in_flight');
$client->close();
$t->wait_metric(0, 'nginx_upstream_requests_in_flight');
$backend->tell('word');

# more series than there is room for, and then their end

for my $n (1 .. 250) {
	$client = $t->client() if $n % 50 == 1;
	$client->get("/label?n=$n") if $client;
}

cmp_ok($t->metric('nginx_mon_series_overflow_total'), '>', 0, 'it is full');

for my $accept ('text/plain', 'application/openmetrics-text',
		'application/json', 'a/b') {
	is($t->get('/metrics', headers => [Accept => $accept])->{status}, 200,
	   $accept);
}

is($t->request('HEAD', '/metrics')->{status}, 200, 'HEAD');
is($t->request('POST', '/metrics')->{status}, 405, 'POST');
ok($t->get('/health')->{status}, 'health');

# a scrape that rests while series go: a slow reader

$client = $t->client(rcvbuf => 4096);
$client->send_request('GET', '/metrics');

ok(wait_for(sub { !defined $t->metric('nginx_http_requests_total', n => 1) },
	    30, 'series are dropped'), 'series are dropped');

my $r = $client->response();

is($r->{status} . $r->{error}, '200', 'the slow scrape is whole');
ok(NgxMon::Metrics->parse($r->{body}), 'and well-formed');

wait_for(sub { $t->metric('nginx_mon_series') < 60 }, 30, 'room again');
is($t->get("/label?n=again$_")->{status}, 200, 'memory is used again')
	for 1 .. 20;
ok($t->metric('nginx_http_requests_total', n => 'again20'), 'counted');

done_testing();
