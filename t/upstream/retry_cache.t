#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A cache: what a retry brought is stored, an expired answer is served only
# once retries are used up, and who waits for the lock waits for the retry.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_retry attempts=3 backoff=5ms;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_cache cache;
    proxy_cache_key $arg_key;
    add_header X-Cache $upstream_cache_status;

    location / {
        proxy_pass http://backend;
        proxy_cache_use_stale http_503 error;
    }
    location /lock/ {
        proxy_pass http://backend;
        proxy_cache_lock on;
        mon_retry attempts=3 backoff=300ms;
    }
    location /update/ {
        proxy_pass http://backend;
        proxy_cache_use_stale updating;
        proxy_cache_background_update on;
    }
    location /abort/ {
        proxy_pass http://backend;
        mon_retry backoff=100ms;
    }
    location = /metrics { mon_metrics; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

sub attempts {
	my ($uri) = @_;

	return scalar grep { $_->{uri} eq $uri } $backend->requests();
}

sub cached {
	my ($uri, $cache, $n) = @_;

	my $r = $t->get($uri);

	is($r->{status}, 200, "$uri: answered");
	is($r->{headers}{'x-cache'}, $cache, "$uri: $cache");
	is(attempts($uri), $n, "$uri: $n attempts");

	return $r;
}

my $old = '/header/Cache-Control:max-age=1';

my $new = '/header/Cache-Control:max-age=600/first/2/status/503?key=a';

cached($new, 'MISS', 3);
cached($new, 'HIT', 3);

# expired: retries come first; who asks makes it fresh again, so the time it
# has to live is waited for

sub expire {
	my (@keys) = @_;

	is($t->get("$old?key=$_")->{headers}{'x-cache'}, 'MISS', "$_: stored")
		for @keys;

	my $end = time() + 2;

	wait_for(sub { time() > $end }, 10, 'expiry');
}

expire('b', 'c');

cached("/status/503?key=b", 'STALE', 3);
cached("/close?key=b", 'STALE', 3);
cached("/first/1/status/503$old?key=b", 'EXPIRED', 2);

# in the background

my $r = $t->get("/update/first/1/status/503$old?key=c");

is($r->{headers}{'x-cache'}, 'STALE', 'stale while it is updated');
wait_for(sub { attempts("/update/first/1/status/503$old?key=c") == 2 }, 10,
	 'the retry of the update');
$t->wait_metric(0, 'nginx_upstream_calls_in_flight');

# all want the same

my $uri = '/lock/header/Cache-Control:max-age=600/first/2/status/503?key=e';
my @clients = map {
	my $client = $t->client();

	$client->send_request('GET', $uri);
	$client;
} 1 .. 5;

is($_->response()->{status}, 200, 'with a lock') for @clients;
is(attempts($uri), 3, 'only one went to the upstream, three times');

# a client that leaves while a retry waits that would be cached

my $client = $t->client();

$client->send_request('GET', '/abort/status/503?key=f');
$client->close();
$t->wait_metric(0, 'nginx_upstream_calls_in_flight');
is($t->metric('nginx_upstream_retries_in_flight'), 0, 'all is free');

done_testing();
