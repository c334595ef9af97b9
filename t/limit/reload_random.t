#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Reloads that change everything about limits, at random and under load: their
# numbers, names, keys and places; workers are stopped for a while, and killed.
# In the end nothing is held, nobody waits, and all places are to be had.
#
# NGX_MON_CHAOS: so many seconds; NGX_MON_SEED: the same choices again.

use NgxMon;

use NgxMon::Client;
use NgxMon::Process qw/ slowness /;
use POSIX qw/ _exit /;
use Time::HiRes qw/ sleep time /;

my $seconds = $ENV{NGX_MON_CHAOS} || 12;
my $seed = $ENV{NGX_MON_SEED} || time() % 100000;

srand($seed);
alarm(($seconds + 240) * slowness());
note("seed $seed");

my $t = NgxMon->new(workers => 3)->has('http_v2', 'http_auth_request');
my @names = qw/ a b c d /;

sub pick { return $_[rand @_] }

# a limiter has the same parameters wherever it stands

sub limiters {
	my %l;

	for (@names) {
		$l{$_} = "mon_concurrency name=$_ max="
			. pick(1, 2, 3, 10, 'adaptive', 40000)
			. pick('', ' queue=1 timeout=1ms',
			       ' queue=5 timeout=100ms',
			       ' queue=50 timeout=1s') . ";\n";
		$l{"k$_"} = "mon_concurrency name=k$_ key=\$arg_k size="
			. pick('32k', '64k') . ' max=' . pick(1, 2, 5)
			. pick('', ' queue=5 timeout=50ms') . ";\n";
	}

	return %l;
}

sub location {
	my ($n, %l) = @_;
	my @rates = map { "mon_limit zone=z$_ " . pick('', qw/ delay dry_run
		cost=2 full=refuse rate=$arg_r /) . ";\n" } 1 .. 3;
	my $what = pick('', '', 'if ($arg_k = 1) { set $x 1; }',
			'proxy_intercept_errors on; error_page 404 429 503 = /l'
			. int(rand 8) . '/;', 'try_files /no @other;',
			'mirror /l3/;', 'auth_request /l4/;');

	return "location /l$n/ {\n"
		. join('', grep { rand() < 0.3 } values %l, @rates)
		. "$what\nproxy_pass http://up;\n}\n";
}

sub conf {
	my ($last) = @_;
	my %l = $last ? map { $_ => "mon_concurrency name=$_ max=2;\n" } @names
		      : limiters();
	my $locations = join '', map {
		$last ? "location /l$_/ {\n$l{$names[$_]}proxy_pass http://up;\n}\n"
		      : location($_, %l)
	} 0 .. ($last ? $#names : 7);
	my $zones = join '', map { "mon_limit_zone \$arg_k zone=z$_:"
		. pick('32k', '64k') . ' rate=' . pick(qw{ 10r/s 100r/s 1000r/s })
		. ' burst=' . pick(0, 5, 20) . ";\n" } 1 .. 3;
	my $upstream = join "\n", pick('', 'zone up 64k;'),
		'server 127.0.0.1:%%PORT_8081%% max_fails=0;',
		'server 127.0.0.1:%%PORT_8082%% max_fails=0;',
		pick('', 'keepalive 4;'), $last ? '' : (
			pick('', 'mon_limit rate=50r/s burst=20;',
			     'mon_limit rate=1000r/s burst=20 per=peer;',
			     'mon_limit rate=1r/s status=429;'),
			pick('', 'mon_breaker;', 'mon_retry;'));
	my $deadline = $last ? '' : pick('', 'mon_deadline 200ms;');

	$t->conf(<<"EOC", main => pick('', 'worker_shutdown_timeout 300ms;'));
mon_zone mon 4m;
$zones
upstream up {
$upstream
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    listen 127.0.0.1:%%PORT_8083%% http2;

    # for auth_request
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";

    $deadline
    location = /metrics { mon_metrics; mon_deadline 0; }
    location \@other { $l{a} proxy_pass http://up; }
    $locations
}
EOC
}

conf();

$t->backend($_) for 8081, 8082;
$t->run();
$t->expect(qr/exited on signal 9/);
$t->expect(qr/shared memory zone "\w+" was locked by/);


# Clients

sub frame {
	my ($type, $flags, $stream, $payload) = @_;

	return substr(pack('N', length $payload), 1)
		. pack('CCN', $type, $flags, $stream) . $payload;
}

sub streams {
	my ($c, $uri) = @_;
	my @streams = map { 2 * $_ + 1 } 0 .. rand 20;
	my $reset = sub { frame(3, 0, $_[0], pack 'N', 8) };

	# GET http://localhost/..., with a path of up to 126 bytes

	my $head = "\x82\x86\x41\x09localhost\x44" . chr(length $uri) . $uri;

	$c->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '')
		 . join '', map { frame(1, 5, $_, $head)
				  . (rand() < 0.3 ? $reset->($_) : '') } @streams);
	sleep rand 0.1;
	$c->send(join '', map { $reset->($_) } grep { rand() < 0.3 } @streams);
	sleep rand 0.05;
}

