#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What is sent to an upstream is burst + rate * time, to the request, whatever
# the number of workers, under reloads too; all else is refused, and counted.

use NgxMon;

use Time::HiRes qw/ time /;

limits(1);
limits(4);

done_testing();


sub limits {
	my ($workers) = @_;

	my $t = NgxMon->new(workers => $workers);

	# a burst of seconds, so that no time is lost while the test does not run

	$t->conf(<<'EOC');
mon_zone mon 4m;

upstream seven {
    server 127.0.0.1:%%PORT_8081%%;
    mon_limit rate=7r/s burst=30;
}

upstream minute {
    server 127.0.0.1:%%PORT_8081%%;
    mon_limit rate=1700r/m burst=100;
    keepalive 4;
}

upstream fast {
    server 127.0.0.1:%%PORT_8081%%;
    zone fast 64k;
    mon_limit rate=100r/s burst=400;
}

upstream free {
    server 127.0.0.1:%%PORT_8081%%;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    location /seven { proxy_pass http://seven; }
    location /minute { proxy_pass http://minute; }
    location /fast { proxy_pass http://fast; }
    location /free { proxy_pass http://free; }
    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8081%%;
    mon off;
    return 200;
}
EOC

	$t->run();

	my $is = "$workers workers";

	exactly($t, "$is, 7r/s", '/seven', 7, 30);
	exactly($t, "$is, 1700r/m", '/minute', 1700 / 60, 100);
	exactly($t, "$is, 100r/s", '/fast', 100, 400);
	exactly($t, "$is, 100r/s and reloads", '/fast', 100, 400, 1);

	is($t->get('/free')->{status}, 200, "$is: another upstream is free");
	is($t->metric('nginx_upstream_limited_requests_total',
		      upstream => 'free'), undef, "$is: and has no metric");

	$t->stop();
}


sub exactly {
	my ($t, $is, $uri, $rate, $burst, $reload) = @_;

	my $upstream = substr $uri, 1;
	my %before = counted($t, $upstream);
	my ($n, $refused, $wrong) = (0, 0, 0);
	my @clients = map { $t->client() } 1 .. 4;

	# what was left of before is used up: then nothing but the rate is

	my $rest = 0;
	my $next = time();

	if ($before{passed}) {
		while ($clients[0]->get($uri)->{status} == 200) {
			$rest++;
		}
	}

	my $first = time();
	my ($begun, $end);

	# whenever one is refused all that there was has been used

	for (my $i = 0; time() < $first + 2.5; $i++) {
		my $c = \$clients[$i % @clients];

		if ($reload && time() > $next) {
			$t->reload();
			@clients = map { $t->client() } 1 .. 4;
			$next = time() + 1;
		}

		my $now = time();
		my $r = $$c->get($uri);

		$begun //= time();
		$$c = $t->client() unless $r->{status};

		$n++, next if $r->{status} == 200;
		$refused++, $end = $now, next if $r->{status} == 503;
		$wrong++ if $r->{status};
	}

	my $last = time();

	$burst = -1 if $before{passed};

	cmp_ok($n, '<=', $burst + 1 + $rate * ($last - $first) + 1,
	       "$is: no more");
	cmp_ok($n, '>=', $burst + 1 + $rate * ($end - $begun) - 2,
	       "$is: no less");
	is($wrong, 0, "$is: nothing else");
	cmp_ok($refused, '>', 0, "$is: some were refused");

	my %after = counted($t, $upstream);

	$n += $rest;
	$refused++ if $before{passed};

	return if $reload;

	is($after{passed} - $before{passed}, $n, "$is: passed are counted");
	is($after{rejected} - $before{rejected}, $refused,
	   "$is: rejected are counted");
	is($after{diverted}, 0, "$is: none was diverted");
}


sub counted {
	my ($t, $upstream) = @_;

	my $m = $t->metrics();

	return map {
		$_ => $m->get('nginx_upstream_limited_requests_total',
			      upstream => $upstream, outcome => $_)
	} qw/ passed diverted rejected /;
}
