#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# CPU, memory, descriptors and connections of each worker are those that
# the kernel tells; a killed worker takes its own with it.

use NgxMon;

use NgxMon::Process qw/ descriptors /;

my $t = NgxMon->new(workers => 2);

$t->conf(<<'EOC');
mon_zone mon 4m;

keepalive_requests 10000000;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / { return 200 "some text\n"; }
}
EOC

$t->run();

my $page = POSIX::sysconf(POSIX::_SC_PAGESIZE());
my $ticks = POSIX::sysconf(POSIX::_SC_CLK_TCK());


# workers start in the order of their numbers

sub pids {
	return sort { $a <=> $b } $t->workers();
}


sub cpu {
	my ($pid) = @_;

	my ($rest) = $t->command('cat', "/proc/$pid/stat") =~ /\) (.*)/s;
	my @f = split ' ', $rest;

	return ($f[11] + $f[12]) / $ticks;
}


sub resident {
	my ($pid) = @_;

	return $page * (split ' ', $t->command('cat', "/proc/$pid/statm"))[1];
}


# waits until the samples of the worker are those of the process

sub like_process {
	my ($worker, $pid, $what) = @_;

	my ($m, $fds, $rss);

	ok(wait_for(sub {
		$m = $t->metrics();
		$fds = descriptors($pid) / 2;
		$rss = resident($pid);

		my $is = $m->get('nginx_worker_open_fds', worker => $worker);
		my $mem = $m->get('nginx_worker_resident_memory_bytes',
				  worker => $worker);

		# the connection that asks may be one of its own

		return abs($is - $fds) <= 1
			&& abs($mem - $rss) < 0.2 * $rss;
	}, 20, "$what: descriptors and memory"), "$what: descriptors, memory");

	return $m;
}


my @pids = pids();

for my $w (0, 1) {
	my $m = like_process($w, $pids[$w], "worker $w");
	my $name = 'nginx_worker_connections';

	# its own listening sockets and channel, and who asks

	cmp_ok($m->get($name, worker => $w), '>=', 2, "connections of $w");
	cmp_ok($m->get($name, worker => $w), '<=', 6, "no more of $w");
}

is(scalar $t->metrics()->samples('nginx_worker_open_fds'), 2, 'two workers');

# 30 connections, wherever they go

my $sum = $t->metric('nginx_worker_connections');
my $fds = $t->metric('nginx_worker_open_fds');

$t->client()->get('/') for 1 .. 30;

wait_for(sub {
	my $m = $t->metrics();

	return abs($m->get('nginx_worker_connections') - $sum - 30) <= 2
		&& abs($m->get('nginx_worker_open_fds') - $fds - 30) <= 2;
}, 20, 'connections and descriptors of 30 clients');

# work

my $c = $t->client();

wait_for(sub {
	$c->get('/') for 1 .. 500;

	return cpu($pids[0]) + cpu($pids[1]) > 0.3;
}, 60, 'work for the workers');

$c->close();

my ($told, $real);

wait_for(sub {
	$told = $t->metric('nginx_worker_cpu_seconds_total');
	$real = cpu($pids[0]) + cpu($pids[1]);

	return abs($told - $real) < 0.1;
}, 10, 'CPU time told');

cmp_ok(abs($told - $real), '<', 0.1, "CPU time told: $told of $real");

# a worker that dies takes its gauges with it, its counters stay

my @before = map {
	$t->metric('nginx_worker_cpu_seconds_total', worker => $_)
} 0, 1;

$t->kill_worker($pids[0]);

my ($new) = grep { $_ != $pids[1] } $t->workers();

like_process(0, $new, 'the worker after a killed one');

my @after = map {
	$t->metric('nginx_worker_cpu_seconds_total', worker => $_)
} 0, 1;

cmp_ok($after[$_], '>=', $before[$_], "CPU time of $_ goes on") for 0, 1;

$t->reload();

wait_for(sub { !$t->workers(undef, shutting => 1) }, 10, 'old workers gone');

@pids = pids();
like_process($_, $pids[$_], "worker $_ after reload") for 0, 1;

@before = @after;
@after = map {
	$t->metric('nginx_worker_cpu_seconds_total', worker => $_)
} 0, 1;

cmp_ok($after[$_], '>=', $before[$_], "CPU time of $_ over reload") for 0, 1;

done_testing();
