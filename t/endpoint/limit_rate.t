#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# limit_rate holds, limit_req and limit_conn let one wait or refuse it, and
# deny denies.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new();

my $locations = join '', map { "    location /$_/ { return 204; }\n" } 1 .. 50;

$t->conf(<<"EOC");
mon_zone mon 16m;

limit_req_zone \$server_port zone=req:64k rate=10r/s;
limit_conn_zone \$server_port zone=conn:64k;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location = /limited { limit_rate 100k; mon_metrics; }
    location = /delayed { limit_req zone=req burst=5; mon_metrics; }
    location = /one { limit_conn conn 1; limit_rate 50k; mon_metrics; }
    location = /denied { deny all; mon_metrics; }

$locations
}
EOC

$t->run();

my $begin = time();
my $body = $t->get('/limited')->{body};
my $took = time() - $begin;

ok(NgxMon::Metrics->parse($body), 'limited, and whole');
cmp_ok($took, '>', length($body) / 102_400 / 2, 'it took its time');

$begin = time();
is($t->get('/delayed?name=nginx_mon')->{status}, 200, 'limit_req') for 1 .. 4;
cmp_ok(time() - $begin, '>', 0.25, 'delayed');

my $c = $t->client();
$c->send_request('GET', '/one');
$c->read_until(qr/\r\n\r\n/);
is($t->get('/one')->{status}, 503, 'limit_conn');
$c->close();

is($t->get('/denied')->{status}, 403, 'deny');
ok(NgxMon::Metrics->parse($t->get('/metrics')->{body}), 'still whole');

done_testing();
