#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Every stock balancer, with and without a zone and keepalive: nothing is sent
# to a peer that is ejected, and all of its requests are answered by others.

use NgxMon;

my @balancers = ('', 'least_conn;', 'ip_hash;', 'hash $uri;',
	'hash $uri consistent;', 'random;', 'random two least_conn;');

balances($_) for 1, 4;

done_testing();


sub balances {
	my ($workers) = @_;

	my $t = NgxMon->new(workers => $workers);
	my ($upstreams, $locations) = ('', '');
	my @names;

	for my $i (0 .. $#balancers) {
		for my $more ('', 'zone', 'keepalive', 'zone_keepalive') {
			my $name = "u${i}_$more";
			my $zone = $more =~ /zone/ ? "zone $name 64k;" : '';
			my $keepalive = $more =~ /keepalive/
				? 'keepalive 2;' : '';

			push @names, $name;

			$upstreams .= <<"EOC";
upstream $name {
    $zone
    $balancers[$i]
    server 127.0.0.1:%%PORT_8081%% max_fails=0 weight=2;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    server 127.0.0.1:%%PORT_8083%% max_fails=0 weight=3;
    mon_outlier consecutive=2 eject=1h on=http_503;
    $keepalive
}
EOC
			$locations .= <<"EOC";
    location /$name/ { proxy_pass http://$name; }
EOC
		}
	}

	$t->conf(<<"EOC");
mon_zone mon 8m;

$upstreams

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_next_upstream off;

    $locations
    location = /metrics { mon_metrics; }
}
EOC

	my $bad = $t->backend(8081, mode => '/status/503');
	my %good = map { $_ => $t->backend($_) } 8082, 8083;

	$t->run();

	my $sent = sub {
		my ($name, $from) = @_;

		my @bad;

		for my $i ($from .. $from + 29) {
			my $r = $t->get("/$name/$i", local => "127.0.$i.1");

			push @bad, $r->{status} if $r->{status} != 200;
		}

		return @bad;
	};

	my %failed = map { $_ => scalar $sent->($_, 1) } @names;
	my $seen = $bad->requests();
	my $m = $t->metrics();

	for my $name (@names) {
		my $is = "$workers workers, $name";

		is($failed{$name}, 2, "$is: failed twice");
		is($m->get('nginx_upstream_ejections_total',
			   upstream => $name), 1, "$is: ejected");
		is(scalar $sent->($name, 101), 0, "$is: all answered");
	}

	is($bad->requests(), $seen, "$workers workers: by others");

	for my $port (keys %good) {
		my %uris = map { (split m{/}, $_->{uri})[1] => 1 }
			$good{$port}->requests();

		is(scalar keys %uris, @names,
		   "$workers workers: by both of them");
	}

	$t->stop();
}
