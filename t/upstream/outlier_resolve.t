#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Peers that are resolved at run time are ejected by their address; they stay
# so while others come and go.

use NgxMon;

my $t = NgxMon->new(workers => 4);

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
    server 127.0.0.1:%%PORT_8082%% backup;
    mon_outlier consecutive=1 eject=1h;
}

upstream random {
    zone random 128k;
    random two;
    server backend.test:%%PORT_8081%% resolve max_fails=0;
    mon_outlier consecutive=1 eject=1h;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://backend; }
    location /random { proxy_pass http://random; }
    location = /metrics { mon_metrics; }
}
EOC

# A records of backend.test as the file says

$t->write_file('dns.pl', <<'EOP');
use IO::Socket::INET;

my $s = IO::Socket::INET->new(Proto => 'udp',
	LocalAddr => "127.0.0.1:$ARGV[0]") or die;

while ($s->recv(my $q, 512)) {
	my ($name) = $q =~ /^.{12}((?:[^\0].*?)\0)/s;

	open my $fh, '<', 'addrs';

	my @addrs = split ' ', <$fh>;

	$s->send(substr($q, 0, 2)
		. pack('nnnnn', @addrs ? 0x8180 : 0x8183, 1, scalar @addrs,
		       0, 0)
		. $name . pack('nn', 1, 1)
		. join '', map { pack 'nnnNnC4', 0xc00c, 1, 1, 1, 4,
					split /\./ } @addrs);
}
EOP

my $port = $t->port(8081);

# 127.0.0.2 refuses

$t->backend(8081, addr => '127.0.0.3');
$t->backend(8082);
$t->write_file('addrs', '127.0.0.2 127.0.0.3');
$t->daemon([$^X, 'dns.pl', '%%PORT_8090%%']);
$t->run();

my @names = qw/ backend random /;

sub peers {
	my ($upstream, $state) = @_;

	return join ' ', sort grep { /^127.0.0.[2-9]$/ }
		map { $_->{labels}{peer} =~ s/:\d+$//r }
		grep { $_->{value} }
		$t->metrics()->samples('nginx_upstream_peer_state',
			upstream => $upstream, state => $state);
}

sub resolved {
	my ($addrs, $up, $ejected) = @_;

	$t->write_file('addrs.new', $addrs);
	rename $t->dir() . '/addrs.new', $t->dir() . '/addrs';

	for my $name (@names) {
		ok(wait_for(sub {
			peers($name, 'up') eq $up
				&& peers($name, 'ejected') eq $ejected;
		}, 20, "$name: $addrs"), "$name: $addrs");
	}
}

sub refused {
	my $n = () = $t->log_lines(qr/Connection refused/);

	return $n;
}

for my $uri ('/', '/random') {
	is($t->get($uri)->{status}, 200, "answered") for 1 .. 20;
}

resolved('127.0.0.2 127.0.0.3', '127.0.0.3', '127.0.0.2');

my $refused = refused();

is($refused, 2, 'refused once for each');

# others come and go

resolved('127.0.0.3 127.0.0.2 127.0.0.4', '127.0.0.3 127.0.0.4', '127.0.0.2');
resolved('127.0.0.3', '127.0.0.3', '');
resolved('127.0.0.2 127.0.0.3', '127.0.0.3', '127.0.0.2');

is($t->get('/')->{status}, 200, 'the other one') for 1 .. 12;
is($t->get('/random')->{status}, 200, 'the other one') for 1 .. 12;
is(refused(), $refused, 'it is ejected still');

# the only one is not: backup peers are used, and panic where there are none

resolved('127.0.0.2', '', '127.0.0.2');

is($t->get('/')->{status}, 200, 'the backup one') for 1 .. 4;
is(refused(), $refused, 'and no other');
is($t->get('/random')->{status}, 502, 'panic');
cmp_ok(refused(), '>', $refused, 'it is tried');

# nobody, and everybody again

$t->write_file('addrs', '');
resolved('127.0.0.3 127.0.0.5', '127.0.0.3 127.0.0.5', '');

is($t->metric('nginx_upstream_requests_in_flight'), 0, 'nothing in flight');

$t->expect(qr/no live upstreams|could not be resolved/);

done_testing();
