#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Limits come behind realip, by which a location may change the client's
# address; what mon_limit refuses has no part in mon_concurrency, and is
# refused before access is checked.

use NgxMon;

my $t = NgxMon->new()->has('http_realip');

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_limit_zone $binary_remote_addr zone=address:1m rate=1r/d;
mon_limit_zone $arg_k zone=one:1m rate=1r/d;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }

    location /address {
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
        mon_limit zone=address;
        empty_gif;
    }
    location /both {
        mon_concurrency max=1 name=both;
        mon_limit zone=one;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /deny {
        deny all;
        mon_limit zone=one;
    }
}
EOC

my $b = $t->backend(8081);

$t->run();

is($t->get('/address', headers => ['X-Real-IP' => $_->[0]])->{status}, $_->[1],
   "$_->[0]: $_->[1]")
	for ['192.0.2.1', 200], ['192.0.2.2', 200], ['192.0.2.1', 429],
	['2001:db8::1', 200], ['2001:db8::1', 429], ['192.0.2.2', 429];

my $c = $t->client();

$c->send_request('GET', '/both/wait/a?k=1');
$t->wait_metric(1, 'nginx_http_concurrency_in_flight', name => 'both');
is($t->get('/both?k=1')->{status}, 429, 'refused by the rate');
is($t->get('/both?k=2')->{status}, 503, 'by the number in flight');
$b->tell('a');
is($c->response()->{status}, 200, 'answered');

my $limited = 'nginx_http_limited_requests_total';
my $m = $t->metrics();

is($m->get($limited, location => '/both', limiter => 'mon_limit',
	   outcome => $_->[0]), $_->[1], "mon_limit: $_->[0]")
	for ['passed', 2], ['rejected', 1];
is($m->get($limited, location => '/both', limiter => 'mon_concurrency',
	   outcome => $_->[0]), $_->[1], "mon_concurrency: $_->[0]")
	for ['passed', 1], ['rejected', 1];

is($t->get('/deny?k=3')->{status}, 403, 'denied');
is($t->get('/deny?k=3')->{status}, 429, 'refused before');

done_testing();
