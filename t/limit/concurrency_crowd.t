#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# 1000 clients wait; half of them leave, a worker is killed, and the others are
# reloaded: no place is lost, and those who are left are let through in the
# order in which they came, within 10 %.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC', workers => 4);
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%% reuseport;

    location = /metrics { mon_metrics; }
    location / {
        mon_concurrency max=4 queue=2000 timeout=600s;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

my $backend = $t->backend(8081);

$t->run();

sub gauge {
	my ($name, $n) = @_;

	return wait_for(sub {
		$t->metric("nginx_http_concurrency_$name") == $n
	}, 30, "$n $name");
}

my @held = map { $t->client() } 1 .. 4;

$_->send_request('GET', '/wait/held') for @held;
ok(gauge('in_flight', 4), 'in flight');

my @clients = map { $t->client(timeout => 60) } 0 .. 999;

# workers that run at different times see those of a moment in any order

for my $n (map { $_ * 20 } 0 .. 49) {
	$clients[$_]->send_request('GET', "/wait/go/$_") for $n .. $n + 19;
	gauge('queued', $n + 20) or last;
}

is($t->metric('nginx_http_concurrency_queued'), 1000, '1000 wait');

# half of them leave

my %left = map { ($_, 1) } grep { $_ % 2 } 0 .. 999;

$clients[$_]->reset() for grep { !$left{$_} } 0 .. 999;
ok(gauge('queued', 500), '500 have left');

# a worker is killed: its clients are told by their connections

$t->kill_worker(($t->workers())[1]);

ok(wait_for(sub {
	my $m = $t->metrics();

	$m->get('nginx_http_concurrency_queued') < 500
		&& $m->get('nginx_http_concurrency_in_flight') <= 4
}, 20, 'recovery'), 'those who waited in a worker that is killed are gone');

# a reload: the old workers go on, and the new ones know the queue

$t->reload();

$clients[1000 + $_] = $t->client(timeout => 60) for 0 .. 99;
$left{$_} = 1 for 1000 .. 1099;

my $queued = 0;

sub stable {
	my $last = $queued;

	$queued = $t->metric('nginx_http_concurrency_queued');
	select undef, undef, undef, 0.2;

	return $queued > 100 && $queued == $last;
}

ok(wait_for(\&stable, 20, 'a stable queue'), 'those who are left');

for my $n (map { 1000 + $_ * 20 } 0 .. 4) {
	$clients[$_]->send_request('GET', "/wait/go/$_") for $n .. $n + 19;
	gauge('queued', $queued + 20) or last;
	$queued += 20;
}

is($t->metric('nginx_http_concurrency_in_flight'), 4, 'four in flight');

$backend->tell($_) for 'held', 'go';

my (%status, @answered);

for my $i (sort { $a <=> $b } keys %left) {
	my $status = $clients[$i]->response()->{status};

	$status{$status}++;
	push @answered, $i if $status == 200;
}

is(join(' ', sort keys %status), '0 200', 'answers, and connections killed');
is(scalar(grep { $_ >= 1000 } @answered), 100, 'all of the last hundred');
cmp_ok(scalar @answered, '>=', $queued, 'all that have waited');

ok(gauge('queued', 0), 'nobody waits');
ok(gauge('in_flight', 0), 'none in flight');

# the order at the backend

my %answered = map { ($_, 1) } @answered;
my @order = grep { $answered{$_} }
	map { $_->{uri} =~ m{^/wait/go/(\d+)$} } $backend->requests();
my $farthest = 0;

for my $i (0 .. $#order) {
	my ($due) = grep { $answered[$_] == $order[$i] } 0 .. $#answered;
	my $off = abs($due - $i);

	$farthest = $off if $off > $farthest;
}

is(scalar @order, scalar @answered, 'each came to the backend once');
cmp_ok($farthest, '<=', @order / 10, 'in the order of their coming');

# no place is lost, nor one too many

@clients = map { $t->client() } 1 .. 6;

$_->send_request('GET', '/wait/again') for @clients;
ok(gauge('queued', 2), 'two wait again');
is($t->metric('nginx_http_concurrency_in_flight'), 4, 'four in flight');
$backend->tell('again');
is($_->response()->{status}, 200, 'answered') for @clients;

my $aborted = $t->metric('nginx_http_limited_requests_total',
			 outcome => 'aborted');

is($aborted, 500, 'those that left are counted');

done_testing();
