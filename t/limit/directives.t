#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_limit_zone and mon_limit: arity, values, contexts, duplicates.  Every
# error names the file, the line and the word.

use NgxMon;

my $t = NgxMon->new();

$t->expect(qr/\[emerg\]/);

my $zone = "mon_limit_zone \$arg_k zone=one:1m rate=1r/s;\n"
	. "mon_limit_zone \$arg_k zone=two:1m rate=1r/d;\n";

my %place = (
	http => 'DIRECTIVE server { listen 127.0.0.1:%%PORT_8080%%; }',
	server => "server { listen 127.0.0.1:%%PORT_8080%%;\nDIRECTIVE }",
	location => "server { listen 127.0.0.1:%%PORT_8080%%;\n"
		. "location / {\nDIRECTIVE } }",
	if => "server { listen 127.0.0.1:%%PORT_8080%%;\n"
		. "location / { if (\$arg_a) {\nDIRECTIVE } } }",
	limit_except => "server { listen 127.0.0.1:%%PORT_8080%%;\n"
		. "location / { limit_except GET {\nDIRECTIVE } } }",
);

sub judge {
	my ($place, $directive, $before) = @_;

	return $t->test_config(($before // "mon_zone mon 1m;\n") . $zone
			. $place{$place} =~ s/DIRECTIVE/$directive/r);
}

sub good {
	my ($code, $out) = judge(@_);

	is($code, 0, "$_[1] in $_[0]") or diag($out);
}

sub bad {
	my ($place, $directive, $message, $before) = @_;
	my ($code, $out) = judge($place, $directive, $before);
	my @lines = split /\n/, $t->read_file('nginx.conf');
	my ($last) = $directive =~ /([^\n]*)\z/;
	my ($line) = grep { $lines[$_ - 1] =~ /(?<![\w"])\Q$last\E/ }
		1 .. @lines;

	isnt($code, 0, "$directive in $place");
	like($out, qr/\[emerg\].*$message.* in \S+nginx\.conf:$line$/m,
	     'what, and where');
}

# mon_limit_zone

good('http', "mon_limit_zone $_;")
	for '$arg_k zone=a:32k rate=1r/s', 'k zone=a:1m rate=1000000r/s burst=0',
	'"$arg_k $host" burst=100 rate=5000r/d zone=a:1m',
	'$arg_k rate=300r/m zone=a:100m', 'k zone=a:1m rate=1r/h burst=1000',
	'$arg_k zone=a:1m rate=4000000000r/h', 'k zone=a:1m rate=7r/s burst=4294967295';

bad('http', "mon_limit_zone $_->[0];", $_->[1])
	for ['', 'invalid number of arguments'],
	['$arg_k zone=a:1m', 'invalid number of arguments'],
	['k zone=a:1m rate=1r/s burst=1 more', 'invalid number of arguments'],
	['k zone=a:1m burst=1', '"mon_limit_zone" must have "rate" parameter'],
	['k rate=1r/s burst=1', '"mon_limit_zone" must have "zone" parameter'],
	['k zone=a rate=1r/s', 'invalid zone size "zone=a"'],
	['k zone=:1m rate=1r/s', 'invalid zone size "zone=:1m"'],
	['k zone=a:x rate=1r/s', 'invalid zone size "zone=a:x"'],
	['k zone=a:16k rate=1r/s', 'zone "zone=a:16k" is too small'],
	['k zone=a:1m zone=b:1m rate=1r/s', 'duplicate parameter "zone=b:1m"'],
	['k zone=a:1m rate=1r/s rate=1r/s', 'duplicate parameter "rate=1r/s"'],
	['k zone=a:1m rate=1r/s x=1', 'invalid parameter "x=1"'],
	map({ ["k zone=a:1m rate=$_", "invalid rate \"rate=$_\""] }
	    qw{ 0r/s 1r/w 1 r/s -1r/s 1.5r/s 1r/sx 4294967296r/s 999999999r/s
		4294967295r/h }, ''),
	map({ ["k zone=a:1m rate=1r/d burst=$_", "invalid burst \"burst=$_\""] }
	    qw/ -1 x 1.5 4294967296 4294967295 /, '');

bad('http', "mon_limit_zone \$host zone=one:1m\nrate=77r/s;",
    'mon_limit_zone "one" is already bound to key "\$arg_k"');
bad('http', "limit_req_zone \$arg_k zone=a:1m rate=1r/s;\n"
	. 'mon_limit_zone $arg_k zone=a:1m rate=1r/s;',
    'the shared memory zone "a" is already declared for a different use');
bad('http', "mon_limit_zone k zone=a:1m rate=1r/s;\n"
	. 'mon_limit_zone k zone=a:2m rate=1r/s;',
    'the size 2097152 of shared memory zone "a" conflicts');
bad($_, 'mon_limit_zone k zone=a:1m rate=1r/s;',
    '"mon_limit_zone" directive is not allowed here')
	for qw/ server location if limit_except /;

# mon_limit

for my $place (qw/ http server location /) {
	good($place, $_)
		for 'mon_limit zone=one;',
		'mon_limit zone=one rate=2r/s burst=5 cost=0 status=503 delay '
			. 'dry_run full=refuse headers=off;',
		'mon_limit rate=$arg_r burst=$arg_b cost=$arg_c zone=two;',
		'mon_limit rate=${arg_n}r/s zone=two full=pass headers=on;',
		'mon_limit zone=one; mon_limit zone=two;',
		'mon_limit off;', 'mon_limit zone=one cost=4294967295;',
		'mon_limit zone=one burst=4294967295 status=400;',
		'mon_limit zone=one status=599;';

	bad($place, "mon_limit$_->[0];", $_->[1])
		for ['', 'invalid number of arguments'],
		[' one', 'invalid parameter "one"'],
		[' rate=1r/s', '"mon_limit" must have "zone" parameter'],
		[' zone=', 'invalid parameter "zone="'],
		[' zone=one off', 'invalid parameter "off"'],
		[' off zone=one', 'invalid parameter "off"'],
		[' zone=three', 'unknown mon_limit zone "three"'],
		[' zone=mon', 'shared memory zone "mon" is already declared for '
			. 'a different use'],
		[' zone=one x=1', 'invalid parameter "x=1"'],
		[' zone=one zone=one', 'duplicate parameter "zone=one"'],
		[' zone=one delay delay', 'duplicate parameter "delay"'],
		[' zone=one cost=1 cost=$arg_c',
		 'duplicate parameter "cost=\$arg_c"'],
		[' zone=one cost=1 cost=x', 'duplicate parameter "cost=x"'],
		[' zone=one dry_run=1', 'invalid parameter "dry_run=1"'],
		[' zone=one rate=$', 'invalid variable name'],
		[' zone=two burst=4294967295',
		 '"burst=4294967295" is out of range'],
		map({ [" zone=one $_", "invalid parameter \"$_\""] }
		    qw{ rate= rate=1 rate=0r/s rate=x burst= burst=-1 burst=x
			burst=4294967296 cost= cost=-1 cost=1.5 cost=4294967296
			status= status=399 status=600 status=x full= full=on
			headers= headers=yes });

	bad($place, "mon_limit zone=one;\nmon_limit zone=one burst=1;",
	    '"mon_limit" directive is duplicate');
	bad($place, "mon_limit zone=one;\nmon_limit off;",
	    '"mon_limit" directive is duplicate');
	bad($place, "mon_limit off;\nmon_limit zone=one;",
	    '"mon_limit" directive is duplicate');
	bad($place, "mon_limit off;\nmon_limit  off;",
	    '"mon_limit" directive is duplicate');
}

bad($_, 'mon_limit zone=one;', '"mon_limit" directive is not allowed here')
	for qw/ if limit_except /;

# a zone that comes behind

my $behind = 'server { listen 127.0.0.1:%%PORT_8080%%; mon_limit zone=a burst=%s; }
mon_limit_zone $arg_k zone=a:1m rate=1r/d;';
my ($code, $out) = $t->test_config("mon_zone mon 1m;\n" . $behind =~ s/%s/5/r);

is($code, 0, 'a zone that comes behind') or diag($out);

($code, $out) = $t->test_config("mon_zone mon 1m;\n" . $behind =~ s/%s/4294967295/r);
like($out, qr/"burst=4294967295" is out of range in \S+nginx\.conf:\d+$/m,
     'checked all the same');

# without mon_zone

($code, $out) = judge('http', 'mon_limit zone=one;', '');
like($out, qr/"mon_limit_zone" has no zone to count in, add "mon_zone mon 16m;"/,
     'needs mon_zone');
isnt($code, 0, 'or does not start');

done_testing();
