#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The checks of connections, disk and memory.

use NgxMon;

use JSON::PP qw/ decode_json /;

my $t = NgxMon->new(workers => 1);
my $dir = $t->dir();

# a small file system of our own, where that may be mounted

mkdir "$dir/small";
$t->command('mount', '-t', 'tmpfs', '-o', 'size=8m', 'none', "$dir/small");

my $mounted = ($? == 0);

END { system('umount', '-l', "$dir/small") if $mounted; }

$t->conf(<<'EOC');
mon_zone mon 4m;

proxy_cache_path small/cache keys_zone=small:64k;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location = /health { mon_health; }
    location / { return 200 "some text\n"; }
}

server {
    listen 127.0.0.1:%%PORT_8081%%;

    # a connection that nginx does not close for another one's sake
    location / { return 200 "some text\n"; }
}
EOC

my $conf = $t->read_file('nginx.conf');
$conf =~ s/worker_connections \d+/worker_connections 40/;
$t->write_file('nginx.conf', $conf);

$t->run();


sub health {
	my $r = $t->get('/health');

	return (decode_json($r->{body})->{checks}, $r->{status});
}


my ($checks, $status);

ok(wait_for(sub {
	($checks, $status) = health();

	return length $checks->{memory}{message}
		&& length $checks->{disk}{message};
}, 10, 'samples'), 'sampled');

like($checks->{memory}{message}, qr/^\d+% of the memory of the \w+/,
     'memory');
like($checks->{disk}{message}, qr{^\d+% free on /}, 'disk');
like($checks->{connections}{message},
     qr/^\d+ of 40 connections left in worker 0$/, 'connections');
is($checks->{connections}{status}, 'healthy', 'connections healthy');

# connections that are idle give way, those that are busy don't

my ($left) = $checks->{connections}{message} =~ /^(\d+)/;

$t->client()->get('/') for 1 .. 10;
($checks) = health();
like($checks->{connections}{message}, qr/^$left of/,
     'idle connections are not counted');

my @busy = map {
	my $c = $t->client(port => 8081);
	$c->send("GET / HTTP/1.1\r\nHost: a\r\n");
	$c;
} 1 .. $left - 3;

ok(wait_for(sub {
	($checks, $status) = health();

	return $checks->{connections}{status} eq 'degraded';
}, 10, 'degraded'), 'few connections left');
is($status, 200, 'degraded is no failure');

$_->close() for @busy;

ok(wait_for(sub {
	($checks) = health();

	return $checks->{connections}{status} eq 'healthy';
}, 10, 'healthy'), 'connections are left again');

SKIP: {
	skip('mounting is not allowed', 5) unless $mounted;

	is($t->metric('nginx_host_disk_size_bytes', path => "$dir/small"),
	   8 * 1024 * 1024, 'a file system of a cache');

	$t->write_file('small/a', 'x' x (7.5 * 1024 * 1024));

	ok(wait_for(sub {
		($checks, $status) = health();

		return $checks->{disk}{status} eq 'degraded';
	}, 20, 'degraded'), 'little space');
	like($checks->{disk}{message}, qr{^6% free on \Q$dir\E/small$},
	     'the message says where');

	$t->write_file('small/b', 'x' x (0.4 * 1024 * 1024));

	ok(wait_for(sub {
		($checks, $status) = health();

		return $checks->{disk}{status} eq 'unhealthy';
	}, 20, 'unhealthy'), 'no space');
	is($status, 503, 'unhealthy');

	unlink "$dir/small/a";

	ok(wait_for(sub {
		($checks, $status) = health();

		return $checks->{disk}{status} ne 'unhealthy';
	}, 20, 'healthy'), 'space again');

	$t->stop();
	$t->command('umount', "$dir/small");
	$mounted = ($? != 0);
}

done_testing();
