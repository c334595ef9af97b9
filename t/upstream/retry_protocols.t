#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# FastCGI, uwsgi, SCGI, gRPC and memcached are retried as HTTP is, over TLS
# and for HTTP/2 clients, too.

use NgxMon;

my $t = NgxMon->new();

$t->has('http_v2', 'http_ssl');

$t->conf(<<'EOC');
mon_zone mon 4m;

log_format attempts '$request_uri|$upstream_addr|$upstream_status';

upstream fastcgi { server 127.0.0.1:%%PORT_8081%%; keepalive 2; mon_retry backoff=5ms; }
upstream uwsgi { server 127.0.0.1:%%PORT_8082%%; mon_retry backoff=5ms; }
upstream scgi { server 127.0.0.1:%%PORT_8083%%; mon_retry backoff=5ms; }
upstream grpc { server 127.0.0.1:%%PORT_8084%%; mon_retry backoff=5ms; }
upstream memcached { server 127.0.0.1:%%PORT_8085%%; mon_retry backoff=300ms attempts=20; }
upstream tls { server 127.0.0.1:%%PORT_8086%%; keepalive 2; mon_retry backoff=5ms; }
upstream http { server 127.0.0.1:%%PORT_8087%%; }

fastcgi_param REQUEST_URI $request_uri;
fastcgi_param REQUEST_METHOD $request_method;
uwsgi_param REQUEST_URI $request_uri;
uwsgi_param REQUEST_METHOD $request_method;
uwsgi_param CONTENT_LENGTH $content_length;
scgi_param CONTENT_LENGTH $content_length;
scgi_param SCGI 1;
scgi_param REQUEST_URI $request_uri;
scgi_param REQUEST_METHOD $request_method;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    access_log %%TESTDIR%%/access.log attempts;
    client_body_buffer_size 4k;

    location /fastcgi/ { fastcgi_pass fastcgi; fastcgi_keep_conn on; }
    location /uwsgi/ { uwsgi_pass uwsgi; }
    location /scgi/ { scgi_pass scgi; }
    location /grpc/ { grpc_pass grpc; }
    location /tls/ { proxy_pass https://tls; }
    location /memcached/ {
        set $memcached_key k;
        memcached_pass memcached;
    }

    location = /metrics { mon_metrics; access_log off; }
}

server {
    listen 127.0.0.1:%%PORT_8084%% http2;
    listen 127.0.0.1:%%PORT_8086%% ssl;

    # nginx mixes up streams when it goes on from a cached gRPC connection
    keepalive_requests 1;

    ssl_certificate %%TESTDIR%%/cert.pem;
    ssl_certificate_key %%TESTDIR%%/key.pem;

    location / {
        proxy_pass http://http;
        proxy_request_buffering off;
    }
    location ~ close { if ($http_x_last = '') { return 444; } }
}
EOC

$t->command('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj',
	    '/CN=localhost', '-days', '2', '-keyout', $t->dir() . '/key.pem',
	    '-out', $t->dir() . '/cert.pem');

$t->backend(8081, proto => 'fastcgi');
$t->backend(8082, proto => 'uwsgi');
$t->backend(8083, proto => 'scgi');
$t->backend(8087);

$t->run();

my $body = join '', map { chr(97 + $_ % 26) } 1 .. 100_000;
my $small = 'x' x 100;

sub statuses {
	my ($uri) = @_;

	my ($line) = wait_for(sub {
		($t->log_lines(quotemeta "$uri|", 'access.log'))[0]
	}, 10, "$uri in the log");

	return (split /\|/, $line)[2];
}

for my $proto (qw/ fastcgi uwsgi scgi grpc tls /) {
	my $uri = "/$proto/first/1/status/503";
	my $r = $t->get($uri);

	is($r->{status}, 200, "$proto: answered");
	like($r->{body}, qr/^GET \Q$uri\E$/, "$proto: its body");
	is(statuses($uri), '503, 200', "$proto: two attempts");

	# nginx always streams to gRPC what did not come with the header

	$uri = "/$proto/echo/first/1/status/503";
	$r = $t->request('PUT', $uri,
			 body => $proto eq 'grpc' ? $small : $body);
	is($r->{status}, 200, "$proto: a body");
	ok($r->{body} eq ($proto eq 'grpc' ? $small : $body),
	   "$proto: came twice");
	is(statuses($uri), '503, 200', "$proto: two attempts");

	$uri = "/$proto/status/503/bytes/5000";
	$r = $t->get($uri);
	is($r->{status}, 503, "$proto: the last answer");
	is($r->{body}, 'x' x 5000, "$proto: its body");
	is(statuses($uri), '503, 503', "$proto: two attempts");

	$uri = "/$proto/close";
	$r = $t->get($uri);
	is($r->{status}, 502, "$proto: closed");
	is(statuses($uri), '502, 502', "$proto: two attempts");

	$t->wait_metric(0, 'nginx_upstream_calls_in_flight',
			upstream => $proto);

	my $m = $t->metrics();
	my @up = (upstream => $proto);

	is($m->get('nginx_upstream_retries_total', @up,
		   outcome => 'success'), 2, "$proto: successes");
	is($m->get('nginx_upstream_retries_total', @up,
		   outcome => 'failure'), 2, "$proto: failures");
	is($m->get('nginx_upstream_requests_in_flight', @up), 0,
	   "$proto: nothing in flight");
}

# memcached comes while the retry waits

my ($memcached) = grep { -x } '/usr/bin/memcached', '/usr/local/bin/memcached';

SKIP: {
	skip 'no memcached', 2 unless $memcached;

	my $client = $t->client();

	$client->send_request('GET', '/memcached/');
	$t->wait_metric(1, 'nginx_upstream_retries_in_flight');

	$t->daemon([$memcached, '-l', '127.0.0.1', '-U', '0', '-p',
		    '%%PORT_8085%%', $> == 0 ? ('-u', 'root') : ()],
		   port => 8085);

	is($client->response()->{status}, 404, 'memcached: no such key');
	like(statuses('/memcached/'), qr/^(502, )+404$/,
	     'memcached: refused before');
}

done_testing();
