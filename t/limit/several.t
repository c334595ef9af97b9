#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Several limits on a request: when one refuses none is charged, the tightest
# is told, and a level with limits of its own has no others.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_limit_zone $arg_a zone=a:1m rate=1r/d burst=9;
mon_limit_zone $arg_b zone=b:1m rate=1r/d burst=1;
mon_limit_zone $arg_c zone=c:1m rate=1r/h burst=1;
mon_limit_zone $arg_d zone=outer:1m rate=1r/d;

mon_limit zone=outer;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location /outer { empty_gif; }
    location /ab { mon_limit zone=a; mon_limit zone=b; empty_gif; }
    location /ba { mon_limit zone=b; mon_limit zone=a; empty_gif; }
    location /bc { mon_limit zone=b; mon_limit zone=c; empty_gif; }
    location /cb { mon_limit zone=c; mon_limit zone=b; empty_gif; }
    location /a {
        mon_limit zone=a;
        empty_gif;
        location /a/off { mon_limit off; empty_gif; }
        location /a/in { empty_gif; }
    }
}

server {
    listen 127.0.0.1:%%PORT_8081%%;
    mon_limit zone=b;
    location / { empty_gif; }
}

server {
    listen 127.0.0.1:%%PORT_8082%%;
    mon_limit off;
    location / { empty_gif; }
}
EOC

$t->run();

sub told {
	my ($uri, %o) = @_;
	my $r = $t->get($uri, %o);

	# a slow machine has a second or so less to tell

	return join ' ', $r->{status}, ($r->{headers}{ratelimit} // '-')
		=~ s/\b863\d\d\b/86400/r =~ s/\b35\d\d\b/3600/r;
}

sub left {
	my ($zone, $uri) = @_;

	return told($uri) =~ /^200 "$zone";r=(\d+)/ ? $1 : undef;
}

# b is the tighter one, and refuses; a is not charged by what b refuses

for my $uri ('/ab', '/ba') {
	my $k = "a=$uri";

	like(told("$uri?$k&b=$uri"), qr/^200 "b";r=1;t=86400$/, 'the tighter');
	like(told("$uri?$k&b=$uri"), qr/^200 "b";r=0;t=86400$/, 'and again');
	like(told("$uri?$k&b=$uri"), qr/^429 "b";r=0;t=86400$/, "$uri: refused")
		for 1 .. 5;
	is(left('a', "/a?$k"), 7, "$uri: a was charged for two");
}

# a refused one does not use up the other

like(told('/ab?a=x&b='), qr/^200 "a";r=9/, 'an empty one does not count');
like(told('/ab?a=&b=x'), qr/^200 "b";r=1/, 'nor the other');
like(told('/ab?a=&b='), qr/^200 -$/, 'nothing to tell');

# of refusals the longer one counts, whatever the order

for my $uri ('/bc', '/cb') {
	my $k = "b=$uri&c=$uri";

	is($t->get("$uri?$k")->{status}, 200, 'passes') for 1, 2;

	my $r = $t->get("$uri?$k");

	is($r->{status}, 429, 'both refuse');
	like($r->{headers}{ratelimit}, qr/^"b";r=0;t=86[34]\d\d$/,
	     'the longer wait');
	like($r->{headers}{'retry-after'}, qr/^86[34]\d\d$/, 'Retry-After, too');
	like(told("$uri?c=$uri"), qr/^429 "c";r=0;t=3600$/, 'the shorter one');
}

# levels

like(told('/outer?d=1'), qr/^200 "outer";r=0/, 'inherited from http');
like(told('/outer?d=1'), qr/^429 "outer";r=0/, 'and refused');
like(told('/a?d=1&a=l'), qr/^200 "a";r=9/, 'a location has its own only');
like(told('/a/in?d=1&a=l'), qr/^200 "a";r=8/, 'inherited');
is(told('/a/off?d=1&a=l'), '200 -', 'off');
like(told('/?d=1&b=l', port => 8081), qr/^200 "b";r=1/, 'a server');
is(told('/?d=1&b=l', port => 8082), '200 -', 'a server without');

done_testing();
