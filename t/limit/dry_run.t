#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# dry_run: nothing is refused or delayed, and clients are told nothing; log,
# metrics and variables say what would have been.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

log_format limit '$uri $status $mon_limit_status $mon_limit_remaining';

mon_limit_zone $arg_k zone=dry:1m rate=1r/h;
mon_limit_zone $arg_k zone=slow:1m rate=1r/h burst=9;
mon_limit_zone $arg_r zone=real:1m rate=1r/h burst=9;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    access_log %%TESTDIR%%/access.log limit;

    location = /metrics { mon_metrics; access_log off; }
    location = /dry { mon_limit zone=dry dry_run; empty_gif; }
    location = /delay { mon_limit zone=slow dry_run delay; empty_gif; }
    location = /both {
        mon_limit zone=dry dry_run;
        mon_limit zone=real;
        empty_gif;
    }
}
EOC

$t->run();

my $limited = 'nginx_http_limited_requests_total';

my @r = map { $t->get('/dry?k=a') } 1 .. 3;

is($_->{status}, 200, 'passes') for @r;
is($_->{headers}{ratelimit}, undef, 'nothing is told') for @r;
is($_->{headers}{'ratelimit-policy'}, undef, 'no policy') for @r;

my $start = time();

is($t->get('/delay?k=b')->{status}, 200, 'passes') for 1, 2;
cmp_ok(time() - $start, '<', 60, 'at once');

# the limit that does not run dry counts

like($t->get('/both?k=c&r=1')->{headers}{ratelimit}, qr/^"real";r=9;/, 'real');
like($t->get('/both?k=c&r=1')->{headers}{ratelimit}, qr/^"real";r=8;/,
     'charged while the other would refuse');
is($t->get("/both?k=c&r=1")->{status}, 200, 'passes') for 1 .. 8;
is($t->get('/both?k=c&r=1')->{status}, 429, 'refused');
is($t->get('/both?k=d&r=1')->{status}, 429, 'refused');
is($t->get('/both?k=d&r=2')->{status}, 200, 'passes');
is($t->get('/both?k=d&r=2')->{status}, 200, 'the dry one once');

my $m = $t->metrics();

is($m->get($limited, location => "= $_->[0]", limiter => 'mon_limit',
	   outcome => $_->[1]), $_->[2], "$_->[0] $_->[1]")
	for ['/dry', 'passed', 1], ['/dry', 'dry_run', 2],
	['/delay', 'passed', 1], ['/delay', 'dry_run', 1],
	['/both', 'passed', 2], ['/both', 'dry_run', 10],
	['/both', 'rejected', 2];

is($m->get($limited, location => '= /dry'), 3, 'each request once');
is($m->get('nginx_http_errors_total', reason => 'limited'), 2,
   'only what was refused failed');

my $access = $t->read_file('access.log');

like($access, qr{^/dry 200 passed 0\n/dry 200 dry_run 0\n/dry 200 dry_run 0\n}m,
     'variables');
like($access, qr{^/delay 200 dry_run 8$}m, 'what would be left');
like($access, qr{^/both 429 rejected 0$}m, 'a refusal');

my $log = $t->read_file('error.log');

like($log, qr/\[warn\].*limiting requests, dry run, excess: [01]\.\d{3} by zone "dry",/,
     'refusals are logged');
like($log, qr/\[notice\].*delaying request, dry run, excess: [01]\.\d{3} by zone "slow",/,
     'so are delays');

done_testing();
