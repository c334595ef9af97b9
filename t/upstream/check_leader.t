#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# One worker checks, whoever it is: no check is made twice and none is left
# out, when the leader is killed with a check in flight, and over a reload.

use NgxMon;
use Time::HiRes qw/ time /;

my $t = NgxMon->new(workers => 4);

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%% backup;
    mon_check interval=500ms timeout=30s;
}

upstream silent {
    zone silent 64k;
    server 127.0.0.1:%%PORT_8083%%;
    mon_check interval=500ms timeout=60s;
}

upstream refused {
    server 127.0.0.1:%%PORT_8084%%;
    mon_check interval=500ms timeout=30s fall=10 rise=1;
}

# what tells who leads

upstream pointer {
    server 127.0.0.1:%%PORT_8085%%;
    mon_check interval=100ms timeout=30s fall=1 rise=1;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
}
EOC

my $answer = sub {
	my ($socket) = @_;

	NgxMon::Peer::request($socket);
	syswrite $socket, "HTTP/1.1 200 OK\r\n\r\n";
};

my @peers = map { $t->peer($_, $answer) } 8081, 8082;
my $silent = $t->peer(8083, sub { NgxMon::Peer::hold(@_) });
my $pointer = $t->backend(8085);

my ($mode, $said) = (200, 0);

sub leader {
	my ($pid);

	$mode = 700 - $mode;
	$pointer->mode("/status/$mode");

	my $n = $said;

	wait_for(sub {
		my @lines = $t->log_lines(qr/of upstream "pointer" is/);

		($pid) = ($lines[-1] // '') =~ /\[warn\] (\d+)#/;
		$said = @lines;

		return $said > $n;
	}, 15, 'a line of the leader');

	return $pid;
}

my $failed = 'nginx_upstream_checks_total';
my @refused = ($failed, upstream => 'refused', result => 'fail');

$t->run();

my $first = leader();

ok((grep { $_ == $first } $t->workers()), 'a worker leads');
wait_for(sub { ($t->metric(@refused) // 0) >= 3 }, 10, 'three failures');
is(scalar $silent->connections(), 1, 'one check in flight');

# killed, with that check in flight

my $killed = time();

$t->kill_worker($first);

my $second = leader();

isnt($second, $first, 'another one leads');
wait_for(sub { $silent->connections() == 2 }, 10, 'the check is made again');

# how long the peer had to wait since that time

sub pause {
	my ($peer, $since) = @_;

	return wait_for(sub {
		my ($next) = grep { $_ > $since } $peer->connections();

		return $next && $next - $since;
	}, 10, 'a check');
}

cmp_ok(pause($peers[0], $killed), '<', 5, 'checks go on');

# the others are killed: nothing happens

my $lines = () = $t->log_lines(qr/of upstream/);

$t->kill_worker($_) for grep { $_ != $second } $t->workers();
is(leader(), $second, 'still the same');

# a reload

$t->reload();

my $third = leader();

isnt($third, $second, 'a new worker leads');
wait_for(sub { $silent->connections() == 3 }, 10, 'the check is made again');

cmp_ok(pause($peers[1], time()), '<', 5, 'checks go on');

# what failed before counts

wait_for(sub { $t->log_lines(qr/"refused" is unhealthy/) }, 15,
	 'the tenth failure');

my ($line) = $t->log_lines(qr/"refused" is/);

like($line, qr/, 10 checks in a row failed/, 'failures in a row go on');
cmp_ok($t->metric(@refused), '>=', 10, 'ten were counted');

# a tenth less than the interval is the least between two, as they are sent;
# a busy machine may tell of them late

for my $i (0, 1) {
	my @times = $peers[$i]->connections();
	my @gaps = map { $times[$_] - $times[$_ - 1] } 1 .. $#times;
	my ($least, $most) = (sort { $a <=> $b } @gaps)[0, -1];

	cmp_ok($least, '>', 0.25, "peer $i: no check twice in "
	       . scalar @times);
	cmp_ok($most, '<', 6, "peer $i: no check left out");
}

is(scalar grep({ /pointer/ } $t->log_lines(qr/"backend" is/)), 0,
   'nobody else is judged');

done_testing();
