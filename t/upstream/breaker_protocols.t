#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# FastCGI, uwsgi, SCGI, gRPC and memcached have circuits like HTTP, in the
# upstream and in the location.

use NgxMon;

my $t = NgxMon->new()->has('http_v2');

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream fastcgi {
    server 127.0.0.1:%%PORT_8081%%;
    keepalive 2;
    mon_breaker consecutive=2 open=1s max_open=1s probes=1 on=error,http_503;
}

upstream grpc {
    server 127.0.0.1:%%PORT_8084%%;
    keepalive 2;
    mon_breaker consecutive=2 open=1s max_open=1s probes=1 on=error,http_503;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /fastcgi/ {
        fastcgi_pass fastcgi;
        fastcgi_keep_conn on;
        fastcgi_param REQUEST_URI $request_uri;
        fastcgi_param REQUEST_METHOD $request_method;
    }

    location /uwsgi/ {
        mon_breaker name=uwsgi consecutive=2 open=1s max_open=1s probes=1 on=error,http_503;
        uwsgi_pass 127.0.0.1:%%PORT_8082%%;
        uwsgi_param REQUEST_URI $request_uri;
        uwsgi_param REQUEST_METHOD $request_method;
        uwsgi_param CONTENT_LENGTH $content_length;
    }

    location /scgi/ {
        mon_breaker name=scgi consecutive=2 open=1s max_open=1s probes=1 on=error,http_503;
        scgi_pass 127.0.0.1:%%PORT_8083%%;
        scgi_param CONTENT_LENGTH $content_length;
        scgi_param SCGI 1;
        scgi_param REQUEST_URI $request_uri;
        scgi_param REQUEST_METHOD $request_method;
    }

    location /grpc/ { grpc_pass grpc; }

    location /memcached/ {
        mon_breaker name=memcached consecutive=2 open=1s max_open=1s probes=1 on=error;
        set $memcached_key $arg_key;
        memcached_pass 127.0.0.1:%%PORT_8085%%;
    }

    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8084%% http2;
    access_log %%TESTDIR%%/grpc.log;

    location / { return 200 "body\n"; }
    location /grpc/status/503 { return 503; }
}
EOC

my %backend = (
	fastcgi => $t->backend(8081, proto => 'fastcgi'),
	uwsgi => $t->backend(8082, proto => 'uwsgi'),
	scgi => $t->backend(8083, proto => 'scgi'),
);

$t->write_file('grpc.log', '');
$t->port(8085);
$t->run();

sub served {
	my ($name) = @_;

	return scalar $backend{$name}->requests() if $backend{$name};
	return scalar grep { 1 } $t->log_lines('grpc', 'grpc.log');
}

sub state_of {
	my ($name) = @_;

	my $m = $t->metrics();

	for (qw/ closed open half_open /) {
		return $_ if $m->get('nginx_upstream_breaker_state',
				     upstream => $name, state => $_);
	}
}

for my $name (qw/ fastcgi uwsgi scgi grpc /) {
	is($t->get("/$name/")->{status}, 200, "$name: good");
	is($t->get("/$name/status/503")->{status}, 503, "$name: failed")
		for 1 .. 2;
	is(state_of($name), 'open', "$name: open");

	my $n = served($name);
	my $c = $t->client();

	$c->send_request('POST', "/$name/",
			 headers => ['Content-Length' => 100000]);

	my $r = $c->response();

	is($r->{status}, 503, "$name: refused before the body is read");
	like($r->{headers}{'retry-after'}, qr/^[12]$/, "$name: Retry-After");
	is(served($name), $n, "$name: nothing was sent");
	$c->close();

	wait_for(sub { $t->get("/$name/")->{status} == 200 });
	is(state_of($name), 'closed', "$name: closed");
}

is($t->get('/memcached/?key=x')->{status}, 502, 'memcached: no server')
	for 1 .. 2;
is(state_of('memcached'), 'open', 'memcached: open');
is($t->get('/memcached/?key=x')->{status}, 503, 'memcached: refused');

done_testing();
