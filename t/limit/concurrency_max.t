#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_concurrency lets exactly so many requests be processed at a time, over
# all workers; without a queue the others are refused.

use NgxMon;

for my $workers (1, 4) {
	my $t = NgxMon->new();

	$t->conf(<<'EOC', workers => $workers);
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / {
        mon_concurrency max=5;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /other { mon_concurrency max=1 status=429; return 200 other; }
}
EOC

	my $backend = $t->backend(8081);

	$t->run();

	my @clients = map { $t->client() } 1 .. 20;

	$_->send_request('GET', '/wait/go') for @clients;

	ok($t->wait_metric(15, 'nginx_http_limited_requests_total',
			   limiter => 'mon_concurrency',
			   outcome => 'rejected'),
	   "$workers workers: the others are refused");

	my $m = $t->metrics();

	is($m->get('nginx_http_concurrency_in_flight', name => '/'), 5,
	   'in flight');
	is($m->get('nginx_http_concurrency_limit', name => '/'), 5, 'the limit');
	is($m->get('nginx_http_concurrency_queued', name => '/'), 0,
	   'nobody waits');
	ok(wait_for(sub { $backend->requests() == 5 }, 10, 'the backend'),
	   'so many came to the backend');
	is($t->get('/other')->{body}, 'other', 'another limiter');

	$backend->tell('go');

	my %status;

	$status{$_->response()->{status}}++ for @clients;

	is_deeply(\%status, { 200 => 5, 503 => 15 }, 'the answers');

	ok($t->wait_metric(0, 'nginx_http_concurrency_in_flight', name => '/'),
	   'none in flight');

	$m = $t->metrics();

	is($m->get('nginx_http_limited_requests_total', outcome => 'passed',
		   location => '/'), 5, 'passed');
	is($m->get('nginx_http_errors_total', location => '/',
		   reason => 'limited'), 15, 'the reason');
	is($backend->requests(), 5, 'no other came to the backend');

	$t->stop();
}

done_testing();
