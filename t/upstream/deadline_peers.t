#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A request that is ended by mon_deadline gives back what it held of a peer; the
# peer has timed out if it had half of the time.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream one {
    zone one 64k;
    server 127.0.0.1:%%PORT_8081%% max_conns=2 max_fails=1;
}

upstream least {
    zone least 64k;
    least_conn;
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%%;
    keepalive 2;
}

upstream next { server 127.0.0.1:%%PORT_8081%%; }
upstream slow { server 127.0.0.1:%%PORT_8082%%; }

server {
    listen 127.0.0.1:%%PORT_8080%%;

    mon_deadline 700ms;

    location = /metrics { mon_deadline off; mon_metrics; }

    proxy_http_version 1.1;
    proxy_set_header Connection "";

    location /one/ { proxy_pass http://one; }
    location /least/ { proxy_pass http://least; }
    location /slow/ { proxy_pass http://slow; }
    location /first/ {
        proxy_intercept_errors on;
        error_page 500 = @second;
        proxy_pass http://next;
    }
    location @second { proxy_pass http://slow; }
}
EOC

my $b = $t->backend(8081);
my $slow = $t->backend(8082);

$t->run();

my $failures = 'nginx_upstream_failures_total';

# places in max_conns

for my $round (1 .. 3) {
	my @clients = map { $t->client() } 1 .. 4;

	$_->send_request('GET', '/one/wait/a') for @clients;

	is(join(' ', sort map { $_->response()->{status} } @clients),
	   '502 502 504 504', "round $round: two places");
	is($t->get('/one/')->{status}, 200, 'which are free again');
	$_->close() for @clients;
}

is($t->metric($failures, upstream => 'one', reason => 'timeout'), 6,
   'the peer was late');

# connections of peers

my @clients = map { $t->client() } 1 .. 8;

for (1 .. 2) {
	$_->send_request('GET', '/least/wait/a') for @clients;
	is($_->response()->{status}, 504, 'late') for @clients;
	$_->send_request('GET', '/least/') for @clients;
	is($_->response()->{status}, 200, 'on time') for @clients;
}

$_->close() for @clients;

my @peers = map { $t->metric('nginx_upstream_responses_total',
		upstream => 'least', peer => '127.0.0.1:' . $t->port($_)) }
	8081, 8082;

cmp_ok($_, '>=', 6, 'the peers share the load') for @peers;

# a peer that had no time is not at fault

$b->mode('/delay/0.4/status/500');
$slow->mode('/wait/a');
is($t->get('/first/')->{status}, 504, 'the second one has little time');
$t->wait_metric(0, 'nginx_upstream_requests_in_flight');
is($t->metric($failures, upstream => 'slow'), undef, 'and did nothing wrong');
is($t->get('/slow/')->{status}, 504, 'all of the time');
is($t->metric($failures, upstream => 'slow', reason => 'timeout'), 1,
   'is enough');

$t->wait_metric(0, 'nginx_upstream_requests_in_flight');
$t->wait_metric(0, 'nginx_http_requests_in_flight', location => '/slow/');

done_testing();
