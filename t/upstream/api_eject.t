#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Peers are ejected and restored by hand: in all workers at once, over reloads.

use NgxMon;

use JSON::PP qw/ decode_json /;

my $t = NgxMon->new(workers => 4);

$t->conf(<<'EOC');
mon_zone mon 8m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%%;
    mon_outlier consecutive=2 eject=60s;
}

upstream sockets {
    server unix:%%TESTDIR%%/a.sock;
    server 127.0.0.1:%%PORT_8081%%;
    mon_outlier;
}

upstream plain {
    server 127.0.0.1:%%PORT_8081%%;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /mon/ { mon_status write; }
    location /sockets/ { proxy_pass http://sockets; }
    location / { proxy_pass http://backend; }
}
EOC

my @b = map { $t->backend($_) } 8081, 8082;

$t->run();

my $true = JSON::PP::true;
my @peer = map { '127.0.0.1:' . $t->port($_) } 8081, 8082;

sub post {
	my ($path) = @_;

	my $r = $t->request('POST', "/mon/api/http/upstreams/$path",
			    headers => ['X-Mon-Write' => 1]);

	return ($r->{status}, decode_json($r->{body}));
}

sub served { $b[0]->requests() // 0 }

sub peer {
	return decode_json($t->get(
		"/mon/api/http/upstreams/backend/peers/$_[0]")->{body});
}

# all go to the other one, whichever worker

my ($status, $p) = post("backend/peers/$peer[0]/eject");

is($status, 200, 'ejected');
is($p->{state}, 'ejected', 'state');
is($p->{forced}, $true, 'by hand');
is($p->{outlier}{trial_in}, undef, 'for good');

my $n = served();

is($t->get('/')->{status}, 200, 'served') for 1 .. 20;
is(served(), $n, 'by the other one');

# reload keeps it

$t->reload();

is($t->get('/')->{status}, 200, 'served') for 1 .. 20;
is(served(), $n, 'still by the other one');
is(peer($peer[0])->{state}, 'ejected', 'still ejected');
is(peer($peer[0])->{forced}, $true, 'by hand');

# the last one, too

is((post("backend/peers/$peer[1]/eject"))[1]{state}, 'ejected', 'the last');
is($t->get('/')->{status}, 502, 'nobody serves: no panic undoes it');

# restored

is((post("backend/peers/$peer[1]/restore"))[1]{state}, 'up', 'up');
($status, $p) = post("backend/peers/$peer[0]/restore");

is($status, 200, 'restored');
is($p->{state}, 'up', 'state');
is($p->{forced}, JSON::PP::false, 'not by hand');

$t->get('/') for 1 .. 20;
cmp_ok(served(), '>', $n, 'both serve');

# one that was ejected by itself

$b[1]->mode('/status/502');
$t->get('/') for 1 .. 20;
is(peer($peer[1])->{state}, 'ejected', 'by itself');
is((post("backend/peers/$peer[1]/restore"))[1]{state}, 'up', 'restored');
is(peer($peer[1])->{outlier}{ejected_in_a_row}, 0, 'as if never');

# a socket

my $unix = ('unix:' . $t->dir() . '/a.sock') =~ s{/}{%2F}gr;

($status, $p) = post("sockets/peers/$unix/eject");
is($p->{state}, 'ejected', 'a unix socket');
is($t->get('/sockets/')->{status}, 200, 'served') for 1 .. 4;

# what can't be

for my $path ("backend/peers/127.0.0.1:1/eject", "backend/peers/$peer[0]/x",
	      "x/peers/$peer[0]/eject", "backend/peers/eject",
	      "backend/$peer[0]/eject", "backend/peers/$peer[0]/eject/x")
{
	is((post($path))[0], 404, "404: $path");
}

($status, $p) = post("plain/peers/$peer[0]/eject");
is($status, 404, 'no gate');
like($p->{error}{message}, qr/mon_outlier/, 'says what is missing');

done_testing();
