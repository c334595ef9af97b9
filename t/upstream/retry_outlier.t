#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_outlier beside it: retries go to peers that are in, or come to be; where
# only one is left it is asked again.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream two {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_outlier consecutive=3 eject=1h on=http_503;
    mon_retry attempts=4 backoff=2ms on=http_503 min=100;
}

upstream both {
    zone both 64k;
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8083%% max_fails=0;
    mon_outlier consecutive=1 eject=1h max_ejected=100% on=http_503;
    mon_retry attempts=6 backoff=2ms on=http_503 min=100;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_next_upstream off;

    location /two/ { proxy_pass http://two; }
    location /both/ { proxy_pass http://both; }
    location = /metrics { mon_metrics; }
}
EOC

my %backend = map { $_ => $t->backend($_) } 8081 .. 8083;

$backend{$_}->mode('/status/503/bytes/10') for 8081, 8083;

$t->run();

sub requests {
	my ($port, $where) = @_;

	return scalar grep { $_->{uri} =~ m{^/$where/} }
		$backend{$port}->requests();
}

# the client sees none of the peer that fails until it is out

is($t->get("/two/$_")->{status}, 200, "request $_") for 1 .. 12;
is($t->metric('nginx_upstream_ejections_total', upstream => 'two'), 1,
   'one was ejected');
is(requests(8081, 'two'), 3, 'after three failures');

# the other one fails, too: it is all there is

is($t->get("/two/first/2/status/503")->{status}, 200,
   'asked again where it is the only one');
is($t->get("/two/status/503")->{status}, 503, 'the last answer');

# both are out, and used all the same

my $r = $t->get('/both/1');

like($r->{status}, qr/^50[23]$/, 'both fail');

$r = $t->get('/both/2');
like($r->{status}, qr/^50[23]$/, 'and again, while both are out');
cmp_ok(requests(8081, 'both') + requests(8083, 'both'), '>', 2,
       'they are asked');

$t->wait_metric(0, "nginx_upstream_${_}_in_flight")
	for qw/ calls retries requests /;

$backend{$_}->mode('/status/200') for 8081, 8083;
is($t->get('/both/3')->{status}, 200, 'well again');

done_testing();
