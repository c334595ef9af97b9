#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# kill -9: what was counted stays, gauges return to the truth, and each crash
# is counted once, whoever sees it.

use NgxMon;

my $t = NgxMon->new(workers => 4);

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /a { return 200 a; }
    location /wait { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location = /metrics { mon_metrics; }
    location = /health { mon_health; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

is($t->get('/a')->{status}, 200, "request $_") for 1 .. 20;
$t->wait_metric(20, 'nginx_http_requests_total', location => '/a');
$t->wait_metric(4, 'nginx_workers');

# requests in flight in every worker, by their order or by chance

my @clients = map { $t->client() } 1 .. 40;

$_->send_request('GET', '/wait/word') for @clients;
$t->wait_metric(40, 'nginx_http_requests_in_flight');

# one

$t->kill_worker();

my $m = $t->metrics();
my @gone = grep { my $r = ''; vec($r, fileno($_->socket()), 1) = 1;
		  select($r, undef, undef, 0) } @clients;

is($m->get('nginx_http_requests_in_flight'), 40 - @gone,
   'in flight: ' . (40 - @gone));
is($m->get('nginx_worker_restarts_total'), 1, 'a crash');
is($m->get('nginx_http_requests_total', location => '/a'), 20, 'counts kept');
$t->wait_metric(4, 'nginx_workers');

# all at once, several times

my $crashes = 1;

for (1 .. 3) {
	my @workers = $t->workers();

	is(kill('KILL', @workers), 4, 'four killed');
	$t->expect(qr/worker process $_ exited on signal/) for @workers;

	wait_for(sub {
		my %now = map { $_ => 1 } $t->workers();
		return keys %now == 4 && !grep { $now{$_} } @workers;
	}, 20, 'new workers');

	$crashes += 4;

	is($t->metric('nginx_worker_restarts_total'), $crashes,
	   "crashes: $crashes");
	is($t->metric('nginx_http_requests_in_flight'), 0, 'none in flight');
	is($t->metric('nginx_http_requests_total', location => '/a'), 20,
	   'counts kept');
	$t->wait_metric(4, 'nginx_workers');
}

# the gauges of workers are those of the living, too

$t->wait_metric(4, 'nginx_workers');

my @resident = wait_for(sub {
	my @r = $t->metrics()->samples('nginx_worker_resident_memory_bytes');
	return @r == 4 && !(grep { $_->{value} == 0 } @r) && \@r;
}, 10, 'every worker tells its memory');

for my $s (@{ $resident[0] }) {
	my ($rss) = map { /^VmRSS:\s+(\d+)/m ? $1 * 1024 : () }
		map { read_proc($_) } ($t->workers())[$s->{labels}{worker}];

	# of one process, not the sum of those before it as well

	cmp_ok($s->{value}, '<', 2 * $rss, "memory of $s->{labels}{worker}");
}

sub read_proc {
	open my $fh, '<', "/proc/$_[0]/status" or return '';
	local $/;
	return readline $fh;
}

is($t->get('/a')->{status}, 200, 'works on');
$t->wait_metric(21, 'nginx_http_requests_total', location => '/a');

# a graceful end is no crash

$t->reload();
wait_for(sub { !$t->workers(undef, shutting => 1) }, 10, 'old ones leave');
is($t->metric('nginx_worker_restarts_total'), $crashes, 'no crash');
$t->wait_metric(4, 'nginx_workers');

done_testing();
