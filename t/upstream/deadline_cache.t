#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline and caches: a lock that is waited for, one that is held, an
# update in the background, a client that left an answer to the cache.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

proxy_cache_path cache keys_zone=cache:1m;

upstream backend { server 127.0.0.1:%%PORT_8081%%; }

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_cache cache;
    proxy_cache_key $uri;
    proxy_cache_valid 200 1h;
    proxy_cache_lock on;
    proxy_cache_lock_timeout 1h;
    proxy_cache_lock_age 1h;

    location = /metrics { mon_metrics; }

    location / {
        mon_deadline 600ms;
        if ($http_x_long) { rewrite ^ /long$uri last; }
        proxy_cache_valid 504 1h;
        proxy_pass http://backend;
    }
    location /long/ {
        mon_deadline off;
        rewrite ^/long(.*) $1 break;
        proxy_pass http://backend;
    }
    location /patient/ {
        mon_deadline 10s;
        rewrite ^/patient(.*) $1 break;
        proxy_pass http://backend;
    }
    location /stale/ {
        mon_deadline 600ms;
        proxy_cache_valid 200 1s;
        proxy_cache_use_stale updating;
        proxy_cache_background_update on;
        proxy_pass http://backend;
    }
}
EOC

my $b = $t->backend(8081);

$t->run();

my $n = 0;

sub late {
	my ($uri, $what) = @_;
	my $client = $t->client();
	my $start = time();

	is($client->get($uri)->{status}, 504, "$what: 504");

	my $took = time() - $start;

	cmp_ok($took, '>', 0.55, 'not before its time');
	cmp_ok($took, '<', 10, 'but then');
	$n++;

	is($client->get('/metrics')->{status}, 200, 'the connection goes on');
	$client->close();
}

# who fills the cache is late: the lock is given back, 504 is not cached

late('/wait/a', 'it holds the lock');
late('/wait/a', 'it takes the lock again');
is((() = $b->requests()), 2, 'both went to the peer');

# another one holds the lock

my $holder = $t->client();

$holder->send_request('GET', '/wait/b', headers => ['X-Long' => 1]);
wait_for(sub { $b->requests() == 3 }, 10, 'the lock is taken');

late('/wait/b', 'it waits for the lock') for 1 .. 2;

my @waiting = map { $t->client() } 1 .. 5;

$_->send_request('GET', '/wait/b') for @waiting;
is($_->response()->{status}, 504, 'several') for @waiting;
$n += 5;

is((() = $b->requests()), 3, 'none went to the peer');

$b->tell('b');
is($holder->response()->{status}, 200, 'the one with the lock is answered');
is($t->get('/wait/b')->{status}, 200, 'from the cache');
is((() = $b->requests()), 3, 'indeed');

# one wakes up when the lock is given back

$holder->send_request('GET', '/wait/c', headers => ['X-Long' => 1]);
wait_for(sub { $b->requests() == 4 }, 10, 'the lock is taken');

$waiting[0]->send_request('GET', '/patient/wait/c');
$t->wait_metric(2, 'nginx_http_requests_in_flight');
$b->tell('c');
is($_->response()->{status}, 200, 'on time') for $holder, $waiting[0];

# the client leaves, and nginx goes on for the cache, but not for ever

my $client = $t->client();

$client->send_request('GET', '/stall');
wait_for(sub { $b->requests() == 5 }, 10, 'the peer is asked');
$client->close();
ok($t->wait_metric(1, 'nginx_http_requests_total', status => 499), 'it ends');
is($t->metric('nginx_http_errors_total', reason => 'client_abort'), 1,
   'as what it is');
$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

# an update in the background goes on

$b->mode('/status/200');
is($t->get('/stale/')->{status}, 200, 'filled');
$b->mode('/delay/1.2');
ok(wait_for(sub { $b->requests() > 6 || !$t->get('/stale/') }, 10, 'stale'),
   'stale');
ok($t->wait_metric(0, 'nginx_upstream_requests_in_flight'), 'updated');
is($t->metric('nginx_upstream_responses_total', status => 200), 5,
   'the update was not ended');

my $m;

$_->close() for @waiting, $holder;

ok(wait_for(sub {
	$m = $t->metrics();
	$m->get('nginx_http_requests_in_flight') == 0
		&& $m->get('nginx_upstream_requests_in_flight') == 0
		&& $m->get('nginx_connections_active') == 1
}, 10, 'nothing in flight'), 'nothing in flight');

is($m->get('nginx_http_errors_total', reason => 'deadline'), $n, 'counted');
is(scalar $t->log_lines(qr/exceeded while waiting for cache lock,/), 7,
   'what it waited for');

done_testing();
