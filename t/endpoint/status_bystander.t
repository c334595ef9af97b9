#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The API of ten thousand peers, asked for again and again, does not hold up
# the worker's other requests.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new(workers => 1);

my @addrs = map { my $i = $_; map { "127.1.$i.$_" } 1 .. 200 } 1 .. 50;
my $servers = join "\n", map { "server $_:%%PORT_8081%%;" } @addrs;

$t->conf(<<"EOC");
mon_zone mon 128m;
keepalive_requests 1000000;

upstream backend {
    $servers
    mon_outlier;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /mon/ { mon_status; }
    location = /x { return 204; }
    location / { proxy_pass http://backend; }
}
EOC

$t->run();

my $url = 'http://127.0.0.1:' . $t->port();
my $c = $t->client();

# the median, of requests of a second of which most see an answer under way

sub median {
	my $end = time() + 1;
	my @took;

	while (time() < $end) {
		my $begin = time();

		$c->get('/x')->{status} == 204 or die;
		push @took, time() - $begin;

		Time::HiRes::sleep(0.001);
	}

	@took = sort { $a <=> $b } @took;
	note(sprintf '%d requests, p50 %.2f p99 %.2f max %.2f ms', scalar @took,
	     map { 1000 * $took[$_] } @took / 2, @took * .99, -1);

	return $took[@took / 2];
}

my $idle = median();

for (['one', 1, 'api/'], ['four', 4, 'api/http/upstreams/backend/peers']) {
	my ($name, $n, $uri) = @$_;

	my $begin = time();

	is($t->get("/mon/$uri")->{error}, '', "$name: whole");
	note(sprintf '%.0f ms', 1000 * (time() - $begin));

	my @pids = map { $t->daemon(['sh', '-c', 'while curl -sf -o /dev/null '
				     . "$url/mon/$uri; do :; done"]) } 1 .. $n;

	my $busy = median();

	cmp_ok($busy, '<', 0.005 * NgxMon::Process::slowness(),
	       sprintf '%s: median %.1f ms, idle %.1f ms', $name,
	       1000 * $busy, 1000 * $idle);

	$t->stop_daemons();
}

done_testing();
