#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A peer on trial gets one request at a time from all workers together; who
# leaves or dies meanwhile gives the trial back.

use NgxMon;

for my $workers (1, 4) {
	for my $zone ('', 'zone u 64k;') {
		tries($workers, $zone);
	}
}

done_testing();


sub tries {
	my ($workers, $zone) = @_;

	my $is = "$workers workers" . ($zone ? ', zone' : '');
	my $t = NgxMon->new(workers => $workers);

	$t->conf(<<"EOC");
mon_zone mon 4m;

upstream u {
    $zone
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_outlier consecutive=1 eject=100ms on=http_503;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_next_upstream off;

    location / { proxy_pass http://u; }
    location = /metrics { mon_metrics; }
}
EOC

	my $bad = $t->backend(8081, mode => '/status/503');
	my @peer = (upstream => 'u', peer => '127.0.0.1:' . $t->port(8081));

	$t->backend(8082);
	$t->run();

	wait_for(sub { $t->get('/')->{status} == 503 }, 10, 'a failure');

	is($t->metric('nginx_upstream_ejections_total', @peer), 1,
	   "$is: ejected");

	my $seen = $bad->requests();

	$bad->mode('/wait/word');

	# the first request of the trial waits; meanwhile there is no other

	my @clients;

	wait_for(sub {
		push @clients, $t->client();
		$clients[-1]->send_request('GET', '/');
		$bad->requests() > $seen;
	}, 20, 'a trial');

	push @clients, map {
		my $client = $t->client();
		$client->send_request('GET', '/');
		$client
	} 1 .. 40;

	$t->wait_metric(1, 'nginx_upstream_requests_in_flight');
	is($bad->requests(), $seen + 1, "$is: one request");

	# its client leaves: another one may try

	$_->close() for @clients;

	$t->wait_metric(0, 'nginx_upstream_requests_in_flight');
	is($t->metric('nginx_upstream_ejections_total', @peer), 1,
	   "$is: that was no failure");

	@clients = ();

	wait_for(sub {
		push @clients, $t->client();
		$clients[-1]->send_request('GET', '/');
		$bad->requests() > $seen + 1;
	}, 20, 'another trial');

	# its worker dies

	$t->expect(qr/exited on signal 9/);
	$t->kill_worker($_) for $t->workers();

	my $n = $bad->requests();

	wait_for(sub {
		my $client = $t->client(timeout => 1);

		$client->send_request('GET', '/');
		push @clients, $client;
		$bad->requests() > $n;
	}, 20, 'one after that');

	$t->client()->send_request('GET', '/') for 1 .. 20;
	$t->wait_metric(1, 'nginx_upstream_requests_in_flight');
	is($bad->requests(), $n + 1, "$is: one again");

	# it succeeds, and all may come

	is($t->metric('nginx_upstream_peer_state', @peer,
		      state => 'ejected'), 1, "$is: still on trial");

	$bad->mode('/status/200');
	$bad->tell('word');
	$t->wait_metric(1, 'nginx_upstream_peer_state', @peer, state => 'up');

	$n = $bad->requests();
	$t->get('/') for 1 .. 4 * $workers + 2;
	cmp_ok($bad->requests() - $n, '>', 1, "$is: back");

	$t->stop();
}
