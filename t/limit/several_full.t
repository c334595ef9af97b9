#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A limit whose zone is full is found to refuse only when others have been
# charged: they get it back.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_limit_zone $arg_a zone=a:1m rate=1r/h burst=99;
mon_limit_zone $arg_b zone=b:32k rate=1r/h;
mon_limit_zone $arg_a zone=c:1m rate=1r/h burst=99;

keepalive_requests 100000;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location /fill { mon_limit zone=b; empty_gif; }
    location /refuse {
        mon_limit zone=a cost=3;
        mon_limit zone=b full=refuse status=503;
        mon_limit zone=c;
        empty_gif;
    }
    location /pass { mon_limit zone=a; mon_limit zone=b; empty_gif; }
    location /dry {
        mon_limit zone=a;
        mon_limit zone=b full=refuse dry_run;
        empty_gif;
    }
    location /a { mon_limit zone=a; empty_gif; }
    location /c { mon_limit zone=c; empty_gif; }
}
EOC

$t->run();

sub told {
	my $r = $t->get($_[0]);

	return "$r->{status} " . ($r->{headers}{ratelimit} // '-')
		=~ s/t=\d+$/t/r;
}

is(told('/refuse?a=1&b=first'), '200 "b";r=0;t', 'there is room');
is(told('/a?a=1'), '200 "a";r=96;t', '3 and 1');

my $c = $t->client();
my $n = 0;

do {
	$c->send(join '', map { $n++;
		"GET /fill?b=$n HTTP/1.1\r\nHost: a\r\n\r\n" } 1 .. 100);
	$c->response() for 1 .. 100;
} while ($n < 10000 && !$t->metric('nginx_http_limit_full_total', zone => 'b'));

my $r = $t->get('/refuse?a=1&b=none');

is($r->{status}, 503, 'no room: refused');
is($r->{headers}{ratelimit}, '"b";r=0;t=1', 'for a short time');
is($r->{headers}{'retry-after'}, 1, 'Retry-After, too');
is(told('/a?a=1'), '200 "a";r=95;t', 'a got it back');
is(told('/c?a=1'), '200 "c";r=98;t', 'c was not charged');
is(told('/pass?a=1&b=none'), '200 "a";r=94;t', 'passes');
is(told('/dry?a=1&b=none'), '200 "a";r=93;t', 'would be refused');
is(told('/refuse?a=1&b=first'), '503 "b";r=0;t', 'one that is there is known');

my $log = $t->read_file('error.log');

is((() = $log =~ /\[error\].*zone "b" is full of keys/g), 1, 'logged once');
like($log, qr/\[warn\].*limiting requests, zone "b" is full,/, 'a refusal');
like($log, qr/\[warn\].*limiting requests, dry run, zone "b" is full,/,
     'what would have been one');

done_testing();
