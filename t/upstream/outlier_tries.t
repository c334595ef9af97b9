#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Beside proxy_next_upstream: the client gets the last real answer when peers
# are out, and no request fails for a trial.

use NgxMon;

for my $zone ('', 'zone') {
	my $t = NgxMon->new();
	my ($u, $v, $w) = map { $zone ? "zone $_ 64k;" : '' } qw/ u v w /;

	$t->conf(<<"EOC");
mon_zone mon 4m;

upstream u {
    $u
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    server 127.0.0.1:%%PORT_8083%% max_fails=0;
    mon_outlier consecutive=1 eject=1h on=http_500 max_ejected=50%;
}

upstream v {
    $v
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8084%% max_fails=0;
    mon_outlier consecutive=1 eject=50ms max_eject=50ms on=http_500;
}

upstream w {
    $w
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8084%% max_fails=0;
    mon_outlier consecutive=1 eject=50ms max_eject=50ms on=http_500;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_next_upstream http_500 http_503;

    location /u { proxy_pass http://u; }
    location /v { proxy_pass http://v; }
    location /w {
        proxy_next_upstream_tries 1;
        proxy_pass http://w;
    }
    location = /metrics { mon_metrics; }
}
EOC

	my $bad = $t->backend(8081, mode => '/status/500');

	$t->backend($_, mode => '/status/503') for 8082, 8083;
	$t->backend(8084);
	$t->run();

	wait_for(sub {
		$t->get('/u');
		$t->metric('nginx_upstream_ejections_total',
			   upstream => 'u') == 1;
	}, 10, 'to be ejected');

	my $n = $bad->requests();

	for (1 .. 6) {
		my $r = $t->get('/u');

		is($r->{status}, 503, "$zone the last answer");
		ok($r->{headers}{'x-backend'}, "$zone of a backend");
	}

	is($bad->requests(), $n, "$zone not of the one that is out");
	is(scalar $t->log_lines(qr/no live upstreams/), 0,
	   "$zone nothing of no live upstreams");

	# trials fail again and again, and no client notices

	my ($failed, $trials) = (0, 0);

	wait_for(sub {
		$failed++ if $t->get('/v')->{status} != 200;
		($trials = $t->metric('nginx_upstream_ejections_total',
				      upstream => 'v')) > 5;
	}, 30, 'trials');

	is($failed, 0, "$zone no client sees a trial");

	# unless there is only one try: then there is no other request either

	my ($requests, $seen) = (0, $bad->requests());

	wait_for(sub {
		$requests++;
		$t->get('/w');
		$t->metric('nginx_upstream_ejections_total',
			   upstream => 'w') > 3;
	}, 30, 'trials');

	my $m = $t->metrics();

	is($m->get('nginx_upstream_responses_total', upstream => 'w'),
	   $requests, "$zone one try for each");

	$t->stop();
}

done_testing();