sub request_once {
	my ($count) = @_;
	my $h2 = rand() < 0.3;
	my $c = NgxMon::Client->new(port => $t->port($h2 ? 8083 : 8080),
				    timeout => 15);
	my $uri = '/l' . int(rand 8) . '/'
		. pick('', qw{ delay/0.02 status/404 status/500 bytes/30000
			       close slow/0.01 })
		. '?k=' . pick(1 .. 9, '', rand(), 'x' x 60)
		. pick('', '&r=15r/s', '&r=x');
	my $method = pick(qw/ GET GET POST HEAD /);
	my @body = $method eq 'POST'
		? (body => 'x' x pick(0, 10, 20000, 200000)) : ();
	my $n = rand() < 0.2 ? 5 : 1;

	if ($h2) {
		streams($c, $uri);

	} else {
		$c->send_request($method, $uri, @body) for 1 .. $n;
	}

	if ($h2 || rand() < 0.2) {
		sleep rand 0.1;
		$count->{left}++;
		return rand() < 0.5 ? $c->reset() : $c->close();
	}

	for (1 .. $n) {
		my $r = $c->response(head => $method eq 'HEAD');

		$count->{$r->{error} eq 'timeout' ? 'stuck'
			 : $r->{status} || 'cut'}++;
		last if $r->{error};
	}

	$c->close();
}

sub client {
	my ($n) = @_;
	my $pid = fork // die "can't fork: $!";

	return $pid if $pid;

	my %count;
	my $end = time() + $seconds;

	srand($seed + $n);

	while (time() < $end) {
		eval { request_once(\%count) };
	}

	$t->write_file("client.$n", join '', map { "$_ $count{$_}\n" }
		       sort keys %count);
	_exit(0);
}

my @pids = map { client($_) } 1 .. 5;
my $end = time() + $seconds;
my $reloads = 0;

while (time() < $end) {
	conf();
	$t->reload();
	$reloads++;

	$t->kill_worker() if rand() < 0.2;

	if (rand() < 0.25) {
		my $worker = pick($t->workers());

		kill 'STOP', $worker;
		sleep pick(0.05, 0.3, 1.5);
		kill 'CONT', $worker;
	}

	sleep rand 0.3;
}

waitpid $_, 0 for @pids;

my %sum;

for (1 .. @pids) {
	my %count = $t->read_file("client.$_") =~ /^(\w+) (\d+)$/mg;

	$sum{$_} += $count{$_} for keys %count;
}

note("$reloads reloads; ", join ', ', map { "$_ $sum{$_}" } sort keys %sum);
is($sum{stuck} // 0, 0, 'no request was stuck');
cmp_ok($sum{200}, '>', 0, 'many passed');

# nothing is left

conf(1);
$t->reload();
wait_for(sub { !$t->workers(undef, shutting => 1) }, 60, 'old workers');

for my $n (0 .. $#names) {
	$t->wait_metric(0, "nginx_http_concurrency_$_", name => $names[$n])
		for qw/ in_flight queued /;

	my @c = map { $t->client() } 1 .. 2;

	$_->send_request('GET', "/l$n/delay/0.1") for @c;
	is($_->response()->{status}, 200, "a place of $names[$n]") for @c;
}

done_testing();
