#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What the cache answers is no attempt; what it asks the peer for is one.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / {
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        proxy_cache cache;
        proxy_cache_key $arg_key;
        proxy_cache_revalidate on;
        proxy_cache_use_stale http_500 error;
        add_header X-Cache $upstream_cache_status;
    }

    location = /metrics { mon_metrics; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

sub attempts {
	my ($path, $key, $cache, $status, $n, $failed) = @_;

	my $r;

	# what is fresh yet is a hit, that makes no attempt

	wait_for(sub {
		$r = $t->get("$path?key=$key");
		$cache eq 'HIT' || $r->{headers}{'x-cache'} ne 'HIT'
	}, 10, "$key expires");

	is($r->{headers}{'x-cache'}, $cache, "$key: $cache");

	$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

	my $m = $t->metrics();

	is($m->get('nginx_upstream_responses_total', status => $status) // 0,
	   $n, "$key: $cache: responses");
	is($m->get('nginx_upstream_failures_total') // 0, $failed // 0,
	   "$key: $cache: failures");
	is($m->get('nginx_upstream_header_duration_seconds_count'),
	   scalar(grep { $_->{uri} !~ /close/ } $backend->requests()),
	   "$key: $cache: headers");
	is($m->get('nginx_upstream_responses_total'),
	   scalar(grep { $_->{uri} !~ /close/ } $backend->requests()),
	   "$key: $cache: as many as the backend saw");
}

my $fresh = '/header/Cache-Control:max-age=600';
my $stale = '/header/Cache-Control:max-age=1'
	. '/header/ETag:%22a%22';

attempts($fresh, 'a', 'MISS', 200, 1);
attempts($fresh, 'a', 'HIT', 200, 1) for 1 .. 3;

# expired

attempts($stale, 'b', 'MISS', 200, 2);
attempts('/status/304', 'b', 'REVALIDATED', 304, 1);
attempts('/status/500', 'b', 'STALE', 500, 1, 1);
attempts('/close', 'b', 'STALE', 500, 1, 2);

done_testing();
