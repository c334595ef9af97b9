#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_limit in upstream: what it takes and what it does not.

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

for (qw{ rate=1r/s rate=1000000r/s rate=300r/m rate=7r/h rate=1r/d
	 rate=4294967040r/d },
     'rate=10r/s burst=0', 'rate=10r/s burst=1000', 'burst=5 rate=10r/s',
     'rate=10r/s per=peer', 'rate=10r/s status=400', 'rate=10r/s status=599',
     'status=429 per=peer burst=5 rate=10r/s', 'rate=1r/d burst=53374')
{
	my ($code, $out) = judged("mon_limit $_;");

	is($code, 0, $_) or diag($out);
}

for (['rate='], ['rate=0r/s'], ['rate=1'], ['rate=1r/w'], ['rate=x'],
     ['rate=1.5r/s'], ['rate=-1r/s'], ['rate=4294967296r/s'],
     ['rate=4294967295r/d'], ['rate=16777259r/s'],
     ['burst=', 'rate=1r/s'], ['burst=x', 'rate=1r/s'],
     ['burst=-1', 'rate=1r/s'], ['burst=4294967296', 'rate=1r/s'],
     ['burst=53375', 'rate=1r/d'], ['per=', 'rate=1r/s'],
     ['per=client', 'rate=1r/s'], ['per=peers', 'rate=1r/s'],
     ['status=399', 'rate=1r/s'], ['status=600', 'rate=1r/s'],
     ['status=', 'rate=1r/s'], ['status=x', 'rate=1r/s'],
     ['zone=z', 'rate=1r/s'], ['delay', 'rate=1r/s'], ['rate'], ['foo=1'],
     ['rate=1', 'foo=1'], ['status=x', 'rate=2'], ['per=x', 'burst=1'])
{
	my ($code, $out) = judged("mon_limit @$_;");

	isnt($code, 0, "@$_");
	like($out, qr/invalid parameter "\Q$_->[0]\E" in \S+nginx\.conf:\d+/,
	     'says so');
}

my @wrong = (
	[ 'mon_limit burst=5;', '"mon_limit" must have "rate" parameter' ],
	[ 'mon_limit;', 'invalid number of arguments in "mon_limit" directive' ],
	[ 'mon_limit rate=1r/s rate=2r/s;', 'duplicate parameter "rate=2r/s"' ],
	[ 'mon_limit rate=1r/s burst=1 burst=1;',
	  'duplicate parameter "burst=1"' ],
	[ 'mon_limit rate=1r/s per=peer per=peer;',
	  'duplicate parameter "per=peer"' ],
	[ 'mon_limit rate=1r/s; mon_limit rate=1r/s;',
	  '"mon_limit" directive is duplicate' ],
);

for (@wrong) {
	my ($code, $out) = judged($_->[0]);

	isnt($code, 0, $_->[0]);
	like($out, qr/\Q$_->[1]\E in \S+nginx\.conf:\d+/, 'says so');
}

my ($code, $out) = judged('mon_limit rate=1r/s;', '');

isnt($code, 0, 'without mon_zone');
like($out, qr/"mon_limit" has no zone .* in \S+nginx\.conf:\d+/, 'says so');

done_testing();
