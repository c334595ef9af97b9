#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Counts under fire: wrk against two workers for 20 s, a reload every 200 ms,
# ten kill -9, and scrapes all the while.  The counters equal the lines of the
# access log, but that a killed worker may have written a line and died before
# it counted: the log phase writes first, so that each kill costs one at most.
# No counter ever steps back, and no scrape is malformed.

use NgxMon;

use NgxMon::Process qw/ alive children title /;
use Time::HiRes qw/ sleep time /;

my $seconds = $ENV{NGX_MON_FIRE} || 20;
my $kills = 10;

my $t = NgxMon->new(workers => 2);

$t->conf(<<'EOC');
mon_zone mon 8m;

log_format bare '$uri $status';

server {
    listen 127.0.0.1:%%PORT_8080%%;

    access_log %%TESTDIR%%/access.log bare;

    location /a/ { return 200 a; }
    location /b/ { return 204; }
    location /c/ { return 404; }
    location /d/ { try_files $uri @d; }
    location @d { return 200 d; }
    location /l/ { mon_label n $arg_n; return 200 l; }

    location = /metrics { mon_metrics; access_log off; }
}
EOC

$t->write_file('paths.lua', <<'EOC');
local paths = { "/a/", "/b/", "/c/", "/d/", "/l/?n=1", "/l/?n=2", "/l/?n=3" }
local i = 0

request = function()
    i = i + 1
    return wrk.format(nil, paths[i % #paths + 1])
end
EOC

$t->run();
$t->expect(qr/exited on signal 9/);
$t->expect(qr/shared memory zone "\w+" was locked by/);

my $wrk = $t->daemon(['wrk', '-t1', '-c32', "-d${seconds}s", '-s',
	$t->dir() . '/paths.lua', 'http://127.0.0.1:' . $t->port()]);

my $begin = time();
my ($reload, $kill, $killed, $scrapes) = ($begin, $begin, 0, 0);
my (%last, %seen, @back, @uneven, @malformed);
my $leaving = 0;

sub fire {
	my $now = time();

	if ($now >= $reload) {
		kill 'HUP', $t->pid();
		$reload += 0.2;
	}

	if ($killed < $kills && $now >= $kill + $seconds / ($kills + 1)) {
		my @leaving = $t->workers(undef, shutting => 1);
		my @workers = ($t->workers(), @leaving);

		return unless @workers;

		my $pid = $workers[rand @workers];

		$killed += kill 'KILL', $pid;
		$leaving += grep { $_ == $pid } @leaving;
		$kill += $seconds / ($kills + 1);
	}
}

# a scrape may be cut by a kill; one that came must be whole

sub scrape {
	my $r = eval { $t->get('/metrics', timeout => 5,
			       headers => [Accept => 'text/plain']) } // return;

	return if $r->{status} != 200 || $r->{error};

	my $m = eval { NgxMon::Metrics->parse($r->{body}) };

	if (!$m) {
		push @malformed, $@;
		return;
	}

	$scrapes++;
	judge($m);

	return $m;
}

sub judge {
	my ($m) = @_;
	my $values = $m->values();

	for my $name ($m->families()) {
		my $type = $m->type($name);

		next if $type eq 'gauge';

		for my $s (map { $m->samples("$name$_") }
			   $type eq 'histogram' ? qw/ _bucket _count _sum / : '') {
			my $key = join ',', $s->{name},
				map { "$_=$s->{labels}{$_}" }
				sort keys %{ $s->{labels} };
			my $before = $last{$key} // 0;

			push @back, "$key from $before to $s->{value}"
				if $s->{value} < $before;
			$last{$key} = $s->{value};
		}

		next unless $type eq 'histogram';

		for my $s ($m->samples("${name}_count")) {
			push @uneven, $name if $s->{value} != $m->get(
				"${name}_bucket", %{ $s->{labels} },
				le => '+Inf');
		}
	}

	for my $location (qw{ /a/ /b/ /c/ @d }) {
		my $is = defined $m->get('nginx_http_requests_total',
					 location => $location);

		push @back, "$location is gone" if $seen{$location} && !$is;
		$seen{$location} ||= $is;
	}
}

while (alive($wrk)) {
	fire();
	scrape();
	sleep 0.01;
}

ok($killed == $kills, "$kills workers killed");
cmp_ok($scrapes, '>', 20, "scrapes: $scrapes");
is_deeply(\@malformed, [], 'no scrape malformed');
is_deeply(\@back, [], 'no counter stepped back');
is(scalar(grep { $_ } values %seen), 4, 'all locations seen');
is_deeply(\@uneven, [], 'every count is the last bucket');

# after the last reload

wait_for(sub { $t->workers() == 2 && !$t->workers(undef, shutting => 1) }, 20,
	 'old workers leave');
$t->wait_metric(0, 'nginx_http_requests_in_flight');

sub logged {
	my $n = () = $t->read_file('access.log') =~ /\n/g;

	return $n;
}

my ($log, $counted);

wait_for(sub {
	$log = logged();
	$counted = $t->metric('nginx_http_requests_total');

	return logged() == $log && $counted <= $log
		&& $log - $counted <= $kills;
}, 5, 'log and counters agree');

cmp_ok($log, '>', 10000, "lines logged: $log");
cmp_ok($counted, '<=', $log, "counted: $counted, nothing twice");
cmp_ok($log - $counted, '<=', $kills, 'at most one lost to each kill');

my $m = $t->metrics();

cmp_ok($m->get('nginx_http_request_duration_seconds_count'), '>=', $counted,
       'durations');
cmp_ok($m->get('nginx_http_request_duration_seconds_count'), '<=', $log,
       'no more durations than lines');

# one that is killed on its way out may have signed off already

my $crashes = $m->get('nginx_worker_restarts_total');

cmp_ok($crashes, '<=', $kills, "crashes: $crashes");
cmp_ok($crashes, '>=', $kills - $leaving, 'no crash missed');

my $reloads = () = $t->log_lines(qr/#\d+: reconfiguring/);

is($m->get('nginx_reloads_total'), $reloads, "reloads: $reloads");

# location by location

for (['/a/', 200], ['/b/', 204], ['/c/', 404]) {
	my ($uri, $status) = @$_;
	my $lines = () = $t->read_file('access.log') =~ /^\Q$uri $status\E$/mg;
	my $got = $m->get('nginx_http_requests_total', location => $uri,
			  status => $status);

	ok($got <= $lines && $lines - $got <= $kills, "$uri: $got of $lines");
}

done_testing();
