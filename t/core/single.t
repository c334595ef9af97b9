#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# One process that is master and worker: master_process off.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC', main => 'master_process off;');
mon_zone mon 2m inactive=2s;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /a { return 200 a; }
    location /label { mon_label n $arg_n; return 200; }
    location /wait { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location = /metrics { mon_metrics; }
    location = /health { mon_health; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

is($t->get('/a')->{status}, 200, "request $_") for 1 .. 5;
is($t->get("/label?n=$_")->{status}, 200, "label $_") for 1 .. 5;
$t->wait_metric(5, 'nginx_http_requests_total', location => '/a');
is($t->metric('nginx_workers'), 1, 'one worker');

my $client = $t->client();

$client->send_request('GET', '/wait/word');
$t->wait_metric(1, 'nginx_http_requests_in_flight');
$backend->tell('word');
is($client->response()->{status}, 200, 'answered');
$t->wait_metric(0, 'nginx_http_requests_in_flight');

is($t->get('/health')->{status}, 200, 'healthy');

ok(wait_for(sub { !defined $t->metric('nginx_http_requests_total', n => 1) },
	    20, 'series are dropped'), 'series are dropped');

is($t->get('/a')->{status}, 200, 'works on');
$t->wait_metric(0, 'nginx_worker_restarts_total');

# A reload, after which nginx itself serves no more in this mode, with the zone,
# with one of another size, and with none: the process lives, and ends well.

my $conf = $t->read_file('nginx.conf');

for my $zone ('mon_zone mon 2m inactive=1s;', 'mon_zone mon 3m;', '') {

	my $o = NgxMon->new();

	$o->write_file('nginx.conf', $conf =~ s/\Q@{[ $t->dir() ]}\E/$o->dir()/ger
		       =~ s/\b@{[ $t->port() ]}\b/$o->port()/ger);
	$o->run();

	is($o->get('/a')->{status}, 200, 'a request');

	$o->write_file('nginx.conf', $o->read_file('nginx.conf')
		       =~ s/mon_zone.*;/$zone/r
		       =~ s/location \S+ \S+ \{ mon_(?:metrics|health); \}//gr)
		if $zone !~ /2m/;

	kill 'HUP', $o->pid();
	wait_for(sub { $o->log_lines(qr/#\d+: reconfiguring/) }, 10, 'reload');

	# two ticks of its timer

	my $n = 0;

	select undef, undef, undef, 0.1
		while $n++ < 25 && NgxMon::Process::alive($o->pid());

	ok(NgxMon::Process::alive($o->pid()), "lives on: \"$zone\"");
	$o->stop();
}

done_testing();
