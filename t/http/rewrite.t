#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# "rewrite", "if", "limit_except" and X-Accel-Redirect: a request counts where
# it was answered; what stands inside of a location counts as the location.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    root %%TESTDIR%%/www;

    rewrite ^/server/ /plain;

    if ($arg_server) { return 418; }

    location = /metrics { mon_metrics; }

    location /last { rewrite ^ /plain last; }
    location /break { rewrite ^ /file break; }
    location /return { rewrite ^/return/(.*) /$1 redirect; }
    location /plain { return 200 plain; }

    location /if/ {
        if ($arg_a) { return 202; }
        if ($arg_b) { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        if ($arg_c) { rewrite ^ /plain last; }
        return 200 without;
    }

    location /except/ {
        limit_except GET { deny all; }
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }

    location /accel/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /internal/ { internal; return 203 internal; }
    location @internal { return 206 internal; }
}
EOC

$t->write_file('www/file', 'content');
$t->backend(8081);
$t->run();

for (['GET', '/server/x', '/plain', 200],
     ['GET', '/?server=1', '', 418],
     ['GET', '/last', '/plain', 200],
     ['GET', '/break', '/break', 200],
     ['GET', '/return/x', '/return', 302],
     ['GET', '/if/', '/if/', 200],
     ['GET', '/if/?a=1', '/if/', 202],
     ['GET', '/if/bytes/20?b=1', '/if/', 200],
     ['GET', '/if/?c=1', '/plain', 200],
     ['GET', '/except/', '/except/', 200],
     ['POST', '/except/', '/except/', 403],
     ['GET', '/accel/header/X-Accel-Redirect:%2finternal%2fa',
      '/internal/', 203],
     ['POST', '/accel/header/X-Accel-Redirect:%2finternal%2fa',
      '/internal/', 203],
     ['GET', '/accel/header/X-Accel-Redirect:@internal',
      '@internal', 206])
{
	my ($method, $uri, $location, $status) = @$_;
	my $before = $t->metrics();

	is($t->request($method, $uri)->{status}, $status,
	   "$method $uri answers");

	my $after = $t->metrics();
	my @series = ('nginx_http_requests_total', location => $location,
		      status => $status, method => $method);

	is(($after->get(@series) // 0) - ($before->get(@series) // 0), 1,
	   "$uri counts at \"$location\"");
	is($after->get('nginx_http_requests_total')
	   - ($before->get('nginx_http_requests_total') // 0), 1,
	   "$uri counts once");
}

is($t->metric('nginx_http_requests_in_flight'), 0, 'none in flight');

done_testing();
