#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What a killed worker held of the budget is free.

use NgxMon;

my $t = NgxMon->new(workers => $ENV{NGX_MON_WORKERS} || 4);

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_retry backoff=1h budget=0% min=5;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://backend; }
    location = /metrics { mon_metrics; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

my $retries = 'nginx_upstream_retries_total';
my $flight = 'nginx_upstream_retries_in_flight';

sub fill {
	my @clients;

	# until there is no budget

	my $denied = $t->metric($retries, outcome => 'budget');

	while ($t->metric($retries, outcome => 'budget') == $denied) {
		my $client = $t->client();

		$client->send_request('GET', '/status/503');
		push @clients, $client;

		my $n = @clients;

		wait_for(sub {
			my $m = $t->metrics();

			$m->get($flight) == $n
			|| $m->get($retries, outcome => 'budget') > $denied
		}, 10, "retry $n");
	}

	is(scalar @clients, 6, 'five fit');
	is($t->metric($flight), 5, 'five wait');

	return @clients;
}

my @clients = fill();

$t->kill_worker($_) for $t->workers();

$t->wait_metric(0, $flight);
is($t->metric('nginx_upstream_calls_in_flight'), 0, 'none in flight');
$_->close() for @clients;

@clients = fill();

# one of them: what it held is free, the rest is not

my @workers = $t->workers();
my $before = 5;

for my $worker (@workers) {
	$t->kill_worker($worker);

	my $now = $t->metric($flight);

	cmp_ok($now, '<=', $before, 'no more than before');
	$before = $now;
}

is($before, 0, 'all is free');
is($t->metric($retries, outcome => 'aborted'), 0, 'nobody saw their end');
$_->close() for @clients;

done_testing();
