#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A zone of another size takes over what was counted: requests, histograms,
# labelled series, "other", overflows.  In flight is what the new zone sees.

use NgxMon;

my $t = NgxMon->new(workers => 2);

my $conf = <<'EOC';
mon_zone mon 1m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /a { return 200 a; }
    location /idle { return 200 idle; }
    location /label { mon_label n $arg_n max=3; return 200 label; }
    location /up { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location = /metrics { mon_metrics; }
}
EOC

$t->conf($conf);
$t->backend(8081);
$t->run();

for my $n (1 .. 5) {
	is($t->get($_)->{status}, 200, "$_")
		for '/a', "/label?n=$n", '/up/status/200';
}

$t->wait_metric(5, 'nginx_http_requests_total', location => '/up');
$t->wait_metric(2, 'nginx_mon_series_overflow_total');

# counters of the requests and of upstreams: nothing else counts them up

my $count = qr/^nginx_(?:http_(?!connections)|upstream_|mon_series_over)/;

sub counters {
	my $m = $t->metrics();

	return { map { $_ => $m->values()->{$_} }
		 grep { /$count/ && /_(?:total|count|bucket|sum)\{/ }
		 keys %{ $m->values() } };
}

my $before = counters();

cmp_ok(scalar keys %$before, '>', 100, 'counters');

for my $size (qw/ 4m 1m 16m 512k /) {

	$t->conf($conf =~ s/1m/$size/r);
	$t->reload();

	wait_for(sub { !$t->workers(undef, shutting => 1) }, 10,
		 'old workers leave');

	is_deeply(counters(), $before, "$size: all is there");

	my $m = $t->metrics();

	cmp_ok($m->get('nginx_mon_zone_bytes'), '<=',
	       { '4m' => 4, '1m' => 1, '16m' => 16, '512k' => 0.5 }->{$size}
	       * 1024 * 1024, 'and the size is new');
	is($m->get('nginx_http_requests_in_flight'), 0, 'none in flight');
}

is($t->metric('nginx_reloads_total'), 4, 'reloads');

# it counts on

is($t->get('/a')->{status}, 200, 'a request');
$t->wait_metric(6, 'nginx_http_requests_total', location => '/a');
is($t->get('/label?n=9')->{status}, 200, 'past the limit');
$t->wait_metric(3, 'nginx_http_requests_total', n => 'other');
$t->kill_worker();
is($t->metric('nginx_http_requests_total', location => '/a'), 6, 'kept');

# taken from while it is used: the old zone is read under its lock

my $wrk = $t->daemon(['wrk', '-t1', '-c16', '-d4s',
		      'http://127.0.0.1:' . $t->port() . '/label']);
my $last = 0;

for my $size (qw/ 2m 3m 4m 5m /) {
	$t->conf($conf =~ s/1m/$size/r);
	$t->reload();

	my $now = $t->metric('nginx_http_requests_total',
			     location => '/label');

	cmp_ok($now, '>', $last, "$size under load: counts on");
	$last = $now;
}

wait_for(sub { !NgxMon::Process::alive($wrk) }, 20, 'the load ends');

done_testing();
