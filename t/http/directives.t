#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon, mon_name, mon_slow and mon_label: arity, values, context, duplicates.
# Every error names the file, the line and the word.

use NgxMon;

my $t = NgxMon->new();

$t->expect(qr/\[emerg\]/);

# three places for a directive

my %place = (
	http => 'DIRECTIVE server { listen 127.0.0.1:%%PORT_8080%%; }',
	server => "server { listen 127.0.0.1:%%PORT_8080%%;\nDIRECTIVE }",
	location => "server { listen 127.0.0.1:%%PORT_8080%%;\n"
		. "location / {\nDIRECTIVE } }",
	if => "server { listen 127.0.0.1:%%PORT_8080%%;\n"
		. "location / { if (\$arg_a) {\nDIRECTIVE } } }",
	upstream => "upstream u { server 127.0.0.1:1;\nDIRECTIVE }",
	limit_except => "server { listen 127.0.0.1:%%PORT_8080%%;\n"
		. "location / { limit_except GET {\nDIRECTIVE } } }",
);

sub conf {
	my ($place, $directive) = @_;

	return "mon_zone mon 1m;\n"
		. $place{$place} =~ s/DIRECTIVE/$directive/r;
}

sub good {
	my ($place, $directive) = @_;
	my ($code, $out) = $t->test_config(conf($place, $directive));

	is($code, 0, "$directive in $place") or diag($out);
}

sub bad {
	my ($place, $directive, $message) = @_;
	my ($code, $out) = $t->test_config(conf($place, $directive));
	my @lines = split /\n/, $t->read_file('nginx.conf');
	my ($last) = $directive =~ /([^\n]*)\z/;
	my ($line) = grep { $lines[$_ - 1] =~ /(?<!\w)\Q$last\E/ } 1 .. @lines;

	isnt($code, 0, "$directive in $place");
	like($out, qr/\[emerg\].*$message.* in \S+nginx\.conf:$line$/m,
	     'what, and where');
}

for my $place (qw/ http server location /) {
	good($place, $_) for 'mon on;', 'mon off;', 'mon_slow 1s;',
		'mon_slow 250ms;', 'mon_slow 0;', 'mon_label a b;',
		'mon_label a $uri;', 'mon_label a "$uri-$args" max=5;',
		'mon_label _a2 b; mon_label c d;';
}

good('server', 'mon_name "any name";');
good('location', 'mon_name "any name";');

# context

for my $place (qw/ if upstream limit_except /) {
	bad($place, $_, '"' . (split / /)[0]
	    . '" directive is not allowed here')
		for 'mon off;', 'mon_name a;', 'mon_slow 1s;', 'mon_label a b;';
}

bad('http', 'mon_name a;', '"mon_name" directive is not allowed here');

# arity

bad('location', $_, 'invalid number of arguments in "'
    . (/^(\w+)/)[0] . '" directive')
	for 'mon;', 'mon on off;', 'mon_name;', 'mon_name a b;', 'mon_slow;',
	'mon_slow 1s 2s;', 'mon_label;', 'mon_label a;',
	'mon_label a b max=1 c;';

# values

bad('location', 'mon yes;', 'invalid value "yes" in "mon" directive');
bad('location', 'mon_name "";', 'invalid name ""');
bad('location', "mon_slow $_;", '"mon_slow" directive invalid value')
	for qw/ slow -1s 1x /;
bad('location', "mon_label $_ b;", "invalid label name \"\Q$_\E\"")
	for qw/ 1a a-b a.b a:b __a server location method status reason limiter
		outcome le quantile /, "\xc3\xa9", 'x' x 65;
bad('location', 'mon_label "" b;', 'invalid label name ""');
bad('location', "mon_label a b $_;", "invalid parameter \"\Q$_\E\"")
	for qw/ max=0 max=-1 max= max=x min=1 5 /;

# which nginx finds out at the end, of any directive

my ($code, $out) = $t->test_config(conf('location', 'mon_label a $none;'));

isnt($code, 0, 'a variable that is not there');
like($out, qr/\[emerg\] unknown "none" variable/, 'what');

# duplicates

bad('location', "mon on;\nmon off;", '"mon" directive is duplicate');
bad('location', "mon_name a;\nmon_name b;",
    '"mon_name" directive is duplicate');
bad('server', "mon_name a;\nmon_name b;", '"mon_name" directive is duplicate');
bad('location', "mon_slow 1s;\nmon_slow 2s;",
    '"mon_slow" directive is duplicate');
bad('location', "mon_label a b;\nmon_label a c;", 'duplicate label "a"');

my $many = join "\n", map { "mon_label l$_ v;" } 1 .. 16;

good('location', $many);
bad('location', "$many\nmon_label last v;", 'label "last" is past the 16');

done_testing();
