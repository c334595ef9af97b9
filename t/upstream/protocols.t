#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# FastCGI, uwsgi, SCGI, gRPC and memcached are recorded like HTTP.

use NgxMon;

my $t = NgxMon->new();

$t->has('http_v2');

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream fastcgi { server 127.0.0.1:%%PORT_8081%%; keepalive 2; }
upstream uwsgi { server 127.0.0.1:%%PORT_8082%%; }
upstream scgi { server 127.0.0.1:%%PORT_8083%%; }
upstream grpc { server 127.0.0.1:%%PORT_8084%%; keepalive 2; }
upstream memcached { server 127.0.0.1:%%PORT_8085%%; keepalive 2; }

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /fastcgi/ {
        fastcgi_pass fastcgi;
        fastcgi_keep_conn on;
        fastcgi_param REQUEST_URI $request_uri;
        fastcgi_param REQUEST_METHOD $request_method;
    }

    location /uwsgi/ {
        uwsgi_pass uwsgi;
        uwsgi_param REQUEST_URI $request_uri;
        uwsgi_param REQUEST_METHOD $request_method;
        uwsgi_param CONTENT_LENGTH $content_length;
    }

    location /scgi/ {
        scgi_pass scgi;
        scgi_param CONTENT_LENGTH $content_length;
        scgi_param SCGI 1;
        scgi_param REQUEST_URI $request_uri;
        scgi_param REQUEST_METHOD $request_method;
    }

    location /grpc/ { grpc_pass grpc; }

    location /memcached/ {
        set $memcached_key $arg_key;
        memcached_pass memcached;
    }

    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8084%% http2;

    location / { return 200 "body\n"; }
    location /grpc/status/500 { return 500; }
}
EOC

$t->backend(8081, proto => 'fastcgi');
$t->backend(8082, proto => 'uwsgi');
$t->backend(8083, proto => 'scgi');

my ($memcached) = grep { -x } '/usr/bin/memcached', '/usr/local/bin/memcached';

if ($memcached) {
	my @user = $> == 0 ? ('-u', 'root') : ();

	$t->daemon([$memcached, '-l', '127.0.0.1', '-U', '0', '-p',
		    '%%PORT_8085%%', @user], port => 8085);
}

$t->run();

# one connection, one worker: it has the cached connections

my $client = $t->client();

sub recorded {
	my ($proto, %expected) = @_;

	$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

	my $m = $t->metrics();
	my @up = (upstream => $proto);

	is($m->get('nginx_upstream_responses_total', @up, status => $_) // 0,
	   $expected{$_}, "$proto: status $_") for 200, 500;

	my $n = $expected{200} + $expected{500};

	is($m->get("nginx_upstream_${_}_duration_seconds_count", @up), $n,
	   "$proto: $_ times") for qw/ header response /;
	is($m->get('nginx_upstream_connect_duration_seconds_count', @up),
	   $n - $expected{reused}, "$proto: connect times");
	is($m->get('nginx_upstream_connections_reused_total', @up),
	   $expected{reused}, "$proto: reused");
	is($m->get('nginx_upstream_failures_total', @up) // 0,
	   $expected{500}, "$proto: failures");

	my ($connect, $header, $response) = map {
		$m->get("nginx_upstream_${_}_duration_seconds_sum", @up)
	} qw/ connect header response /;

	cmp_ok($connect, '>', 0, "$proto: connect time");
	cmp_ok($connect, '<', $header, "$proto: before the header");
	cmp_ok($header, '<=', $response, "$proto: before the end");
	cmp_ok($m->get("nginx_upstream_${_}_bytes_total", @up), '>', 10,
	       "$proto: $_ bytes") for qw/ sent received /;
}

for my $proto (qw/ fastcgi uwsgi scgi grpc /) {
	is($client->get("/$proto/")->{status}, 200, $proto);
	is($client->get("/$proto/status/500")->{status}, 500, "$proto fails");

	recorded($proto, 200 => 1, 500 => 1,
		 reused => $proto =~ /fastcgi|grpc/ ? 1 : 0);
}

SKIP: {
	skip 'no memcached', 10 unless $memcached;

	my $c = $t->client(port => 8085);

	$c->send("set k 0 0 50\r\n" . 'v' x 50 . "\r\n");
	$c->read_until(qr/STORED\r\n/);

	is($client->get('/memcached/?key=k')->{body}, 'v' x 50, 'memcached');
	is($client->get('/memcached/?key=k')->{body}, 'v' x 50, 'memcached again');
	recorded('memcached', 200 => 2, 500 => 0, reused => 1);

	is($client->get('/memcached/?key=none')->{status}, 404, 'no such key');
	$t->wait_metric(1, 'nginx_upstream_responses_total',
			upstream => 'memcached', status => 404);
}

done_testing();
