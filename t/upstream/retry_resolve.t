#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The addresses of a peer change while requests wait for their retries: these
# go to the new ones.

use NgxMon;

my $t = NgxMon->new();

my ($minor, $patch) = $t->command(NgxMon::binary(), '-v')
	=~ m{nginx/1\.(\d+)\.(\d+)};

plan(skip_all => 'no "resolve" before nginx 1.27.3')
	if $minor < 27 || $minor == 27 && $patch < 3;

$t->conf(<<'EOC');
mon_zone mon 4m;

log_format attempts '$request_uri|$upstream_addr|$upstream_status';

resolver 127.0.0.1:%%PORT_8090%% valid=1s ipv6=off;

upstream backend {
    zone backend 128k;
    server backend.test:%%PORT_8081%% resolve max_fails=0;
    mon_retry backoff=8s max_backoff=8s min=100;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    access_log %%TESTDIR%%/access.log attempts;

    location / { proxy_pass http://backend; }
    location = /metrics { mon_metrics; access_log off; }
}
EOC

my $port = $t->port(8081);

$t->backend(8081, addr => '0.0.0.0');
$t->write_file('addrs', '127.0.0.2');
$t->dns(8090);
$t->run();

sub resolved {
	my (@addrs) = @_;

	$t->write_file('addrs.new', "@addrs");
	rename $t->dir() . '/addrs.new', $t->dir() . '/addrs';

	wait_for(sub {
		join(' ', sort @addrs) eq join ' ', sort map {
			$_->{labels}{peer} =~ s/:$port$//r
		} $t->metrics()->samples('nginx_upstream_peer_state',
					 state => 'up')
	}, 20, "to be: @addrs");
}

resolved('127.0.0.2');

my @clients = map {
	my $client = $t->client();

	$client->send_request('GET', "/first/1/status/503?$_", close => 1);
	$client;
} 1 .. 12;

resolved('127.0.0.3', '127.0.0.4');

is($_->response()->{status}, 200, 'answered') for @clients;
$t->wait_metric(0, 'nginx_upstream_calls_in_flight');

my @moved = $t->log_lines(
	qr/\|127\.0\.0\.2:$port, 127\.0\.0\.[34]:$port\|503, 200$/,
	'access.log');

cmp_ok(scalar @moved, '>', 0, 'by peers that were not there at first');
is($t->metric('nginx_upstream_requests_in_flight'), 0, 'no attempt is left');
is($t->metric('nginx_upstream_retries_in_flight'), 0, 'nor a retry');

done_testing();
