#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What is sent in some seconds to an upstream, or to each of its peers, is burst
# + rate x time, to the request, whether one worker sees all of them or four do;
# also when each second there is a reload, or a worker is killed.

use NgxMon;
use NgxMon::Saturate qw/ saturate /;

use Time::HiRes qw/ sleep /;

# of peers: together as one limit of that burst

my @limits = (
	{ name => '7r/s', count => 7, period => 1, burst => 3,
	  connections => 8, depth => 1, offer => 300 },
	{ name => '100r/m', count => 100, period => 60, burst => 5,
	  connections => 8, depth => 1, offer => 300 },
	{ name => '300r/s', count => 300, period => 1, burst => 300,
	  connections => 8, depth => 4, offer => 1000, coarse => 1 },
	{ name => '5r/s', allowances => 3, count => 15, period => 1, burst => 8,
	  connections => 8, depth => 1, offer => 300 },
);

my $backend = NgxMon->new();

$backend->conf(<<'EOC')->run();
keepalive_requests 100000000;

server {
    listen 127.0.0.1:%%PORT_8081%%;
    listen 127.0.0.1:%%PORT_8082%%;
    listen 127.0.0.1:%%PORT_8083%%;
    location / { empty_gif; }
}
EOC

my ($upstreams, $locations) = ('', '');

for (@limits) {
	my $name = $_->{name} =~ tr{/}{}dr;
	my $peers = $_->{allowances} // 1;
	my $servers = join "\n    ", map { 'server 127.0.0.1:' . $backend->port($_) . ';' }
		8081 .. 8080 + $peers;
	my $burst = ($_->{burst} + 1) / $peers - 1;
	my $per = $peers > 1 ? 'per=peer' : '';
	my $zone = $peers > 1 ? "zone $name 64k;" : '';

	$upstreams .= <<"EOC";
upstream $name {
    $zone
    $servers
    keepalive 8;
    mon_limit rate=$_->{name} burst=$burst status=429 $per;
}
EOC
	$locations .= "    location /$name { proxy_pass http://$name; }\n";
}

my $conf = <<"EOC";
mon_zone mon 4m;
keepalive_requests 100000000;

$upstreams

server {
    listen 127.0.0.1:%%PORT_8080%% reuseport;

    proxy_http_version 1.1;
    proxy_set_header Connection "";
    add_header X-Worker \$pid;

$locations
}

EOC

my %o = (conf => $conf, limits => \@limits);

saturate(NgxMon->new(workers => $_), 4, sub { sleep .1 }, %o) for 1, 4;

my $t = NgxMon->new(workers => 4);

saturate($t, 6, sub { $t->reload(); sleep 1 }, %o);

$t = NgxMon->new(workers => 4);

saturate($t, 6, sub { $t->kill_worker(($t->workers())[0]); sleep 1 }, %o,
	 lost => 1);

done_testing();
