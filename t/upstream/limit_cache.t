#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What the cache answers is free.  Where the upstream's mon_limit refuses it
# answers what it can: what is fresh, and what has expired where
# proxy_cache_use_stale says so; and no lock of the cache is left behind.

use NgxMon;

my $conf = <<'EOC';
mon_zone mon 4m;

proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_limit rate=1r/h burst=7%%PER%%;
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

limits('');
limits(' per=peer');

done_testing();


sub limits {
	my ($per) = @_;

	my $t = NgxMon->new();

	$t->conf($conf =~ s/%%PER%%/$per/r);

	my $backend = $t->backend(8081);

	$t->backend(8082);
	$t->run();

	my @cached = ('/plain', '/fresh', '/named', '/stale/named',
		      map { "/stale/$_" } qw/ error 503 500 background /);

	is($t->get($_)->{status}, 200, "$_ is cached") for @cached;
	is($t->get('/fresh')->{status}, 200, 'a hit is free') for 1 .. 10;
	is($t->get('/named')->{status}, 200, 'a hit is free') for 1 .. 10;
	is($t->get('/fresh/none')->{status}, 503, 'no more than that');

	my $n = $backend->requests();

	is($n, @cached, 'all that was sent');

	wait_for(sub { $t->get('/plain')->{status} == 503 });
	wait_for(sub { $t->get('/stale/named')->{headers}{'x-cache'} eq 'STALE' });
	wait_for(sub { $t->get('/stale/background')->{headers}{'x-cache'} eq 'STALE' });

	for (1 .. 3) {
		cached($t, '/fresh', 200, 'HIT');
		cached($t, '/named', 200, 'HIT');
		cached($t, '/plain', 503, 'EXPIRED');
		cached($t, '/stale/error', 200, 'STALE');
		cached($t, '/stale/503', 200, 'STALE');
		cached($t, '/stale/named', 200, 'STALE');
		cached($t, '/stale/500', 503, 'EXPIRED');
		cached($t, '/stale/background', 200, 'STALE');
		cached($t, '/stale/missing', 503, 'MISS');
		cached($t, '/fresh/missing', 503, 'MISS');
		cached($t, '/named/missing', 503, 'MISS');
		cached($t, '/lock/missing', 503, 'MISS');
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

	my $limited = 'nginx_upstream_limited_requests_total';

	is($m->get($limited, outcome => 'passed'), 8, 'passed');
	cmp_ok($m->get($limited, outcome => 'rejected'), '>', 30, 'rejected');
	is($m->get('nginx_upstream_failures_total'), undef, 'no attempt');
	is($m->get('nginx_upstream_requests_in_flight', upstream => 'backend'), 0,
	   'none in flight');

	$t->stop();
}


sub cached {
	my ($t, $uri, $status, $cache) = @_;

	my $r = $t->get($uri);

	is($r->{status}, $status, "$uri: $status");
	is($r->{headers}{'x-cache'} // '', $cache, "$uri: $cache");
	is($r->{body}, "GET $uri\n", "$uri: body") if $status == 200;
	is($r->{headers}{'retry-after'} ? 1 : 0, $status == 503 ? 1 : 0,
	   "$uri: Retry-After or not");
}
