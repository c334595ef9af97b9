#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# An upgrade of the binary: the new master's zone begins from nothing, both
# serve, and whichever is told to quit leaves.

use NgxMon;

my $t = NgxMon->new(workers => 4, daemon => 1);

$t->conf(<<'EOC');
mon_zone mon 2m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /a { return 200 a; }
    location = /metrics { mon_metrics; }
}
EOC

$t->run();

my $old = $t->client();

is($old->get('/a')->{status}, 200, "request $_") for 1 .. 7;
$t->wait_metric(7, 'nginx_http_requests_total', location => '/a');
$t->wait_metric(4, 'nginx_workers');

my ($master, $new) = $t->upgrade();

# the connection of before stays with the old workers

sub scrape {
	my ($client) = @_;

	return NgxMon::Metrics->parse($client->get('/metrics')->{body});
}

is($old->get('/a')->{status}, 200, 'the old one serves');
is(scrape($old)->get('nginx_http_requests_total', location => '/a'), 8,
   'and counts on');

$old->close();
$t->quit($master);

my $m = $t->metrics();

is($m->get('nginx_http_requests_total', location => '/a'), undef,
   'from nothing');
is($m->get('nginx_reloads_total'), 0, 'no reload');
is($t->get('/a')->{status}, 200, 'the new one serves');
$t->wait_metric(1, 'nginx_http_requests_total', location => '/a');
$t->wait_metric(4, 'nginx_workers');
is($t->metric('nginx_worker_restarts_total'), 0, 'no crash');

# "nginx -t" beside it disturbs nothing

my ($code) = $t->test_config($t->read_file('nginx.conf')
			     =~ /^http \{\n.*?(mon_zone.*)^\}/ms);

is($code, 0, 'the configuration is tested');
is($t->get('/a')->{status}, 200, 'a request');
$t->wait_metric(2, 'nginx_http_requests_total', location => '/a');
is($t->metric('nginx_reloads_total'), 0, 'no reload');

done_testing();
