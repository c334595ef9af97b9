#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A flood of keys does not reset the limit of another one: who has used his
# allowance up is refused until the end, however small the zone.  What finds no
# room passes or is refused as "full" says, and is counted.

use NgxMon;

my $t = NgxMon->new(workers => 2);

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_limit_zone $arg_k zone=pass:64k rate=1r/h;
mon_limit_zone $arg_k zone=refuse:64k rate=1r/h;
mon_limit_zone $arg_k zone=quick:64k rate=2000r/s;

keepalive_requests 1000000;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /pass { empty_gif; mon_limit zone=pass; }
    location /refuse { empty_gif; mon_limit zone=refuse full=refuse; }
    location /quick { empty_gif; mon_limit zone=quick full=refuse; }
    location = /metrics { mon_metrics; }
}
EOC

$t->run();

# requests with so many keys of their own, and how many got each status

my $key = 0;

sub flood {
	my ($uri, $n) = @_;

	my $client = $t->client();
	my %status;

	for (1 .. $n / 100) {
		$client->send(join '', map { $key++;
			"GET $uri?k=$key HTTP/1.1\r\nHost: a\r\n\r\n"
		} 1 .. 100);

		$status{$client->response()->{status}}++ for 1 .. 100;
	}

	return \%status;
}

sub facts {
	my ($zone) = @_;

	my $m = $t->metrics();

	return map { $m->get("nginx_http_limit_$_", zone => $zone) }
		qw/ keys keys_capacity full_total /;
}

for my $zone (qw/ pass refuse /) {
	my @victims = map { "/$zone?k=victim$_" } 1 .. 20;

	is(join('', map { $t->get($_)->{status} } @victims), '200' x 20,
	   "$zone: keys with an allowance");

	my ($keys, $room, $full) = facts($zone);

	note("$zone: $keys keys, room for $room");
	is($full, 0, "$zone: room");
	cmp_ok($room, '>', 100, "$zone: for many");
	cmp_ok($room, '<=', 65536 / 64, "$zone: but not for all");

	my $status = flood("/$zone", 4000);

	($keys, undef, $full) = facts($zone);

	note("$zone: $keys keys, full $full");
	cmp_ok($full, '>=', 4000 - $room, "$zone: full");
	is($status->{429} // 0, $zone eq 'pass' ? 0 : $full,
	   "$zone: refused");
	is($status->{200}, $zone eq 'pass' ? 4000 : 4000 - $full,
	   "$zone: passed");

	is(join('', map { $t->get($_)->{status} } @victims), '429' x 20,
	   "$zone: still refused");

	$t->reload();
	is(join('', map { $t->get($_)->{status} } @victims), '429' x 20,
	   "$zone: after a reload");
	flood("/$zone", 1000);
	is(join('', map { $t->get($_)->{status} } @victims), '429' x 20,
	   "$zone: and another flood");

	my @lines = $t->log_lines(qr/zone "$zone" is full of keys/);

	note($_) for @lines;
	cmp_ok(scalar @lines, '>=', 1, "$zone: logged");
	cmp_ok(scalar @lines, '<=', 3, "$zone: not each time");
}

# keys whose allowance is full again make room at once

my $status = flood('/quick', 10000);

cmp_ok($status->{200}, '>', 9000, 'keys that are idle are replaced');

done_testing();
