#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Peers that are resolved at run time have an allowance each, by their address;
# one that comes back finds what it had left.

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
    server backend.test:%%PORT_8081%% resolve;
    server 127.0.0.1:%%PORT_8082%% backup;
    mon_limit rate=1r/h burst=1 per=peer;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    add_header X-Peer $upstream_addr;
    location / { proxy_pass http://backend; }
    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8081%%;
    listen 127.0.0.2:%%PORT_8081%%;
    listen 127.0.0.3:%%PORT_8081%%;
    listen 127.0.0.1:%%PORT_8082%%;
    mon off;
    return 200;
}
EOC

sub addresses {
	$t->write_file('addrs.new', "@_");
	rename $t->dir() . '/addrs.new', $t->dir() . '/addrs';
}

addresses('127.0.0.1', '127.0.0.2');
$t->dns(8090);
$t->run();

sub peers {
	my ($n) = @_;

	return join ' ', sort map {
		my $r = $t->get('/');

		($r->{headers}{'x-peer'} // $r->{status}) =~ s/:.*//r
			. (($r->{headers}{'x-peer'} // '')
			   =~ /:@{[ $t->port(8082) ]}$/ ? 'b' : '')
	} 1 .. $n;
}

sub known {
	my ($n) = @_;

	wait_for(sub {
		$t->metrics()->get('nginx_upstream_peer_weight') == $n + 1;
	});
}

known(2);
is(peers(2), '127.0.0.1 127.0.0.2', 'one of each');

addresses('127.0.0.2', '127.0.0.3');
wait_for(sub {
	my $m = $t->metrics();

	$m->get('nginx_upstream_peer_weight',
		peer => '127.0.0.3:' . $t->port(8081))
	&& !$m->get('nginx_upstream_peer_weight',
		    peer => '127.0.0.1:' . $t->port(8081));
});
is(peers(6), '127.0.0.1b 127.0.0.1b 127.0.0.2 127.0.0.3 127.0.0.3 503',
   'a new one has all, one that stays what was left, then the backup peer');

addresses('127.0.0.1');
wait_for(sub {
	$t->metric('nginx_upstream_peer_weight',
		   peer => '127.0.0.1:' . $t->port(8081));
});
is(peers(2), '127.0.0.1 503', 'one that comes back has what was left');

$t->reload();
is(peers(1), '503', 'nor after a reload');

done_testing();
