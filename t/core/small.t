#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A zone too small for the series of the configuration is refused, with the
# size that would do; and it does.

use NgxMon;

my $t = NgxMon->new();

$t->expect(qr/is too small for the \d+ series/);

sub conf {
	my ($size, $n, $buckets) = @_;

	my $locations = join '', map { "location /some-longer-name/$_ "
		. "{ return 200; }\n" } 1 .. $n;

	return <<"EOC";
mon_zone mon $size;
$buckets
server {
    listen 127.0.0.1:%%PORT_8080%%;
    location = /metrics { mon_metrics; }
$locations
}
EOC
}

my $fine = 'mon_buckets ' . join(' ', map { "0.$_" } 101 .. 160) . ';';

for ([1, 100, ''], [4, 300, ''], [2, 50, $fine], [1, 1500, '']) {
	my ($workers, $n, $buckets) = @$_;

	my ($code, $out) = $t->test_config(conf('128k', $n, $buckets),
					   workers => $workers);

	isnt($code, 0, "$n locations, $workers workers: refused");
	like($out, qr/\[emerg\].*zone "mon" of 128k is too small/, 'says so');

	my ($size) = $out =~ /use at least (\d+k)/;

	ok($size, 'with a size') or next;

	$t->conf(conf($size, $n, $buckets), workers => $workers);
	$t->run();

	my $m = $t->metrics();
	my @found = $m->samples('nginx_http_requests_in_flight');

	is(scalar @found, $n + 1, "$size: every location is there");

	# in every worker

	for my $i (1 .. 4 * $workers) {
		my $client = $t->client();

		for (1 .. $n) {
			next if $n > 1000 && $_ % 16;
			my $r = $client->get("/some-longer-name/$_");
			die "status $r->{status}" if $r->{status} != 200;
		}

		$client->close();
	}

	is($t->metric('nginx_mon_series_overflow_total'), 0, 'no overflow');
	is($t->log_lines(qr/is full/), 0, 'nor a line of one');

	my ($smaller) = $size =~ /(\d+)/;

	($code) = $t->test_config(conf(int($smaller * 0.5) . 'k', $n,
				       $buckets), workers => $workers);
	isnt($code, 0, 'half of it would not do');

	$t->stop();
}

done_testing();
