#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# While a circuit is open the cache answers what it can: what is fresh, and
# what has expired where proxy_cache_use_stale says so.  The rest is refused,
# and no lock of the cache is left behind.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=1 open=60s;
}

map $uri $name {
    default backend;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    add_header X-Cache $upstream_cache_status always;

    proxy_cache cache;
    proxy_cache_key $uri;
    proxy_cache_valid 200 1s;

    location / {
        proxy_pass http://backend;
    }

    location /fresh {
        proxy_cache_valid 200 1h;
        proxy_pass http://backend;
    }

    location /named {
        proxy_cache_valid 200 1h;
        proxy_pass http://$name;
    }

    location /stale/error {
        proxy_cache_use_stale error;
        proxy_pass http://backend;
    }

    location /stale/503 {
        proxy_cache_use_stale http_503;
        proxy_pass http://backend;
    }

    location /stale/500 {
        proxy_cache_use_stale http_500;
        proxy_pass http://backend;
    }

    location /stale/background {
        proxy_cache_use_stale updating;
        proxy_cache_background_update on;
        proxy_pass http://backend;
    }

    location /stale/named {
        proxy_cache_use_stale error;
        proxy_pass http://$name;
    }

    location /lock {
        proxy_cache_lock on;
        proxy_pass http://backend;
    }

    location /fallback {
        error_page 503 = @fallback;
        proxy_pass http://backend;
    }

    location @fallback {
        proxy_cache_key fallback;
        proxy_pass http://127.0.0.1:%%PORT_8082%%;
    }

    location = /metrics { mon_metrics; }
}
EOC

my $backend = $t->backend(8081);

$t->backend(8082);
$t->run();

my @cached = ('/plain', '/fresh', '/named', '/stale/named',
	      map { "/stale/$_" } qw/ error 503 500 background /);

is($t->get($_)->{status}, 200, "$_ is cached") for @cached;
is($t->get('/status/502')->{status}, 502, 'opens');

my $n = $backend->requests();

sub cached {
	my ($uri, $status, $cache) = @_;

	my $r = $t->get($uri);

	is($r->{status}, $status, "$uri: $status");
	is($r->{headers}{'x-cache'} // '', $cache, "$uri: $cache");
	is($r->{body}, "GET $uri\n", "$uri: body") if $status == 200;
	is($r->{headers}{'retry-after'} ? 1 : 0, $status == 503 ? 1 : 0,
	   "$uri: Retry-After or not");
}

wait_for(sub { $t->get('/plain')->{status} == 503 });
wait_for(sub { $t->get('/stale/named')->{headers}{'x-cache'} eq 'STALE' });
wait_for(sub { $t->get('/stale/background')->{headers}{'x-cache'} eq 'STALE' });

for (1 .. 3) {
	cached('/fresh', 200, 'HIT');
	cached('/named', 200, 'HIT');
	cached('/plain', 503, 'EXPIRED');
	cached('/stale/error', 200, 'STALE');
	cached('/stale/503', 200, 'STALE');
	cached('/stale/named', 200, 'STALE');
	cached('/stale/500', 503, 'EXPIRED');
	cached('/stale/background', 200, 'STALE');
	cached('/stale/missing', 503, 'MISS');
	cached('/fresh/missing', 503, 'MISS');
	cached('/named/missing', 503, 'MISS');
	cached('/lock/missing', 503, 'MISS');
}

is($t->get('/fallback')->{body}, "GET /fallback\n", 'a fallback with a cache');
is($t->get('/fallback')->{headers}{'x-cache'}, 'HIT', 'and its hit');

# several at once wait for the lock of none

my @clients = map { $t->client() } 1 .. 4;

$_->send_request('GET', '/lock/all') for @clients;
is($_->response()->{status}, 503, 'a lock') for @clients;

# what the cache is not asked for is refused before the body is read

my $c = $t->client();

$c->send_request('POST', '/fresh', headers => ['Content-Length' => 100000]);
is($c->response()->{status}, 503, 'POST');
$c->close();

is($backend->requests(), $n, 'the upstream was left alone');
is(scalar(my @lines = $t->log_lines('\[error\]')), 0, 'no errors');

my $m = $t->metrics();

cmp_ok($m->get('nginx_upstream_breaker_rejected_total', upstream => 'backend'),
       '>', 30, 'counted');
is($m->get('nginx_upstream_failures_total'), 1, 'no attempt');
is($m->get('nginx_upstream_requests_in_flight', upstream => 'backend'), 0,
   'none in flight');

done_testing();
