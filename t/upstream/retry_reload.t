#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Requests that wait for a retry while the configuration is reloaded, or nginx
# quits, are answered; what they hold of the budget is the same before and
# after.

use NgxMon;

my $t = NgxMon->new(workers => $ENV{NGX_MON_WORKERS} || 2);

sub configure {
	my ($retry) = @_;

	$t->conf(<<"EOC");
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    $retry
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://backend; }
    location = /metrics { mon_metrics; }
}
EOC
}

my $retry = 'mon_retry backoff=1s budget=0% min=100;';

configure($retry);

my $backend = $t->backend(8081);

$t->run();

my $retries = 'nginx_upstream_retries_total';
my $flight = 'nginx_upstream_retries_in_flight';

# they fail once told, all at the same time

sub waiting {
	my ($n, $word) = @_;

	my @clients = map {
		my $client = $t->client();

		$client->send_request('GET', "/first/1/wait/$word"
				      . "/status/503?$word$_");
		$client;
	} 1 .. $n;

	wait_for(sub {
		$n == grep { $_->{uri} =~ /$word/ } $backend->requests()
	}, 10, "$n requests");

	$backend->tell($word);

	wait_for(sub { $t->metric($flight) }, 10, 'retries');

	return @clients;
}

sub answered {
	my (@clients) = @_;

	my $good = grep { $_->response()->{status} == 200 } @clients;

	is($good, scalar @clients, 'all are answered');
}

my @clients = waiting(16, 'reload');

configure("$retry # again");
$t->reload();
cmp_ok(scalar($t->workers($t->pid(), shutting => 1)), '>', 0,
       'workers drain');
cmp_ok($t->metric($flight), '>', 0, 'retries of theirs wait');
answered(@clients);

wait_for(sub { !$t->workers($t->pid(), shutting => 1) }, 20, 'they end');

my $m = $t->metrics();

is($m->get($retries, outcome => 'success'), 16, 'all counted');
is($m->get('nginx_upstream_calls_in_flight'), 0, 'none in flight');
is($m->get($flight), 0, 'none retried');

# without the directive

@clients = waiting(4, 'without');
configure('');
$t->reload();
answered(@clients);
wait_for(sub { !$t->workers($t->pid(), shutting => 1) }, 20, 'they end');
is($t->get('/status/503')->{status}, 503, 'no retries any more');
is($t->metric($flight), 0, 'the count is there and 0');

configure($retry);
$t->reload();
is($t->metric($retries, outcome => 'success'), 20, 'what was counted stays');

# quit

@clients = waiting(8, 'quit');

$t->quit($t->pid());
answered(@clients);

done_testing();
