#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# An answer on trial that began well and goes on is taken for a success after a
# while: a download, or a stream of events, keeps no peer out until its end.

use NgxMon;

my $t = NgxMon->new(workers => 2);

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream u {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_outlier consecutive=1 eject=100ms on=error,http_503;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_next_upstream off;
    proxy_buffering off;

    location / { proxy_pass http://u; }
    location = /metrics { mon_metrics; }
}
EOC

my $bad = $t->backend(8081);
my @peer = (upstream => 'u', peer => '127.0.0.1:' . $t->port(8081));

$t->backend(8082);
$t->run();

sub ejected {
	return $t->metric('nginx_upstream_peer_state', @peer,
			  state => 'ejected');
}

sub eject {
	$bad->mode('/status/503');
	wait_for(sub { $t->get('/'); ejected() });
	$bad->mode('');
}

# a request that is the peer's trial; the answer has begun

sub begun {
	my ($uri) = @_;

	my $c;
	my $port = $t->port(8081);

	wait_for(sub {
		return unless ejected();

		$c = $t->client();
		$c->send_request('GET', $uri);

		return $c->read_until(qr/x{50}/) =~ /X-Backend: $port/i;
	}, 20, 'a trial');

	return $c;
}

eject();

my $c = begun('/stall');

ok(wait_for(sub { !ejected() }, 10, 'the peer'), 'the peer is back');
is($t->metric('nginx_upstream_requests_in_flight', @peer), 1,
   'the answer goes on');
like(($t->log_lines(qr/peer/))[-1], qr/is back: it passed its trial$/,
     'told without a request');

# what becomes of it is that of any call

my $n = $t->metric('nginx_upstream_ejections_total', @peer);

$c->close();
ok(wait_for(sub {
	!$t->metric('nginx_upstream_requests_in_flight', @peer)
}, 10, 'its end'), 'it ends');
is(ejected(), 0, 'a client that leaves is no failure');
is($t->metric('nginx_upstream_ejections_total', @peer), $n, 'nor counted');

# one that breaks off before has failed

eject();
begun('/half')->closed();
ok(wait_for(sub { $t->log_lines(qr/ejected.*it failed on trial/) }, 10,
	    'a failure'), 'half an answer');

done_testing();
