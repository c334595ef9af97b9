#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A request that waits for its retry holds no worker; the wait is random; a
# client that leaves meanwhile is noticed, and no attempt follows.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new(workers => 1);

$t->conf(<<'EOC');
mon_zone mon 4m;

log_format attempts '$request_uri|$upstream_addr|$upstream_status'
		    '|$upstream_response_time|$status|$request_time';

upstream forever { server 127.0.0.1:%%PORT_8081%%; mon_retry backoff=1h; }
upstream short { server 127.0.0.1:%%PORT_8081%%; mon_retry backoff=200ms; }

server {
    listen 127.0.0.1:%%PORT_8080%%;

    access_log %%TESTDIR%%/access.log attempts;

    # shorter than a wait may be
    proxy_connect_timeout 100ms;

    location / { proxy_pass http://forever; }
    location /short/ { proxy_pass http://short; }
    location /stays/ {
        proxy_pass http://short;
        proxy_ignore_client_abort on;
    }
    location /quick { return 200 quick; }
    location = /metrics { mon_metrics; access_log off; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

my $peer = '127.0.0.1:' . $t->port(8081);
my $retries = 'nginx_upstream_retries_total';
my $flight = 'nginx_upstream_retries_in_flight';
my @forever = (upstream => 'forever');

sub attempts {
	my ($uri) = @_;

	return scalar grep { $_->{uri} eq $uri } $backend->requests();
}

sub access {
	my ($uri) = @_;

	wait_for(sub { $t->log_lines(quotemeta("$uri|"), 'access.log') }, 10,
		 "$uri in the log");

	return split /\|/, ($t->log_lines(quotemeta("$uri|"), 'access.log'))[0];
}

# several wait, the worker goes on

my @clients = map {
	my $client = $t->client();

	$client->send_request('GET', "/first/1/status/503?$_");
	$client;
} 1 .. 3;

$t->wait_metric(3, $flight, @forever);

is($t->get('/quick')->{body}, 'quick', 'the worker goes on');
is($t->get('/first/1/fine')->{status}, 200, 'at the upstream, too');

my $m = $t->metrics();

is($m->get('nginx_upstream_calls_in_flight', @forever), 3, 'they count');
is($m->get('nginx_upstream_requests_in_flight', @forever), 0,
   'and hold no peer');
is(attempts("/first/1/status/503?$_"), 1, 'one attempt') for 1 .. 3;

# longer than the time to connect

my $until = time() + 0.3;

wait_for(sub { time() > $until }, 5, 'the time to connect');
is($t->metric($flight, @forever), 3, 'they still wait');

# the clients leave

$clients[0]->close();
$t->wait_metric(2, $flight, @forever);
$clients[1]->reset();
$t->wait_metric(1, $flight, @forever);
$clients[2]->close();
$t->wait_metric(0, $flight, @forever);

$m = $t->metrics();

is($m->get('nginx_upstream_calls_in_flight', @forever), 0, 'none in flight');
is($m->get($retries, @forever, outcome => 'aborted'), 3, 'aborted');
is($m->get($retries, @forever), 3, 'and nothing else');

for (1 .. 3) {
	my ($uri, $addr, $status, $time, $last) =
		access("/first/1/status/503?$_");

	is($addr, $peer, "client $_ left: the attempt");
	is($status, 503, "client $_ left: its status");
	like($time, qr/^[\d.]+$/, "client $_ left: its time");
	is($last, 499, "client $_ left: 499");
	is(attempts("/first/1/status/503?$_"), 1, "client $_ left: no more");
}

# where nobody looks after the client it waits on

my $client = $t->client();

$client->send_request('GET', '/stays/first/1/status/503');
$client->close();
ok(wait_for(sub { attempts('/stays/first/1/status/503') == 2 }, 10, 'retry'),
   'retried without a client');

# waits are random, up to a limit

my @times;

for (1 .. 12) {
	my $r = $t->get("/short/first/1/status/503?$_");

	is($r->{status}, 200, 'retried');

	my (undef, undef, $status, undef, undef, $time) =
		access("/short/first/1/status/503?$_");

	is($status, '503, 200', 'two attempts');
	push @times, $time;
}

@times = sort { $a <=> $b } @times;

cmp_ok($times[-1], '>', 0.04, 'some wait long');
cmp_ok($times[0], '<', 0.16, 'some wait short');
cmp_ok($times[5], '<', 0.25, 'none longer than backoff');

is(scalar($t->log_lines(qr/timed out|Bad file/)), 0, 'no wait is logged');

done_testing();
