#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The attempts of subrequests count: they are load of the peer like any other.

use NgxMon;

my $t = NgxMon->new();

$t->has('http_auth_request', 'http_slice');

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream auth { server 127.0.0.1:%%PORT_8081%%; }
upstream mirror { server 127.0.0.1:%%PORT_8081%%; }
upstream ssi { server 127.0.0.1:%%PORT_8081%%; }
upstream main { server 127.0.0.1:%%PORT_8081%%; }

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://main; }

    location /auth {
        auth_request /check;
        proxy_pass http://main;
    }

    location /mirror {
        mirror /copy;
        proxy_pass http://main;
    }

    location /ssi {
        ssi on;
        default_type text/html;
        return 200 '<!--# include virtual="/part/1" -->-
                    <!--# include virtual="/part/2" -->';
    }

    location = /check { internal; proxy_pass http://auth; }
    location = /copy { internal; proxy_pass http://mirror; }
    location /part/ { proxy_pass http://ssi; }
    location = /metrics { mon_metrics; }
}
EOC

$t->backend(8081);
$t->run();

is($t->get('/auth')->{status}, 200, 'auth_request');
is($t->get('/mirror')->{status}, 200, 'mirror');
like($t->get('/ssi')->{body}, qr{GET /part/1.*GET /part/2}s, 'SSI');

my %expected = (auth => 1, mirror => 1, ssi => 2, main => 2);

for (sort keys %expected) {
	my @up = (upstream => $_);

	$t->wait_metric($expected{$_}, 'nginx_upstream_responses_total', @up,
			status => 200);
	$t->wait_metric(0, 'nginx_upstream_requests_in_flight', @up);
	is($t->metric('nginx_upstream_response_duration_seconds_count', @up),
	   $expected{$_}, "$_: response times");
	is($t->metric('nginx_upstream_failures_total', @up), undef,
	   "$_: no failure");
}

done_testing();
