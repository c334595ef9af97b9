#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Series that nobody touches are dropped after "inactive", and their memory is
# used again: more generations of values than the zone could ever hold at once
# go through it.  Those of the configuration stay; those of a location that
# was removed go.

use NgxMon;

my $t = NgxMon->new(workers => 2);

my $conf = <<'EOC';
mon_zone mon 1m inactive=1s;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /idle { return 200; }
    location /label { mon_label n $arg_n max=100000; return 200; }
    location /gone { return 200; }
    location = /metrics { mon_metrics; }
}
EOC

$t->conf($conf)->run();

is($t->get('/gone')->{status}, 200, 'a request');
is($t->get('/idle')->{status}, 200, 'a request');

$t->wait_metric(1, 'nginx_http_requests_total', location => '/gone');

# the status of a location is dynamic, its other series are not

ok(wait_for(sub { !defined $t->metric('nginx_http_requests_total',
				      location => '/idle') }, 15,
	    'the status goes'), 'the status goes');
is($t->metric('nginx_http_request_duration_seconds_count',
	      location => '/idle'), 1, 'the location stays');

# generations of labels: each is less than the zone holds, all are much more

my ($series, $used) = size();
my $next = 0;

sub size {
	my $m = $t->metrics(uri => '/metrics?name=nginx_mon');

	return ($m->get('nginx_mon_series'),
		$m->get('nginx_mon_zone_bytes', state => 'used'));
}

sub generation {
	my ($n, $pad) = @_;
	my $client = $t->client();
	my $i = 0;

	for (1 .. $n) {
		my $r = $client->get("/label?n=" . $next++ . 'x' x $pad);
		$i += ($r->{status} == 200);
	}

	$client->close();

	return $i;
}

my $sent = 0;
my $top = 0;

for my $round (1 .. 5) {
	$sent += generation(180, $round * 37 % 100);

	my ($n, $bytes) = size();

	$top = $bytes if $bytes > $top;

	wait_for(sub { my @now = size();
		       $now[0] < $series + 20 && $now[1] < $used + 40000 },
		 30, "generation $round is dropped, its memory comes back");
}

is($sent, 5 * 180, 'all served');
cmp_ok($top, '>', $used + 180 * 2500, 'they take memory');
is($t->metric('nginx_mon_series_overflow_total'), 0, 'without an overflow');
is($t->log_lines(qr/is full/), 0, 'nor a line of one');

# what is configured stays for ever; what is no more goes

is($t->metric('nginx_http_request_duration_seconds_count',
	      location => '/idle'), 1, 'the idle location stays');
is($t->metric('nginx_http_request_duration_seconds_count',
	      location => '/gone'), 1, 'the other as well');

$t->conf($conf =~ s/location .gone.*\n//r);
$t->reload();

ok(wait_for(sub { !defined $t->metric('nginx_http_requests_in_flight',
				      location => '/gone') }, 20,
	    'a removed one goes'), 'a removed one goes');
is($t->metric('nginx_http_request_duration_seconds_count',
	      location => '/idle'), 1, 'the idle one stays');

# from nothing again

$t->conf($conf)->reload();
is($t->metric('nginx_http_request_duration_seconds_count',
	      location => '/gone'), 0, 'it begins anew');

done_testing();
