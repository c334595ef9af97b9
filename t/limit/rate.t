#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_limit: a key gets its burst and one, then what its rate gives back.

use NgxMon;

use Time::HiRes qw/ time sleep /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_limit_zone $arg_k zone=day:1m rate=5r/d;
mon_limit_zone $arg_k zone=hour:1m rate=2r/h burst=3;
mon_limit_zone $arg_k zone=quick:1m rate=300r/m burst=4;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location /day/ { mon_limit zone=day; empty_gif; }
    location /hour/ { mon_limit zone=hour; empty_gif; }
    location /quick/ { mon_limit zone=quick; empty_gif; }
}
EOC

$t->run();

sub statuses {
	my ($n, $uri) = @_;
	my $client = $t->client();

	return join ' ', map { $client->get($uri)->{status} } 1 .. $n;
}

is(statuses(3, '/day/?k=a'), '200 429 429', 'no burst');
is(statuses(3, '/day/?k=b'), '200 429 429', 'another key');
is(statuses(6, '/hour/?k=a'), '200 200 200 200 429 429', 'a burst of 3');
is(statuses(2, '/day/'), '200 200', 'an empty key');
is(statuses(2, '/day/?k='), '200 200', 'another empty one');

my $uri = '/quick/?k=a';

# five a second: what was admitted is the burst and one, and the rate, no more

my $start = time();
my $client = $t->client();
my ($passed, $before, $after) = (0, 0, 0);

while (time() - $start < 1.5) {
	my $sent = time();
	my $status = $client->get($uri)->{status};

	$passed++ if $status == 200;
	$before = $sent - $start if $status == 200;
	sleep 0.02;
}

my $took = time() - $start;

cmp_ok($passed, '<=', 5 + 5 * $took, 'no more than the rate');
cmp_ok($passed, '>=', 5 + int(5 * 1.2), 'no less');

# full again after a second at most

sleep 1.01;
is(statuses(5, $uri), '200 200 200 200 200', 'full again');

my $m = $t->metrics();
my $limited = 'nginx_http_limited_requests_total';

is($m->get($limited, location => '/day/', limiter => 'mon_limit',
	   outcome => 'passed'), 2, 'passed');
is($m->get($limited, location => '/day/', limiter => 'mon_limit',
	   outcome => 'rejected'), 4, 'rejected');
is($m->get('nginx_http_errors_total', location => '/day/',
	   reason => 'limited'), 4, 'the reason');
is($m->get('nginx_http_requests_total', location => '/day/'), 10,
   'all of them');

my $log = $t->read_file('error.log');

like($log, qr/\[warn\].*limiting requests, excess: [01]\.\d{3} by zone "day", client: 127/,
     'logged');
is((() = $log =~ /limiting requests.*zone "day"/g), 4, 'each refusal');

done_testing();
