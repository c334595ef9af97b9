#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What opens a circuit, and what does not: failures in a row, slow calls, the
# ratio, each failure that on= names, no live peer; not a client that leaves,
# not what nginx healed at the next peer.

use NgxMon;

my $t = NgxMon->new();

my @on = qw/ error timeout invalid_header http_500 http_502 http_503 http_504
	http_429 http_403 http_404 /;

my $upstreams = join '', map { <<EOC } @on;
upstream $_ {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=1 open=60s on=$_;
}

EOC

$t->conf(<<"EOC");
mon_zone mon 4m;

$upstreams

upstream default {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=3 min=1000 open=60s;
}

upstream lazy {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker slow=500ms slow_ratio=50% min=4 open=60s;
}

upstream body {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker slow=500ms slow_ratio=1% min=1 consecutive=1 open=60s;
}

upstream ratio {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker ratio=12.5% min=8 open=60s on=http_500,http_404;
}

upstream never {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker ratio=0 open=60s min=1;
}

upstream down {
    server 127.0.0.1:%%PORT_8081%% down;
    mon_breaker consecutive=2 open=60s;
}

upstream heals {
    server 127.0.0.1:%%PORT_8083%% max_fails=0;
    server 127.0.0.1:%%PORT_8081%% backup;
    mon_breaker consecutive=1 open=60s;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_read_timeout 500ms;

    location ~ ^/(lazy|body)/ {
        proxy_read_timeout 10s;
        proxy_pass http://\$1;
    }

    location ~ ^/(\\w+)/ { proxy_pass http://\$1; }
    location = /metrics { mon_metrics; }
}
EOC

my $b = $t->backend(8081);

$t->port(8083);
$t->run();

sub state_of {
	my ($name) = @_;

	my $m = $t->metrics();

	for (qw/ closed open half_open /) {
		return $_ if $m->get('nginx_upstream_breaker_state',
				     upstream => $name, state => $_);
	}
}

# each name of on= takes what it names, and nothing else

my %uri = (error => '/close', timeout => '/wait/never',
	   invalid_header => '/garbage', map { /http_(\d+)/
	   ? ($_ => "/status/$1") : () } @on);

for my $name (@on) {
	for (@on) {
		next if $_ eq $name || $_ eq 'timeout';
		$t->get("/$name$uri{$_}");
	}

	is(state_of($name), 'closed', "$name: the others are none");
	$t->get("/$name$uri{$name}");
	is(state_of($name), 'open', "$name: opens");
	is($t->get("/$name/")->{status}, 503, "$name: refuses");
}

# by default

for my $uri ('/close', '/garbage', '/status/502', '/status/503', '/status/504',
	     '/half')
{
	is(state_of('default'), 'closed', "default: before $uri");
	$t->get("/default$uri");
	$t->get("/default$uri");
	$t->get('/default/status/500');
}

$t->get('/default/status/502') for 1 .. 2;
is($t->get('/default/')->{status}, 200, 'a success between');
$t->get('/default/status/502') for 1 .. 2;
is(state_of('default'), 'closed', 'two in a row');
$t->get('/default/status/502');
is(state_of('default'), 'open', 'three in a row');

# slow

$t->get("/lazy/delay/0.6/$_") for 1 .. 2;
$t->get("/lazy/$_") for 1 .. 2;
is(state_of('lazy'), 'open', 'half were slow');

$t->get('/body/slow/0.06/bytes/1000');
is(state_of('body'), 'closed', 'only the header counts');
$t->get('/body/delay/0.6');
is(state_of('body'), 'open', 'that was late');

# ratio

$t->get("/ratio/$_") for 1 .. 20;
$t->get("/ratio/status/500/$_") for 1 .. 2;
is(state_of('ratio'), 'closed', '2 of 22');
$t->get("/ratio/status/404");
is(state_of('ratio'), 'open', '3 of 23');

$t->get("/never/status/503") for 1 .. 30;
is(state_of('never'), 'closed', 'never');

# no live upstreams

is($t->get('/down/')->{status}, 502, 'no peer') for 1 .. 2;
is(state_of('down'), 'open', 'no peer is an error');

# the next peer answers

is($t->get('/heals/')->{status}, 200, 'healed') for 1 .. 5;
is(state_of('heals'), 'closed', 'that is a success');

# clients that leave

my @clients = map { $t->client() } 1 .. 10;

$_->send_request('GET', '/heals/wait/word') for @clients;
$t->wait_metric(10, 'nginx_upstream_requests_in_flight', upstream => 'heals');
$_->close() for @clients;
$t->wait_metric(0, 'nginx_upstream_requests_in_flight', upstream => 'heals');
is(state_of('heals'), 'closed', 'no verdict');

# a body that breaks off

$t->get('/heals/half');
is(state_of('heals'), 'open', 'half an answer');

my @lines = map { /(breaker .*?)(?: while .*?)?, client: / }
	$t->log_lines('breaker');

like((grep { /"default"/ } @lines)[0],
     qr/opened: 3 failures in a row, \d+ of \d+ calls failed in 10s, 0 slow, for [56]\d(?:\.\d)?s$/,
     'in a row');
like((grep { /"lazy"/ } @lines)[0],
     qr/opened: 2 of 4 calls slow in 10s, 0 failed, for /, 'slow');

done_testing();
