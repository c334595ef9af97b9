#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_outlier and mon_slow_start: what they take and what they do not.

use NgxMon;

my $t = NgxMon->new();

sub judged {
	my ($directives, $zone) = @_;

	$zone //= 'mon_zone mon 4m;';

	return $t->test_config(<<"EOC");
$zone
upstream u {
    server 127.0.0.1:9001;
    server 127.0.0.1:9002;
    $directives
}
server {
    listen 127.0.0.1:%%PORT_8080%%;
    location / { proxy_pass http://u; }
}
EOC
}

for ('mon_outlier', 'mon_slow_start 30s', 'mon_slow_start 0',
     'mon_outlier; mon_slow_start 500ms', 'mon_outlier; hash $uri',
     'mon_outlier consecutive=0 ratio=100% min=1 window=10ms',
     'mon_outlier ratio=0.5% stdev=1.9 eject=1s max_eject=1h',
     'mon_outlier ratio=0 max_ejected=0 stdev=0', 'mon_outlier eject=1h',
     'mon_outlier max_ejected=100% on=error',
     'mon_outlier on=http_404,http_403,http_429,http_500,timeout')
{
	my ($code, $out) = judged("$_;");

	is($code, 0, $_) or diag($out);
}

for (qw/ consecutive= consecutive=-1 consecutive=x ratio=50 ratio=101%
	 ratio=-1% ratio=% min=0 min=1.5 window=0 window=9ms window=2d
	 stdev=x stdev=1.2345 stdev=101 eject=0 eject=x max_eject=-1s
	 max_ejected=half max_ejected=101% eject on foo=1 /,
     'consecutive=5x')
{
	my ($code, $out) = judged("mon_outlier $_;");

	isnt($code, 0, $_);
	like($out, qr/invalid parameter "\Q$_\E" in \S+nginx\.conf:\d+/,
	     'says so');
}

my @wrong = (
	[ 'mon_outlier on=error,http_999;', 'invalid value "http_999"' ],
	[ 'mon_outlier on=;', 'invalid value ""' ],
	[ 'mon_outlier min=1 min=2;', 'duplicate parameter "min=2"' ],
	[ 'mon_outlier min=1 min=x;', 'duplicate parameter "min=x"' ],
	[ 'mon_outlier on=error on=error;', 'duplicate parameter "on=error"' ],
	[ 'mon_outlier eject=10s max_eject=5s;',
	  '"max_eject" must not be less than "eject"' ],
	[ 'mon_outlier; mon_outlier;', '"mon_outlier" directive is duplicate' ],
	[ 'mon_slow_start 1s; mon_slow_start 1s;',
	  '"mon_slow_start" directive is duplicate' ],
	[ 'mon_slow_start x;', '"mon_slow_start" directive invalid value' ],
	[ 'mon_slow_start;',
	  'invalid number of arguments in "mon_slow_start" directive' ],
);

for (@wrong) {
	my ($code, $out) = judged($_->[0]);

	isnt($code, 0, $_->[0]);
	like($out, qr/\Q$_->[1]\E in \S+nginx\.conf:\d+/, 'says so');
}

for (['mon_outlier;', 'mon_outlier'], ['mon_slow_start 1s;',
				       'mon_slow_start'])
{
	my ($code, $out) = judged($_->[0], '');

	isnt($code, 0, 'without a zone');
	like($out, qr/"$_->[1]" has nowhere to count, add "mon_zone mon 16m;"/,
	     'says what to add');
}

for ('mon_outlier;', 'mon_slow_start 1s;') {
	my ($code, $out) = $t->test_config("mon_zone mon 4m; server { $_ }");

	isnt($code, 0, 'in a server');
	like($out, qr/directive is not allowed here/, 'is not allowed');
}

done_testing();
