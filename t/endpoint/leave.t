#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Clients that leave at any moment, or do not read until send_timeout, leave
# nothing behind.

use NgxMon;

my $t = NgxMon->new(workers => 1);

my $locations = join '', map { "    location /$_/ { return 204; }\n" }
	1 .. 500;

$t->conf(<<"EOC");
mon_zone mon 32m;

server {
    listen 127.0.0.1:%%PORT_8080%% sndbuf=256k;

    send_timeout 1s;

    location = /metrics { mon_metrics; }
    location = /limited { mon_metrics; limit_rate 400k; }

$locations
}
EOC

$t->run();

my ($worker) = $t->workers();

sub descriptors {
	opendir my $dh, "/proc/$worker/fd" or return;

	return scalar grep { /^\d/ } readdir $dh;
}

my $whole = length $t->get('/metrics')->{body};
my $descriptors = descriptors();

for my $uri (qw{ /metrics /limited }) {
	for my $n (0, 1, 1000, 100_000) {
		for my $how (qw/ close reset /) {
			my $c = $t->client();

			$c->send_request('GET', $uri);
			$c->read_bytes($n) if $n;

			$c->$how();
		}
	}
}

ok(wait_for(sub { descriptors() <= $descriptors }, 10, 'descriptors'),
   'all have left');

# one that does not read, and one that will not either

my $c = $t->client(rcvbuf => 4096);
$c->send_request('GET', '/metrics');

my $half = $t->client(rcvbuf => 4096);
$half->send_request('GET', '/metrics');
shutdown $half->socket(), 2;

ok(wait_for(sub { $t->log_lines(qr/client timed out/) }, 10, 'a timeout'),
   'send_timeout');

my $got = $c->read_all();

isnt($c->{error}, 'timeout', 'closed');
cmp_ok(length $got, '<', $whole, 'not whole');
isnt(substr($got, -7), "\r\n0\r\n\r\n", 'and it does not look so');

ok(wait_for(sub { descriptors() <= $descriptors }, 10, 'descriptors'),
   'no descriptor is left');

# one that reads a little now and then is slower than that, and served

$c = $t->client(rcvbuf => 65536);
$c->send_request('GET', '/limited?name=nginx_http_request_bytes', close => 1);
ok(NgxMon::Metrics->parse($c->response()->{body}), 'slow, but alive');

done_testing();
