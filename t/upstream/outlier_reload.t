#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Who is ejected stays so over a reload, and for how long it was; without the
# directive everyone is used.

use NgxMon;

for my $zone ('', 'zone u 64k;') {
	my $t = NgxMon->new(workers => 2);

	$t->conf(<<"EOC");
mon_zone mon 4m;

upstream u {
    $zone
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_outlier consecutive=1 eject=1h on=http_500;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://u; }
    location = /metrics { mon_metrics; }
}
EOC

	my $bad = $t->backend(8081, mode => '/status/500');
	my @peer = (upstream => 'u', peer => '127.0.0.1:' . $t->port(8081));

	$t->backend(8082);
	$t->run();

	wait_for(sub { $t->get('/')->{status} == 500 }, 10, 'to be ejected');

	my $n = $bad->requests();

	for (1 .. 2) {
		$t->reload();
		is($t->metric('nginx_upstream_peer_state', @peer,
			      state => 'ejected'), 1, "$zone after a reload");
		is(scalar(grep { $t->get('/')->{status} != 200 } 1 .. 20), 0,
		   "$zone not used");
	}

	$t->expect(qr/exited on signal 9/);
	$t->kill_worker($_) for $t->workers();
	is(scalar(grep { $t->get('/')->{status} != 200 } 1 .. 20), 0,
	   "$zone nor after crashes");
	is($bad->requests(), $n, "$zone it saw nothing");
	is($t->metric('nginx_upstream_ejections_total', @peer), 1,
	   "$zone ejected once");

	my $conf = $t->read_file('nginx.conf');

	$t->write_file('nginx.conf', $conf =~ s/mon_outlier[^;]*;//r);
	$t->reload();
	is($t->metric('nginx_upstream_peer_state', @peer, state => 'up'), 1,
	   "$zone without the directive it is up");
	is($t->metric('nginx_upstream_panic'), undef, "$zone no gauge");
	cmp_ok(scalar(grep { $t->get('/')->{status} == 500 } 1 .. 20), '>', 5,
	       "$zone and used");

	$t->write_file('nginx.conf', $conf);
	$t->reload();
	is($t->metric('nginx_upstream_peer_state', @peer,
		      state => 'ejected'), 1, "$zone it is not forgotten");

	$t->stop();
}

done_testing();
