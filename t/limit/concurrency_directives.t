#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The mon_concurrency directive: what is right, and what is wrong with the rest.

use NgxMon;

my $t = NgxMon->new();

sub judged {
	my ($http, $server, $location, $other, $zone) = @_;

	return $t->test_config(($zone // 'mon_zone mon 4m;') . <<"EOC");

$http

server {
    listen 127.0.0.1:%%PORT_8080%%;
    $server
    location / { $location }
    location /other/ { $other }
}
EOC
}

sub good {
	my ($args) = @_;
	my @conf = map { "mon_concurrency $_;" } ref $args ? @$args : $args;

	for my $level (0 .. 2) {
		my @levels = ('') x 4;

		$levels[$level] = "@conf";

		my ($code, $out) = judged(@levels);

		is($code, 0, "@conf") or diag($out);
	}
}

sub bad {
	my ($args, $error) = @_;

	for my $level (0 .. 2) {
		my @levels = ('') x 4;

		$levels[$level] = "mon_concurrency $args;";

		my ($code, $out) = judged(@levels);

		isnt($code, 0, "\"mon_concurrency $args;\" is refused");
		like($out, qr/\[emerg\] .*$error.* in .*nginx.conf:\d+/,
		     'saying what and where');
	}
}

good($_) for 'off', 'max=1', 'max=262140', 'max=adaptive', 'adaptive',
	'max=1 queue=0', 'max=1 queue=262140', 'max=1 queue=1 timeout=1ms',
	'max=1 name=x', 'max=1 status=400', 'max=1 status=599',
	'max=1 key=$remote_addr', 'max=1 key=$host$uri size=32k',
	'max=10 name=x key=$uri size=1m queue=10 timeout=1s status=429',
	['max=10 name=b', 'max=5 name=a', 'max=1 name=c key=$uri'];

bad($_, "invalid parameter \"\Q$_\E\"") for 'max', 'max=', 'max=0', 'max=-1',
	'max=x', 'max=1.5', 'max=262141', 'Max=1', 'on';
bad("max=1 $_", "invalid parameter \"\Q$_\E\"") for 'queue=', 'queue=-1',
	'queue=x', 'queue=262141', 'name=', 'name=' . 'x' x 129, 'status=399',
	'status=600', 'status=x', 'key=', 'delay', 'off', 'adaptive',
	'burst=1';
bad("max=1 queue=1 $_", "invalid parameter \"\Q$_\E\"") for 'timeout=',
	'timeout=0', 'timeout=x', 'timeout=-1', 'timeout=1.5s';
bad("max=1 key=\$uri $_", "invalid parameter \"\Q$_\E\"") for 'size=',
	'size=x', 'size=1', 'size=31k';

bad("$_ $_", "duplicate parameter \"\Q$_\E\"") for 'max=1', 'adaptive';
bad("adaptive $_", "invalid parameter \"\Q$_\E\"") for 'max=1', 'max=adaptive';
bad("max=1 $_ $_", "duplicate parameter \"\Q$_\E\"") for 'name=x', 'queue=1',
	'status=503', 'key=$uri';
bad('max=1 timeout=1s', '"timeout" requires "queue"');
bad('max=1 size=1m', '"size" requires "key"');
bad('max=adaptive key=$uri', 'an adaptive limit has no "key"');
bad('queue=10', 'has no "max="');
bad('', 'invalid number of arguments');

my ($code, $out) = judged('mon_concurrency max=1 key=$no_such;', ('') x 3);

isnt($code, 0, 'an unknown variable');
like($out, qr/\[emerg\] unknown "no_such" variable/, 'is named');

# pairs

sub pair {
	my ($levels, $error, $what) = @_;
	my ($code, $out) = judged(@$levels);

	return is($code, 0, $what) || diag($out) unless $error;

	isnt($code, 0, $what);
	like($out, qr/\[emerg\] .*$error/s, 'saying what and where');
}

my $at = qr/in .*nginx.conf:\d+/;

pair(['', 'mon_concurrency max=1;', 'mon_concurrency max=2;',
      'mon_concurrency off;'], undef, 'a level replaces the one above');
pair(['', '', 'mon_concurrency max=1 name=x;',
      'mon_concurrency max=1 name=x;'], undef, 'a name shared');
pair(['', '', 'mon_concurrency max=1 name=x;',
      'mon_concurrency max=2 name=x;'],
     qr/of the name "x" has other parameters $at, $at/, 'another max');
pair(['', '', "mon_concurrency max=1 name=x $_->[0];",
      "mon_concurrency max=1 name=x $_->[1];"],
     qr/of the name "x" has other parameters $at, $at/, "$_->[0] $_->[1]")
	for ['queue=1', 'queue=2'], ['status=503', 'status=429'],
	['key=$uri', 'key=$host'], ['key=$uri', ''],
	['queue=1 timeout=1s', 'queue=1 timeout=2s'],
	['key=$uri size=1m', 'key=$uri size=2m'];
pair(['', '', 'mon_concurrency max=1 name=x; mon_concurrency max=1 name=x;',
      ''], qr/duplicate "mon_concurrency" of the name "x" $at/,
     'a name twice on one level');
pair(['', '', 'mon_concurrency max=1; mon_concurrency max=2;', ''],
     qr/has the name "_ \/" of another one $at, add "name=", $at/,
     'no name twice on one level');
pair(['', '', 'mon_concurrency max=1;', 'mon_concurrency max=1 name=/;'],
     qr/has the name "\/" of another one $at, add "name=", $at/,
     'the label of a location for a name');
pair(['', '', "mon_concurrency $_->[0]; mon_concurrency $_->[1];", ''],
     qr/"mon_concurrency" directive is duplicate $at/, "@$_")
	for ['off', 'off'], ['off', 'max=1'], ['max=1', 'off'];
pair(['', '', 'mon_concurrency max=1;', '', ''],
     qr/"mon_concurrency" has no zone to count in.*mon_zone.*$at/,
     'without mon_zone');
pair(['', '', 'mon_concurrency off;', '', ''], undef, 'off without mon_zone');
pair(['', '', 'if ($host) { mon_concurrency max=1; }', ''],
     qr/"mon_concurrency" directive is not allowed here $at/, 'in if');

done_testing();
