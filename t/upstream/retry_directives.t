#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The mon_retry directive: what is right, and what is wrong with the rest.

use NgxMon;

my $t = NgxMon->new();

sub judged {
	my ($upstream, $location, $zone) = @_;

	return $t->test_config(($zone // 'mon_zone mon 4m;') . <<"EOC");

upstream u {
    server 127.0.0.1:%%PORT_8081%%;
    $upstream
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    location / {
        proxy_pass http://u;
        $location
    }
}
EOC
}

sub good {
	my ($args) = @_;

	for (["mon_retry$args;", ''], ['', "mon_retry$args;"]) {
		my ($code, $out) = judged(@$_);

		is($code, 0, "\"mon_retry$args;\"") or diag($out);
	}
}

sub bad {
	my ($args, $error) = @_;

	for (["mon_retry $args;", ''], ['', "mon_retry $args;"]) {
		my ($code, $out) = judged(@$_);

		isnt($code, 0, "\"mon_retry $args;\" is refused");
		like($out, qr/\[emerg\] .*$error.* in .*nginx.conf:\d+/,
		     'saying what and where');
	}
}

good($_) for '', ' off', ' budget=0', ' budget=0%', ' budget=100%',
	' budget=0.5%',
	' min=0', ' attempts=1', ' attempts=100', ' backoff=0', ' backoff=1s',
	' backoff=10ms max_backoff=10ms', ' max_backoff=25ms', ' on=error',
	' non_idempotent', ' on=error,timeout,invalid_header,http_500,'
	. 'http_502,http_503,http_504,http_429,http_403,http_404',
	' budget=20% min=3 attempts=2 backoff=25ms max_backoff=250ms '
	. 'on=http_503 non_idempotent';

bad($_, "invalid parameter \"\Q$_\E\"") for 'on', 'budget', 'budget=',
	'budget=20', 'budget=x%', 'budget=%', 'budget=101%', 'budget=-1%',
	'budget=1.234%', 'min=', 'min=x', 'min=-1', 'attempts=0',
	'attempts=101', 'attempts=x', 'attempts=-1', 'backoff=x', 'backoff=-1',
	'backoff=1.5s', 'max_backoff=', 'max_backoff=x', 'retries=3',
	'Budget=20%', 'non_idempotent=on', 'backoff=99999999999999999999s';

bad("$_->[0] $_->[1]", "duplicate parameter \"\Q$_->[1]\E\"")
	for ['min=1', 'min=2'], ['backoff=0', 'backoff=x'], [('on=error') x 2],
	[('non_idempotent') x 2];
bad('off min=1', 'invalid parameter "off"');
bad("on=$_->[0]", "invalid value \"$_->[1]\"")
	for ['x', 'x'], ['error,x', 'x'], ['error,', ''], ['http_501', 'http_501'],
	['', ''];
bad('backoff=100ms max_backoff=99ms', '"max_backoff" must not be less');
bad('max_backoff=10ms', '"max_backoff" must not be less');
bad('1 2 3 4 5 6 7 8', 'invalid number of arguments');

for (['mon_retry; mon_retry;', ''], ['', 'mon_retry; mon_retry;'],
     ['mon_retry off; mon_retry;', ''], ['', 'mon_retry; mon_retry off;'])
{
	my ($code, $out) = judged(@$_);

	isnt($code, 0, 'twice');
	like($out, qr/"mon_retry" directive is duplicate in .*nginx.conf:\d+/,
	     'is a duplicate');
}

is((judged('mon_retry;', 'mon_retry;'))[0], 0, 'both places');

# where it can't count, or can't stand

for (['mon_retry;', ''], ['', 'mon_retry min=1;'], ['', 'mon_retry off;']) {
	my ($code, $out) = judged(@$_, '');

	isnt($code, 0, 'without mon_zone');
	like($out, qr/"mon_retry" .*add "mon_zone mon 16m;" to the "http" block, in .*nginx.conf:\d+/,
	     'it says what to add');
}

for ('mon_retry;', 'server { mon_retry; }',
     'server { location / { if ($uri) { mon_retry; } } }',
     'server { location / { limit_except GET { mon_retry; } } }')
{
	my ($code, $out) = $t->test_config("mon_zone mon 4m; $_");

	isnt($code, 0, "$_ is refused");
	like($out, qr/"mon_retry" directive is not allowed here/, 'there');
}

done_testing();
