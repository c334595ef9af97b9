#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Without mon_zone the module does nothing: no descriptor more than without
# it, no zone, no timer that keeps a worker; its directives are still read.
# Zones come and go with a reload.

use NgxMon;

use NgxMon::Process qw/ descriptors /;

my $t = NgxMon->new(workers => 2);

my $conf = <<'EOC';
# zone

mon on;
mon_buckets 1 2 3;
mon_slow 1s;
mon_label kind $arg_n;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    mon_name name;

    location /a { mon_name a; mon off; return 200 a; }
    location /b { return 200 b; }
    location /up { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
}
EOC

$t->conf($conf);
$t->backend(8081);
$t->run();

sub use_it {
	is($t->get($_)->{status}, 200, $_) for qw{ /a /b /b?n=1 /up/ };
}

# the same nginx without the module

sub open_files {
	my ($t) = @_;
	my @lists = map {
		my %fd = descriptors($_);
		join ' ', sort map { s/\d+//gr } values %fd
	} $t->workers();

	return \@lists;
}

use_it();

my $bare = NgxMon->new(workers => 2);
my $plain = $conf =~ s/^\s*mon.*\n//mgr =~ s/mon_?\w+ \w+; ?//gr
	=~ s/mon off; //r;

$bare->conf($plain);
$bare->write_file('nginx.conf', $bare->read_file('nginx.conf')
		  =~ s/^load_module.*\n//mr);
$bare->run();

my $with = [ map { s/\Q@{[ $t->dir() ]}\E//gr } @{ open_files($t) } ];
my $without = [ map { s/\Q@{[ $bare->dir() ]}\E//gr } @{ open_files($bare) } ];

is(scalar(split / /, $with->[0]), scalar(split / /, $without->[0]),
   'as many descriptors') or diag("$with->[0]\n$without->[0]");

sub shared {
	my ($pid) = @_;

	open my $fh, '<', "/proc/$pid/maps" or return -1;
	return scalar grep { m{/dev/zero} } readline $fh;
}

my ($one) = $t->workers();
my ($other) = $bare->workers();

is(shared($one), shared($other), 'no more shared memory');

# with a zone, and without it again

$t->conf($conf =~ s/# zone/mon_zone mon 2m;/r
	 =~ s!(location /b)!location = /metrics { mon_metrics; } $1!r);
$t->reload();
use_it();
ok($t->wait_metric(2, 'nginx_http_requests_total', location => '/b'),
   'recorded');

$t->conf($conf)->reload();
use_it();

$t->conf($conf =~ s/# zone/mon_zone mon 2m;/r
	 =~ s!(location /b)!location = /metrics { mon_metrics; } $1!r);
$t->reload();
is($t->metric('nginx_http_requests_total', location => '/b'), undef,
   'a zone begins from nothing');
use_it();
ok($t->wait_metric(2, 'nginx_http_requests_total', location => '/b'),
   'recorded');

done_testing();
