#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A reload to far more workers than the zone was made for: those that find a
# place record, the others say so and serve; a reload back heals it.

use NgxMon;

my $t = NgxMon->new();

my $conf = <<'EOC';
mon_zone mon 16m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /a { return 200 a; }
    location = /metrics { mon_metrics; }
}
EOC

$t->conf($conf)->run();

is($t->get('/a')->{status}, 200, 'a request');
$t->wait_metric(1, 'nginx_http_requests_total', location => '/a');

$t->conf($conf, workers => 5)->reload();
is($t->metric('nginx_http_requests_total', location => '/a'), 1, 'kept');
$t->wait_metric(5, 'nginx_workers');

$t->conf($conf, workers => 90)->reload();

my $none = qr/\[error\].*no place for more than \d+ workers/;

ok(wait_for(sub { $t->log_lines($none) >= 18 }, 20, 'said so'), 'said so');

is($t->get('/a')->{status}, 200, 'served') for 1 .. 20;

# the places of those that were before are for those that found none

wait_for(sub { !$t->workers(undef, shutting => 1) }, 20, 'first ones leave');

ok(wait_for(sub {
    my $r = $t->get('/metrics?name=nginx_workers');
    return $r->{status} == 200 && $r->{body} =~ /^nginx_workers 72$/m;
}, 20, 'every place taken'), 'every place taken');

$t->conf($conf, workers => 2)->reload();
wait_for(sub { !$t->workers(undef, shutting => 1) }, 20, 'old ones leave');
$t->wait_metric(2, 'nginx_workers');

my $m = $t->metrics();
my $n = $m->get('nginx_http_requests_total', location => '/a');

cmp_ok($n, '>=', 1, 'counts kept');
cmp_ok($n, '<=', 21, 'nothing twice');
is($m->get('nginx_http_request_duration_seconds_count', location => '/a'), $n,
   'durations alike');
is($m->get('nginx_worker_restarts_total'), 0, 'no crash');

is($t->get('/a')->{status}, 200, 'a request');
$t->wait_metric($n + 1, 'nginx_http_requests_total', location => '/a');

done_testing();
