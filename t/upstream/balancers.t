#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Every stock balancer, with and without a zone and keepalive: what the
# backends saw is what was counted, and nothing stays in flight.

use NgxMon;

my $t = NgxMon->new();

my @balancers = ('', 'least_conn;', 'ip_hash;', 'hash $uri;',
	'hash $uri consistent;', 'random;', 'random two least_conn;');
my ($upstreams, $locations) = ('', '');
my @names;

for my $i (0 .. $#balancers) {
	for my $more ('', 'zone', 'keepalive', 'zone_keepalive') {
		my $name = "u${i}_$more";

		push @names, $name;

		my $zone = $more =~ /zone/ ? "zone $name 64k;" : '';
		my $keepalive = $more =~ /keepalive/ ? 'keepalive 2;' : '';

		$upstreams .= <<"EOC";
upstream $name {
    $zone
    $balancers[$i]
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% weight=2 max_fails=0;
    server 127.0.0.1:%%PORT_8083%% max_fails=0;
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

    $locations
    location = /metrics { mon_metrics; }
}
EOC

# 8083 refuses

my %backends = map { $t->port($_) => $t->backend($_) } 8081, 8082;
my $refused = $t->port(8083);

$t->run();

my $client = $t->client();

for my $name (@names) {
	my $bad = grep { $client->get("/$name/$_")->{status} != 200 } 1 .. 12;

	is($bad, 0, "$name answers");
}

$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

my $m = $t->metrics();
my %seen;

for my $port (keys %backends) {
	for ($backends{$port}->requests()) {
		my ($name) = $_->{uri} =~ m{^/(\w+)/};
		$seen{$name}{$port}++;
	}
}

for my $name (@names) {
	for my $port (keys %backends) {
		my @peer = (upstream => $name, peer => "127.0.0.1:$port");
		my $n = $seen{$name}{$port} // 0;

		is($m->get('nginx_upstream_responses_total', @peer) // 0, $n,
		   "$name: responses");
		is($m->get('nginx_upstream_connect_duration_seconds_count',
			   @peer)
		   + $m->get('nginx_upstream_connections_reused_total', @peer),
		   $n, "$name: connected or reused");
		is($m->get('nginx_upstream_failures_total', @peer), undef,
		   "$name: no failure");
	}

	my @peer = (upstream => $name, peer => "127.0.0.1:$refused");

	is($m->get('nginx_upstream_responses_total', @peer), undef,
	   "$name: nothing from the one that refuses");
}

cmp_ok($m->get('nginx_upstream_failures_total',
	       peer => "127.0.0.1:$refused", reason => 'error'), '>', 20,
       'its refusals');
cmp_ok($m->get('nginx_upstream_connections_reused_total',
	       upstream => 'u0_keepalive'), '>', 0, 'keepalive works');

done_testing();
