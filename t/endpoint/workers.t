#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The check "workers": degraded as long as one is missing.

use NgxMon;

use JSON::PP qw/ decode_json /;
use POSIX ();

my $t = NgxMon->new(workers => 2);

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /health { mon_health; }
    location = /ready { mon_health ready; }
}
EOC

$t->run();

sub check {
	my $r = $t->get('/health');

	return (decode_json($r->{body})->{checks}{workers}, $r->{status});
}

ok(wait_for(sub { (check())[0]{message} =~ /^2 serving/ }, 5, 'two'), 'two');
is((check())[0]{status}, 'healthy', 'healthy');

# a worker that nobody replaces: its master is gone.  Who is left is ours then,
# to be reaped

my %prctl = (x86_64 => 157, aarch64 => 167);
my $prctl = $prctl{(POSIX::uname())[4]};

SKIP: {
	skip('prctl', 5) unless $prctl;

	# PR_SET_CHILD_SUBREAPER

	syscall $prctl, 36, 1, 0, 0, 0;

	my $master = $t->pid();
	my ($killed, $left) = $t->workers();

	kill 'KILL', $master;
	waitpid $master, 0;
	kill 'KILL', $killed;
	waitpid $killed, 0;

	ok(wait_for(sub { (check())[0]{status} eq 'degraded' }, 5, 'degraded'),
	   'degraded');

	my ($check, $status) = check();

	like($check->{message}, qr/^1 serving/, 'one is left');
	is($status, 200, 'degraded is no failure');
	is($t->get('/ready')->{status}, 200, 'still ready');

	kill 'QUIT', $left;
	is(waitpid($left, 0), $left, 'the end');

	$t->{masters} = [];
}

done_testing();
