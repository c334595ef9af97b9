#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# With per=peer each peer gets as much as it is allowed, by every stock
# balancer, with and without a zone and keepalive: who has used up its share is
# passed over, and only when all have is a request refused.

use NgxMon;

my @balancers = ('', 'least_conn;', 'ip_hash;', 'hash $uri;',
	'hash $uri consistent;', 'random;', 'random two least_conn;');
my $limited = 'nginx_upstream_limited_requests_total';

balances($_) for 1, 4;

done_testing();


sub balances {
	my ($workers) = @_;

	my $t = NgxMon->new(workers => $workers);
	my ($upstreams, $locations) = ('', '');
	my (@names, %backup);

	for my $i (0 .. $#balancers) {
		for my $more ('', 'zone', 'keepalive', 'zone_keepalive') {
			my $name = "u${i}_$more";
			my $zone = $more =~ /zone/ ? "zone $name 64k;" : '';
			my $keepalive = $more =~ /keepalive/
				? 'keepalive 2;' : '';

			push @names, $name;

			# some do without backup peers

			my $server = "server 127.0.0.1:%%PORT_8083%%";

			$server .= ' backup' if $i < 2;
			$backup{$name} = $i < 2;

			$upstreams .= <<"EOC";
upstream $name {
    $zone
    $balancers[$i]
    server 127.0.0.1:%%PORT_8081%% weight=2;
    server 127.0.0.1:%%PORT_8082%%;
    $server;
    server 127.0.0.1:%%PORT_8084%% down;
    mon_limit rate=1r/h burst=3 per=peer;
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
    add_header X-Peer \$upstream_addr;

    $locations
    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8081%%;
    listen 127.0.0.1:%%PORT_8082%%;
    listen 127.0.0.1:%%PORT_8083%%;
    mon off;
    return 200;
}
EOC

	my $addr = '127.0.0.1:' . $t->port(8083);

	$t->run();

	for my $name (@names) {
		my $is = "$workers workers, $name";
		my (%got, @order, $refused);

		for my $i (1 .. 13) {
			my $r = $t->get("/$name/$i", local => "127.0.$i.1");

			if ($r->{status} == 200) {
				$got{$r->{headers}{'x-peer'}}++;
				push @order, $r->{headers}{'x-peer'};
				next;
			}

			$refused++;
			is($r->{status}, 503, "$is: refused");
			cmp_ok($r->{headers}{'retry-after'}, '>', 3400,
			       "$is: Retry-After");
			cmp_ok($r->{headers}{'retry-after'}, '<=', 3600,
			       "$is: not longer");
		}

		is($refused, 1, "$is: one is too much");
		is_deeply([ sort values %got ], [ 4, 4, 4 ],
			  "$is: all peers get their share");

		is_deeply([ map { $_ eq $addr ? 1 : 0 } @order ],
			  [ (0) x 8, (1) x 4 ], "$is: the backup one last")
			if $backup{$name};
	}

	my $m = $t->metrics();

	for my $name (@names) {
		my $is = "$workers workers, $name";
		my ($passed, $diverted, $rejected) = map {
			$m->get($limited, upstream => $name, outcome => $_)
		} qw/ passed diverted rejected /;

		is($passed + $diverted, 12, "$is: counted");
		is($rejected, 1, "$is: rejected");
		cmp_ok($diverted, '>', 0, "$is: diverted")
			if $backup{$name};
		is($m->get('nginx_upstream_requests_in_flight',
			   upstream => $name), 0, "$is: none in flight");
		is($m->get('nginx_http_errors_total', location => "/$name/",
			   reason => 'limited'), 1, "$is: reason");
	}

	$t->stop();
}
