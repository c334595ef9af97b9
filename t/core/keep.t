#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A request that takes longer than "inactive" keeps its series, even when its
# location is gone from the configuration; it goes after.

use NgxMon;

my $t = NgxMon->new();

my $conf = <<'EOC';
mon_zone mon 1m inactive=1s;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /idle { return 200; }
    location /wait { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location = /metrics { mon_metrics; }
}
EOC

$t->conf($conf);

my $backend = $t->backend(8081);

$t->run();

# a series beside it, to tell that the time of dropping has come twice

sub idle_out {
	is($t->get('/idle')->{status}, 200, 'a request');
	$t->wait_metric(1, 'nginx_http_requests_total', location => '/idle');

	wait_for(sub { !defined $t->metric('nginx_http_requests_total',
					   location => '/idle') }, 20,
		 'another is dropped');
}

my $client = $t->client();

$client->send_request('GET', '/wait/word');
$t->wait_metric(1, 'nginx_http_requests_in_flight', location => '/wait');

$t->conf($conf =~ s/location .wait.*\n//r);
$t->reload();

is($t->metric('nginx_http_requests_in_flight', location => '/wait'), 1,
   'in flight in an old worker');

for (1, 2) {
	idle_out();
	is($t->metric('nginx_http_requests_in_flight', location => '/wait'), 1,
	   'the location is kept');
	is($t->metric('nginx_upstream_requests_in_flight'), 1,
	   'the peer is kept');
}

$backend->tell('word');
is($client->response()->{status}, 200, 'answered');
$t->wait_metric(1, 'nginx_http_requests_total', location => '/wait',
		status => 200);

ok(wait_for(sub { !defined $t->metric('nginx_http_requests_in_flight',
				      location => '/wait') }, 20,
	    'dropped then'), 'dropped then');
ok(wait_for(sub { !defined $t->metric('nginx_upstream_requests_in_flight') },
	    20, 'and the peer'), 'and the peer');

done_testing();
