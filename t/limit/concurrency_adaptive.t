#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_concurrency max=adaptive: a backend that serves so many requests at a time
# and lets others wait is found out; the limit grows when it serves more, and a
# reload keeps it.

use NgxMon;
use NgxMon::Peer;

use IO::Select;
use Time::HiRes qw/ time sleep /;

plan(skip_all => 'it is about time') if $ENV{VALGRIND};

my $t = NgxMon->new();

$t->conf(<<'EOC', workers => 2);
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    keepalive 200;
}

server {
    listen 127.0.0.1:%%PORT_8080%% reuseport;

    location = /metrics { mon_metrics; }
    location / {
        mon_concurrency max=adaptive queue=500 timeout=60s name=found;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://backend;
    }
}
EOC

# one process with slots: a request takes 20 ms of one of them

my $slots = 20;

sub serve {
	my ($listen) = @_;
	my $select = IO::Select->new($listen);
	my (@waiting, @busy);

	while (1) {
		my $now = time();
		my $due = @busy ? $busy[0][0] - $now : 1;

		for my $fh ($select->can_read($due > 0 ? $due : 0)) {
			if ($fh == $listen) {
				$select->add(scalar $listen->accept());
			} elsif (sysread $fh, my $buf, 65536) {
				push @waiting, $fh;
			} else {
				$select->remove($fh);
				close $fh;
			}
		}

		$now = time();

		while (@busy && $busy[0][0] <= $now) {
			my $fh = (shift @busy)->[1];

			syswrite $fh, "HTTP/1.1 200 OK\r\n"
				. "Content-Length: 2\r\n\r\nok"
				if defined fileno $fh;
		}

		push @busy, [$now + 0.02, shift @waiting]
			while @waiting && @busy < $slots;
	}
}

my $listen = IO::Socket::INET->new(Proto => 'tcp', Listen => 1024,
	LocalAddr => '127.0.0.1', LocalPort => $t->port(8081),
	ReuseAddr => 1) or die "can't listen: $!";
my $pid = fork // die;

if ($pid == 0) {
	$SIG{PIPE} = 'IGNORE';
	serve($listen);
}

close $listen;
$t->run();

is($t->metric('nginx_http_concurrency_limit'), 20, 'to begin with');

# 200 clients

my $busy = IO::Select->new();
my @clients = map { $t->client() } 1 .. 200;

for (@clients) {
	$_->send_request('GET', '/');
	$busy->add($_->socket());
}

my $answers = 0;

sub load {
	my ($until, $seconds) = @_;
	my $end = time() + $seconds;
	my $next = time() + 0.5;

	while (time() < $end) {
		for my $fh ($busy->can_read(0.1)) {
			sysread $fh, my $buf, 65536 or next;
			$answers++ if $buf =~ / 200 /;
			syswrite $fh, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
				if $buf =~ /\r\n\r\n/;
		}

		next if time() < $next;

		$next = time() + 0.5;
		return 1 if $until->($t->metrics());
	}

	return 0;
}

ok(load(sub {
	my ($m) = @_;
	my $rtt = $m->get('nginx_http_concurrency_min_rtt_seconds') // 0;

	return $rtt > 0.015 && $rtt < 0.2;
}, 30), 'it learns how long a request takes');

ok(load(sub {
	my $limit = $_[0]->get('nginx_http_concurrency_limit');

	return $limit >= 10 && $limit < 100
		&& $_[0]->get('nginx_http_concurrency_in_flight') <= 100
		&& $_[0]->get('nginx_http_concurrency_queued') >= 100;
}, 30), 'those that would wait at the backend wait here');

my $m = $t->metrics();

cmp_ok($m->get('nginx_http_concurrency_gradient_ratio'), '>=', 0.5,
       'the gradient');
cmp_ok($m->get('nginx_http_concurrency_gradient_ratio'), '<=', 1,
       'in its bounds');

# a reload keeps what was learned

$t->reload();

ok(load(sub {
	my $rtt = $_[0]->get('nginx_http_concurrency_min_rtt_seconds') // 0;

	return $rtt > 0.01;
}, 5), 'kept over a reload');

cmp_ok($answers, '>', 500, 'requests');

$_->close() for @clients;
ok($t->wait_metric(0, 'nginx_http_concurrency_queued'), 'nobody waits');
ok($t->wait_metric(0, 'nginx_http_concurrency_in_flight'), 'none in flight');

kill 'KILL', $pid;
waitpid $pid, 0;

done_testing();
