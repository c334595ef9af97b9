#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# worker_shutdown_timeout: nginx calls the handlers of all connections then,
# those of checks too.  A peer that is still being connected to has not passed.

use NgxMon;

my $t = NgxMon->new();

plan(skip_all => 'no /proc/net/tcp') unless -r '/proc/net/tcp';

$t->conf(<<'EOC', main => 'worker_shutdown_timeout 50ms;');
mon_zone mon 4m;

upstream hole {
    server 127.0.0.1:%%PORT_8082%%;
    mon_check type=tcp interval=60s timeout=50s rise=1 mandatory;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location /hole/ { proxy_pass http://hole; }
    location / { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
}
EOC

$t->backend(8081);
$t->blackhole(8082);
$t->run();

# whether somebody connects to the peer, as the kernel tells it

sub connecting {
	my $peer = sprintf '%08X:%04X', unpack('V', pack 'C4', 127, 0, 0, 1),
		$t->port(8082);

	open my $fh, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!\n";

	return grep { / $peer 02 / } readline $fh;
}

# a worker looks once a second whether it is to end its checks: of three one is
# late enough

for my $round (1 .. 3) {
	ok(wait_for(\&connecting, 10, 'a check'), "a check is under way");

	my ($old) = $t->workers();
	my $client = $t->client();

	$client->send_request('GET', '/stall');
	$t->wait_metric(1, 'nginx_http_requests_in_flight');
	$t->reload();

	ok(wait_for(sub { !NgxMon::Process::alive($old) }, 10, 'its end'),
	   'the worker ends');
	$client->close();
}

my $m = $t->metrics();

is($m->get('nginx_upstream_checks_total', upstream => 'hole',
	   result => 'pass') // 0, 0, 'no check has passed');
is($m->get('nginx_upstream_peer_state', upstream => 'hole', state => 'up'), 0,
   'the peer is not up');
$t->expect(qr/no live upstreams/);
is($t->get('/hole/')->{status}, 502, 'nobody is sent there');

done_testing();
