#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What an adaptive limit goes by: answers of an upstream, from where the request
# was sent there; not errors that came at once, nor what nginx answers itself.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;
proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }

    location / {
        mon_concurrency max=adaptive name=good;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /status/ {
        mon_concurrency max=adaptive name=failed;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /file {
        mon_concurrency max=adaptive name=local;
        root %%TESTDIR%%;
    }
    location /cached {
        mon_concurrency max=adaptive name=cached;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        proxy_cache cache;
        proxy_cache_valid 1h;
    }
    location /echo/ {
        mon_concurrency max=adaptive name=upload;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

$t->write_file('file', 'file');
$t->backend(8081);
$t->run();

my $base = sub {
	return $t->metric('nginx_http_concurrency_min_rtt_seconds',
			  name => $_[0]);
};

is($t->metric('nginx_http_concurrency_limit', name => 'good'), 20,
   'the limit at first');
is($base->('good'), undef, 'nothing is known');
is($t->metric('nginx_http_concurrency_gradient_ratio', name => 'good'), 1,
   'nor is there a queue');

# samples for four windows, which have 50 and take 100 ms at least

rounds(60, '/delay/0.02');

my $rtt = $base->('good');

ok($rtt >= 0.015 && $rtt < 0.5, "answers of an upstream count: $rtt s");

rounds(60, '/status/500');
is($base->('failed'), undef, 'errors that come at once do not');

rounds(60, '/file');
is($base->('local'), undef, 'nor do files');

rounds(60, '/cached');
is($base->('cached'), undef, 'nor answers from the cache');

# bodies that take half a second to come

my @clients = map { $t->client() } 1 .. 20;

for (1 .. 12) {
	$_->send("POST /echo/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
		for @clients;
	select undef, undef, undef, 0.5;
	$_->send('cd') for @clients;
	$_->response() for @clients;
}

$rtt = $base->('upload');

ok($rtt > 0 && $rtt < 0.3, "a slow body is no latency: $rtt s");

$rtt = $base->('good');
$t->reload();

is($base->('good'), $rtt, 'a reload keeps what is known');

done_testing();


# By 5 clients at once.

sub rounds {
	my ($n, $uri) = @_;

	my @all = map { $t->client() } 1 .. 5;

	for (1 .. $n) {
		$_->send_request('GET', $uri) for @all;
		$_->response() for @all;
	}

	$_->close() for @all;
}
