#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Rates, bursts and costs that come from variables may be anything: what is no
# good is counted and logged, and the zone's holds; what is extreme is exact.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;
mon_limit_zone $arg_k zone=plan:4m rate=1r/h burst=2;

large_client_header_buffers 4 128k;
keepalive_requests 100000;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / {
        empty_gif;
        mon_limit zone=plan rate=$http_x_rate burst=$http_x_burst
                  cost=$http_x_cost;
    }
    location = /metrics { mon_metrics; }
}
EOC

$t->run();

my $client = $t->client();
my $key = 0;

# so many pass at once with a new key

sub passed {
	my (%h) = @_;

	$key++;

	for my $n (0 .. 20) {
		my $r = $client->get("/?k=$key", headers => [
			map { ("X-\u$_" => $h{$_}) } sort keys %h]);

		return $n if $r->{status} == 429;
		return "status $r->{status}" if $r->{status} != 200;
	}

	return 'all';
}

sub invalid {
	return $t->metric('nginx_http_limit_invalid_total', zone => 'plan');
}

is(passed(), 3, 'the zone\'s');
is(passed(rate => '', burst => '', cost => ''), 3, 'empty ones');
is(invalid(), 0, 'which are no fault');

is(passed(rate => '1r/d'), 3, 'another rate');
is(passed(burst => 0), 1, 'no burst');
is(passed(burst => 7), 8, 'a burst');
is(passed(burst => 1000000), 'all', 'a large burst');
is(passed(cost => 2), 1, 'a cost');
is(passed(cost => 3), 1, 'that is all');
is(passed(cost => 4), 0, 'that is never to be had');
is(passed(cost => 4294967295), 0, 'the largest cost');
is(passed(rate => '1r/s', cost => 4294967295, burst => 4294967294), 1,
   'had once');
is(passed(cost => 0), 'all', 'what costs nothing');
is(passed(rate => '1000000000r/s', burst => 0), 'all', 'a rate not reached');
is(invalid(), 0, 'all of them understood');

# each of them may be had, but not together: the state is 64 bits

my @rates = ('4294967295r/s', 'x', '1', 'r/s', '1r', '1r/', '1r/x', '0r/s',
	'-1r/s', '+1r/s',
	'1.5r/s', '1 r/s', ' ', '1r/s ;', '1r/ss', '1R/S', '4294967296r/s',
	'18446744073709551616r/s', '99999999999999999999999999r/s', '1e3r/s',
	'0x10r/s', '1r\s', "1r/s\xff", '%00', '1' x 60000 . 'r/s');
my @numbers = ('x', '-1', '+1', '1.5', '1 2', '1e3', '0x10', '4294967296',
	'18446744073709551615', '18446744073709551616', '9' x 60000,
	"\xff", '%31', '1;');

my $n = 0;

for my $rate (grep { $_ ne ' ' } @rates) {
	is(passed(rate => $rate), 3, 'no rate: ' . substr $rate, 0, 30);
	cmp_ok(invalid(), '>', $n, 'counted');
	$n = invalid();
}

is(passed(burst => '4294967295'), 3, 'too large a burst');
cmp_ok(invalid(), '>', $n, 'counted');
$n = invalid();

for my $number (@numbers) {
	is(passed(burst => $number), 3, 'no burst: ' . substr $number, 0, 30);
	cmp_ok(invalid(), '>', $n, 'counted');
	$n = invalid();

	is(passed(cost => $number), 3, 'no cost: ' . substr $number, 0, 30);
	cmp_ok(invalid(), '>', $n, 'counted');
	$n = invalid();
}

# the log is told of it, but not each time

my @lines = $t->log_lines(qr/\[(?:error|warn)\]/);

cmp_ok(scalar @lines, '>=', 1, 'logged');
cmp_ok(length $t->read_file('error.log'), '<', 400000, 'without growing');

# a key changes its rate with each request

$key = 'moving';

for my $rate ('1r/d', '4294967295r/s', '7r/m', '1000000r/s', '1r/d', 'x') {
	for my $burst (0, 4294967295, 1, '', 'x') {
		my $r = $client->get("/?k=moving", headers => [
			'X-Rate' => $rate, 'X-Burst' => $burst]);

		like($r->{status}, qr/^(?:200|429)$/, "$rate $burst");
	}
}

done_testing();
