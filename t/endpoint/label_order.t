#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Locations of one name whose labels are given in different order share their
# series, which is served once.

use NgxMon;
use NgxMon::Scrape qw/ judge_all /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }

    location /a {
        mon_name x;
        mon_label a $arg_a;
        mon_label bb $arg_b max=3;
        mon_label b 1;
        return 200;
    }

    location /b {
        mon_name x;
        mon_label b 1;
        mon_label bb $arg_b max=3;
        mon_label a $arg_a;
        return 200;
    }
}
EOC

$t->run();

$t->get("$_?a=1&b=2") for qw{ /a /b /a };

my $m = $t->metrics();
my @samples = $m->samples('nginx_http_requests_total', location => 'x');

is(scalar @samples, 1, 'one series');
is($samples[0]{value}, 3, 'of all');
is_deeply([ @{ $samples[0]{labels} }{qw/ a b bb /} ], [1, 1, 2], 'labels');
is(judge_all($t), '', 'accepted');

# the limit stays with its label

$t->get("/a?a=$_&b=$_") for 1 .. 9;
$m = $t->metrics();

is(scalar(() = $m->samples('nginx_http_requests_total', bb => 'other')), 6,
   'max= of one label');
is(scalar(() = $m->samples('nginx_http_requests_total', a => 'other')), 0,
   'is none of another');

done_testing();
