#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline with many workers and requests at once, while the configuration
# is loaded anew, and while nginx quits.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new(workers => 4);

my $conf = <<'EOC';
mon_zone mon 4m;

upstream backend {
    zone backend 64k;
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%%;
    keepalive 10;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    mon_deadline 700ms;
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    location = /metrics { mon_deadline off; mon_metrics; }
    location / { proxy_pass http://backend; }
}
EOC

$t->conf($conf);
$t->backend($_) for 8081, 8082;
$t->run();

sub asked {
	my ($n) = @_;
	my @clients = map { $t->client() } 1 .. $n;

	for (0 .. $#clients) {
		my $client = $clients[$_];

		if ($_ % 4 == 3) {
			$client->send("POST / HTTP/1.1\r\nHost: a\r\n"
				      . "Content-Length: 10\r\n\r\n12345");
		} else {
			$client->send_request('GET', '/wait/a');
		}
	}

	$t->wait_metric($n, 'nginx_http_requests_in_flight', location => '/');

	return @clients;
}

sub answered {
	my ($what, @clients) = @_;
	my %statuses;

	$statuses{$_->response()->{status}}++ for @clients;
	is_deeply(\%statuses, { 504 => scalar @clients }, $what);
	$_->close() for @clients;
}

my @clients = asked(60);
my $start = time();

answered('many at once', @clients);
cmp_ok(time() - $start, '<', 2, 'in time');

@clients = asked(40);
$t->conf($conf =~ s/700ms/1h/r);
$t->reload();
answered('old workers go by the old time', @clients);

$t->conf($conf);
$t->reload();

# some leave before

@clients = asked(40);
$_->reset() for splice @clients, 0, 20;
answered('the others', @clients);

my $m;

ok(wait_for(sub {
	$m = $t->metrics();
	$m->get('nginx_http_requests_in_flight') == 0
		&& $m->get('nginx_upstream_requests_in_flight') == 0
		&& $m->get('nginx_connections_active') == 1
}, 10, 'nothing in flight'), 'nothing in flight');

is($m->get('nginx_http_errors_total', reason => 'deadline'), 120, 'counted');

# it quits when the last one was answered

@clients = asked(20);
$t->quit($t->pid());
answered('while it quits', @clients);

done_testing();
