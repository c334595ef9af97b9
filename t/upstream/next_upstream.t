#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# An answer that proxy_next_upstream does not take is a failure of the peer,
# a 403, 404 or 429 included; the last answer of that kind is none.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8082%%;
    server 127.0.0.1:%%PORT_8081%% backup;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_next_upstream http_403 http_404 http_429 http_503;

    location / { proxy_pass http://backend; }
    location = /metrics { mon_metrics; }
}
EOC

my @first = (upstream => 'backend', peer => '127.0.0.1:' . $t->port(8082));
my @second = (upstream => 'backend', peer => '127.0.0.1:' . $t->port(8081));

my $backup = $t->backend(8081);
my $backend = $t->backend(8082);

$t->run();

my $n = 0;

for ([403, 'http_4xx'], [404, 'http_4xx'], [429, 'http_429'],
     [503, 'http_503'])
{
	my ($status, $reason) = @$_;

	# one failure would take the peer out for the rest of the test
	$t->reload() if $n++;

	my $before = $t->metric('nginx_upstream_failures_total', @first,
				reason => $reason) // 0;

	$backend->mode("/status/$status");
	is($t->get('/')->{status}, 200, "$status: the next one answered");

	$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

	my $m = $t->metrics();

	is($m->get('nginx_upstream_failures_total', @first,
		   reason => $reason), $before + 1, "$status: $reason");
	is($m->get('nginx_upstream_responses_total', @first,
		   status => $status), 1, "$status: a response, too");
	is($m->get('nginx_upstream_responses_total', @second,
		   status => 200), $n, "$status: the backup's response");
}

# both say so: the last one is what the client gets

$t->reload();
$_->mode('/status/404') for $backend, $backup;
is($t->get('/')->{status}, 404, 'no peer left');

$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

my $m = $t->metrics();

is($m->get('nginx_upstream_responses_total', @second, status => 404), 1,
   'the last response');
is($m->get('nginx_upstream_failures_total', @second), undef,
   'that is no failure');

done_testing();
