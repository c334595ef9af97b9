#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Thousands of peers in the API: in pieces, for clients that are slow or leave,
# of HTTP/1.0 and 1.1, plain or compressed, while others are served.

use NgxMon;

use JSON::PP qw/ decode_json /;
use Time::HiRes qw/ time /;

my $t = NgxMon->new(workers => 1);

my @addrs = map { my $i = $_; map { "127.1.$i.$_" } 1 .. 200 } 1 .. 5;
my $servers = join "\n", map { "server $_:%%PORT_8081%%;" } @addrs;

$t->conf(<<"EOC");
mon_zone mon 64m;

upstream backend {
    $servers
    mon_outlier;
}

server {
    listen 127.0.0.1:%%PORT_8080%% sndbuf=64k;

    send_timeout 60s;
    keepalive_requests 100000;

    location = /metrics { mon_metrics; }
    location /mon/ { mon_status; }
    location /gzip/ { mon_status; gzip on; gzip_types *; }
    location /limited/ { mon_status; limit_rate 4m; }
    location = /x { return 204; }
    location / { proxy_pass http://backend; }
}
EOC

$t->run();

my ($worker) = $t->workers();

sub resident {
	my ($kb) = $t->command('cat', "/proc/$worker/status")
		=~ /^RssAnon:\s+(\d+)/m;

	return $kb;
}

sub descriptors {
	opendir my $dh, "/proc/$worker/fd" or return;

	return scalar grep { /^\d/ } readdir $dh;
}

my $api = 'api/http/upstreams/backend/peers';

# once, so that what a worker keeps for each peer is there

my $r = $t->get("/mon/$api");

is($r->{error}, '', 'whole');
cmp_ok(scalar @{ $r->{chunks} }, '>', 20, 'in pieces');
is(scalar keys %{ decode_json($r->{body}) }, 1000, 'every peer');

my $descriptors = descriptors();
my $before = resident();

# those that read a little, then nothing

my @slow = map {
	my $c = $t->client(rcvbuf => 8192, timeout => 60);
	$c->send_request('GET', $_, close => 1,
			 headers => ['Accept-Encoding' => 'gzip']);
	$c->read_until(qr/\r\n\r\n/);
	$c;
} "/mon/$api", "/mon/$api", "/mon/$api", "/gzip/$api";

my $c = $t->client();
my $begin = time();

is($c->get('/x')->{status}, 204, 'another request') for 1 .. 10;
cmp_ok(time() - $begin, '<', NgxMon::Process::slowness(), 'at once');

is($t->get('/mon/' . ($api =~ s/peers//r))->{error}, '', 'overtakes them');

cmp_ok(resident() - $before, '<', 1024, 'less than a megabyte for all')
	unless $ENV{NGX_MON_SANITIZED} || $ENV{VALGRIND};

# what the first gets is whole; others leave

$r = $slow[0]->_chunked({ body => '', chunks => [] });

is(scalar keys %{ decode_json($r->{body}) }, 1000, 'the slow one has all');

$slow[1]->close();
$slow[2]->reset();
$slow[3]->reset();

ok(wait_for(sub { descriptors() < $descriptors + 2 }, 10, 'descriptors'),
   'no descriptor is left');

# other ways

$r = $t->get("/mon/$api", version => '1.0');
is($r->{headers}{'transfer-encoding'}, undef, 'HTTP/1.0');
is(scalar keys %{ decode_json($r->{body}) }, 1000, 'all of it');

$r = $t->get("/limited/$api");
is(scalar keys %{ decode_json($r->{body}) }, 1000, 'limit_rate');

my $gzip = $t->curl('--compressed', '-D', $t->dir() . '/head',
		    "http://127.0.0.1:%%PORT_8080%%/gzip/$api");

like($t->read_file('head'), qr/content-encoding: gzip/i, 'gzip');
is(scalar keys %{ decode_json($gzip) }, 1000, 'all of it');

# not a scrape, and not recorded

my $m = $t->metrics();

is($m->get('nginx_http_requests_total', location => '/mon/'), undef,
   'not recorded');
is($m->get('nginx_mon_scrape_duration_seconds_count'), 0, 'nor a scrape');

done_testing();
