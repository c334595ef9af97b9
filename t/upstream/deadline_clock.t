#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline and a wall clock that is set: forward it ends no request early,
# backward it lets none go on.

use NgxMon;

use File::Basename qw/ dirname /;
use Time::HiRes qw/ time /;

plan(skip_all => 'the sanitizers are preloaded')
	if $ENV{NGX_MON_SANITIZED} || $ENV{VALGRIND};

my $t = NgxMon->new(workers => 1);
my $dir = $t->dir();

my $out = $t->command($ENV{CC} || 'cc', '-shared', '-fPIC', '-o',
		      "$dir/clock.so", dirname(__FILE__) . '/../http/clock.c',
		      '-ldl');

die "clock.c: $out" if $?;

$t->write_file('clock', pack 'i', 0);

sub set_clock {
	my ($seconds) = @_;

	# in place: nginx has the file mapped

	open my $fh, '+<', "$dir/clock" or die "can't write: $!";
	syswrite $fh, pack 'i', $seconds;
}

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / { mon_deadline 1s; proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /to/ { rewrite ^/to(.*) $1 last; }
}
EOC

my $b = $t->backend(8081);

{
	local $ENV{LD_PRELOAD} = "$dir/clock.so";
	local $ENV{CLOCK_FILE} = "$dir/clock";

	$t->run();
}

my $n = 0;

for my $offset (3600, -3600, 7200, 0) {
	my $start = time();
	my $late = $t->client();
	my $fine = $t->client();
	my $slow = $t->client();

	$late->send_request('GET', '/wait/a');
	$fine->send_request('GET', "/wait/clock$n");
	$slow->send("GET /to/ HT");
	$t->wait_metric(1, 'nginx_connections_reading');
	$t->wait_metric(2, 'nginx_http_requests_in_flight', location => '/');

	set_clock($offset);

	$slow->send("TP/1.1\r\nHost: a\r\n\r\n");
	is($slow->response()->{status}, 200, "set by $offset: a header");
	$b->tell("clock$n");
	is($fine->response()->{status}, 200, 'on time');
	is($late->response()->{status}, 504, 'late');

	my $took = time() - $start;

	cmp_ok($took, '>', 0.99, 'not before its time');
	cmp_ok($took, '<', 10, 'but then');

	$_->close() for $late, $fine, $slow;
	$n++;
}

done_testing();
