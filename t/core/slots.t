#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# More workers than slots: old ones drain behind hanging requests while new
# ones come.  Those without a slot share one; counts are exact, gauges true.

use NgxMon;

my $t = NgxMon->new(workers => 1);

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /a { return 200 a; }
    location /hang { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location = /metrics { mon_metrics; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

# a worker has four slots, and there are eight at least

my $n = 14;
my (@clients, @busy);

for my $i (1 .. $n) {
	my $client = $t->client();
	my $busy = $t->client();

	$client->send_request('GET', "/hang/wait/word$i");
	is($busy->get('/a')->{status}, 200, "request in worker $i");
	$t->wait_metric($i, 'nginx_http_requests_in_flight');

	push @clients, $client;
	push @busy, $busy;

	$t->reload() if $i < $n;
}

is($t->metric('nginx_workers'), $n, 'all live');
is($t->metric('nginx_http_requests_total', location => '/a'), $n, 'counted');
is($t->metric('nginx_http_requests_in_flight'), $n, 'in flight');
is($t->metric('nginx_upstream_requests_in_flight'), $n, 'at the peer');

my @draining = $t->workers(undef, shutting => 1);

is(scalar @draining, $n - 1, 'old workers drain');

# the early ones go, then the late ones

for my $i (1 .. $n) {
	$backend->tell("word$i");
	is($clients[$i - 1]->response()->{status}, 200, "answer $i");
	$t->wait_metric($n - $i, 'nginx_http_requests_in_flight');
}

$t->wait_metric(1, 'nginx_workers');

my $m = $t->metrics();

is($m->get('nginx_http_requests_total', location => '/a'), $n, 'all counted');
is($m->get('nginx_http_requests_total', location => '/hang'), $n,
   'hanging ones too');
is($m->get('nginx_http_request_duration_seconds_count', location => '/hang'),
   $n, 'and their durations');
is($m->get('nginx_upstream_requests_in_flight'), 0, 'none at the peer');
is($m->get('nginx_worker_restarts_total'), 0, 'no crash');

# a crash among those that share a slot: the gauges of the others can't be told
# from its own, and are true again when all of them are gone

@clients = ();

for my $i (1 .. $n) {
	my $client = $t->client();

	$client->send_request('GET', "/hang/wait/again$i");
	$t->wait_metric($i, 'nginx_http_requests_in_flight');
	push @clients, $client;
	$t->reload() if $i < $n;
}

@draining = sort { $a <=> $b } $t->workers(undef, shutting => 1);
$t->expect(qr/worker process $draining[-1] exited on signal/);
kill 'KILL', $draining[-1];
wait_for(sub { !NgxMon::Process::alive($draining[-1]) }, 10, 'killed');
$t->wait_metric($n - 1, 'nginx_workers');
is($t->metric('nginx_worker_restarts_total'), 1, 'a crash');

$backend->tell("again$_") for 1 .. $n;
$t->wait_metric(1, 'nginx_workers');
$t->reload();
$t->wait_metric(0, 'nginx_http_requests_in_flight');
is($t->metric('nginx_http_requests_total', location => '/hang'), 2 * $n - 1,
   'all but that of the killed one');

done_testing();
