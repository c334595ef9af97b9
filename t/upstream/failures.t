#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Why an attempt failed: one reason each.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_read_timeout 1500ms;

    location / { proxy_pass http://127.0.0.1:%%PORT_8081%%; }

    location /unbuffered/ {
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        proxy_buffering off;
    }

    location /big/ {
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        proxy_buffer_size 1k;
    }

    location = /metrics { mon_metrics; }
}
EOC

$t->backend(8081);
$t->run();

my %expected;
my ($attempts, $answered) = (0, 0);
my $long = 'x' x 2000;

# path, status that the client sees, reason

for (
	['/', 200, ''],
	['/status/404', 404, ''],
	['/status/429', 429, ''],
	['/status/500', 500, 'http_500'],
	['/status/501', 501, 'http_5xx'],
	['/status/502', 502, 'http_502'],
	['/status/503', 503, 'http_503'],
	['/status/504', 504, 'http_504'],
	['/status/599', 599, 'http_5xx'],
	['/close', 502, 'error', 1],
	['/reset', 502, 'error', 1],
	['/garbage', 502, 'invalid_header', 1],
	["/big/header/A:$long", 502, 'invalid_header', 1],
	['/wait/ever', 504, 'timeout', 1],
	['/half', 200, 'error'],
	['/unbuffered/half', 200, 'error'],
	['/stall', 200, 'timeout'],
	['/unbuffered/stall', 200, 'timeout'],
)
{
	my ($path, $status, $reason, $headless) = @$_;
	my $name = substr $path, 0, 30;

	is($t->get($path)->{status}, $status, "$name: status $status");

	$attempts++;
	$answered++ unless $headless;
	$expected{$reason}++ if $reason;

	$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

	my $m = $t->metrics();

	is_deeply({ map { ($_->{labels}{reason}, $_->{value}) }
		    $m->samples('nginx_upstream_failures_total') },
		  \%expected, "$name: $reason");
	is($m->get('nginx_upstream_connect_duration_seconds_count'), $attempts,
	   "$name: connected");
	is($m->get("nginx_upstream_${_}_duration_seconds_count"), $answered,
	   "$name: $_ times") for qw/ header response /;
	is($m->get('nginx_upstream_responses_total'), $answered,
	   "$name: responses");
}

done_testing();
