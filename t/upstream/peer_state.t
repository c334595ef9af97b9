#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The state of every peer, one of them 1, and its weight.

use NgxMon;

my $t = NgxMon->new(workers => 1);

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%% weight=3;
    server 127.0.0.1:%%PORT_8082%% fail_timeout=2s;
    server 127.0.0.1:%%PORT_8083%% down;
    server 127.0.0.1:%%PORT_8084%% backup weight=2;
}

upstream zone {
    zone zone 64k;
    server 127.0.0.1:%%PORT_8081%% weight=3;
    server 127.0.0.1:%%PORT_8082%% fail_timeout=2s;
    server 127.0.0.1:%%PORT_8083%% down;
    server 127.0.0.1:%%PORT_8084%% backup weight=2;
}

upstream twice {
    server 127.0.0.1:%%PORT_8081%% weight=2;
    server 127.0.0.1:%%PORT_8081%% weight=5 down;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /backend { proxy_pass http://backend; }
    location /zone { proxy_pass http://zone; }
    location /twice { proxy_pass http://twice; }
    location /implicit { proxy_pass http://127.0.0.1:%%PORT_8085%%; }
    location = /metrics { mon_metrics; }
}
EOC

my @names = qw/ up down ejected unhealthy draining /;

$t->backend(8081);
$t->run();

sub states {
	my ($upstream) = @_;

	my $m = $t->metrics();
	my %states;

	for ($m->samples('nginx_upstream_peer_state',
			 upstream => $upstream))
	{
		my ($peer) = $_->{labels}{peer} =~ /:(\d+)$/;

		$states{$peer}{$_->{labels}{state}} = $_->{value};
	}

	for (values %states) {
		my %s = %$_;

		is(join(' ', sort keys %s), join(' ', sort @names),
		   'all states are shown');
		$_ = join ' ', grep { $s{$_} } @names;
	}

	return \%states;
}

my @ports = map { $t->port($_) } 8081 .. 8085;
my @calm = ($ports[0] => 'up', $ports[1] => 'up', $ports[2] => 'down',
	    $ports[3] => 'up');

for my $upstream (qw/ backend zone /) {
	is_deeply(states($upstream), { @calm }, "$upstream: from the start");

	my $m = $t->metrics();

	is($m->get('nginx_upstream_peer_weight', upstream => $upstream,
		   peer => "127.0.0.1:$ports[$_->[0]]"), $_->[1],
	   "$upstream: weight") for [0, 3], [1, 1], [2, 1], [3, 2];

	# one that refuses, until max_fails is reached

	wait_for(sub {
		$t->get("/$upstream");
		$t->metric('nginx_upstream_failures_total',
			   upstream => $upstream,
			   peer => "127.0.0.1:$ports[1]");
	}, 5, "$upstream: a failure");

	is_deeply(states($upstream), { @calm, $ports[1] => 'unhealthy' },
		  "$upstream: failed");
	ok(wait_for(sub {
		$t->metric('nginx_upstream_peer_state', state => 'up',
			   upstream => $upstream,
			   peer => "127.0.0.1:$ports[1]");
	}, 10, "$upstream: up again"), "$upstream: fail_timeout is over");
}

is_deeply(states('twice'), { $ports[0] => 'up' }, 'one address twice');
is($t->metric('nginx_upstream_peer_weight', upstream => 'twice'), 7,
   'its weight');
is_deeply(states("127.0.0.1:$ports[4]"), { $ports[4] => 'up' }, 'implicit');

# a peer the next configuration does not have

$t->write_file('nginx.conf', $t->read_file('nginx.conf')
	=~ s/server 127.0.0.1:$ports[3] backup weight=2;//gr);
$t->reload();
is_deeply(states('backend'), { @calm[0 .. 5] }, 'gone');

done_testing();
