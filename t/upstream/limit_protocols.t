#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# FastCGI, uwsgi, SCGI and gRPC are limited like HTTP, and a WebSocket takes one
# share.

use NgxMon;

my $t = NgxMon->new()->has('http_v2');

my %ports = (fastcgi => 8081, uwsgi => 8082, scgi => 8083, grpc => 8084,
	     ws => 8085);

my $upstreams = join '', map { <<"EOC" } sort keys %ports;
upstream $_ {
    server 127.0.0.1:%%PORT_$ports{$_}%%;
    mon_limit rate=1r/h burst=1;
}

upstream peer_$_ {
    server 127.0.0.1:%%PORT_$ports{$_}%%;
    keepalive 2;
    mon_limit rate=1r/h burst=1 per=peer;
}
EOC

my $locations = join '', map { <<"EOC" } '', 'peer_';
    location /${_}fastcgi/ {
        fastcgi_pass ${_}fastcgi;
        fastcgi_keep_conn on;
        fastcgi_param REQUEST_URI \$request_uri;
        fastcgi_param REQUEST_METHOD \$request_method;
    }

    location /${_}uwsgi/ {
        uwsgi_pass ${_}uwsgi;
        uwsgi_param REQUEST_URI \$request_uri;
        uwsgi_param REQUEST_METHOD \$request_method;
        uwsgi_param CONTENT_LENGTH \$content_length;
    }

    location /${_}scgi/ {
        scgi_pass ${_}scgi;
        scgi_param CONTENT_LENGTH \$content_length;
        scgi_param SCGI 1;
        scgi_param REQUEST_URI \$request_uri;
        scgi_param REQUEST_METHOD \$request_method;
    }

    location /${_}grpc/ { grpc_pass ${_}grpc; }

    location /${_}ws/ {
        proxy_pass http://${_}ws;
        proxy_http_version 1.1;
        proxy_set_header Upgrade \$http_upgrade;
        proxy_set_header Connection Upgrade;
    }
EOC

$t->conf(<<"EOC");
mon_zone mon 4m;

$upstreams

server {
    listen 127.0.0.1:%%PORT_8080%%;
$locations
    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8084%% http2;
    mon off;
    return 200;
}
EOC

$t->backend($ports{$_}, proto => $_) for qw/ fastcgi uwsgi scgi /;
$t->backend(8085);
$t->run();

for my $name (map { ($_, "peer_$_") } qw/ fastcgi uwsgi scgi grpc /) {
	is($t->get("/$name/")->{status}, 200, "$name: share $_") for 1, 2;

	my $r = $t->get("/$name/");

	is($r->{status}, 503, "$name: refused");
	like($r->{headers}{'retry-after'} // '', qr/^3[56]\d\d$/,
	     "$name: Retry-After");

	my $m = $t->metrics();

	is($m->get('nginx_upstream_limited_requests_total', upstream => $name,
		   outcome => $_->[0]), $_->[1], "$name: $_->[0]")
		for [ passed => 2 ], [ diverted => 0 ], [ rejected => 1 ];
}

for my $name (qw/ ws peer_ws /) {
	my @clients = map { $t->client() } 1 .. 2;

	for my $c (@clients) {
		$c->send_request('GET', "/$name/ws",
				 headers => [ Upgrade => 'websocket',
					      Connection => 'Upgrade' ]);
		is($c->response()->{status}, 101, "$name: switched");
		$c->send("echo");
		is($c->read_bytes(4), 'echo', "$name: works");
	}

	is($t->get("/$name/")->{status}, 503, "$name: refused");
	$_->close() for @clients;
	is($t->get("/$name/")->{status}, 503, "$name: refused afterwards, too");
}

done_testing();
