#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Checks in flight hold nobody up: nginx quits, stops and reloads as without
# them, and leaves no connection behind.  A peer that a reload takes away is
# checked no more.

use NgxMon;
use Time::HiRes qw/ time /;

my $hold = sub { NgxMon::Peer::hold(@_) };

my $http = <<'EOC';
mon_zone mon 4m;

upstream silent {
    server 127.0.0.1:%%PORT_8081%%;
    server unix:%%TESTDIR%%/silent.sock;
    %%SECOND%%
    mon_check interval=100ms timeout=60s;
}

upstream hole {
    server 127.0.0.1:%%PORT_8082%%;
    mon_check type=tcp interval=100ms timeout=60s;
}

upstream tls {
    server 127.0.0.1:%%PORT_8081%%;
    mon_check type=tls interval=100ms timeout=60s;
}

upstream grpc {
    server 127.0.0.1:%%PORT_8081%%;
    mon_check type=grpc interval=100ms timeout=60s;
}

%%MORE%%

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { return 200; }
    location /keep { proxy_pass http://127.0.0.1:%%PORT_8084%%; }
    location = /metrics { mon_metrics; }
}
EOC

my $more = <<'EOC';
upstream other {
    server 127.0.0.1:%%PORT_8083%%;
    mon_check interval=100ms timeout=60s;
}
EOC

sub conf {
	my ($t, $second, $more) = @_;

	my $text = $http;

	$text =~ s/%%SECOND%%/$second/;
	$text =~ s/%%MORE%%/$more/;

	return $t->conf($text);
}

for my $workers (1, 4) {
	my $t = NgxMon->new(workers => $workers)->has('http_ssl');

	conf($t, 'server 127.0.0.1:%%PORT_8083%%;', $more);

	my $silent = $t->peer(8081, $hold);
	my $local = $t->peer(undef, $hold, path => $t->dir()
			     . '/silent.sock');
	my $second = $t->peer(8083, $hold);
	my $backend = $t->backend(8084);

	$t->blackhole(8082);
	$t->run();

	sub in_flight {
		my ($n, $peer) = @_;

		return ok(wait_for(sub { $peer->connections() >= $n }, 15,
				   "$n checks"), "$n checks in flight");
	}

	in_flight(3, $silent);
	in_flight(1, $local);
	in_flight(2, $second);

	# a request in flight keeps the old worker, its checks end

	my $client = $t->client();

	$client->send_request('GET', '/keep/wait/word');
	wait_for(sub { scalar(() = $backend->requests()) }, 10, 'a request');

	conf($t, '', '');
	$t->reload();
	in_flight(6, $silent);
	is(scalar $second->connections(), 2,
	   'no check of those that are gone');

	my ($old) = $t->workers(undef, shutting => 1);

	ok($old, 'an old worker works on');
	is(open_checks($t, $old), 0, 'it has no checks open');

	$backend->tell('word');
	is($client->response()->{status}, 200, 'answered by the old worker');
	wait_for(sub { !$t->workers(undef, shutting => 1) }, 10, 'its end');

	# graceful; the harness fails it on any alert

	my $begun = time();

	$t->quit($t->pid());
	cmp_ok(time() - $begun, '<', 5, 'quits at once');

	# fast

	$t->run();
	in_flight(9, $silent);

	$begun = time();

	my ($pid) = splice @{ $t->{masters} };

	is(NgxMon::Process::end_process($pid, 5, 'TERM'), 'TERM', 'stops');
	cmp_ok(time() - $begun, '<', 5, 'at once');
}

# how many connections of the process go to ports that checks use

sub open_checks {
	my ($t, $pid) = @_;

	my %sockets = map { /^socket:\[(\d+)\]/ ? ($1, 1) : () }
		values %{ { NgxMon::Process::descriptors($pid) } };
	my %ports = map { (sprintf('%04X', $t->port($_)), 1) }
		8081, 8082, 8083;

	open my $fh, '<', '/proc/net/tcp' or return;

	return scalar grep {
		my @f = split ' ';
		my ($port) = $f[2] =~ /:(\w+)$/;

		$port && $ports{$port} && $sockets{$f[9]}
	} <$fh>;
}

done_testing();
