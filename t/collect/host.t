#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The host as /proc tells it.

use NgxMon;

my $t = NgxMon->new(workers => 2);

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / { return 200 "some text\n"; }
}
EOC


sub slurp {
	my ($file) = @_;

	open my $fh, '<', $file or die "can't open $file: $!";
	local $/;

	return readline $fh;
}


sub network {
	my %n;

	for (split /\n/, slurp('/proc/net/dev')) {
		my ($name, $rest) = /^\s*(\S+):(.*)/ or next;
		my @f = split ' ', $rest;
		$n{$name} = [@f[0, 8]];
	}

	return %n;
}


sub disks {
	my %n;

	for (split /\n/, slurp('/proc/diskstats')) {
		my @f = split ' ';
		my $dir = $f[2] =~ tr{/}{!}r;
		next if !-e "/sys/block/$dir" || $dir =~ /^(?:loop|z?ram)/;
		$n{$f[2]} = [map { $_ * 512 } @f[5, 9]];
	}

	return %n;
}


my %net = network();
my %disk = disks();

$t->run();

ok(wait_for(sub { defined $t->metric('nginx_host_load1') }, 5, 'a sample'),
   'sampled soon');

my $m = $t->metrics();
my ($total) = slurp('/proc/meminfo') =~ /^MemTotal:\s+(\d+)/m;

is($m->get('nginx_host_memory_total_bytes'), $total * 1024, 'memory');

ok(wait_for(sub {
	my ($real) = slurp('/proc/meminfo') =~ /^MemAvailable:\s+(\d+)/m;
	my $told = $t->metric('nginx_host_memory_available_bytes') / 1024;

	return abs($told - $real) < 0.1 * $total;
}, 20, 'memory available'), 'memory available');

ok(wait_for(sub {
	my ($real) = split ' ', slurp('/proc/loadavg');
	my $told = $t->metric('nginx_host_load1');

	return abs($told - $real) <= 0.1 + 0.2 * $real;
}, 30, 'load'), 'load');

# disks

for my $s ($m->samples('nginx_host_disk_size_bytes')) {
	my $path = $s->{labels}{path};
	my ($blocks, $size, $free) = split ' ',
		$t->command('stat', '-f', '-c', '%b %S %a', $path);

	is($s->{value}, $blocks * $size, "size of $path");

	my $told = $m->get('nginx_host_disk_free_bytes', path => $path);

	cmp_ok(abs($told - $free * $size), '<=', 0.05 * $blocks * $size,
	       "free on $path");

	my $parent = $path =~ s{[^/]*$}{}r || '/';

	isnt((stat $path)[0], (stat $parent)[0], "$path is a mount point")
		unless $path eq '/';
}

ok(defined $m->get('nginx_host_disk_size_bytes', path => '/'), 'the root');

my ($mount) = $t->command('stat', '-c', '%m', $t->dir()) =~ /(.*)/;

ok(defined $m->get('nginx_host_disk_size_bytes', path => $mount),
   'the file system of logs and temporary files');

# between what was read before nginx started, and what is read now

$m = $t->metrics();

for (['nginx_host_network_receive_bytes_total', 0, \%net, { network() }],
     ['nginx_host_network_transmit_bytes_total', 1, \%net, { network() }],
     ['nginx_host_disk_read_bytes_total', 0, \%disk, { disks() }],
     ['nginx_host_disk_written_bytes_total', 1, \%disk, { disks() }])
{
	my ($name, $i, $before, $after) = @$_;
	my @s = $m->samples($name);

	is(join(' ', sort map { $_->{labels}{device} } @s),
	   join(' ', (sort keys %$before)[0 .. $#s]), "$name: devices");
	is(scalar @s, keys %$before > 64 ? 64 : keys %$before,
	   "$name: all of them");

	for (@s) {
		my $device = $_->{labels}{device};

		cmp_ok($_->{value}, '>=', $before->{$device}[$i],
		       "$name of $device, no less");
		cmp_ok($_->{value}, '<=', $after->{$device}[$i],
		       "$name of $device, no more");
	}
}

# they move on

my $lo = $m->get('nginx_host_network_receive_bytes_total', device => 'lo');

ok(wait_for(sub {
	$t->get('/');

	return $t->metric('nginx_host_network_receive_bytes_total',
			  device => 'lo') > $lo + 1000;
}, 20, 'traffic'), 'traffic is seen');

# CPU: the share between two samples, which are when the value changes

my $busy = fork // die "can't fork: $!";

if ($busy == 0) {
	my $until = time + 120;
	1 while time < $until;
	POSIX::_exit(0);
}


sub next_sample {
	my $last = $t->metric('nginx_host_cpu_usage_ratio');

	wait_for(sub {
		return $t->metric('nginx_host_cpu_usage_ratio') != $last;
	}, 30, 'the next sample of CPU time');

	my @ticks = (split ' ', slurp('/proc/stat'))[1 .. 8];
	my $total = 0;

	$total += $_ for @ticks;

	return ($total, $ticks[3] + $ticks[4]);
}


my ($total1, $idle1) = next_sample();
my ($total2, $idle2) = next_sample();

my $told = $t->metric('nginx_host_cpu_usage_ratio');
my $real = 1 - ($idle2 - $idle1) / ($total2 - $total1);

kill 'KILL', $busy;
waitpid $busy, 0;

cmp_ok($told, '<=', 1, 'no more than all');
cmp_ok(abs($told - $real), '<', 0.1, "CPU: $told told, $real real");

# another worker goes on with it when the leader dies

$lo = $t->metric('nginx_host_network_receive_bytes_total', device => 'lo');
$t->kill_worker($_) for $t->workers();

ok(wait_for(sub {
	$t->get('/');

	return $t->metric('nginx_host_network_receive_bytes_total',
			  device => 'lo') > $lo;
}, 20, 'a sample after the leader died'), 'sampled by another worker');

is($t->metric('nginx_host_memory_total_bytes'), $total * 1024,
   'memory is not added up');

done_testing();
