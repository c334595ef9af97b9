#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Peers that are resolved at run time are checked as they come, and no longer
# when they go, not even to the end of a check in flight.

use NgxMon;

my $t = NgxMon->new(workers => 2);

my ($minor, $patch) = $t->command(NgxMon::binary(), '-v')
	=~ m{nginx/1\.(\d+)\.(\d+)};

plan(skip_all => 'no "resolve" before nginx 1.27.3')
	if $minor < 27 || $minor == 27 && $patch < 3;

$t->conf(<<'EOC');
mon_zone mon 4m;

resolver 127.0.0.1:%%PORT_8090%% valid=1s ipv6=off;

upstream backend {
    zone backend 128k;
    server backend.test:%%PORT_8081%% resolve max_fails=0;
    mon_check interval=100ms timeout=60s fall=1 rise=1 mandatory;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://backend; }
    location = /metrics { mon_metrics; }
}
EOC

# .4 never answers, .5 is ill

my $port = $t->port(8081);
my $log = $t->dir() . '/said.log';

sub told {
	my ($line) = @_;

	open my $fh, '>>', $log;
	syswrite $fh, "$line\n";
}

$t->peer(8081, sub {
	my ($socket) = @_;

	my ($last) = $socket->sockhost() =~ /(\d+)$/;

	if ($last == 4) {
		told('held');
		NgxMon::Peer::hold($socket);
		told('let go');
		return;
	}

	NgxMon::Peer::request($socket);
	syswrite $socket, 'HTTP/1.1 ' . ($last == 5 ? 503 : 200)
		. " Said\r\nX-Backend: $last\r\nContent-Length: 0\r\n\r\n";
}, addr => '0.0.0.0');

sub checks {
	my ($last, $result) = @_;

	return $t->metric('nginx_upstream_checks_total', result => $result,
			  peer => "127.0.0.$last:$port") // 0;
}

sub resolved {
	my (@last) = @_;

	$t->write_file('addrs.new', join ' ', map { "127.0.0.$_" } @last);
	rename $t->dir() . '/addrs.new', $t->dir() . '/addrs';
}

sub state {
	my ($last, $state) = @_;

	$t->wait_metric(1, 'nginx_upstream_peer_state', state => $state,
			peer => "127.0.0.$last:$port");
}

resolved(2, 3);

$t->dns(8090);
$t->run();

state(2, 'up');
state(3, 'up');
is($t->get('/')->{status}, 200, 'they passed');

resolved(3, 4, 5);
state(4, 'unhealthy');
state(5, 'unhealthy');
ok(wait_for(sub { checks(5, 'fail') > 2 }, 10, 'failures'), 'another is ill');
ok(wait_for(sub { $t->log_lines(qr/^held/, 'said.log') }, 10, 'a check'),
   'a check in flight');

my %seen = map { ($t->get('/')->{headers}{'x-backend'} // '', 1) } 1 .. 12;

is(join(' ', sort keys %seen), 3, 'traffic goes to who passed');

# 2 was not checked while it was away

my $before = checks(2, 'pass');

ok(wait_for(sub { checks(3, 'pass') > 20 }, 20, 'checks of the other'),
   'others are checked');
cmp_ok(checks(2, 'pass'), '<=', $before + 1, 'who is gone is not');

resolved(3);
ok(wait_for(sub { $t->log_lines(qr/^let go/, 'said.log') }, 10, 'its end'),
   'a check in flight is dropped');

# back again, it goes on where it was

resolved(2, 5);
state(2, 'up');
state(5, 'unhealthy');
is($t->get('/')->{headers}{'x-backend'}, 2, 'back again');

done_testing();
