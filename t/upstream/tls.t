#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# TLS to the peer: the handshake is part of the connect time, sessions are
# reused as without the module, a handshake that fails is a failure.

use NgxMon;

my $t = NgxMon->new();

$t->has('http_ssl');

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream tls { server 127.0.0.1:%%PORT_8081%%; }
upstream zone { zone zone 64k; server 127.0.0.1:%%PORT_8081%%; }
upstream alive { server 127.0.0.1:%%PORT_8081%%; keepalive 2; }
upstream plain { server 127.0.0.1:%%PORT_8082%%; }

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_ssl_protocols TLSv1.2;
    proxy_http_version 1.1;
    proxy_set_header Connection close;

    location /tls { proxy_pass https://tls; }
    location /zone { proxy_pass https://zone; }
    location /alive {
        proxy_pass https://alive;
        proxy_set_header Connection "";
    }

    location /plain { proxy_pass https://plain; }
    location /verify { proxy_pass https://tls; proxy_ssl_verify on;
        proxy_ssl_trusted_certificate %%TESTDIR%%/other.crt; }
    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8081%% ssl;
    ssl_certificate back.crt;
    ssl_certificate_key back.key;
    ssl_session_cache shared:SSL:1m;

    location / { return 200 $ssl_session_reused; }
}

server {
    listen 127.0.0.1:%%PORT_8082%%;
}
EOC

for (qw/ back other /) {
	$t->command('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes',
		    '-subj', "/CN=$_", '-days', '2',
		    '-keyout', $t->dir() . "/$_.key",
		    '-out', $t->dir() . "/$_.crt");
}

$t->run();

# one connection, one worker: it has the sessions

my $client = $t->client();

for my $name (qw/ tls zone alive /) {
	is($client->get("/$name")->{body}, '.', "$name: a session");

	wait_for(sub { $client->get("/$name")->{body} eq 'r' }, 10,
		 "$name: reused") if $name ne 'alive';
}

$client->get('/alive') for 1 .. 3;

$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

my $m = $t->metrics();

for my $name (qw/ tls zone alive /) {
	my ($connect, $header, $response) = map {
		$m->get("nginx_upstream_${_}_duration_seconds_sum",
			upstream => $name)
	} qw/ connect header response /;

	cmp_ok($connect, '>', 0, "$name: connect time");
	cmp_ok($connect, '<', $header, "$name: within the header's");
	cmp_ok($header, '<=', $response, "$name: within the response's");
	is($m->get('nginx_upstream_connect_duration_seconds_count',
		   upstream => $name)
	   + $m->get('nginx_upstream_connections_reused_total',
		     upstream => $name),
	   $m->get('nginx_upstream_responses_total', upstream => $name,
		   status => 200), "$name: connected or reused");
}

cmp_ok($m->get('nginx_upstream_connections_reused_total',
	       upstream => 'alive'), '>', 0, 'connections are reused');

# no handshake

is($client->get('/plain')->{status}, 502, 'no TLS there');
is($client->get('/verify')->{status}, 502, 'a certificate of another');
$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

$m = $t->metrics();

is($m->get('nginx_upstream_failures_total', upstream => $_,
	   reason => 'error'), 1, "$_: a failure") for qw/ plain tls /;
is($m->get('nginx_upstream_connect_duration_seconds_count',
	   upstream => 'plain'), 0, 'no connect time');

done_testing();
