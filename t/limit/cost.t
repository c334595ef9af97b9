#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# cost: what a request takes, by a number or by variables; what can't be used
# counts as 1 and is logged once a minute.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_limit_zone $arg_k zone=one:1m rate=1r/h burst=9;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / { mon_limit zone=one cost=$arg_c; empty_gif; }
    location /three { mon_limit zone=one cost=3; empty_gif; }
    location /free { mon_limit zone=one cost=0; empty_gif; }
}
EOC

$t->run();

sub told {
	my ($uri) = @_;
	my $r = $t->get($uri);
	my ($left) = $r->{headers}{ratelimit} =~ /^"one";r=(\d+);/;

	return "$r->{status} $left";
}

is(told('/?k=a&c=4'), '200 6', '4 of 10');
is(told('/?k=a&c=7'), '429 6', '7 of 6');
is(told('/?k=a&c=0'), '200 6', 'for nothing');
is(told('/free?k=a'), '200 6', 'always for nothing');
is(told('/three?k=a'), '200 3', 'always 3');
is(told('/?k=a&c='), '200 2', 'empty is 1');
is(told('/?k=a'), '200 1', 'so is none');
is(told('/?k=a&c=1'), '200 0', 'the last one');
is(told('/?k=a&c=0'), '200 0', 'nothing left, for nothing');
is(told('/?k=a&c=1'), '429 0', 'nothing left');

is(told('/free?k=b'), '200 10', 'a new key, for nothing');
is(told('/?k=b&c=11'), '429 10', 'more than there ever is');
is(told('/?k=b&c=4294967295'), '429 10', 'far more');
is(told('/?k=b&c=10'), '200 0', 'all at once');

my $r = $t->get('/?k=new&c=11');

is($r->{headers}{'retry-after'}, 36000, 'never: the time of all');

is($t->metric('nginx_http_limit_invalid_total', zone => 'one'), 0,
   'nothing wrong up to now');

my $n = 10;

is(told("/?k=c&c=$_"), '200 ' . --$n, "$_ is 1")
	for qw/ x -1 1.5 0x1 4294967296 99999999999999999999999 1%20 /;

is($t->metric('nginx_http_limit_invalid_total', zone => 'one'), 7, 'counted');

my $log = $t->read_file('error.log');

is((() = $log =~ /unusable/g), 1, 'logged once');
like($log, qr/\[error\].*unusable cost "x" for zone "one", its default is used,/,
     'in these words');

done_testing();
