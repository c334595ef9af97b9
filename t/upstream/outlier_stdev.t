#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A peer is ejected when its success rate is far below that of the others; of
# fewer than five peers none is.

use NgxMon;

my $t = NgxMon->new(workers => 2);

my $few = join "\n", map { "server 127.0.0.1:%%PORT_$_%% max_fails=0;" }
	8081 .. 8084;
my $all = "$few server 127.0.0.1:%%PORT_8085%% max_fails=0;";
my $outlier = 'mon_outlier consecutive=0 stdev=1.9 window=10m eject=1h'
	. ' max_ejected=100% on=http_500;';

$t->conf(<<"EOC");
mon_zone mon 4m;

upstream few { $few $outlier }
upstream all { $all $outlier }

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /few { proxy_pass http://few; }
    location /all { proxy_pass http://all; }
    location = /metrics { mon_metrics; }
}
EOC

# of ten requests eight fail at one, one at all others

my @backends = map { $t->backend($_) } 8081 .. 8085;

$t->run();

my $i = 0;

sub load {
	my ($upstream) = @_;

	my $client = $t->client();

	$backends[0]->mode($i++ % 5 ? '/status/500' : '/status/200');
	$client->get("/$upstream") for 1 .. 50;
	$client->close();
}

sub ejections {
	return $t->metric('nginx_upstream_ejections_total', @_);
}

my @peer = (peer => '127.0.0.1:' . $t->port(8081));

wait_for(sub {
	load('all');
	ejections(upstream => 'all') > 0;
}, 60, 'to be ejected');

is(ejections(upstream => 'all', @peer), 1, 'the one that fails');
is(ejections(upstream => 'all'), 1, 'and no other');
like($t->read_file('error.log'),
     qr/success rate \d+\.\d\d% is below \d+\.\d\d%, the bound of 5 peers;/,
     'the figures');

load('few') for 1 .. 12;

# longer than the tick in which rates are compared

select undef, undef, undef, 2.5;

is(ejections(upstream => 'few'), 0, 'four are too few to tell');

done_testing();
