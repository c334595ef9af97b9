#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# An update of a cache in the background is no request: the one that began it
# counts once, with the status that its client got.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

proxy_cache_path cache keys_zone=one:1m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / {
        proxy_cache one;
        proxy_cache_key $arg_k;
        proxy_cache_use_stale updating;
        proxy_cache_background_update on;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

my $b = $t->backend(8081);

mkdir $t->dir() . '/cache';
$t->run();

my $uri = '/header/Cache-Control:max-age=1,stale-while-revalidate=60?k=1';
my $total = 'nginx_http_requests_total';
my $cached = 'nginx_http_cache_requests_total';
my $n = 1;

is($t->get($uri)->{status}, 200, 'cached');
is($t->metric($cached, status => 'miss'), 1, 'MISS');

$b->mode('/wait/update/header/Cache-Control:max-age=60');

# connections of their own: that of the stale one waits for the update

wait_for(sub {
	$n++;

	return $t->client()->get($uri)->{status} == 200
		&& (() = $b->requests()) > 1;
}, 10, 'stale');

# answered, yet not over: nginx waits for the update

is($t->metric('nginx_http_requests_in_flight'), 1, 'in flight');
is($t->metric('nginx_upstream_requests_in_flight'), 1, 'with its attempt');
is($t->get($uri)->{status}, 200, 'another meanwhile');
$n++;

cmp_ok($t->metric($cached, status => 'updating'), '>=', 1, 'UPDATING');

$b->tell('update');
$t->wait_metric($n, $total);

my $m = $t->metrics();

is($m->get($cached, status => 'stale'), 1, 'STALE');
is($m->get($cached), $n, 'each request has a status');
is($m->get('nginx_cache_responses_total', status => 'expired'), 1,
   'the look-up of the subrequest');
is($m->get('nginx_cache_responses_total'), $n + 1, 'all look-ups');
is($m->get('nginx_http_requests_in_flight'), 0, 'none in flight');

done_testing();
