#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A breaker opens when the ratio of failures is reached, lets nothing through,
# tries again after a while, and closes when that went well: what the client,
# the backend, the log and the metrics see of it.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker min=10 open=1s probes=2 on=http_500,http_503;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://backend; }
    location = /metrics { mon_metrics; }
    location = /health { mon_health; }
}
EOC

my $b = $t->backend(8081);

$t->run();

sub state_is {
	my ($state, $name) = @_;

	my $m = $t->metrics();

	is($m->get('nginx_upstream_breaker_state', upstream => 'backend',
		   state => $_), $_ eq $state ? 1 : 0, "$name: $_")
		for qw/ closed open half_open /;
}

state_is('closed', 'at first');
is($t->metric('nginx_upstream_breaker_transitions_total',
	      upstream => 'backend'), 0, 'no transition');
like($t->get('/health')->{body}, qr/"breakers":\{"status":"healthy"/,
     'healthy');

is($t->get("/$_")->{status}, 200, 'good') for 1 .. 5;
is($t->get('/status/502')->{status}, 502, 'no failure') for 1 .. 5;
is($t->get('/status/500')->{status}, 500, 'failed') for 1 .. 9;

state_is('closed', 'less than half');

is($t->get('/status/503')->{status}, 503, 'its own 503');
state_is('open', 'half of 20');

my $served = $b->requests();
my $r = $t->get('/');

is($r->{status}, 503, 'refused');
like($r->{headers}{'retry-after'}, qr/^[12]$/, 'whole seconds, at least one');
is($b->requests(), $served, 'nothing was sent');
is(scalar grep({ $_->{headers}{'retry-after'} } $t->get('/')), 1, 'again');

$r = $t->get('/health');
is($r->{status}, 200, 'degraded serves');
like($r->{body}, qr/"breakers":\{"status":"degraded".*backend.*is open/,
     'says what is open');

my $m = $t->metrics();

is($m->get('nginx_upstream_breaker_rejected_total', upstream => 'backend'), 2,
   'rejected');
is($m->get('nginx_http_errors_total', location => '/',
	   reason => 'breaker_open'), 2, 'reason');
is($m->get('nginx_http_errors_total', location => '/',
	   reason => 'upstream_error'), 15, 'the others are of the upstream');

# it fails on trial: open again, for longer

wait_for(sub { $t->get('/status/500')->{status} == 500 });
is($b->requests(), ++$served, 'one attempt');
is($t->get('/')->{status}, 503, 'open again');

# two good ones close it

wait_for(sub { $t->get('/')->{status} == 200 });
is($b->requests(), ++$served, 'one attempt again');
state_is('half_open', 'on trial');
is($t->get('/')->{status}, 200, 'the second');
state_is('closed', 'at last');

# the calls of before are forgotten

is($t->get('/status/500')->{status}, 500, 'failed') for 1 .. 9;
state_is('closed', 'too few');

$m = $t->metrics();
is($m->get('nginx_upstream_breaker_transitions_total',
	   upstream => 'backend', to => $_->[0]), $_->[1], "to $_->[0]")
	for [open => 2], [half_open => 2], [closed => 1];

my @lines = map { /\[warn\].*? (breaker .*?)(?: while .*?)?, client: / }
	$t->log_lines('breaker');

is(scalar @lines, 5, 'a line for each');
like($lines[0],
     qr/^breaker "backend" opened: 10 of 20 calls failed in 10s, 0 slow, for (?:9\d\dms|1(?:\.1)?s)$/,
     'opened');
is($lines[1], 'breaker "backend" half-open: 2 trial calls may pass',
   'half-open');
like($lines[2],
     qr/^breaker "backend" opened: a trial call failed, 2 times in a row, for (?:1\.[89]|2(?:\.[12])?)s$/,
     'opened again');
is($lines[4], 'breaker "backend" closed: 2 trial calls succeeded', 'closed');

done_testing();
