#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Once all peers were tried the balancer begins anew, whichever it is; every
# peer is given back, or else max_conns would be reached.

use NgxMon;

my $t = NgxMon->new();

my @balancers = ('', 'least_conn;', 'ip_hash;', 'hash $uri;',
	'hash $uri consistent;', 'random;', 'random two least_conn;');
my ($upstreams, $locations) = ('', '');
my @names;

for my $i (0 .. $#balancers) {
	for my $more ('', 'zone', 'keepalive', 'zone_keepalive', 'backup',
		      'one')
	{
		next if $more eq 'backup' && $i > 1;

		my $name = "u${i}_$more";

		push @names, $name;

		my $zone = $more =~ /zone/ ? "zone $name 64k;" : '';
		my $keepalive = $more =~ /keepalive/ ? 'keepalive 2;' : '';
		my $backup = $more eq 'backup' ? 'backup' : '';
		my $second = $more eq 'one' ? ''
			: 'server 127.0.0.1:%%PORT_8082%% max_fails=0 '
			. "max_conns=1 $backup;";

		$upstreams .= <<"EOC";
upstream $name {
    $zone
    $balancers[$i]
    server 127.0.0.1:%%PORT_8081%% max_fails=0 max_conns=1;
    $second
    $keepalive
    mon_retry attempts=7 backoff=2ms;
}
EOC
		$locations .= <<"EOC";
    location /$name/ { proxy_pass http://$name; }
EOC
	}
}

$t->conf(<<"EOC");
mon_zone mon 8m;

log_format attempts '\$request_uri|\$upstream_addr|\$upstream_status';

$upstreams

server {
    listen 127.0.0.1:%%PORT_8080%%;

    access_log %%TESTDIR%%/access.log attempts;

    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_next_upstream off;

    $locations
    location = /metrics { mon_metrics; access_log off; }
}
EOC

my @backends = map { $t->backend($_) } 8081, 8082;

$t->run();

my @peers = map { '127.0.0.1:' . $t->port($_) } 8081, 8082;

# each peer fails twice: with hash one may be asked more often than the other

for my $name (@names) {
	for my $how ('status/503', 'close') {
		my $uri = "/$name/first/2/$how";
		my $r = $t->get($uri);

		is($r->{status}, 200, "$name $how: answered");

		my ($line) = wait_for(sub {
			($t->log_lines(quotemeta "$uri|", 'access.log'))[0]
		}, 10, "$uri in the log");
		my (undef, $addr, $status) = split /\|/, $line;
		my @tried = split /, /, $addr;
		my $failed = $how eq 'close' ? 502 : 503;

		like($status, qr/^(?:$failed, ){2,6}200$/,
		     "$name $how: attempts");

		if ($name =~ /_one$/) {
			is(scalar @tried, 3, "$name $how: at the one peer");
		} else {
			is(scalar(grep { $_ eq $tried[0] } @tried[0, 1]), 1,
			   "$name $how: another one first");
		}
	}

	is($t->get("/$name/status/503")->{status}, 503,
	   "$name: the last answer");
}

$t->wait_metric(0, 'nginx_upstream_calls_in_flight');

my $m = $t->metrics();

is($m->get("nginx_upstream_${_}_in_flight"), 0, "no $_ in flight")
	for qw/ retries requests /;

my $attempts = () = map { $_->requests() } @backends;

is($m->get('nginx_upstream_header_duration_seconds_count')
   + $m->get('nginx_upstream_failures_total', reason => 'error'), $attempts,
   'what the peers saw is what was counted');

done_testing();
