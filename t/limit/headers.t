#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# RateLimit-Policy, RateLimit and Retry-After: on answers of all kinds, and
# nothing where it is off.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;

mon_limit_zone $arg_k zone=one:1m rate=1r/m burst=4;
mon_limit_zone $arg_k zone=fast:1m rate=1000r/s burst=99999;
mon_limit_zone $arg_k "zone=a \"b\\:1m" rate=7r/s;
mon_limit_zone $arg_k zone=day:1m rate=3r/d burst=2;
mon_limit_zone $arg_k zone=shut:1m rate=1r/d;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    proxy_intercept_errors on;
    error_page 500 502 504 /error;

    location = /metrics { mon_metrics; }
    location /one { mon_limit zone=one; empty_gif; }
    location /fast { mon_limit zone=fast; empty_gif; }
    location /odd { mon_limit "zone=a \"b\\"; empty_gif; }
    location /day { mon_limit zone=day; empty_gif; }
    location /off { mon_limit zone=shut headers=off; empty_gif; }
    location /mixed {
        mon_limit zone=shut headers=off;
        mon_limit zone=one;
        empty_gif;
    }
    location /status { mon_limit zone=shut status=503; empty_gif; }
    location /close { mon_limit zone=shut status=444; empty_gif; }

    location /proxy/ {
        mon_limit zone=one;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /cached {
        mon_limit zone=one;
        proxy_cache cache;
        proxy_cache_key x;
        proxy_cache_valid 1h;
        proxy_pass http://127.0.0.1:%%PORT_8082%%/;
    }
    location /own {
        mon_limit zone=one;
        proxy_intercept_errors off;
        proxy_pass http://127.0.0.1:%%PORT_8082%%/;
    }
    location /file {
        mon_limit zone=one;
        alias %%TESTDIR%%/file;
    }

    location /page { mon_limit zone=shut; error_page 429 /error; empty_gif; }
    location /good { mon_limit zone=shut; error_page 429 =200 /error; empty_gif; }
    location /named { mon_limit zone=shut; error_page 429 = @named; empty_gif; }
    location /busy { mon_limit zone=shut; error_page 429 =503 @busy; empty_gif; }
    location /error { return 200 page; }
    location @named { return 404; }
    location @busy { proxy_pass http://127.0.0.1:%%PORT_8082%%; }
}

# an upstream that tells limits of its own

server {
    listen 127.0.0.1:%%PORT_8082%%;
    location / {
        add_header RateLimit '"upstream";r=1;t=2' always;
        add_header Retry-After $sent_retry always;
        return 200 own;
    }
}

map $uri $sent_retry { default 100000; }
EOC

$t->write_file('file', 'a file');
$t->backend(8081);
$t->run();

sub told {
	my ($uri, @o) = @_;
	my $r = $t->get($uri, @o);
	my $h = $r->{headers};

	# a slow machine has a second or so less to tell

	return join ' ', $r->{status},
		map { ($_ // '-') =~ s/\b863\d\d\b/86400/r }
		@$h{qw/ ratelimit-policy ratelimit retry-after /};
}

# the values: what is left, in how long it comes back, and when to come again

my $policy = '"one";q=5;w=300';

is(told('/one?k=a'), "200 $policy \"one\";r=4;t=240 -", 'the first');
is(told('/one?k=a'), "200 $policy \"one\";r=$_;t=" . $_ * 60 . ' -', "$_ left")
	for 3, 2, 1;
like(told('/one?k=a'), qr/^200 $policy "one";r=0;t=(60|5\d) -$/, 'none left');
like(told('/one?k=a'), qr/^429 $policy "one";r=0;t=(60|5\d) \1$/, 'refused');

is(told('/fast?k=a'), '200 "fast";q=100000;w=100 "fast";r=99999;t=100 -',
   'rounded up');
is(told('/odd?k=a'), '200 "a \"b\\\\";q=1;w=1 "a \"b\\\\";r=0;t=1 -',
   'a name with quotes');
is(told('/day?k=a'), '200 "day";q=3;w=86400 "day";r=2;t=57600 -', 'a day');

is(told('/off?k=a'), '200 - - -', 'off');
is(told('/off?k=a'), '429 - - -', 'off, refused');
is(told('/mixed?k=m'), "200 $policy \"one\";r=4;t=240 -", 'the other one');
is(told('/mixed?k=m'), '429 - - -', 'refused by one that is off');

like(told('/status?k=b'), qr/^200 "shut";q=1;w=86400 "shut";r=0;t=86400 -$/,
     'passes');
like(told('/status?k=b'), qr/^503 "shut";q=1;w=86400 "shut";r=0;t=86400 86400$/,
     'another status');
is($t->get('/close?k=b')->{status}, 0, 'closed without an answer');

# answers of upstreams, caches, errors; not modified ones and parts

is(told("/proxy/?k=p$_->[0]$_->[1]"),
   "$_->[1] $policy \"one\";r=4;t=240 -", "$_->[0] answer")
	for ['proxied', 200];
is(told('/proxy/status/500?k=p5'), "500 $policy \"one\";r=4;t=240 -",
   'a failure and its page');
is(told('/cached?k=c'), "200 $policy \"upstream\";r=1;t=2, "
   . "\"one\";r=$_;t=" . $_ * 60 . ' 100000', "cached, $_ left") for 4, 3;

my $r = $t->get('/file?k=f');

is(told('/file?k=f', headers => ['If-Modified-Since'
				 => $r->{headers}{'last-modified'}]),
   "304 $policy \"one\";r=3;t=180 -", 'not modified');
is(told('/file?k=f', headers => [Range => 'bytes=0-1']),
   "206 $policy \"one\";r=2;t=120 -", 'a part');
is($t->request('HEAD', '/file?k=f')->{headers}{ratelimit}, '"one";r=1;t=60',
   'HEAD');

# through error_page

my $shut = '"shut";q=1;w=86400 "shut";r=0;t=86400';

is($t->get("/$_?k=e$_")->{status}, 200, 'passes')
	for qw/ page good named busy /;

is(told('/page?k=epage'), "429 $shut 86400", 'a page');
is(told('/good?k=egood'), "200 $shut -", 'a good answer: no Retry-After');
is(told('/named?k=enamed'), "404 $shut 86400", 'another error');

$r = $t->get('/busy?k=ebusy');

is($r->{status}, 503, 'an upstream answers for it');
is((() = $r->{head} =~ /^Retry-After:/gmi), 1, 'Retry-After once');
is($r->{headers}{'retry-after'}, 100000, 'the longer one');
like($r->{head}, qr/^RateLimit: "shut";r=0;t=86[34]\d\d\r$/m, 'and ours');
like($r->{head}, qr/^RateLimit: "upstream";r=1;t=2\r$/m, 'beside its own');

done_testing();
