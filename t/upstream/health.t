#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The health check "upstreams": an upstream without a usable peer is
# unhealthy and not ready, one with less than half of them degraded.

use NgxMon;
use JSON::PP;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%%;
    server 127.0.0.1:%%PORT_8083%%;
}

upstream other {
    server 127.0.0.1:%%PORT_8084%%;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    location / { proxy_pass http://backend; }
    location /other { proxy_pass http://other; }
    location = /health { mon_health; }
    location = /ready { mon_health ready; }
    location = /live { mon_health live; }
}
EOC

my $conf = $t->read_file('nginx.conf');

sub health {
	my ($name, $status, $ready, $message, @down) = @_;

	my $changed = $conf;

	for (@down) {
		my $port = $t->port($_);

		$changed =~ s/(server 127.0.0.1:$port);/$1 down;/;
	}

	$t->write_file('nginx.conf', $changed);
	$t->pid() ? $t->reload() : $t->run();

	my $r = $t->get('/health');
	my $check = decode_json($r->{body})->{checks}{upstreams};

	is($check->{status}, $status, "$name: $status");
	like($check->{message}, $message, "$name: message");
	is($r->{status}, $status eq 'unhealthy' ? 503 : 200,
	   "$name: health answers");
	is($t->get('/ready')->{status}, $ready ? 200 : 503, "$name: ready");
	is($t->get('/live')->{status}, 200, "$name: live");
}

health('all', 'healthy', 1, qr/^2 upstreams$/);
health('one down', 'healthy', 1, qr/^2 upstreams$/, 8081);
health('two down', 'degraded', 1, qr/^backend: 1 of 3 peers usable$/,
       8081, 8082);
health('all of one down', 'unhealthy', 0, qr/^other: 0 of 1 peers usable$/,
       8084);
health('both', 'unhealthy', 0,
       qr/^backend: 0 of 3 peers usable, other: 0 of 1 peers usable$/,
       8081 .. 8084);
health('healed', 'healthy', 1, qr/^2 upstreams$/);

done_testing();
