#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# While a circuit is half-open no more attempts are made than probes= says,
# of all workers together; a worker that is killed gives back what it held.

use NgxMon;
use IO::Select;
use POSIX ();
use Time::HiRes qw/ time /;

my $t = NgxMon->new(workers => 4);

$t->conf(<<'EOC');
mon_zone mon 8m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=10 open=300ms max_open=300ms probes=3;
}

server {
    listen 127.0.0.1:%%PORT_8080%% reuseport;

    location / { proxy_pass http://backend; }
    location = /metrics { mon_metrics; }
}
EOC

my $b = $t->backend(8081);

$t->run();

sub transitions {
	my ($to) = @_;

	return $t->metric('nginx_upstream_breaker_transitions_total', to => $to);
}

# fails at many clients at once: one opening

my @clients = map { $t->client() } 1 .. 40;

$_->send_request('GET', '/wait/fail/status/503') for @clients;
wait_for(sub { ($b->requests() // 0) == 40 });
$b->tell('fail');
is($_->response()->{status}, 503, 'failed') for @clients;
$_->close() for splice @clients;

is(transitions('open'), 1, 'opened once');

my @lines = $t->log_lines('breaker');

is(scalar @lines, 1, 'one line');
like($lines[0], qr/opened: 1\d failures in a row/, 'of the failures so far');

# those that come when it is due

sub storm {
	my ($n, $uri) = @_;

	my @c = map { $t->client() } 1 .. $n;

	$_->send_request('GET', $uri, close => 1) for @c;

	return @c;
}

sub waiting { return grep { !IO::Select->new($_->socket())->can_read(0) } @_ }

# all but three are refused at once

sub trial {
	my ($uri) = @_;

	my $before = $b->requests();
	my @held;

	wait_for(sub {
		@held = (waiting(@held), storm(8, $uri));
		$b->requests() >= $before + 3
	});

	push @held, storm(16, $uri);
	wait_for(sub { @held = waiting(@held); @held <= 3 });

	is(scalar @held, 3, "$uri: three are let through");
	is($b->requests(), $before + 3, "$uri: three attempts");

	return @held;
}

@clients = trial('/wait/good');

is($t->metric('nginx_upstream_breaker_state', state => 'half_open'), 1,
   'half-open');

# a client that leaves makes room for another one

(shift @clients)->close();
wait_for(sub {
	push @clients, storm(2, '/wait/good');
	$b->requests() >= 44
});
wait_for(sub { (@clients = waiting(@clients)) <= 3 });
is($b->requests(), 44, 'one more');

$b->tell('good');
is($_->response()->{status}, 200, 'good') for @clients;

wait_for(sub { transitions('closed') == 1 });
is($t->get('/')->{status}, 200, 'closed');

is(transitions('half_open'), 1, 'half-open once');

# all is down for a while: never more attempts than permits

$b->mode('/status/503');
$t->get('/') for 1 .. 10;

my ($periods, $before) = (transitions('half_open'), scalar $b->requests());

my @children;

for (1 .. 6) {
	my $pid = fork // die "can't fork: $!";

	if ($pid == 0) {
		my $end = time() + 1.5;
		$t->get('/') while time() < $end;
		POSIX::_exit(0);
	}

	push @children, $pid;
}

waitpid $_, 0 for @children;

$periods = transitions('half_open') - $periods;

cmp_ok($periods, '>=', 2, "$periods periods");
cmp_ok($b->requests() - $before, '<=', 3 * $periods,
       'attempts are bounded');
is(transitions('open'), 2 + $periods, 'opened after each');

# workers that hold the permits are killed

$b->mode('/wait/late');
@clients = trial('/');

$t->expect(qr/exited on signal/);

for my $pid ($t->workers()) {
	kill 'KILL', $pid;
}

wait_for(sub { !waiting(@clients) });
wait_for(sub { $t->workers() == 4 });

$before = $b->requests();

@clients = ();

wait_for(sub {
	@clients = (waiting(@clients), storm(4, '/'));
	$b->requests() >= $before + 3
});
wait_for(sub { (@clients = waiting(@clients)) <= 3 });

is($b->requests(), $before + 3, 'three permits again');

$b->tell('late');
is($_->response()->{status}, 200, 'good') for @clients;
wait_for(sub { transitions('closed') == 2 });
is($t->get('/')->{status}, 200, 'closed');

done_testing();
