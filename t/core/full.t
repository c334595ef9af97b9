#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A full zone: requests go on, each is counted somewhere, "other" and the
# overflow grow, and one line a minute says so.  When the series idle there is
# room again.

use NgxMon;

my $t = NgxMon->new(workers => 2);

$t->conf(<<'EOC');
mon_zone mon 512k inactive=3s;
log_format bare '$uri $status';

server {
    listen 127.0.0.1:%%PORT_8080%%;

    access_log %%TESTDIR%%/access.log bare;

    location /plain { return 200; }
    location /label { mon_label n $arg_n max=100000; return 200; }
    location /few { mon_label n $arg_n max=3; return 200; }
    location = /metrics { mon_metrics; access_log off; }
}
EOC

$t->run();

my $full = qr/zone "mon" is full/;

sub send_all {
	my ($from, $to) = @_;
	my @clients = map { $t->client() } 1 .. 4;
	my $ok = 0;

	for my $n ($from .. $to) {
		$ok += $clients[$n % 4]->get("/label?n=$n")->{status} == 200;
		$ok += $clients[$n % 4]->get('/plain')->{status} == 200;
	}

	$_->close() for @clients;

	return $ok;
}

sub logged {
	my $n = () = $t->read_file('access.log') =~ /\n/g;

	return $n;
}

# before it is full: the limit of a label makes "other" as well

is($t->get("/few?n=$_")->{status}, 200, 'a request') for 1 .. 5;
$t->wait_metric(2, 'nginx_http_requests_total', location => '/few',
		n => 'other');

my $before = $t->metric('nginx_mon_series_overflow_total');

is($before, 2, 'an overflow each');
is($t->log_lines($full), 0, 'no line of a limit');

# more than it holds

is(send_all(1, 600), 1200, 'all served');

my $counted;

ok(wait_for(sub { $counted = $t->metric('nginx_http_requests_total')
		  == logged() }, 10, 'all counted'), 'every request counted');

my $m = $t->metrics();

cmp_ok($m->get('nginx_mon_series_overflow_total'), '>', $before + 200,
       'overflows');
cmp_ok($m->get('nginx_http_requests_total', location => 'other')
       + ($m->get('nginx_http_requests_total', n => 'other') // 0), '>', 100,
       'counted as "other"');
cmp_ok($m->get('nginx_http_request_duration_seconds_count'), '==', logged(),
       'every duration');
is($m->get('nginx_http_requests_total', location => '/plain'), 600,
   'what was known is counted where it belongs');
is($t->log_lines($full), 1, 'one line');

# by every worker, also new ones, within the minute

$t->kill_worker();
is(send_all(601, 700), 200, 'all served');
ok(wait_for(sub { $t->metric('nginx_http_requests_total') == logged() }, 10,
	    'all counted'), 'every request counted');
is($t->log_lines($full), 1, 'one line still');

# room again

ok(wait_for(sub { $t->metric('nginx_mon_series', ) < 60 }, 40,
	    'they are dropped'), 'the series are dropped');

my $overflow = $t->metric('nginx_mon_series_overflow_total');

is($t->get('/label?n=new')->{status}, 200, 'a request');
$t->wait_metric(1, 'nginx_http_requests_total', n => 'new');
is($t->metric('nginx_mon_series_overflow_total'), $overflow, 'no overflow');

done_testing();
