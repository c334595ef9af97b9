#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A scrape of thousands of locations, read slowly: others are served
# meanwhile, it costs little memory, and several at once are each whole.

use NgxMon;

use Time::HiRes qw/ time /;

use NgxMon::Scrape qw/ skim /;

my $t = NgxMon->new(workers => 1);

my $locations = join '', map { "    location /$_/ { return 204; }\n" }
	1 .. 5000;

$t->conf(<<"EOC");
mon_zone mon 64m;

server {
    listen 127.0.0.1:%%PORT_8080%% sndbuf=256k;

    location = /metrics { mon_metrics; }
    location = /json { mon_metrics json; }
    location = /gzip { gzip on; gzip_types *; mon_metrics; }

$locations
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

$t->get('/1/');

my $descriptors = descriptors();
my $before = resident();

# clients that read a little, then nothing

my @slow = map {
	my $c = $t->client(rcvbuf => 8192, timeout => 60);
	$c->send_request('GET', $_, close => 1,
			 headers => ['Accept-Encoding' => 'gzip']);
	$c->read_until(qr/\r\n\r\n/);
	$c;
} qw{ /metrics /json /gzip };

# others are served

my $worst = 0;

for (1 .. 200) {
	my $begin = time();

	is($t->get('/2/')->{status}, 204, 'another request') if $_ == 1;
	$t->get('/2/') if $_ > 1;

	my $took = time() - $begin;
	$worst = $took if $took > $worst;
}

cmp_ok($worst, '<', 1, 'none waits for the slow ones');

my $growth = resident() - $before;

cmp_ok($growth, '<', 1024, 'less than a megabyte for three scrapes')
	unless $ENV{NGX_MON_SANITIZED} || $ENV{VALGRIND};

# a fast one overtakes them, and is whole

my $body = $t->get('/metrics')->{body};

cmp_ok(length $body, '>', 5_000_000, 'a large document');
is(skim($body), '', 'whole');
is(scalar(() = $body =~ /^nginx_http_request_duration_seconds_count/mg),
   5001, 'every location is in it');

$growth = resident() - $before;

cmp_ok($growth, '<', 1024, 'less than a megabyte for four')
	unless $ENV{NGX_MON_SANITIZED} || $ENV{VALGRIND};

# the slow ones go on; what they get is whole, too

my $r = $slow[0]->_chunked({ body => '', chunks => [] });

is(skim($r->{body}), '', 'the slow one is whole');
cmp_ok(scalar @{ $r->{chunks} }, '>', 100, 'it came in pieces');

# the others leave

$slow[1]->close();
$slow[2]->reset();

ok(wait_for(sub { descriptors() <= $descriptors }, 10, 'descriptors'),
   'no descriptor is left');

# several at once

my @many = map {
	my $c = $t->client(timeout => 60);
	$c->send_request('GET', '/metrics', close => 1);
	$c;
} 1 .. 4;

for (@many) {
	my $r = $_->response();

	is(skim($r->{body}), '', 'one of several is whole');
	is(scalar(() = $r->{body} =~ /^nginx_http_request_duration_\w+_count/mg),
	   5001, 'all of it');
}

cmp_ok(NgxMon::Metrics->parse(
	$t->get('/metrics?name=nginx_mon_scrape')->{body})
	->get('nginx_mon_scrape_duration_seconds_count'), '>=', 6,
       'whole scrapes are counted');

done_testing();
