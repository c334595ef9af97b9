#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# rate and burst by variables: plans of customers, each with a unit of its own;
# what is empty or can't be used leaves the zone's in force.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_limit_zone $arg_k zone=one:1m rate=1r/h burst=1;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / { mon_limit zone=one rate=$arg_r burst=$arg_b; empty_gif; }
    location /per { mon_limit zone=one rate=${arg_n}r/d; empty_gif; }
    location /const { mon_limit zone=one rate=3r/d; empty_gif; }
    location /burst { mon_limit zone=one burst=7; empty_gif; }
    location /mixed { mon_limit zone=one rate=3r/d burst=$arg_b; empty_gif; }
    location /own { mon_limit zone=one burst=4 rate=$arg_r; empty_gif; }
}
EOC

$t->run();

my $key = 0;

sub policy {
	my ($uri) = @_;

	$key++;

	my $r = $t->get($uri . ($uri =~ /\?/ ? '&' : '?') . "k=$key");

	return join ' ', $r->{status}, $r->{headers}{'ratelimit-policy'}
		=~ /;q=(\d+);w=(\d+)/;
}

sub invalid {
	return $t->metric('nginx_http_limit_invalid_total', zone => 'one');
}

is(policy('/'), '200 2 7200', "the zone's");
is(policy('/?r=&b='), '200 2 7200', 'empty ones');
is(policy('/?r=7r/s'), '200 2 1', 'another rate');
is(policy('/?r=300r/m&b=99'), '200 100 20', 'another burst, too');
is(policy('/?b=0'), '200 1 3600', 'another burst');
is(policy('/per?n=7'), '200 2 24686', 'a rate by a number');
is(policy('/const'), '200 2 57600', 'a constant rate');
is(policy('/burst'), '200 8 28800', 'a constant burst');
is(policy('/mixed?b=2'), '200 3 86400', 'a constant rate, a burst by number');
is(policy('/own?r=1r/m'), '200 5 300', 'a constant burst, a rate');
is(policy('/own'), '200 5 18000', 'a constant burst, none');

is(invalid(), 0, 'all of that is fine');

my $n = 0;

for (qw{ x 1 10r 0r/s -1r/s 1r/w 1r/sx 4294967296r/s 999999999r/s }) {
	is(policy("/?r=$_"), '200 2 7200', "rate $_");
	is(invalid(), ++$n, 'counted');
}

for (qw{ x -1 1.5 4294967296 99999999999999999999999 }) {
	is(policy("/?b=$_"), '200 2 7200', "burst $_");
	is(invalid(), ++$n, 'counted');
}

is(policy('/?r=1r/d&b=4294967295'), '200 2 7200', 'both are too much');
is(invalid(), ++$n, 'counted');
is(policy('/?r=x&b=9'), '200 10 36000', 'the other one is used');
is(invalid(), ++$n, 'counted');
is(policy('/per?n='), '200 2 7200', 'no number');
is(invalid(), ++$n, 'counted');
is(policy('/own?r=x'), '200 5 18000', "the location's burst");

my $log = $t->read_file('error.log');

is((() = $log =~ /unusable/g), 1, 'logged once');
like($log, qr/\[error\].*unusable rate "x" for zone "one", its default is used/,
     'in these words');

# one key that changes plans keeps what it has used, in time

sub left {
	my ($uri) = @_;

	my $r = $t->get($uri);

	return join ' ', $r->{status},
		$r->{headers}{ratelimit} =~ /;r=(\d+);/;
}

is(left('/?k=x&r=1r/h&b=9'), "200 $_", "$_ left") for reverse 5 .. 9;

# 5 hours are used: of 10 minutes each there are 29 of 60 left

is(left('/?k=x&r=6r/h&b=59'), '200 29', 'six times the rate');
is(left('/?k=x&r=6r/h&b=9'), '429 0', 'with a small burst: nothing is left');

# 10 of 24 hours with a day's 7: 24/7 hours each; used are 1:40 by then

is(left('/?k=y&r=6r/h&b=59'), "200 $_", "$_ left") for reverse 50 .. 59;
is(left('/?k=y&r=7r/d&b=6'), '200 5', 'another unit');
is(left('/?k=y&r=7r/d&b=6'), '200 4', 'and on');

# to and fro between units: nothing is gained or lost

my %used = (7 => 0, 11 => 0);

for my $i (1 .. 20) {
	my $rate = $i % 2 ? 7 : 11;

	$used{$rate}++;
	is(left("/?k=z&r=${rate}r/h&b=99"), '200 ' . int(100 + 1e-6
		- $rate * ($used{7} / 7 + $used{11} / 11)), "request $i");
}

done_testing();
