#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# HTTP/2: headers of passed and refused streams, error pages, delays beside
# streams that have none.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new()->has('http_v2');

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_limit_zone $arg_k zone=one:1m rate=1r/m burst=1;
mon_limit_zone $arg_k zone=slow:1m rate=2r/s burst=4;

server {
    listen 127.0.0.1:%%PORT_8080%% http2;

    location /one { mon_limit zone=one; alias %%TESTDIR%%/file; }
    location /page { mon_limit zone=one; error_page 429 /file; empty_gif; }
    location /file { alias %%TESTDIR%%/file; }
    location /slow { mon_limit zone=slow delay; alias %%TESTDIR%%/file; }
    location /quick { alias %%TESTDIR%%/file; }
}

server {
    listen 127.0.0.1:%%PORT_8081%%;
    location = /metrics { mon_metrics; }
}
EOC

$t->write_file('file', 'a file');
$t->run();

my $url = 'http://127.0.0.1:%%PORT_8080%%';

sub told {
	my $out = $t->curl('--http2-prior-knowledge', '-D-', "$url$_[0]");

	return join ' ', $out =~ m{^HTTP/2 (\d+)},
		map { $out =~ /^$_: (.*?)\r$/m ? $1 : '-' }
		qw/ ratelimit-policy ratelimit retry-after /;
}

my $policy = '"one";q=2;w=120 "one"';

is(told("/one?k=a"), "200 $policy;r=1;t=60 -", 'passed');
like(told("/one?k=a"), qr/^200 $policy;r=0;t=(60|5\d) -$/, 'the last one');
like(told("/one?k=a"), qr/^429 $policy;r=0;t=(60|5\d) \1$/, 'refused');
like(told('/page?k=a'), qr/^429 $policy;r=0;t=(60|5\d) \1$/, 'a page');
is(told('/quick'), '200 - - -', 'not limited');

# streams of one connection: the one that waits holds up no other

my $start = time();
my $out = $t->curl('--http2-prior-knowledge', '-Z', '--parallel-immediate',
		   '-w', '%{urlnum}:%{http_code}:%{time_total}\n',
		   map({ ('-o', '/dev/null', "$url/slow?k=b&i=$_") } 0 .. 3),
		   map({ ('-o', '/dev/null', "$url/quick?i=$_") } 4 .. 6));
my %took = $out =~ /^(\d):200:([\d.]+)$/mg;

is(keys %took, 7, 'all of them') or diag($out);

my @slow = sort { $a <=> $b } @took{0 .. 3};
my @quick = sort { $a <=> $b } @took{4 .. 6};

cmp_ok($slow[$_], '>', 0.5 * $_ - 0.05, "the turn of $_") for 1 .. 3;
cmp_ok($quick[2], '<', $slow[3] - 0.5, 'others did not wait');

my $m = $t->metrics(port => 8081);
my $limited = 'nginx_http_limited_requests_total';

is($m->get($limited, limiter => 'mon_limit', outcome => $_->[0]), $_->[1],
   $_->[0]) for ['passed', 3], ['delayed', 3], ['rejected', 2];

done_testing();
