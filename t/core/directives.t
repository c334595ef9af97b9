#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_zone and mon_buckets: arity, values, context, duplicates.  Every error
# names the file, the line and the word.

use NgxMon;

my $t = NgxMon->new();

$t->expect(qr/\[emerg\]/);

my $server = 'server { listen 127.0.0.1:%%PORT_8080%%; }';

sub good {
	my ($http, $what) = @_;
	my ($code, $out) = $t->test_config("$http\n$server");

	is($code, 0, $what // $http) or diag($out);
}

# the line of an error is that of the text "HERE", or else the only one

sub bad {
	my ($http, $message) = @_;
	my ($code, $out) = $t->test_config("$http\n$server");
	my @lines = split /\n/, $t->read_file('nginx.conf');
	my ($line) = grep { $lines[$_ - 1] =~ /mon_/
		&& $lines[$_ - 1] !~ /load_module|fine/ } 1 .. @lines;

	isnt($code, 0, $http);
	like($out, qr/\[emerg\].*$message.* in \S+nginx\.conf:$line$/m,
	     'what, and where');
}

good('mon_zone mon 1m;');
good('mon_zone mon 1048576;');
good('mon_zone a-b.c 2M inactive=500ms;');
good('mon_zone mon 512k inactive=1d;');
good('mon_zone mon 1m inactive=90;');
good('mon_buckets 1;');
good('mon_buckets .0005 .001 1 2.5 3600;');
good('mon_buckets 0.000001 0.000002;');
good('mon_buckets ' . join(' ', 1 .. 64) . ';', '64 buckets');
good("mon_zone mon 1m;\nmon_buckets 1 2;");
good("mon_buckets 1 2;\nmon_zone mon 1m;");

# arity

bad($_, 'invalid number of arguments in "mon_zone" directive')
	for 'mon_zone;', 'mon_zone mon;', 'mon_zone mon 1m inactive=1s more;';
bad('mon_buckets;', 'invalid number of arguments in "mon_buckets" directive');

# values

bad('mon_zone "" 1m;', 'invalid zone name ""');
bad('mon_zone mon big;', 'invalid zone size "big"');
bad('mon_zone mon -1m;', 'invalid zone size "-1m"');
bad('mon_zone mon 1g;', 'invalid zone size "1g"');
bad('mon_zone mon "";', 'invalid zone size ""');
bad('mon_zone mon 0;', 'zone size "0" is too small');
bad('mon_zone mon 63k;', 'zone size "63k" is too small, use at least \d+');
bad('mon_zone mon 1m inactive=;', 'invalid parameter "inactive="');
bad('mon_zone mon 1m inactive=0;', 'invalid parameter "inactive=0"');
bad('mon_zone mon 1m inactive=-1s;', 'invalid parameter "inactive=-1s"');
bad('mon_zone mon 1m inactive=1x;', 'invalid parameter "inactive=1x"');
bad('mon_zone mon 1m idle=1s;', 'invalid parameter "idle=1s"');
bad('mon_zone mon 1m 1h;', 'invalid parameter "1h"');

bad("mon_buckets $_;",
    "invalid bucket \"\Q$_\E\", seconds from 0.000001 to 3600")
	for qw/ 0 0.0 -1 x 1s 1e3 1. . 0.0000001 3601 3600.1 .5.5 +Inf
		99999999999999999999 /, '1,5';
bad('mon_buckets 1 "";', 'invalid bucket ""');
bad('mon_buckets 1 1;', 'bucket "1" is not above the one before it');
bad('mon_buckets 1 2 1.5;', 'bucket "1.5" is not above');
bad('mon_buckets ' . join(' ', 1 .. 65) . ';',
    'too many buckets, "65" is past the 64 allowed');

# duplicates: the second line is at fault

sub second {
	my ($http, $message) = @_;
	my ($code, $out) = $t->test_config("$http\n$server");
	my @lines = split /\n/, $t->read_file('nginx.conf');
	my ($line) = grep { $lines[$_ - 1] =~ /second/ } 1 .. @lines;

	isnt($code, 0, $http);
	like($out, qr/\[emerg\].*$message.* in \S+nginx\.conf:$line$/m,
	     'what, and where');
}

second("mon_zone mon 1m;\nmon_zone second 1m;",
       '"mon_zone" directive is duplicate');
second("mon_buckets 1;\nmon_buckets 2; # second",
       '"mon_buckets" directive is duplicate');
my $limit = 'limit_req_zone $uri zone=same:1m rate=1r/s;';

second("mon_zone same 1m;\n$limit # second",
       'the shared memory zone "same" is already declared');
second("$limit\nmon_zone same 1m; # second",
       'the shared memory zone "same" is already declared');

# contexts

for my $directive ('mon_zone mon 1m', 'mon_buckets 1') {
	my ($name) = split / /, $directive;

	for my $context ('server { %s; }', 'server { location / { %s; } }',
			 'upstream u { %s; }',
			 'server { location / { if ($uri) { %s; } } }',
			 'server { location / { limit_except GET { %s; } } }') {
		bad(sprintf($context, $directive),
		    "\"$name\" directive is not allowed here");
	}

	my ($code, $out) = $t->test_config($server, main => "$directive;");

	isnt($code, 0, "$name outside of http");
	like($out, qr/"$name" directive is not allowed here in \S+:\d+$/m,
	     'what, and where');
}

done_testing();
