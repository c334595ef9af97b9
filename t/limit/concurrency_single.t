#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_concurrency with "master_process off".

use NgxMon;

my $t = NgxMon->new();

sub conf {
	my ($directive) = @_;

	$t->conf(<<"EOC", main => 'master_process off;');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / {
        $directive
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC
}

sub gauge {
	my ($what, $n) = @_;

	return $t->wait_metric($n, "nginx_http_concurrency_$what");
}

conf('mon_concurrency max=1 queue=50 timeout=60s name=x;');

my $backend = $t->backend(8081);

$t->run();

my @clients = map { $t->client(timeout => 40) } 0 .. 9;

for my $i (0 .. 9) {
	$clients[$i]->send_request('GET', "/wait/$i");
	$i ? gauge('queued', $i) : gauge('in_flight', 1) or last;
}

$backend->tell(0);
is($clients[0]->response()->{status}, 200, 'the first one');
ok(gauge('queued', 8), 'another is let through');

$backend->tell($_) for 1 .. 9;
is($clients[$_]->response()->{status}, 200, "client $_") for 1 .. 9;
ok(gauge('in_flight', 0), 'none in flight');

# A reload, after which nginx itself serves no more in this mode: the process
# lives, and ends well, with requests that wait and whose limit is no more.

for my $directive ('mon_concurrency max=4 queue=50 timeout=60s name=x;',
		   'mon_concurrency max=4 queue=50000 timeout=60s name=x;',
		   'mon_concurrency max=1 queue=50 name=y;', '')
{
	conf('mon_concurrency max=1 queue=50 timeout=3s name=x;');

	my $o = NgxMon->new();

	$o->write_file('nginx.conf', $t->read_file('nginx.conf')
		=~ s/\Q@{[ $t->dir() ]}\E/$o->dir()/ger
		=~ s/\b@{[ $t->port() ]}\b/$o->port()/ger);
	$o->run();

	my @waiting = map { $o->client() } 1 .. 5;

	for my $i (0 .. 4) {
		$waiting[$i]->send_request('GET', "/wait/never/$i");
		wait_for(sub {
			$o->metric('nginx_http_concurrency_in_flight')
			+ $o->metric('nginx_http_concurrency_queued') == $i + 1
		}, 10, 'waiting');
	}

	$o->write_file('nginx.conf', $o->read_file('nginx.conf')
		=~ s/mon_concurrency.*/$directive/r);

	kill 'HUP', $o->pid();
	wait_for(sub { $o->log_lines(qr/#\d+: reconfiguring/) }, 10, 'reload');

	my $n = 0;

	select undef, undef, undef, 0.1
		while $n++ < 40 && NgxMon::Process::alive($o->pid());

	ok(NgxMon::Process::alive($o->pid()), "lives on: \"$directive\"");
	$_->close() for @waiting;
	$o->stop();
}

done_testing();
