#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# All that protects upstreams, for a minute: peers die, fail, stall and come
# back, nginx is reloaded, workers are killed, and clients send all kinds of
# requests and leave when they like.  Then the peers are well, and so has to be
# all that was remembered of them: nothing in flight, no peer that a balancer
# takes for busy, every peer up, every circuit closed.  No counter stepped back,
# and every request that was answered was counted.
#
# NGX_MON_CHAOS: so many seconds; NGX_MON_SEED: the same choices again.

use NgxMon;

use NgxMon::Client;
use NgxMon::Process qw/ slowness /;
use POSIX qw/ _exit /;
use Time::HiRes qw/ sleep time /;

my $seconds = $ENV{NGX_MON_CHAOS} || (slowness() > 1 ? 24 : 60);
my $seed = $ENV{NGX_MON_SEED} || time() % 100000;
my $clients = 6;
my @ports = 8081 .. 8084;
my @names = qw/ shared single circuit /;

srand($seed);
alarm(($seconds + 240) * slowness());

my $t = NgxMon->new(workers => 4)->has('http_auth_request', 'http_v2');

my $servers = join "\n", map {
	"server 127.0.0.1:%%PORT_$_%% max_fails=0;"
} @ports;
my $guard = <<'EOC';
mon_outlier eject=300ms max_eject=2s
            on=error,timeout,invalid_header,http_500,http_502;
mon_check interval=400ms timeout=300ms fall=2 rise=2 uri=/check;
mon_slow_start 500ms;
mon_retry non_idempotent
          on=error,timeout,invalid_header,http_500,http_502;
EOC

$t->conf(<<"EOC");
mon_zone mon 8m;

upstream shared {
    zone shared 256k;
    least_conn;
    $servers
    keepalive 8;
    $guard
    mon_breaker min=10 window=2s open=500ms max_open=1s probes=3;
}

upstream single {
    least_conn;
    $servers
    $guard
}

upstream circuit {
    zone circuit 256k;
    random two least_conn;
    $servers
    mon_outlier eject=300ms max_eject=2s;
    mon_breaker consecutive=5 open=300ms max_open=1s probes=2;
}

proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    listen 127.0.0.1:%%PORT_8090%% http2;

    mon_deadline 800ms;

    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_connect_timeout 500ms;
    proxy_read_timeout 500ms;
    proxy_send_timeout 500ms;
    client_body_buffer_size 1k;

    add_header X-Pid \$pid always;
    error_page 503 = \@fallback;

    location /shared/ { proxy_pass http://shared; }
    location /single/ { proxy_pass http://single; }
    location /circuit/ { proxy_pass http://circuit; }

    location /failover/ {
        proxy_pass http://circuit;
        mon_retry attempts=1 on=error,timeout,http_500;
    }

    location /direct/ {
        proxy_pass http://circuit;
        mon_breaker name=direct consecutive=3 open=300ms max_open=1s;
    }

    location /cached/ {
        proxy_pass http://shared;
        proxy_cache cache;
        proxy_cache_key \$uri;
        proxy_cache_valid 200 1s;
        proxy_cache_use_stale error timeout updating http_500 http_503;
        proxy_cache_background_update on;
        proxy_cache_lock on;
    }

    location /mirrored/ {
        mirror /single/mirror;
        proxy_pass http://shared;
    }

    location /guarded/ {
        auth_request /shared/auth;
        proxy_pass http://single;
    }

    location = /page.html { ssi on; root %%TESTDIR%%; }

    location \@fallback { return 200 "fallback\\n"; }
    location = /pid { mon off; return 200 "\$pid\\n"; }
    location = /metrics { mon_metrics; }
}
EOC

$t->write_file('page.html', join '', map {
	qq{<!--# include virtual="/$_/included" -->\n}
} qw/ shared single circuit cached direct /);

my @backends = map { $t->backend($_) } @ports;
my @modes = ('', '', '', '/status/500', '/status/503', '/delay/1', '/reset',
	'/garbage', '/half', '/slow/0.03', '/status/404');

$t->run();
$t->expect(qr/exited on signal 9/);
$t->expect(qr/shared memory zone "\w+" was locked by/);


# Clients

my @uris = map { "/$_/" } qw/ shared shared single circuit failover direct
	cached mirrored guarded /;
my %sum = map { $_ => 0 } qw/ sent answered cut stuck /;

sub request_once {
	my ($count) = @_;

	my $uri = $uris[rand @uris] . int rand 20;
	my $client = NgxMon::Client->new(port => $t->port(8080),
					 timeout => 10);
	my @body = rand() < 0.3 ? (body => 'x' x (rand() < 0.5 ? 100 : 20000))
				: ();

	$uri = '/page.html' if rand() < 0.1;

	for (0 .. rand 3) {
		$count->{sent}++;
		$client->send_request(@body && $uri =~ m{^/\w+/}
				      ? 'POST' : 'GET', $uri,
				      $uri =~ m{^/\w+/} ? @body : ());

		if (rand() < 0.15) {
			sleep rand 0.1;
			return rand() < 0.5 ? $client->reset()
					    : $client->close();
		}

		my $r = $client->response();

		if ($r->{error}) {
			$count->{$r->{error} eq 'timeout' ? 'stuck' : 'cut'}++;
			last;
		}

		$count->{answered}++;
		last if ($r->{headers}{connection} // '') eq 'close';
	}

	$client->close();
}

sub request_h2 {
	my ($count) = @_;

	$count->{sent} += 4;

	my $out = $t->command('curl', '-s', '--http2-prior-knowledge', '-Z',
		'--max-time', 0.05 + rand 3, '-o', '/dev/null',
		'-w', '%{http_code}\n', map {
			'http://127.0.0.1:' . $t->port(8090)
			. $uris[rand @uris] . $_
		} 1 .. 4);
}

sub client {
	my ($n) = @_;

	my %count = map { $_ => 0 } keys %sum;

	srand($seed + $n);

	until (-e $t->dir() . '/enough') {
		if (rand() < 0.02) {
			request_h2(\%count);
		} else {
			eval { request_once(\%count) };
		}
		sleep rand 0.1;
	}

	$t->write_file("client.$n", join ' ', %count);
	_exit(0);
}

my @pids = map { my $pid = fork; client($_) unless $pid; $pid } 1 .. $clients;


# Faults

my ($kills, $reloads, $scrapes) = (0, 0, 0);
my (%last, @back);

sub fault {
	my $b = $backends[rand @backends];
	my $what = rand();

	if ($what < 0.2) {
		$b->{pid} ? $b->stop() : $b->start();

	} elsif ($what < 0.3) {

		# all at once
		my $mode = $modes[rand @modes];
		$_->mode($mode) for @backends;

	} else {
		$b->start() unless $b->{pid};
		$b->mode($modes[rand @modes]);
	}
}

sub well {
	for (@backends) {
		$_->mode('');
		$_->start() unless $_->{pid};
	}
}

sub kill_one {
	my @workers = ($t->workers(), $t->workers(undef, shutting => 1));

	$kills += kill 'KILL', $workers[rand @workers] if @workers;
}

sub scrape {
	my $r = eval { $t->get('/metrics', timeout => 5,
			       headers => [Accept => 'text/plain']) } // return;

	return if $r->{status} != 200 || $r->{error};

	my $m = NgxMon::Metrics->parse($r->{body});

	$scrapes++;

	for my $name ($m->families()) {
		next if $m->type($name) eq 'gauge';

		for my $s (map { $m->samples("$name$_") } '', '_count') {
			my $key = join ',', $s->{name},
				map { "$_=$s->{labels}{$_}" }
				sort keys %{ $s->{labels} };

			push @back, "$key from $last{$key} to $s->{value}"
				if $s->{value} < ($last{$key} // 0);
			$last{$key} = $s->{value};
		}
	}
}

# what a killed worker had in a balancer's zone stays there until a reload,
# and so there is none in the last third

my $begin = time();
my %next = (fault => 0.5, reload => 3, kill => 5, scrape => 0.5);
my %every = (fault => 0.5, reload => 5, kill => $seconds / 10, scrape => 1);
my %do = (fault => \&fault, kill => \&kill_one, scrape => \&scrape,
	  reload => sub { $reloads += kill 'HUP', $t->pid() });

while ((my $now = time() - $begin) < $seconds) {

	for (grep { $now >= $next{$_} } sort keys %do) {
		$next{$_} = $now + $every{$_} * (0.5 + rand);
		$do{$_}->() unless $_ eq 'kill' && $now > $seconds * 2 / 3;
	}

	if ($now > $seconds * 2 / 3 && !$next{last}++) {
		wait_for(sub { $t->workers() >= 4 }, 20, 'workers');
		$do{reload}->();
	}

	sleep 0.02;
}

well();
$t->write_file('enough', '');
waitpid $_, 0 for @pids;

cmp_ok($kills, '>', 2, "workers killed: $kills");
cmp_ok($reloads, '>', 3, "reloads: $reloads");
cmp_ok($scrapes, '>', 2, "scrapes: $scrapes");


# All is well

wait_for(sub { $t->workers() == 4 && !$t->workers(undef, shutting => 1) }, 20,
	 'old workers leave');

# Every request that was answered was counted, and none twice

for my $n (1 .. $clients) {
	my %count = split ' ', $t->read_file("client.$n");

	$sum{$_} += $count{$_} // 0 for keys %sum;
}

is($sum{stuck}, 0, 'no client waited for ever');
cmp_ok($sum{answered}, '>', 100, "answered: $sum{answered} of $sum{sent}");

ok($t->wait_metric(0, 'nginx_http_requests_in_flight'), 'no request left');

my $counted = $t->metric('nginx_http_requests_total');
my $lost = $kills * $clients;

cmp_ok($counted, '<=', $sum{sent}, "counted: $counted");
cmp_ok($counted + $lost, '>=', $sum{answered}, 'all that was answered');


# All that is remembered of the peers

sub unwell {
	my $m = $t->metrics();

	return map { join ' ', map { $_ // '' } $_->{name},
		     @{ $_->{labels} }{qw/ upstream peer state /}, $_->{value} }
		grep { $_->{value} != ($_->{labels}{state} =~ /^(?:up|closed)$/
				       ? 1 : 0) }
		map { $m->samples($_) } qw/ nginx_upstream_peer_state
					    nginx_upstream_breaker_state /;
}

my @unwell;

wait_for(sub {
	$t->get("/$_/") for @names, 'direct';
	@unwell = unwell();
	return !@unwell;
}, 20, 'all peers are up, all circuits closed');

is_deeply(\@unwell, [], 'states agree with the backends');

ok($t->wait_metric(0, "nginx_upstream_${_}_in_flight"), "no $_ left")
	for qw/ requests calls retries /;
is_deeply(\@back, [], 'no counter stepped back');


# A peer with a connection that was forgotten would get less: each worker, and
# one request after the other.  Slow start is over when all are even.

sub uneven {
	my ($name, $client) = @_;
	my %got;

	for (1 .. 8) {
		my $r = $client->get("/$name/even");

		$got{$r->{headers}{'x-backend'} // "status $r->{status}"}++;
	}

	return join ' ', map { "$_: $got{$_}" } grep { $got{$_} != 2 }
		sort keys %got;
}

my %worker;

wait_for(sub {
	my $client = $t->client();
	my $pid = $client->get('/pid')->{body};

	$client->close() if $worker{$pid};
	$worker{$pid} //= $client;

	return keys %worker == 4;
}, 20, 'a connection to each worker');

for my $name (qw/ single shared /) {
	for my $pid (sort keys %worker) {
		my $uneven;

		wait_for(sub { !($uneven = uneven($name, $worker{$pid})) }, 15,
			 "even shares of $name");
		is($uneven, '', "$name: every peer gets its share")
			or diag(join "\n", unwell(),
				grep { defined } ($t->log_lines(
				qr/\[(?:warn|error)\]/))[-10 .. -1]);
	}
}


# What is counted of attempts

my $m = $t->metrics();

for my $name (@names) {
	my $begun = $m->get('nginx_upstream_connect_duration_seconds_count',
			    upstream => $name)
		+ $m->get('nginx_upstream_connections_reused_total',
			  upstream => $name);
	my $answers = $m->get('nginx_upstream_responses_total',
			      upstream => $name);

	cmp_ok($answers, '<=', $begun + $kills,
	       "$name: $answers responses of $begun attempts");
	cmp_ok(abs($answers - $m->get(
		'nginx_upstream_header_duration_seconds_count',
		upstream => $name)), '<=', $kills, "$name: each was timed");
}

diag("seed $seed") unless Test::More->builder()->is_passing();

done_testing();
