#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A reload keeps the counts and is counted; a reload that fails, by its
# configuration or by a port in use, leaves all as it was.

use NgxMon;

use IO::Socket::INET;

my $t = NgxMon->new(workers => 2);

my $conf = <<'EOC';
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /a { return 200 a; }
    location = /metrics { mon_metrics; }

    # more
}
EOC

$t->conf($conf)->run();

my $m = $t->metrics();
my $loaded = $m->get('nginx_config_last_reload_timestamp_seconds');

is($m->get('nginx_reloads_total'), 0, 'no reload yet');
cmp_ok(abs($loaded - time()), '<', 20, 'loaded just now');

is($t->get('/a')->{status}, 200, "request $_") for 1 .. 5;
$t->wait_metric(5, 'nginx_http_requests_total', location => '/a');

$t->reload();

$m = $t->metrics();

is($m->get('nginx_reloads_total'), 1, 'a reload');
is($m->get('nginx_http_requests_total', location => '/a'), 5, 'counts kept');
is($m->get('nginx_http_request_duration_seconds_count', location => '/a'), 5,
   'histograms kept');
cmp_ok($m->get('nginx_config_last_reload_timestamp_seconds'), '>', $loaded,
       'and its time');
is($m->get('nginx_worker_restarts_total'), 0, 'no crash');

is($t->get('/a')->{status}, 200, 'a request');
$t->wait_metric(6, 'nginx_http_requests_total', location => '/a');

# the configuration is bad

sub fails {
	my ($what, $text, $log) = @_;
	my @workers = $t->workers();

	$t->conf($conf =~ s/# more/$text/r);
	$t->expect($log);

	my $n = $t->log_lines($log);

	kill 'HUP', $t->pid();
	wait_for(sub { $t->log_lines($log) > $n }, 20, $what);

	is($t->get('/a')->{status}, 200, "$what: serves");
	is_deeply([$t->workers()], \@workers, "$what: the same workers");
}

$loaded = $t->metric('nginx_config_last_reload_timestamp_seconds');

fails('bad configuration', 'location /b { mon_nonsense; }',
      qr/unknown directive "mon_nonsense"/);
$t->wait_metric(7, 'nginx_http_requests_total', location => '/a');

# the zone is initialized before ports are bound

my $port = $t->port(8081);
my $busy = IO::Socket::INET->new(Proto => 'tcp', Listen => 1,
				 LocalAddr => '127.0.0.1', LocalPort => $port)
	or die "can't listen on $port: $!";

fails('port in use', 'listen 127.0.0.1:%%PORT_8081%%; '
      . 'location /b { return 200; } location /c { mon_label a b; }',
      qr/still could not bind|bind\(\) to 127.0.0.1:$port failed/);
$t->wait_metric(8, 'nginx_http_requests_total', location => '/a');

$m = $t->metrics();

is($m->get('nginx_reloads_total'), 1, 'no reload counted');
is($m->get('nginx_config_last_reload_timestamp_seconds'), $loaded,
   'nor its time');
is($m->get('nginx_http_requests_in_flight', location => '/b'), undef,
   'nothing of what was refused is shown');
is($m->get('nginx_http_requests_in_flight', location => '/a'), 0,
   'what was before is');

# and then it is right

wait_for(sub { $t->log_lines(qr/still could not bind/) }, 20, 'given up');
close $busy;

$t->reload();

$m = $t->metrics();

is($m->get('nginx_reloads_total'), 2, 'a reload');
is($m->get('nginx_http_requests_in_flight', location => '/b'), 0,
   'a new location');
is($m->get('nginx_http_requests_total', location => '/a'), 8, 'counts kept');

done_testing();
