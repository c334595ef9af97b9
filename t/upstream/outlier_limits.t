#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# How many may be ejected at once: of two or more always one, the only one
# never, and else max_ejected of those that nginx itself would use.

use NgxMon;

my %limits = (
	one => [ 0, '', 8081 ],
	all_of_one => [ 0, 'max_ejected=100%', 8081 ],
	two => [ 1, '', 8081, 8082 ],
	two_low => [ 1, 'max_ejected=10%', 8081, 8082 ],
	three => [ 1, '', 8081 .. 8083 ],
	three_high => [ 2, 'max_ejected=67%', 8081 .. 8083 ],
	four => [ 2, '', 8081 .. 8084 ],
	none => [ 0, 'max_ejected=0', 8081 .. 8084 ],
	down => [ 1, '', 8081, 8082, '8083 down', '8084 down' ],
	backup => [ 1, '', 8081, '8082 backup' ],
	only_down => [ 0, '', 8081, '8082 down' ],
	twice => [ 0, '', 8081, 8081 ],
);

limited($_) for 1, 4;

done_testing();


sub limited {
	my ($workers) = @_;

	my $t = NgxMon->new(workers => $workers);
	my ($upstreams, $locations) = ('', '');

	for my $name (sort keys %limits) {
		my (undef, $more, @servers) = @{ $limits{$name} };
		my $servers = join "\n", map {
			my ($port, $flag) = split / /;
			"server 127.0.0.1:%%PORT_$port%% max_fails=0 "
				. ($flag // '') . ';'
		} @servers;

		$upstreams .= <<"EOC";
upstream $name {
    $servers
    mon_outlier consecutive=1 eject=1h on=http_500 $more;
}
EOC
		$locations .= <<"EOC";
    location /$name/ { proxy_pass http://$name; }
EOC
	}

	$t->conf(<<"EOC");
mon_zone mon 8m;
$upstreams
server {
    listen 127.0.0.1:%%PORT_8080%%;
    $locations
    location = /metrics { mon_metrics; }
}
EOC

	$t->backend($_, mode => '/status/500') for 8081 .. 8084;
	$t->run();

	for my $name (sort keys %limits) {
		is($t->get("/$name/$_")->{status}, 500, "$name: answered")
			for 1 .. 24;

		my $m = $t->metrics();

		is($m->get('nginx_upstream_ejections_total',
			   upstream => $name), $limits{$name}[0],
		   "$workers workers, $name: ejected");
		is($m->get('nginx_upstream_peer_state', upstream => $name,
			   state => 'ejected'), $limits{$name}[0],
		   "$workers workers, $name: they are out");
	}

	is($t->metric('nginx_upstream_panics_total'), 0, 'no panic');
	$t->stop();
}
