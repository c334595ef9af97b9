#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# All limits at once, while workers are killed, nginx is reloaded, the backend
# fails and stalls, and clients leave: no slot is lost, no queue is stuck, no
# key is limited that should not be, and none is freed that should be.
#
# NGX_MON_CHAOS: so many seconds; NGX_MON_SEED: the same choices again.

use NgxMon;

use NgxMon::Client;
use NgxMon::Process qw/ slowness /;
use POSIX qw/ _exit /;
use Time::HiRes qw/ sleep time /;

my $seconds = $ENV{NGX_MON_CHAOS} || 20;
my $seed = $ENV{NGX_MON_SEED} || time() % 100000;
my $clients = 6;

srand($seed);
alarm(($seconds + 240) * slowness());
note("seed $seed");

my $t = NgxMon->new(workers => 4)->has('http_auth_request');

$t->conf(<<'EOC');
mon_zone mon 8m;

mon_limit_zone $arg_k zone=small:64k rate=50r/s burst=20;
mon_limit_zone $arg_k zone=slow:64k rate=1r/h;
mon_limit_zone $arg_k zone=plan:256k rate=100r/s burst=50;

upstream limited {
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%%;
    mon_retry;
    mon_breaker min=20 open=300ms max_open=1s;
    mon_limit rate=500r/s burst=100 per=peer;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    mon_deadline 700ms;
    proxy_connect_timeout 500ms;
    proxy_read_timeout 500ms;

    location /rate/ {
        mon_limit zone=small;
        proxy_pass http://limited;
    }
    location /delay/ {
        mon_limit zone=small delay;
        proxy_pass http://limited;
    }
    location /plan/ {
        mon_limit zone=plan rate=$arg_rate burst=$arg_burst cost=$arg_cost;
        mon_limit zone=small dry_run;
        proxy_pass http://limited;
    }
    location /queue/ {
        mon_concurrency max=4 queue=20 timeout=200ms name=queue;
        proxy_pass http://limited;
    }
    location /keyed/ {
        mon_concurrency max=2 queue=5 timeout=200ms name=keyed key=$arg_k;
        proxy_pass http://limited;
    }
    location /adaptive/ {
        mon_concurrency max=adaptive queue=20 timeout=200ms name=adaptive;
        proxy_pass http://limited;
    }
    location /all/ {
        mon_limit zone=plan;
        mon_limit zone=small delay;
        mon_concurrency max=6 queue=10 timeout=300ms name=all;
        mon_concurrency max=4 queue=20 timeout=200ms name=queue;
        proxy_pass http://limited;
        error_page 429 503 = @fallback;
    }
    location /auth/ {
        auth_request /queue/auth;
        mon_concurrency max=6 queue=10 timeout=300ms name=all;
        proxy_pass http://limited;
    }
    location /slots/ {
        mon_concurrency max=4 queue=20 timeout=200ms name=queue;
        proxy_pass http://127.0.0.1:%%PORT_8083%%;
    }
    location /locked { mon_limit zone=slow; empty_gif; }
    location @fallback { return 200 "fallback\n"; }

    location = /metrics { mon_metrics; mon_deadline 0; }
    location /mon/ { mon_status write; mon_deadline 0; }
}
EOC

my @backends = map { $t->backend($_) } 8081, 8082;
my $well = $t->backend(8083);

my @modes = ('', '', '', '/status/500', '/delay/0.1', '/reset', '/garbage',
	'/slow/0.02', '/half', '/delay/2');

$t->run();
$t->expect(qr/exited on signal 9/);
$t->expect(qr/shared memory zone "\w+" was locked by/);


# Clients

my @uris = map { "/$_/" } qw/ rate delay plan queue queue keyed adaptive
	all auth /;
my @keys = ('1' .. '9', ('') x 2, 'x' x 33, 'y' x 2000);
my @plans = ('', '&rate=10r/s&burst=5', '&rate=7r/m', '&rate=1000r/s',
	'&rate=x&burst=y&cost=z', '&cost=3', '&burst=99999999999');

