#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Upstreams and peers in the API: every figure that metrics have, percentiles,
# and what protects them.

use NgxMon;

use JSON::PP qw/ decode_json /;

my $t = NgxMon->new(workers => 4);

$t->conf(<<'EOC');
mon_zone mon 8m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%% weight=3 max_fails=0;
    server 127.0.0.1:%%PORT_8082%% backup max_fails=0;
    server 127.0.0.1:%%PORT_8083%% down;
    mon_outlier consecutive=3 eject=20s;
    mon_breaker;
    mon_retry budget=25% min=4 attempts=3 on=http_502;
}

upstream plain {
    server 127.0.0.1:%%PORT_8081%%;
    keepalive 4;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /mon/ { mon_status write; }
    location = /metrics { mon_metrics; }
    location / { proxy_pass http://backend; }

    location /plain/ {
        proxy_pass http://plain/;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }

    location /implicit/ { proxy_pass http://127.0.0.1:%%PORT_8082%%/; }
}
EOC

$t->backend(8081);
$t->backend(8082);
$t->run();

my $true = JSON::PP::true;
my $false = JSON::PP::false;
my @peer = map { '127.0.0.1:' . $t->port($_) } 8081 .. 8083;

sub api {
	my ($path) = @_;

	my $r = $t->get("/mon/api/http/upstreams$path");

	is($r->{status}, 200, "$path: 200");

	return decode_json($r->{body});
}

my $none = { count => 0, sum => 0, map { $_ => undef }
	     qw/ avg min max p50 p90 p99 p999 / };

my %failures = map { $_ => 0 } qw/ error timeout invalid_header http_500
	http_502 http_503 http_504 http_429 http_5xx http_4xx total /;

is_deeply(api("/backend/peers/$peer[0]"), {
	state => 'up',
	weight => 3,
	forced => $false,
	trial => $false,
	share => 1,
	outlier => { ejections => 0, ejected_in_a_row => 0, trial_in => undef,
		     window => { calls => 0, failed => 0, failed_ratio => undef,
				 failed_in_a_row => 0 } },
	check => undef, limit => undef,
	in_flight => 0,
	responses => { status => {}, '1xx' => 0, '2xx' => 0, '3xx' => 0,
		       '4xx' => 0, '5xx' => 0, total => 0 },
	failures => \%failures,
	sent_bytes => 0,
	received_bytes => 0,
	connections_reused => 0,
	connect => $none,
	header => $none,
	response => $none,
}, 'every figure of a peer');

my $u = api('/backend');

is_deeply([sort keys %{ delete $u->{peers} }], [sort @peer], 'peers');

is_deeply($u, {
	total => 3,
	usable => 2,
	breaker => 'backend',
	panic => $false,
	panics => 0,
	limit => undef,
	retry => { calls_in_flight => 0, retries_in_flight => 0,
		   retries_allowed => 4, budget => .25, min => 4, attempts => 3,
		   retries => { success => 0, failure => 0, aborted => 0,
				budget => 0, attempts => 0, total => 0 } },
}, 'every figure of an upstream');

is(api("/backend/peers/$peer[2]")->{state}, 'down', 'down');

$u = api('/plain');
is($u->{$_}, undef, "no $_") for qw/ breaker retry /;

my $p = $u->{peers}{$peer[0]};
is($p->{$_}, undef, "no $_") for qw/ outlier check share /;
is($p->{state}, 'up', 'up');

is(api("/$peer[1]")->{total}, 1, 'an implicit one');

# traffic, of all workers

for (1 .. 4) {
	$t->get('/bytes/1000');
	$t->get('/status/404');
	$t->get('/status/299');
	$t->get('/plain/');
}

$t->get('/delay/0.1');
$t->get('/status/500');
$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

$p = api("/backend/peers/$peer[0]");

is_deeply($p->{responses}, {
	status => { 200 => 5, 299 => 4, 404 => 4, 500 => 1 },
	'1xx' => 0, '2xx' => 9, '3xx' => 0, '4xx' => 4, '5xx' => 1,
	total => 14,
}, 'responses');

is_deeply($p->{failures}, { %failures, http_500 => 1, total => 1 }, 'failures');

my $m = $t->metrics();
my %labels = (upstream => 'backend', peer => $peer[0]);

for my $f (qw/ sent_bytes received_bytes connections_reused /) {
	is($p->{$f}, $m->get("nginx_upstream_${f}_total", %labels), $f);
}

for my $f (qw/ connect header response /) {
	my $h = $p->{$f};
	my $name = "nginx_upstream_${f}_duration_seconds";

	# nginx 1.29.7 and later keeps connections by itself
	my $count = $f eq 'connect' ? $m->get("${name}_count", %labels) : 14;

	is($h->{count}, $count, "$f: count");
	is($h->{sum}, $m->get("${name}_sum", %labels), "$f: sum");
	cmp_ok(abs($h->{avg} - $h->{sum} / $count), '<', 1e-6, "$f: average");

	my @order = @$h{qw/ min p50 p90 p99 p999 max /};

	is("@order", join(' ', sort { $a <=> $b } @order), "$f: in order");
	cmp_ok($h->{min}, '<=', $h->{avg}, "$f: minimum");
	cmp_ok($h->{max}, '>=', $h->{avg}, "$f: maximum");
}

cmp_ok($p->{header}{max}, '>=', .1, 'the slow one');
cmp_ok($p->{header}{p50}, '<', .1, 'the others');

cmp_ok(api("/plain/peers/$peer[0]")->{connections_reused}, '>=', 0, 'reused');

# a retry, and an ejection

$t->get('/status/502') for 1 .. 3;

$p = api("/backend/peers/$peer[0]");

is($p->{state}, 'ejected', 'ejected');
is($p->{forced}, $false, 'by itself');
is($p->{share}, 0, 'no share');
is($p->{outlier}{ejections}, 1, 'counted');
is($p->{outlier}{ejected_in_a_row}, 1, 'once');
cmp_ok($p->{outlier}{trial_in}, '>', 0, 'time left');
cmp_ok($p->{outlier}{trial_in}, '<=', 20, 'of 20 seconds');

$u = api('/backend');

cmp_ok($u->{retry}{retries}{total}, '>', 0, 'retries');
is($u->{usable}, 1, 'the backup is left');

done_testing();
