#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What clients make up - Host, method, URI, status - does not make series.

use NgxMon;

use NgxMon::Scrape qw/ judge_all /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

large_client_header_buffers 4 16k;

server {
    listen 127.0.0.1:%%PORT_8080%% default_server;
    server_name one *.example.com ~^regex;

    location = /metrics { mon_metrics; }
    location / { return 200; }
    location /limited { mon_label x $arg_x max=10; return 200; }
    location /unlimited { mon_label x $arg_x; return 200; }
}
EOC

$t->run();

sub series {
	my ($m, $name, %labels) = @_;

	return scalar(() = $m->samples($name, %labels));
}

sub all { $t->metrics()->get('nginx_mon_series') }

$t->get('/');
$t->request('BREW', '/');

my $before = all();

for (1 .. 200) {
	$t->get("/$_", host => $_ % 3 ? "random$_" : "r$_.example.com");
}

is(all(), $before, 'random hosts');

for (1 .. 50) {
	my $method = join '', map { chr(65 + rand 26) } 1 .. 8;

	$t->request($method, '/', host => 'one');
}

is(all(), $before, 'random methods');

for (1 .. 50) {
	$t->http("GET /$_ HTTP/1.1\r\nHost: h$_\r\nX: \x00\r\n\r\n");
	$t->http("\x16\x03\x01$_\r\n\r\n");
}

cmp_ok(all() - $before, '<=', 4, 'random garbage');

for my $n (1 .. 150) {
	$t->get("/limited?x=$n");
	$t->get("/unlimited?x=$n");
}

my $m = $t->metrics();
my $total = 'nginx_http_requests_total';

is(series($m, $total, location => '/limited'), 11, 'max= and other');
is($m->get($total, location => '/limited', x => 'other'), 140, 'the others');
is($m->get($total, location => '/limited'), 150, 'all are counted');
is(series($m, $total, location => '/unlimited'), 101, '100 without max=');
is($m->get($total, location => '/unlimited'), 150, 'all are counted');
cmp_ok($m->get('nginx_mon_series_overflow_total'), '>=', 190,
       'and the overflow is');
is(judge_all($t), '', 'accepted');

done_testing();
