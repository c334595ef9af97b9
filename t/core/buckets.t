#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_buckets: the default, others, and others after a reload: the count and
# the sum go on, with the new bounds.

use NgxMon;

my $t = NgxMon->new(workers => 2);

my $conf = <<'EOC';
mon_zone mon 4m;
# buckets

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /a { return 200 a; }
    location = /metrics { mon_metrics; }
}
EOC

my $name = 'nginx_http_request_duration_seconds';

sub bounds {
	my ($m) = @_;

	return [ map { $_->{labels}{le} }
		 $m->samples("${name}_bucket", location => '/a') ];
}

sub judge {
	my ($n, $sum, $expected, $what) = @_;
	my $m = $t->metrics();
	my $last = 0;

	is_deeply(bounds($m), $expected, "$what: bounds");
	is($m->get("${name}_count", location => '/a'), $n, "$what: count");
	cmp_ok($m->get("${name}_sum", location => '/a'), '>=', $sum,
	       "$what: sum");

	for ($m->samples("${name}_bucket", location => '/a')) {
		cmp_ok($_->{value}, '>=', $last, "$what: $_->{labels}{le}");
		$last = $_->{value};
	}

	is($last, $n, "$what: the last bucket is the count");

	return $m->get("${name}_sum", location => '/a');
}

$t->conf($conf)->run();
is($t->get('/a')->{status}, 200, "request $_") for 1 .. 10;
$t->wait_metric(10, "${name}_count", location => '/a');

my $default = [qw/ 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1
		   2.5 5 10 +Inf /];
my $sum = judge(10, 0, $default, 'default');

cmp_ok($sum, '>', 0, 'a sum');

my $n = 10;

for (['.1 3600', [qw/ 0.1 3600 +Inf /]],
     ['0.000001 0.5 1.5', [qw/ 0.000001 0.5 1.5 +Inf /]],
     ['.1 3600', [qw/ 0.1 3600 +Inf /]],
     ['', $default]) {

	my ($buckets, $expected) = @$_;

	my $line = $buckets ? "mon_buckets $buckets;" : '';

	$t->conf($conf =~ s/# buckets/$line/r);
	$t->reload();

	$sum = judge($n, $sum, $expected, "[$buckets]");

	is($t->get('/a')->{status}, 200, "request $_") for 1 .. 3;
	$n += 3;
	$t->wait_metric($n, "${name}_count", location => '/a');
	$sum = judge($n, $sum, $expected, "[$buckets], more");
}

# along with another size of the zone

$t->conf($conf =~ s/4m/2m/r =~ s/# buckets/mon_buckets 1 2;/r);
$t->reload();
judge($n, $sum, [qw/ 1 2 +Inf /], 'with a resize');

is($t->get('/a')->{status}, 200, 'a request');
$t->wait_metric($n + 1, "${name}_count", location => '/a');

done_testing();
