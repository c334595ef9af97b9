#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Every shared zone: its size, its pages, and the slabs in them.

use NgxMon;

my $t = NgxMon->new();

my $conf = <<'EOC';
mon_zone mon 4m;

limit_req_zone $arg_key zone=limit:256k rate=1000r/s;
limit_conn_zone $arg_key "zone=odd \"name\":64k";
GONE

keepalive_requests 100000;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / {
        limit_req zone=limit burst=1000 nodelay;
        try_files /none =204;
    }
}
EOC

$t->conf($conf =~ s/GONE/limit_conn_zone \$host zone=gone:128k;/r);
$t->run();

my $m = $t->metrics();

is($m->get('nginx_shared_zone_size_bytes', zone => 'mon'), 4 * 1024 * 1024,
   'size of the zone of the module');
is($m->get('nginx_shared_zone_size_bytes', zone => 'limit'), 256 * 1024,
   'size of another');
is($m->get('nginx_shared_zone_size_bytes', zone => 'odd "name"'), 64 * 1024,
   'size of one with quotes in its name');
is($m->get('nginx_shared_zone_size_bytes', zone => 'gone'), 128 * 1024,
   'size of one that will go');

is(scalar $m->samples('nginx_shared_zone_size_bytes'), 4, 'no other zone');

for my $s ($m->samples('nginx_shared_zone_size_bytes')) {
	my $zone = $s->{labels}{zone};
	my $used = $m->get('nginx_shared_zone_used_bytes', zone => $zone);
	my $free = $m->get('nginx_shared_zone_free_bytes', zone => $zone);

	is($used + $free, $s->{value}, "used and free of $zone");
	cmp_ok($used, '>', 0, "something of $zone is used");
}

# the nodes of 300 keys of 8 bytes take 300 chunks of one size

my %slots = map { $_->{labels}{slot} => 1 }
	$m->samples('nginx_shared_zone_slab_chunks', zone => 'limit');

is(join(' ', sort { $a <=> $b } keys %slots),
   '8 16 32 64 128 256 512 1024 2048', 'slots of a zone');

my $c = $t->client();

my @answers = map { $c->get("/?key=key" . (10000 + $_))->{status} } 1 .. 300;

is(scalar(grep { $_ == 204 } @answers), 300, "300 keys");

my $n = $t->metrics();

# chunks of the slot that are used

my @grown = grep {
	$n->get('nginx_shared_zone_slab_used', zone => 'limit', slot => $_)
	- $m->get('nginx_shared_zone_slab_used', zone => 'limit', slot => $_)
} sort { $a <=> $b } keys %slots;

is(scalar @grown, 1, 'one size of chunks is used');

my $grown = sub {
	my ($name) = @_;

	return map {
		$_->get($name, zone => 'limit', slot => $grown[0])
	} $n, $m;
};

my @used = $grown->('nginx_shared_zone_slab_used');
my @reqs = $grown->('nginx_shared_zone_slab_requests_total');
my @fails = $grown->('nginx_shared_zone_slab_failures_total');
my @total = $grown->('nginx_shared_zone_slab_chunks');

is($used[0] - $used[1], 300, 'a chunk for each key');
is($reqs[0] - $reqs[1], 300, 'requested');
is($fails[0], 0, 'none failed');
cmp_ok($total[0], '>=', $used[0], 'no more used than there are');

my $page = POSIX::sysconf(POSIX::_SC_PAGESIZE());
my $pages = (($total[0] - $total[1]) * $grown[0]) / $page;

cmp_ok($n->get('nginx_shared_zone_used_bytes', zone => 'limit')
       - $m->get('nginx_shared_zone_used_bytes', zone => 'limit'),
       '>=', int($pages) * $page, 'pages of the zone are used');

# a full zone

$t->expect(qr/could not allocate node in limit_req zone "limit"/);

for my $i (1 .. 10000) {
	last if $c->get('/?key=' . 'x' x 60 . $i)->{status} != 204;
}

cmp_ok($t->metric('nginx_shared_zone_slab_failures_total', zone => 'limit'),
       '>', 0, 'failures');
is($t->metric('nginx_shared_zone_free_bytes', zone => 'limit'), 0,
   'no page is free');

$t->conf($conf =~ s/GONE//r);
$t->reload();

wait_for(sub {
	!defined $t->metric('nginx_shared_zone_size_bytes', zone => 'gone')
}, 10, 'a zone that is no more');

cmp_ok($t->metric('nginx_shared_zone_size_bytes', zone => 'limit'), '==',
       256 * 1024, 'the others stay');

done_testing();
