#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# proxy_pass with variables: an upstream that is known is recorded like any
# other, one that is not by nginx's own account, whatever the request does
# next.

use NgxMon;

my $t = NgxMon->new();

$t->has('http_auth_request');

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    listen unix:%%TESTDIR%%/back.sock;

    set $known backend;
    set $port %%PORT_8082%%;
    set $refused %%PORT_8083%%;
    set $path %%TESTDIR%%;

    proxy_read_timeout 1500ms;

    location /known/ { proxy_pass http://$known; }
    location /implicit/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /same/ { proxy_pass http://127.0.0.1:$server_same; }
    location /free/ { proxy_pass http://127.0.0.1:$port; }
    location /refused/ { proxy_pass http://127.0.0.1:$refused; }
    location /unix/ { proxy_pass http://unix:$path/back.sock:/there; }
    location /there { return 200 "there\n"; }
    location /nowhere/ { proxy_pass http://no.such.host$known/; }

    location /error/ {
        proxy_pass http://127.0.0.1:$refused;
        error_page 502 = @fallback;
    }

    location /errors/ {
        proxy_pass http://127.0.0.1:$refused;
        error_page 502 = @free;
    }

    location /static/ {
        proxy_pass http://127.0.0.1:$refused;
        error_page 502 = @static;
    }

    location @fallback { proxy_pass http://backend; }
    location @free { proxy_pass http://127.0.0.1:$port; }
    location @static { return 200 "static\n"; }

    location /auth/ {
        auth_request /free/auth;
        proxy_pass http://backend;
    }

    location /denied/ {
        auth_request /refused/auth;
        proxy_pass http://backend;
    }

    location = /metrics { mon_metrics; }
}

map x $server_same { default %%PORT_8081%%; }
EOC

my $known = '127.0.0.1:' . $t->port(8081);
my $free = '127.0.0.1:' . $t->port(8082);
my $refused = '127.0.0.1:' . $t->port(8083);

$t->backend(8081);
$t->backend(8082);
$t->run();

sub is_free {
	my ($name, %expected) = @_;

	my $m;

	wait_for(sub {
		$m = $t->metrics();
		($m->get('nginx_upstream_responses_total',
			 upstream => $free) // 0) == ($expected{responses} // 0)
		&& ($m->get('nginx_upstream_failures_total',
			    upstream => $refused) // 0)
		   == ($expected{refused} // 0)
	}, 5, "$name: counts");

	is($m->get('nginx_upstream_responses_total', upstream => $free)
	   // 0, $expected{responses} // 0, "$name: responses");
	is($m->get('nginx_upstream_failures_total', upstream => $refused)
	   // 0, $expected{refused} // 0, "$name: refused");
	is($m->get('nginx_upstream_responses_total', upstream => 'backend')
	   // 0, $expected{backend} // 0, "$name: upstream{}");
}

is($t->get('/known/')->{status}, 200, 'a known upstream');
is_free('known', backend => 1);
cmp_ok($t->metric('nginx_upstream_connect_duration_seconds_sum',
		  upstream => 'backend'), '>', 0, 'in microseconds');

is($t->get('/same/')->{status}, 200, 'a known implicit one');
$t->wait_metric(1, 'nginx_upstream_responses_total', upstream => $known);

is($t->get('/free/status/404')->{status}, 404, 'one not known');
is_free('free', backend => 1, responses => 1);

my $m = $t->metrics();
my @free = (upstream => $free, peer => $free);

is($m->get('nginx_upstream_responses_total', @free, status => 404), 1,
   'upstream, peer, status');
is($m->get("nginx_upstream_${_}_duration_seconds_count", @free), 1,
   "$_ time") for qw/ connect header response /;
cmp_ok($m->get("nginx_upstream_${_}_bytes_total", @free), '>', 20,
       "$_ bytes") for qw/ sent received /;
is($m->get('nginx_upstream_failures_total', @free), undef, 'no failure');

is($t->get('/free/delay/0.2')->{status}, 200, 'a slow one');
is_free('slow', backend => 1, responses => 2);
cmp_ok($t->metric('nginx_upstream_header_duration_seconds_sum', @free), '>=',
       0.19, 'header time');

for (['status/503', 'http_503', 503], ['status/501', 'http_5xx', 501],
     ['close', 'error', 502], ['wait/ever', 'timeout', 504])
{
	my ($path, $reason, $status) = @$_;

	is($t->get("/free/$path")->{status}, $status, $path);
	$t->wait_metric(1, 'nginx_upstream_failures_total', @free,
			reason => $reason);
}

is($t->get('/refused/')->{status}, 502, 'refused');
is_free('refused', backend => 1, responses => 4, refused => 1);
is($t->metric("nginx_upstream_${_}_duration_seconds_count",
	      upstream => $refused), 0, "no $_ time")
	for qw/ connect header response /;

is($t->get('/unix/')->{body}, "there\n", 'a socket');
$t->wait_metric(1, 'nginx_upstream_responses_total', status => 200,
	upstream => 'unix:' . $t->dir() . '/back.sock',
	peer => 'unix:' . $t->dir() . '/back.sock');

# where error_page leads elsewhere

is($t->get('/error/')->{status}, 200, 'from a free to a hooked one');
is_free('error_page', backend => 2, responses => 4, refused => 2);

is($t->get('/errors/')->{status}, 200, 'from a free one to another');
is_free('error_page, both free', backend => 2, responses => 5, refused => 3);

is($t->get('/static/')->{body}, "static\n", 'and to none');
is_free('error_page, static', backend => 2, responses => 5, refused => 4);

# subrequests

is($t->get('/auth/')->{status}, 200, 'auth_request');
is_free('auth_request', backend => 3, responses => 6, refused => 4);

is($t->get('/denied/')->{status}, 500, 'auth_request fails');
is_free('auth_request fails', backend => 3, responses => 6, refused => 5);

# no address, no attempt

is($t->get('/nowhere/')->{status}, 502, 'no resolver');
is_free('no resolver', backend => 3, responses => 6, refused => 5);

done_testing();
