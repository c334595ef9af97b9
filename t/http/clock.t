#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The wall clock is set while requests are on their way: their durations stay
# true.

use NgxMon;

use File::Basename qw/ dirname /;
use Time::HiRes qw/ time /;

plan(skip_all => 'the sanitizers are preloaded')
	if $ENV{NGX_MON_SANITIZED} || $ENV{VALGRIND};

my $t = NgxMon->new();
my $dir = $t->dir();

my $out = $t->command($ENV{CC} || 'cc', '-shared', '-fPIC', '-o',
		      "$dir/clock.so", dirname(__FILE__) . '/clock.c', '-ldl');

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

log_format time $time_iso8601;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    access_log %%TESTDIR%%/access.log time;

    location = /metrics { mon_metrics; access_log off; }
    location / { return 200; }
    location /p/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
}
EOC

my $b = $t->backend(8081);

{
	local $ENV{LD_PRELOAD} = "$dir/clock.so";
	local $ENV{CLOCK_FILE} = "$dir/clock";

	$t->run();
}

my $sum = 'nginx_http_request_duration_seconds_sum';
my $n = 0;
my $start = time();

for my $offset (3600, -3600, 7200, 0) {

	my $slow = $t->client();
	my $hang = $t->client();

	$slow->send("GET / HT");
	$hang->send_request('GET', "/p/wait/clock$n", close => 1);
	$t->wait_metric(1, 'nginx_connections_reading');
	$t->wait_metric(1, 'nginx_http_requests_in_flight');

	set_clock($offset);

	$slow->send("TP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	is($slow->response()->{status}, 200, "set by $offset: a header");

	$b->tell("clock$n");
	is($hang->response()->{status}, 200, 'an answer');

	$n++;
	$t->wait_metric(2 * $n, 'nginx_http_requests_total');

	my $took = time() - $start;
	my $duration = $t->metric($sum);

	cmp_ok($duration, '>=', 0, 'no time goes back');
	cmp_ok($duration, '<=', 2 * $took, 'nothing is longer than it was');
}

my @hours = map { /T(\d\d)/ } split /\n/, $t->read_file('access.log');
my %hours = map { $_ => 1 } @hours;

cmp_ok(scalar keys %hours, '>=', 3, 'the clock was really set');

done_testing();
