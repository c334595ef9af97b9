#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Peers whose names are resolved at run time come and go; each is called by
# its address, and what it counted stays.

use NgxMon;

my $t = NgxMon->new();

my ($minor, $patch) = $t->command(NgxMon::binary(), '-v')
	=~ m{nginx/1\.(\d+)\.(\d+)};

plan(skip_all => 'no "resolve" before nginx 1.27.3')
	if $minor < 27 || $minor == 27 && $patch < 3;

$t->conf(<<'EOC');
mon_zone mon 4m;

resolver 127.0.0.1:%%PORT_8090%% valid=1s ipv6=off;

upstream backend {
    zone backend 128k;
    server backend.test:%%PORT_8081%% resolve max_fails=0;
    server 127.0.0.1:%%PORT_8082%% backup;
}

upstream nobody {
    zone nobody 128k;
    server nobody.test:%%PORT_8081%% resolve;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://backend; }
    location /nobody { proxy_pass http://nobody; }
    location = /metrics { mon_metrics; }
    location = /ready { mon_health ready; }
}
EOC

my $port = $t->port(8081);
my $backend = $t->backend(8081, addr => '0.0.0.0');

$t->backend(8082);
$t->write_file('addrs', '127.0.0.2 127.0.0.3');
$t->dns(8090);
$t->run();

sub peers {
	return join ' ', sort map { $_->{labels}{peer} =~ s/:$port$//r }
		$t->metrics()->samples('nginx_upstream_peer_state',
			upstream => 'backend', state => 'up');
}

sub resolved {
	my (@addrs) = @_;

	my $peers = join ' ', sort @addrs, '127.0.0.1:' . $t->port(8082);

	$t->write_file('addrs.new', "@addrs");
	rename $t->dir() . '/addrs.new', $t->dir() . '/addrs';

	ok(wait_for(sub { peers() eq $peers }, 20, "to be: $peers"), $peers);
}

sub responses {
	my ($addr, $n) = @_;

	$t->wait_metric($n, 'nginx_upstream_responses_total',
			upstream => 'backend', peer => "$addr:$port");
}

resolved('127.0.0.2', '127.0.0.3');

is($t->get('/')->{status}, 200, "request $_") for 1 .. 4;

my $m = $t->metrics();

is(($m->get('nginx_upstream_responses_total', upstream => 'backend',
	    peer => "127.0.0.2:$port") // 0)
   + ($m->get('nginx_upstream_responses_total', upstream => 'backend',
	      peer => "127.0.0.3:$port") // 0), 4, 'both are known by address');
is($m->get('nginx_upstream_responses_total'), 4, 'and nobody else');

# one goes while it answers

resolved('127.0.0.3');

my $client = $t->client();

$client->send_request('GET', '/wait/word');
$t->wait_metric(1, 'nginx_upstream_requests_in_flight',
		peer => "127.0.0.3:$port");

resolved('127.0.0.4', '127.0.0.5');

my $before = $t->metric('nginx_upstream_responses_total',
			peer => "127.0.0.3:$port") // 0;

$backend->tell('word');
is($client->response()->{status}, 200, 'answered by the one that is gone');
$t->wait_metric(0, 'nginx_upstream_requests_in_flight');
responses('127.0.0.3', $before + 1);

# many others take its place

for my $i (1 .. 3) {
	resolved(map { "127.0.$i.$_" } 1 .. 20);
	$t->get('/') for 1 .. 25;
	$t->wait_metric(0, 'nginx_upstream_requests_in_flight');
}

$m = $t->metrics();

is($m->get('nginx_upstream_responses_total', upstream => 'backend'),
   5 + 75, 'every response');
responses('127.0.0.3', $before + 1);

# and it comes back

resolved('127.0.0.3');
is($t->get('/')->{status}, 200, 'back again');
responses('127.0.0.3', $before + 2);

# without an address there is no attempt

is($t->get('/nobody')->{status}, 502, 'nobody');
is($t->metric('nginx_upstream_failures_total', upstream => 'nobody'), undef,
   'no attempt');
is($t->get('/ready')->{status}, 503, 'not ready without a peer');

$t->expect(qr/no live upstreams|could not be resolved/);

done_testing();
