#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_breaker: parameters, values, contexts, duplicates, names.

use NgxMon;

my $t = NgxMon->new();

$t->expect(qr/\[emerg\]/);

my %place = (
	http => 'DIRECTIVE server { listen 127.0.0.1:%%PORT_8080%%; }',
	server => "server { listen 127.0.0.1:%%PORT_8080%%;\nDIRECTIVE }",
	location => "server { listen 127.0.0.1:%%PORT_8080%%;\n"
		. "location / {\nDIRECTIVE } }",
	if => "server { listen 127.0.0.1:%%PORT_8080%%;\n"
		. "location / { if (\$arg_a) {\nDIRECTIVE } } }",
	upstream => "upstream u { server 127.0.0.1:1;\nDIRECTIVE }",
);

sub judge {
	my ($place, $directive, $zone) = @_;
	my $conf = ($zone // "mon_zone mon 1m;\n")
		. $place{$place} =~ s/DIRECTIVE/$directive/r;

	my ($code, $out) = $t->test_config($conf);
	my @lines = split /\n/, $t->read_file('nginx.conf');
	my ($last) = $directive =~ /([^\n]*)\z/;
	my ($line) = grep { $lines[$_ - 1] =~ /\Q$last\E/ } 1 .. @lines;

	return ($code, $out, $line);
}

sub good {
	my ($place, $directive) = @_;
	my ($code, $out) = judge($place, $directive);

	is($code, 0, "$directive in $place") or diag($out);
}

sub bad {
	my ($place, $directive, $message, $zone) = @_;
	my ($code, $out, $line) = judge($place, $directive, $zone);

	isnt($code, 0, "$directive in $place");
	like($out, qr/\[emerg\].*$message.* in \S+nginx\.conf:$line$/m,
	     'what, and where') or diag($out);
}

for my $place (qw/ upstream location /) {
	good($place, "mon_breaker$_;") for '', ' ratio=1%', ' ratio=0.5%',
		' ratio=100%', ' ratio=0', ' ratio=0%', ' min=1', ' window=10ms',
		' window=1h', ' consecutive=5', ' slow=250ms', ' slow=0',
		' slow=1s slow_ratio=12.5%', ' open=1ms', ' open=10m',
		' open=1s max_open=1s', ' probes=1', ' probes=64',
		' on=error', ' on=error,timeout,invalid_header,http_500,http_502,'
		. 'http_503,http_504,http_429,http_403,http_404',
		' ratio=50% min=20 window=10s consecutive=0 slow=1s '
		. 'slow_ratio=100% open=10s max_open=300s probes=5 on=http_500';

	bad($place, "mon_breaker $_;", qq{invalid parameter "\Q$_\E"})
		for 'ratio=101%', 'ratio=50', 'ratio=-1%', 'ratio=', 'ratio=%',
		'ratio=x%', 'ratio=0.00001%', 'min=0', 'min=x', 'min=', 'min=-1',
		'window=0', 'window=9ms', 'window=2d', 'window=x', 'window=',
		'consecutive=x', 'consecutive=', 'slow=x', 'slow=',
		'slow_ratio=0', 'slow_ratio=101%', 'open=0', 'open=x', 'open=2d',
		'max_open=0', 'max_open=x', 'probes=0', 'probes=65', 'probes=x',
		'foo', 'foo=1', 'ratio', '=1', 'name=', 'on', 'Ratio=1%';

	bad($place, "mon_breaker $_->[0];", qq{invalid value "$_->[1]"})
		for ['on=', ''], ['on=foo', 'foo'], ['on=error,,timeout', ''],
		['on=error,500', '500'];

	bad($place, "mon_breaker $_->[0];", qq{duplicate parameter "$_->[1]"})
		for ['min=1 min=2', 'min=2'], ['on=error on=error', 'on=error'],
		['ratio=1% window=1s ratio=1%', 'ratio=1%'];

	bad($place, 'mon_breaker slow_ratio=10%;',
	    '"slow_ratio" requires "slow"');
	bad($place, 'mon_breaker open=10s max_open=9s;',
	    '"max_open" is less than "open"');
	bad($place, "mon_breaker;\nmon_breaker min=1;",
	    '"mon_breaker" directive is duplicate');
	bad($place, 'mon_breaker;', '"mon_breaker" has no zone to keep its state, '
	    . 'add "mon_zone mon 16m;" to the "http" block', '');
}

good('location', 'mon_breaker off;');
good('location', 'mon_breaker name=x;');
good('location', 'mon_breaker "name=any name";');
bad('location', "mon_breaker off;\nmon_breaker;", 'directive is duplicate');
bad('location', 'mon_breaker off min=1;', 'invalid parameter "off"');
bad('location', 'mon_breaker name=' . 'x' x 129 . ';', 'invalid parameter');
bad('location', 'mon_breaker name=a name=b;', 'duplicate parameter "name=b"');
bad('upstream', 'mon_breaker off;', 'invalid parameter "off"');
bad('upstream', 'mon_breaker name=x;', 'invalid parameter "name=x"');
bad($_, 'mon_breaker;', '"mon_breaker" directive is not allowed here')
	for qw/ http server if /;

# off alone needs no zone

is((judge('location', 'mon_breaker off;', ''))[0], 0, 'off without a zone');

# names

sub names {
	my ($conf) = @_;

	return $t->test_config("mon_zone mon 1m;\n$conf");
}

sub server {
	return 'server { listen 127.0.0.1:%%PORT_8080%%; server_name '
		. shift() . ";\n" . join("\n", @_) . "\n}\n";
}

my ($code, $out) = names(server('a', 'location /a { mon_breaker name=x; }',
				'location /b { mon_breaker name=x; }'));
is($code, 0, 'one name in two locations') or diag($out);

($code, $out) = names(server('a', 'location /a { mon_breaker name=x; }',
			     'location /b { mon_breaker name=x min=5; }'));
isnt($code, 0, 'with other parameters');
like($out, qr/breaker "x" has other parameters in \S+:\d+, in \S+:\d+$/m,
     'both places');

($code, $out) = names("upstream x { server 127.0.0.1:1; mon_breaker; }\n"
	. server('a', 'location /b { mon_breaker name=x; }'));
isnt($code, 0, "an upstream's name");
like($out, qr/breaker "x" has the name of another one in \S+:\d+, add "name=", in \S+:\d+$/m,
     'both places');

($code, $out) = names(server('a', 'location /b { mon_breaker name=x; }')
	. "upstream x { server 127.0.0.1:1; mon_breaker; }\n");
isnt($code, 0, 'in the other order');

($code, $out) = names(server('a', 'location /b { mon_breaker; }',
			     'location /c { mon_breaker name=/b; }'));
isnt($code, 0, "a location's label");

($code, $out) = names(server('a', 'location /b { mon_breaker; }')
	. server('c', 'location /b { mon_breaker min=5; }'));
is($code, 0, 'the same location in two servers') or diag($out);

($code, $out) = names(server('a', 'location /b { mon_breaker; mon_name n; }',
			     'location /c { mon_breaker; mon_name n; }'));
isnt($code, 0, 'the same label in one server');
like($out, qr/breaker "a n" has the name of another one/, 'named');

done_testing();
