#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# An error at a cached connection, which nginx tries again whatever its tries
# are, is bounded by attempts and budget, too.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    keepalive 4;
    mon_retry backoff=5ms;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_http_version 1.1;
    proxy_set_header Connection "";

    location / { proxy_pass http://backend; }
    location /next/ {
        proxy_pass http://backend;
        mon_retry on=http_503 backoff=1h;
    }
    location /never/ {
        proxy_pass http://backend;
        mon_retry attempts=1;
    }
    location /poor/ {
        proxy_pass http://backend;
        mon_retry budget=0% min=0;
    }
    location /off/ {
        proxy_pass http://backend;
        mon_retry off;
    }
    location = /metrics { mon_metrics; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

my $retries = 'nginx_upstream_retries_total';

sub attempts {
	my ($uri) = @_;

	return grep { $_->{uri} eq $uri } $backend->requests();
}

# on a connection that was used before

sub closed {
	my ($uri) = @_;

	is($t->get('/')->{status}, 200, "$uri: a connection is cached");

	my $r = $t->get($uri);
	my @attempts = attempts($uri);

	cmp_ok($attempts[0]{n}, '>', 1, "$uri: it is used");
	cmp_ok($attempts[1]{conn}, '!=', $attempts[0]{conn},
	       "$uri: then another one") if @attempts > 1;

	return ($r->{status}, scalar @attempts);
}

my ($status, $n) = closed('/first/1/close');

is("$status $n", '200 2', 'tried again');

($status, $n) = closed('/next/first/1/close');
is("$status $n", '200 2', 'nginx does by itself, without a wait');
$t->wait_metric(2, $retries, outcome => 'success');

($status, $n) = closed('/off/first/1/close');
is("$status $n", '200 2', 'and without mon_retry');

($status, $n) = closed('/never/first/1/close');
is("$status $n", '502 1', 'attempts=1');
$t->wait_metric(1, $retries, outcome => 'attempts');

($status, $n) = closed('/poor/first/1/close');
is("$status $n", '502 1', 'no budget');
$t->wait_metric(1, $retries, outcome => 'budget');

# both fail

($status, $n) = closed('/first/5/close');
is("$status $n", '502 2', 'two attempts are all');
$t->wait_metric(2, $retries, outcome => 'attempts');

# the connections of a request that was retried are cached

is($t->get('/first/1/status/503')->{status}, 200, 'retried');

my $conn = (attempts('/first/1/status/503'))[1]{conn};

is($t->get('/again')->{status}, 200, 'another request');
is((attempts('/again'))[0]{conn}, $conn, 'uses its connection');

is($t->metric($retries), 7, 'decisions');
is($t->metric($retries, outcome => 'failure'), 1, 'one in vain');
is($t->metric('nginx_upstream_retries_in_flight'), 0, 'all is free');

done_testing();
