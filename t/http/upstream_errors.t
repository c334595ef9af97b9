#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What a request failed for, when there is an upstream.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream refused { server 127.0.0.1:%%PORT_8089%%; }

upstream dead {
    server 127.0.0.1:%%PORT_8089%% max_fails=1 fail_timeout=1h;
    server 127.0.0.1:%%PORT_8088%% max_fails=1 fail_timeout=1h;
}

upstream down { server 127.0.0.1:%%PORT_8081%% down; }

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_read_timeout 1500ms;

    location = /metrics { mon_metrics; }

    location /pass/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /refused { proxy_pass http://refused; }
    location /implicit { proxy_pass http://127.0.0.1:%%PORT_8089%%; }
    location /unix { proxy_pass http://unix:%%TESTDIR%%/nothing.sock; }
    location /dead { proxy_pass http://dead; }
    location /down { proxy_pass http://down; }
    location /unresolved { proxy_pass http://no-such-host.invalid$arg_x; }

    location /page/ {
        error_page 502 504 /answer;
        error_page 503 @own;
        proxy_intercept_errors on;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /over/ {
        error_page 502 =200 /answer;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /fallback {
        error_page 502 = @fallback;
        proxy_pass http://refused;
    }
    location /to500 {
        error_page 502 = @to500;
        proxy_pass http://refused;
    }
    location /accel/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }

    location /answer { return 200; }
    location @own { return 200; }
    location @fallback { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location @to500 { return 500; }
    location /own { return 500; }
    location /own503 { return 503; }
    location /cycle { rewrite ^ /cycle last; }
}
EOC

$t->backend(8081);
$t->expect(qr/nothing\.sock failed/);
$t->run();

# uri, where it counts, status, reason

for (['/pass/status/500', '/pass/', 500, 'upstream_error'],
     ['/pass/status/502', '/pass/', 502, 'upstream_error'],
     ['/pass/status/503', '/pass/', 503, 'upstream_error'],
     ['/pass/status/504', '/pass/', 504, 'upstream_error'],
     ['/pass/status/404', '/pass/', 404],
     ['/pass/garbage', '/pass/', 502, 'upstream_error'],
     ['/pass/close', '/pass/', 502, 'upstream_error'],
     ['/pass/reset', '/pass/', 502, 'upstream_error'],
     ['/pass/wait/never', '/pass/', 504, 'upstream_timeout'],
     ['/refused', '/refused', 502, 'upstream_error'],
     ['/implicit', '/implicit', 502, 'upstream_error'],
     ['/unix', '/unix', 502, 'upstream_error'],
     ['/dead', '/dead', 502, 'upstream_error'],
     ['/dead', '/dead', 502, 'no_live_upstream'],
     ['/down', '/down', 502, 'no_live_upstream'],
     ['/unresolved?x=.', '/unresolved', 502, 'upstream_error'],
     ['/page/garbage', '/answer', 502, 'upstream_error'],
     ['/page/wait/never', '/answer', 504, 'upstream_timeout'],
     ['/page/status/503', '@own', 503, 'upstream_error'],
     ['/over/garbage', '/answer', 200],
     ['/fallback', '@fallback', 200],
     ['/to500', '@to500', 500, 'internal'],
     ['/accel/header/X-Accel-Redirect:%2fown', '/own', 500, 'internal'],
     ['/accel/header/X-Accel-Redirect:%2fown503', '/own503', 503, 'internal'],
     ['/own', '/own', 500, 'internal'],
     ['/own503', '/own503', 503, 'internal'],
     ['/cycle', '/cycle', 500, 'internal'])
{
	my ($uri, $location, $status, $reason) = @$_;
	my $before = $t->metrics();

	is($t->get($uri)->{status}, $status, "$uri answers");

	my $after = $t->metrics();

	is(($after->get('nginx_http_requests_total', location => $location,
			status => $status) // 0)
	   - ($before->get('nginx_http_requests_total', location => $location,
			   status => $status) // 0), 1,
	   "$uri counts at $location");

	my @grown = map { $_->{labels}{reason} } grep {
		$_->{value} != ($before->get($_->{name}, %{ $_->{labels} }) // 0)
	} $after->samples('nginx_http_errors_total');

	is("@grown", $reason // '', "$uri has a reason");
}

is($t->metric('nginx_http_requests_in_flight'), 0, 'none in flight');

done_testing();
