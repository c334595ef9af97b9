#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Where a client chooses the host of proxy_pass, it can't make series without
# bound: past 100 hosts the rest is "other".

use NgxMon;

my $t = NgxMon->new(workers => 1);

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://$arg_h:%%PORT_8081%%; }
    location = /metrics { mon_metrics; }
}
EOC

$t->backend(8081, addr => '0.0.0.0');
$t->run();

my $client = $t->client();
my $ok = grep { $client->get("/?h=127.0.1.$_")->{status} == 200 } 1 .. 130;

is($ok, 130, 'all answered');
$t->wait_metric(130, 'nginx_upstream_responses_total');

my $m = $t->metrics();
my $port = $t->port(8081);

is(scalar(() = $m->samples('nginx_upstream_sent_bytes_total')), 101,
   'a hundred, and the others');
is($m->get('nginx_upstream_responses_total',
	   upstream => "127.0.1.100:$port"), 1, 'the hundredth');
is($m->get('nginx_upstream_responses_total', upstream => 'other'), 30,
   'others');
is($m->get('nginx_upstream_header_duration_seconds_count',
	   upstream => 'other'), 30, 'their times');

is($client->get("/?h=127.0.1.7")->{status}, 200, 'one that is known');
$t->wait_metric(2, 'nginx_upstream_responses_total',
		upstream => "127.0.1.7:$port");

done_testing();
