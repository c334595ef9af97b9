#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Beside max_fails, backup peers, aborting clients, tunnels, and failures that
# on= does not name.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 8m;

upstream fails {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=1 fail_timeout=1h;
    mon_outlier consecutive=1 eject=1h on=http_500;
}

upstream backup {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8083%% backup;
    mon_outlier consecutive=1 eject=1h on=http_500;
}

upstream abort {
    server 127.0.0.1:%%PORT_8084%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% down;
    server 127.0.0.1:%%PORT_8083%% backup;
    mon_outlier consecutive=1 eject=1h;
}

upstream tunnel {
    server 127.0.0.1:%%PORT_8085%% max_fails=0;
    server 127.0.0.1:%%PORT_8083%% max_fails=0;
    mon_outlier consecutive=1 eject=100ms on=http_500;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /fails { proxy_pass http://fails; }
    location /backup { proxy_pass http://backup; }
    location /abort { proxy_pass http://abort; }
    location /tunnel {
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_pass http://tunnel;
    }
    location = /metrics { mon_metrics; }
}
EOC

my $bad = $t->backend(8081, mode => '/status/500');
my $other = $t->backend(8082);
my $good = $t->backend(8083);
my $slow = $t->backend(8084, mode => '/wait/word');
my $tunnel = $t->backend(8085, mode => '/status/500');

$t->run();

sub ejections {
	return $t->metric('nginx_upstream_ejections_total', @_);
}

# the rest reaches max_fails: better the one that is ejected than nobody

wait_for(sub { $t->get('/fails'); ejections(upstream => 'fails') }, 10,
	 'to be ejected');
is($t->get('/fails')->{status}, 200, 'the other one answers');
$other->mode('/close');
$t->get('/fails');
is($t->get('/fails')->{status}, 500, 'it reached max_fails: panic');
is($t->metric('nginx_upstream_panic', upstream => 'fails'), 1, 'says so');
is(ejections(upstream => 'fails'), 1, 'nobody else is ejected');

# the backup peer comes before panic

is($t->get('/backup')->{status}, 500, 'ejected');
is($t->get('/backup')->{status}, 200, 'the backup one answers') for 1 .. 5;
is($t->metric('nginx_upstream_panics_total', upstream => 'backup'), 0,
   'no panic');

# clients that leave

for (1 .. 4) {
	my $client = $t->client();
	my $n = () = $slow->requests();

	$client->send_request('GET', '/abort');
	wait_for(sub { my @r = $slow->requests(); @r > $n }, 10, 'a request');
	$client->reset();
	$t->wait_metric(0, 'nginx_upstream_requests_in_flight',
			upstream => 'abort');
}

is(ejections(upstream => 'abort'), 0, 'a client that leaves is no failure');

$slow->mode('/status/500');
is($t->get('/abort')->{status}, 500, 'a status that on= does not name')
	for 1 .. 4;
is(ejections(upstream => 'abort'), 0, 'is none either');

$slow->mode('/garbage');
is($t->get('/abort')->{status}, 502, 'garbage is one');
is(ejections(upstream => 'abort'), 1, 'it is ejected');

# a tunnel

wait_for(sub { $t->get('/tunnel'); ejections(upstream => 'tunnel') }, 10,
	 'to be ejected');
$tunnel->mode('/ws');

my $client;
my $n = () = $tunnel->requests();

wait_for(sub {
	$client = $t->client();
	$client->request('GET', '/tunnel/ws',
			 headers => [Upgrade => 'websocket']);
	$tunnel->requests() > $n;
}, 10, 'a tunnel');

$t->wait_metric(1, 'nginx_upstream_peer_state', upstream => 'tunnel',
		peer => '127.0.0.1:' . $t->port(8085), state => 'up');
$client->send('x');
is($client->read_bytes(1), 'x', 'back while the tunnel is open');

done_testing();
