#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Scrapes of thousands of locations, one after another and several at once,
# do not hold up the worker's other requests.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new(workers => 1);

my $locations = join '', map { "    location /$_/ { return 204; }\n" }
	1 .. 5000;

$t->conf(<<"EOC");
mon_zone mon 64m;
keepalive_requests 1000000;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location = /gzip { gzip on; gzip_types *; mon_metrics; }

$locations
}
EOC

$t->run();

my $url = 'http://127.0.0.1:' . $t->port();
my $c = $t->client();

# the median, of requests of which most see a scrape under way

sub median {
	my ($n) = @_;
	my @took;

	for (1 .. $n) {
		my $begin = time();

		$c->get('/1/')->{status} == 204 or die;
		push @took, time() - $begin;
	}

	return (sort { $a <=> $b } @took)[$n / 2];
}

my $idle = median(200);

for (['one', 1, '/metrics'], ['four', 4, '/metrics'], ['gzip', 1, '/gzip']) {
	my ($name, $n, $uri) = @$_;

	$t->daemon(['sh', '-c', "while curl -sf -H 'Accept-Encoding: gzip' "
		    . "-o /dev/null $url$uri; do :; done"]) for 1 .. $n;

	my $before = scrapes();

	wait_for(sub { scrapes() > $before }, 20, 'scrapes');

	my $busy = median(300);

	cmp_ok($busy, '<', 0.005 * NgxMon::Process::slowness(),
	       sprintf '%s: median %.1f ms, idle %.1f ms', $name,
	       1000 * $busy, 1000 * $idle);

	$t->stop_daemons();
}

sub scrapes {
	return NgxMon::Metrics->parse(
		$t->get('/metrics?name=nginx_mon_scrape')->{body})
		->get('nginx_mon_scrape_duration_seconds_count');
}

done_testing();
