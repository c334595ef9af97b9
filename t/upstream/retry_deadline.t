#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline: a retry that would wait past it is not begun, so that the last
# answer is passed; one that hangs when it comes ends with it.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_retry backoff=1h;
}

upstream quick {
    server 127.0.0.1:%%PORT_8081%%;
    mon_retry backoff=0;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / {
        mon_deadline 300ms;
        proxy_pass http://backend;
    }

    location /long/ {
        mon_deadline 2h;
        proxy_pass http://backend;
    }

    location /quick/ {
        mon_deadline 300ms;
        proxy_pass http://quick;
    }

    location /ssi {
        mon_deadline 300ms;
        ssi on;
        default_type text/html;
        return 200 '<!--# include virtual="/status/503" -->';
    }

    location = /metrics { mon_metrics; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

my $r = $t->get('/status/503/bytes/10');

is($r->{status}, 503, 'too late for a retry');
is($r->{body}, 'x' x 10, 'the answer is passed');
is($t->metric('nginx_upstream_retries_total'), 0, 'nothing was decided');

like($t->get('/ssi')->{body}, qr{^GET /status/503$}, 'in a subrequest, too');

$r = $t->get('/quick/wait/never/first/1/status/503');
is($r->{status}, 504, 'the first attempt hangs');

$r = $t->get('/quick/first/1/close');
is($r->{status}, 200, 'a retry in time');

# it waits, and has time

my $client = $t->client();

$client->send_request('GET', '/long/status/503');
$t->wait_metric(1, 'nginx_upstream_retries_in_flight', upstream => 'backend');
$client->close();
$t->wait_metric(0, 'nginx_upstream_calls_in_flight');

# the retry hangs

$backend->mode('/wait/fail/status/503');

my $n = $backend->requests();

$client = $t->client();
$client->send_request('GET', '/quick/');
wait_for(sub { $backend->requests() > $n }, 10, 'the first attempt');

$backend->mode('/wait/never');
$backend->tell('fail');

is($client->response()->{status}, 504, 'until the deadline');
cmp_ok(scalar $backend->requests(), '<=', $n + 2, 'and no more');

$t->wait_metric(0, 'nginx_upstream_calls_in_flight');
is($t->metric('nginx_upstream_retries_in_flight'), 0, 'all is free');
is($t->metric('nginx_upstream_requests_in_flight'), 0, 'the peer, too');

done_testing();
