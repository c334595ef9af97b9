#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A peer is ejected for the share of its requests that failed.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream u {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_outlier consecutive=0 ratio=50% min=10 window=1h eject=1h on=http_500;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://u; }
    location = /metrics { mon_metrics; }
}
EOC

my $bad = $t->backend(8081);
my @peer = (upstream => 'u', peer => '127.0.0.1:' . $t->port(8081));

$t->backend(8082);
$t->run();

sub ejections {
	return $t->metric('nginx_upstream_ejections_total', @peer);
}

# requests that reach the peer

sub sends {
	my ($n, $mode) = @_;

	$bad->mode($mode);

	while ($n) {
		my $before = () = $bad->requests();

		$t->get('/');
		$n -= $bad->requests() - $before;
	}
}

sends(9, '/status/500');
is(ejections(), 0, 'less than min');
sends(11, '/status/200');
is(ejections(), 0, 'min, but nothing failed then');
sends(1, '/status/500');
is(ejections(), 0, '10 of 21');
sends(1, '/status/500');
is(ejections(), 1, '11 of 22, the half');

is($bad->requests(), 22, 'so many');
like($t->read_file('error.log'),
     qr/is ejected for 3600000ms: 11 of 22 calls failed in 3600000ms;/,
     'the figures');

$t->get('/') for 1 .. 10;
is($bad->requests(), 22, 'and no more');

done_testing();
