#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A worker that is killed takes nothing along: what keys have used stays, and
# who was waiting in it does not hold up others.

use NgxMon;

my $t = NgxMon->new(workers => 2);

$t->conf(<<'EOC');
mon_zone mon 4m;
mon_limit_zone $arg_k zone=one:1m rate=1r/h burst=99;
mon_limit_zone $arg_k zone=slow:1m rate=1r/m burst=99;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    location = /metrics { mon_metrics; }
    location / { mon_limit zone=one; empty_gif; }
    location /slow { mon_limit zone=slow delay; empty_gif; }
}
EOC

$t->run();

sub left {
	my ($k) = @_;

	return $t->get("/?k=$k")->{headers}{ratelimit} =~ /;r=(\d+);/ ? $1 : '';
}

my $left = 100;

for my $round (1 .. 3) {
	is(left('a'), --$left, "round $round: $left left") for 1 .. 5;
	is(left("new$round"), 99, 'a new key');

	my @waiting = map { $t->client() } 1 .. 4;

	$_->send_request('GET', "/slow?k=$round") for @waiting;
	ok($t->wait_metric(3, 'nginx_http_requests_in_flight',
			   location => '/slow'), 'three wait');

	$t->kill_worker($_) for $t->workers();
	$_->closed() for @waiting;
	ok($t->wait_metric(0, 'nginx_http_requests_in_flight',
			   location => '/slow'), 'no more');
}

is(left("new$_"), 98, "key $_ is kept") for 1 .. 3;

done_testing();
