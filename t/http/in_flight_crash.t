#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Requests in flight in a worker that is killed are gone from the gauge; those
# of a worker that drains are not.

use NgxMon;

my $t = NgxMon->new(workers => $ENV{NGX_MON_WORKERS} || 2);

$t->conf(<<'EOC', main => 'worker_shutdown_timeout 60s;');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /ws/ {
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
    }
}
EOC

my $b = $t->backend(8081);

$t->run();

my $flight = 'nginx_http_requests_in_flight';

sub hang {
	my ($n, $word) = @_;

	return map {
		my $client = $t->client();

		$client->send_request('GET', "/wait/$word");
		$client;
	} 1 .. $n;
}

sub socket {
	my $client = $t->client();

	$client->send_request('GET', '/ws/', headers => [
		Upgrade => 'websocket', Connection => 'upgrade' ]);
	is($client->response()->{status}, 101, 'switched');

	return $client;
}

my @lost = (hang(8, 'never'), main::socket());

$t->wait_metric(9, $flight);
is($t->metric('nginx_http_connections_upgraded'), 1, 'upgraded');

$t->kill_worker($_) for $t->workers();

$t->wait_metric(0, $flight);
is($t->metric($flight), 0, 'none of the killed');
is($t->metric('nginx_http_connections_upgraded'), 0, 'none upgraded');
$_->close() for @lost;

# a reload: in the draining worker, until it ends

my @kept = (hang(5, 'end'), main::socket());

$t->wait_metric(6, $flight);
$t->reload();
is($t->metric($flight), 6, 'still in flight after a reload');
is($t->metric('nginx_http_connections_upgraded'), 1, 'and upgraded');

push @kept, hang(2, 'end');
$t->wait_metric(8, $flight);

my $before = $t->metric('nginx_http_requests_total') // 0;

(pop @kept)->close();
$t->wait_metric(7, $flight);
(splice @kept, 5, 1)->close();
$t->wait_metric(6, $flight);
is($t->metric('nginx_http_connections_upgraded'), 0, 'the socket is gone');

$b->tell('end');
is($_->response()->{status}, 200, 'answered') for @kept;
$_->close() for @kept;
$t->wait_metric(0, $flight);
is($t->metric('nginx_http_requests_total'), $before + 8,
   'what the draining workers answer counts');

wait_for(sub { !$t->workers($t->pid(), shutting => 1) }, 20, 'they end');
is($t->metric($flight), 0, 'none in flight');
is($t->metric('nginx_http_requests_total'), $before + 8, 'all there');

done_testing();