sub request_once {
	my ($t, $count) = @_;

	my $c = eval { NgxMon::Client->new(port => $t->port(), timeout => 15) };

	return $count->{refused}++ unless $c;

	my $uri = $uris[rand @uris] . int(rand 1000);
	my $args = 'k=' . (rand() < 0.2 ? rand() : $keys[rand @keys])
		. $plans[rand @plans];
	my $n = rand() < 0.1 ? 5 : 1;
	my $begin = time();

	$c->send("GET $uri?$args HTTP/1.1\r\nHost: a\r\n\r\n" x $n);

	if (rand() < 0.15) {
		sleep rand 0.2;
		rand() < 0.5 ? $c->reset() : $c->close();
		$count->{left}++;
		return;
	}

	for (1 .. $n) {
		my $r = $c->response();

		$count->{$r->{error} eq 'timeout' ? 'stuck'
			 : $r->{status} || 'cut'}++;
		$t->write_file("stuck.$$." . rand(), "$begin $n $_ $uri?$args\n")
			if $r->{error} eq 'timeout';
		last if $r->{error};
	}

	$c->close();
}

sub client {
	my ($t, $n) = @_;

	my %count;
	my $end = time() + $seconds;

	srand($seed + $n);
	request_once($t, \%count) while time() < $end;

	$t->write_file("client.$n", join '', map { "$_ $count{$_}\n" }
		       sort keys %count);
}

is($t->get('/locked?k=1')->{status}, 200, 'a key with one request an hour');

my @pids = map {
	my $n = $_;
	my $pid = fork // die "can't fork: $!";

	if ($pid == 0) {
		eval { client($t, $n) };
		_exit($@ ? 1 : 0);
	}

	$pid;
} 1 .. $clients;

my $end = time() + $seconds;
my ($kills, $reloads, $locked) = (0, 0, 0);

while (time() < $end) {
	my $what = rand();

	$_->mode($modes[rand @modes]) for @backends;

	if ($what < 0.4) {
		$t->kill_worker();
		$kills++;

	} elsif ($what < 0.5) {
		$t->reload();
		$reloads++;
	}

	my $r = eval { $t->get('/locked?k=1') };

	$locked++ if $r && $r->{status} == 200;
	sleep 0.2;
}

$_->mode('') for @backends;
waitpid $_, 0 for @pids;
note("$kills kills, $reloads reloads");

my %sum;

for (1 .. $clients) {
	my %count = $t->read_file("client.$_") =~ /^(\w+) (\d+)$/mg;

	ok(%count, "client $_ ended");
	$sum{$_} += $count{$_} for keys %count;
}

note(join ', ', map { "$_ $sum{$_}" } sort keys %sum);
is($sum{stuck} // 0, 0, 'no request was stuck')
	or diag(map { substr $t->read_file(m{([^/]+)$}), 0, 300 }
		glob $t->dir() . '/stuck.*');
cmp_ok($sum{200}, '>', 0, 'many passed');
cmp_ok(($sum{429} // 0) + ($sum{503} // 0), '>', 0, 'many were refused');
is($locked, 0, 'a key that is used up was never free');

# in the end nothing is left

for my $name (qw/ queue all keyed adaptive /) {
	$t->wait_metric(0, "nginx_http_concurrency_$_", name => $name)
		for qw/ in_flight queued /;
}

for my $location ('/rate/', '/delay/', '/queue/', '/all/') {
	$t->wait_metric(0, 'nginx_http_requests_in_flight',
			location => $location);
}

# and all slots can be had, whatever was killed, once peers and breaker are back

wait_for(sub { $t->get('/rate/1?k=new')->{status} == 200 }, 40, 'a rate');

my @c = map { $t->client() } 1 .. 4;

$_->send_request('GET', '/slots/wait/word', close => 1) for @c;
wait_for(sub { (() = $well->requests()) == 4 }, 10, 'all slots');
is($t->get('/slots/')->{status}, 503, 'and no more');
$well->tell('word');
is($_->response()->{status}, 200, 'a slot') for @c;

done_testing();
