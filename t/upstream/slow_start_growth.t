#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The share of a peer that came back grows with time until it is whole.

use NgxMon;
use Time::HiRes qw/ time /;

my $t = NgxMon->new(workers => 2);

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream u {
    zone u 64k;
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_outlier consecutive=1 eject=100ms on=http_500;
    mon_slow_start 6s;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    keepalive_requests 1000000;

    location / { proxy_pass http://u; }
    location = /metrics { mon_metrics; }
}
EOC

my $back = $t->backend(8081, mode => '/status/500');
my @peer = (upstream => 'u', peer => '127.0.0.1:' . $t->port(8081));

$t->backend(8082);
$t->run();

wait_for(sub { $t->get('/')->{status} == 500 }, 10, 'to be ejected');
$back->mode('/status/200');
wait_for(sub {
	$t->get('/');
	$t->metric('nginx_upstream_peer_state', @peer, state => 'up');
}, 10, 'its return');

my ($from, $client) = (time(), $t->client());
my (@sent, @hits);

while ((my $at = int((time() - $from) / 2)) < 4) {
	my $r = $client->get('/');

	$sent[$at]++;
	$hits[$at]++ if $r->{headers}{'x-backend'} == $t->port(8081);
}

my @share = map { ($hits[$_] // 0) / ($sent[$_] || 1) } 0 .. 3;

note("@sent, @share");

SKIP: {
	skip 'too few requests to tell', 4 if grep { ($_ // 0) < 100 } @sent;

	# 12%, 27%, 42%, 50% of all, on the average

	cmp_ok($share[0], '<', 0.3, 'little at first');
	cmp_ok($share[1], '>', $share[0] - 0.02, 'more');
	cmp_ok($share[2], '>', $share[0] + 0.05, 'and more');
	cmp_ok($share[3], '>', 0.45, 'its whole share in the end');
}

done_testing();
