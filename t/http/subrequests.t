#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Subrequests are no requests, even when they are logged; what they ask of an
# upstream is an attempt of its own.

use NgxMon;

my $t = NgxMon->new()->has(qw/ http_auth_request http_slice http_addition /);

$t->conf(<<'EOC');
mon_zone mon 4m;

log_subrequest on;
access_log %%TESTDIR%%/access.log;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    root %%TESTDIR%%/www;

    proxy_set_header Host $host;

    location = /metrics { mon_metrics; access_log off; }

    location /auth {
        auth_request /sub/auth;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /denied {
        auth_request /sub/status/403;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /mirror {
        mirror /sub/mirror;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /ssi { ssi on; default_type text/html; }
    location /addition {
        add_before_body /sub/before;
        add_after_body /sub/after;
        addition_types *;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /slice {
        slice 10;
        proxy_set_header Range $slice_range;
        proxy_http_version 1.1;
        proxy_pass http://127.0.0.1:%%PORT_8082%%;
    }
    location /sub/ {
        proxy_pass http://127.0.0.1:%%PORT_8083%%;
    }
}

server {
    listen 127.0.0.1:%%PORT_8082%%;
    mon off;
    access_log off;
    root %%TESTDIR%%/www;
}
EOC

$t->write_file('www/ssi', join '', map {
	"<!--# include virtual=\"/sub/bytes/$_\" wait=\"yes\" -->" } 1 .. 3);
$t->write_file('www/slice', 'x' x 45);
$t->backend(8081);
$t->backend(8083);
$t->run();

my ($requests, $attempts) = (0, 0);

for (['/auth', 200, 2],
     ['/denied', 403, 1],
     ['/mirror', 200, 2],
     ['/ssi', 200, 3],
     ['/addition', 200, 3],
     ['/slice', 200, 5])
{
	my ($uri, $status, $n) = @$_;

	is($t->get($uri)->{status}, $status, "$uri answers");

	$requests++;
	$attempts += $n;

	my $m = $t->metrics();

	is($m->get('nginx_http_requests_total', location => $uri,
		   status => $status), 1, "$uri is a request");
	is($m->get('nginx_http_requests_total'), $requests,
	   "$uri is one request");
	is($m->get('nginx_upstream_responses_total') // 0, $attempts,
	   "$uri makes $n attempts");
}

my $m = $t->metrics();

is($m->get('nginx_http_requests_total', location => '/sub/'), undef,
   'no subrequest counts');
is($m->get('nginx_http_requests_in_flight'), 0, 'none in flight');
is($m->get('nginx_upstream_requests_in_flight'), 0, 'no attempt in flight');

done_testing();
