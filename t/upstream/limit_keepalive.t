#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Cached connections: they take a share like others; that of a peer which is
# passed over stays in the cache; and where the peer had closed one the request
# is sent again without another share.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream one {
    server 127.0.0.1:%%PORT_8081%%;
    keepalive 4;
    mon_limit rate=1r/h burst=4;
}

upstream broken {
    server 127.0.0.1:%%PORT_8081%%;
    keepalive 4;
    mon_limit rate=1r/h burst=1;
}

upstream broken_peer {
    server 127.0.0.1:%%PORT_8081%%;
    keepalive 4;
    mon_limit rate=1r/h burst=1 per=peer;
}

upstream broken_retry {
    server 127.0.0.1:%%PORT_8081%%;
    keepalive 4;
    mon_limit rate=1r/h burst=1;
    mon_retry budget=100% min=9;
}

upstream peers {
    hash same;
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%%;
    keepalive 4;
    mon_limit rate=2r/s burst=0 per=peer;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_http_version 1.1;
    proxy_set_header Connection "";
    add_header X-Peer $upstream_addr;

    location /one/ { proxy_pass http://one; }
    location /broken/ { proxy_pass http://broken; }
    location /broken_peer/ { proxy_pass http://broken_peer; }
    location /broken_retry/ { proxy_pass http://broken_retry; }
    location /peers/ { proxy_pass http://peers; }
    location = /metrics { mon_metrics; }
}
EOC

my @backends = map { $t->backend($_) } 8081, 8082;

$t->run();

my $limited = 'nginx_upstream_limited_requests_total';

is($t->get('/one/')->{status}, 200, "share $_") for 1 .. 5;
is($t->get('/one/')->{status}, 503, 'and no more');

my %conns = map { $_->{conn} => 1 } $backends[0]->requests();

is(scalar keys %conns, 1, 'by one connection');

# closed by the peer as the request comes

for my $name (qw/ broken broken_peer broken_retry /) {
	is($t->get("/$name/")->{status}, 200, "$name: a connection is cached");

	my $r = $t->get("/$name/first/1/close");

	is($r->{status}, 200, "$name: sent again");

	my @sent = grep { $_->{uri} =~ m{^/$name/first} }
		$backends[0]->requests();

	is(scalar @sent, 2, "$name: two attempts");
	cmp_ok($sent[0]{n}, '>', 1, "$name: the first by a cached connection");
	is($t->get("/$name/")->{status}, 503, "$name: two shares in all");
}

# passed over

my %count;
my @before = map { scalar(() = $_->requests()) } @backends;

for (1 .. 50) {
	my $r = $t->get('/peers/');

	$count{$r->{headers}{'x-peer'} // $r->{status}}++;
	select undef, undef, undef, 0.05;
}

my @sent = map { [ grep { $_->{uri} eq '/peers/' } $_->requests() ] } @backends;

for my $i (0, 1) {
	my %conns = map { $_->{conn} => 1 } @{ $sent[$i] };

	cmp_ok(scalar @{ $sent[$i] }, '>', 3, "peer $i gets its share");
	is(scalar keys %conns, 1, "peer $i: by one connection");
}

cmp_ok($t->metric($limited, upstream => 'peers', outcome => 'diverted'), '>', 3,
       'passed over');
cmp_ok($count{503}, '>', 3, 'refused');
is($t->metric('nginx_upstream_failures_total', upstream => 'peers'), undef,
   'no failure');
is($t->metric('nginx_upstream_requests_in_flight'), 0, 'none in flight');

done_testing();
