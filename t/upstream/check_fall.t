#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# fall failures in a row and a peer gets no traffic, rise passes and it does
# again; with one worker and several, with zone and without; all out is 502.

use NgxMon;

# a peer whose checks pass and fail as written, one after the other; the last
# one goes on for ever

sub course {
	my ($t, $n, $course) = @_;

	return $t->peer($n, sub {
		my ($socket, $peer) = @_;

		my $request = NgxMon::Peer::request($socket);
		my $i = $peer->connections() - 1;
		my $status = substr($course, $i < length $course ? $i : -1, 1)
			eq '+' ? 200 : 500;

		syswrite $socket, "HTTP/1.1 $status Said\r\n\r\n";
	});
}

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream course {
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%%;
    server 127.0.0.1:%%PORT_8083%%;
    server 127.0.0.1:%%PORT_8084%% down;
    mon_check interval=20ms timeout=30s;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
}
EOC

course($t, 8081, '--+--+--+---+-+---++++--+---+-+++');
course($t, 8082, '-');
course($t, 8083, '+');
my $down = course($t, 8084, '+');

$t->run();

wait_for(sub {
	($t->metric('nginx_upstream_checks_total',
		    peer => '127.0.0.1:' . $t->port(8081)) // 0) > 34
}, 20, 'the whole course');

sub said {
	my ($n) = @_;

	my $addr = '127.0.0.1:' . $t->port($n);

	return [map { / is ((?:un)?healthy, \d+) checks/ }
		$t->log_lines(qr/\[warn\].*"$addr"/)];
}

is_deeply(said(8081), ['unhealthy, 3', 'healthy, 2', 'unhealthy, 3',
		       'healthy, 2'], 'the course');
is_deeply(said(8082), ['unhealthy, 3'], 'said once');
is_deeply(said(8083), [], 'that a peer is fine is no news');
is(scalar $down->connections(), 0, 'a peer that is down is not checked');

$t->stop();

# traffic

for my $workers (1, 4) {
	$t = NgxMon->new(workers => $workers);

	$t->conf(<<'EOC');
mon_zone mon 4m;

upstream zone {
    zone zone 64k;
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_check interval=100ms timeout=30s fall=2 rise=2;
}

upstream plain {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_check interval=100ms timeout=30s fall=2 rise=2;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_next_upstream off;

    location /zone { proxy_pass http://zone; }
    location /plain { proxy_pass http://plain; }
    location = /metrics { mon_metrics; }
    location = /ready { mon_health ready; }
}
EOC

	my @backends = map { $t->backend($_) } 8081, 8082;
	my @addrs = map { '127.0.0.1:' . $t->port($_) } 8081, 8082;

	$t->run();

	for my $upstream (qw/ zone plain /) {
		my %seen;

		$seen{$_}++ for map { $t->get("/$upstream")
			->{headers}{'x-backend'} // '' } 1 .. 16;
		is(keys %seen, 2, "$workers, $upstream: both");
	}

	$backends[0]->mode('/status/500');

	for my $upstream (qw/ zone plain /) {
		$t->wait_metric(1, 'nginx_upstream_peer_state',
				upstream => $upstream, peer => $addrs[0],
				state => 'unhealthy');

		my %seen;

		$seen{$_}++ for map { $t->get("/$upstream")->{status} }
			1 .. 16;
		is_deeply(\%seen, { 200 => 16 },
			  "$workers, $upstream: without the unhealthy one");
		is($t->metric('nginx_upstream_peer_state', state => 'up',
			      upstream => $upstream, peer => $addrs[1]), 1,
		   "$workers, $upstream: the other one is up");
	}

	$backends[1]->mode('/status/404');

	for my $upstream (qw/ zone plain /) {
		$t->wait_metric(1, 'nginx_upstream_peer_state',
				upstream => $upstream, peer => $addrs[1],
				state => 'unhealthy');
		is($t->get("/$upstream")->{status}, 502,
		   "$workers, $upstream: nobody");
	}

	is($t->get('/ready')->{status}, 503, "$workers: not ready");

	$_->mode('/') for @backends;

	for my $upstream (qw/ zone plain /) {
		$t->wait_metric(1, 'nginx_upstream_peer_state',
				upstream => $upstream, peer => $_,
				state => 'up') for @addrs;

		my %seen;

		$seen{$_}++ for map { $t->get("/$upstream")
			->{headers}{'x-backend'} // '' } 1 .. 16;
		is(keys %seen, 2, "$workers, $upstream: both again");
	}

	is($t->get('/ready')->{status}, 200, "$workers: ready");
}

done_testing();
