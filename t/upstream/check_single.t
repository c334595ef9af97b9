#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Checks of one process that is master and worker, and a reload with checks in
# flight: with the zone, with one of another size, without checks, with none.

use NgxMon;

my $http = <<'EOC';
%%ZONE%%

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%%;
    %%CHECK%%
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    location / { proxy_pass http://backend; }
}
EOC

sub conf {
	my ($t, $zone, $check) = @_;

	return $t->conf($http =~ s/%%ZONE%%/$zone/r =~ s/%%CHECK%%/$check/r,
			main => 'master_process off;');
}

my $check = 'mon_check interval=100ms timeout=60s;';

for (['mon_zone mon 2m;', $check], ['mon_zone mon 3m;', $check],
     ['mon_zone mon 2m;', ''], ['', ''])
{
	my ($zone, $then) = @$_;
	my $t = NgxMon->new();

	conf($t, 'mon_zone mon 2m;', $check);

	my $silent = $t->peer(8081, sub { NgxMon::Peer::hold(@_) });
	my $fine = $t->peer(8082, sub {
		my ($socket) = @_;

		NgxMon::Peer::request($socket);
		syswrite $socket, "HTTP/1.1 200 OK\r\n\r\n";
	});

	$t->run();

	ok(wait_for(sub { $silent->connections() && $fine->connections() > 2 },
		    15, 'checks'), 'checks');

	conf($t, $zone, $then);
	kill 'HUP', $t->pid();
	wait_for(sub { $t->log_lines(qr/#\d+: reconfiguring/) }, 10, 'reload');

	# nginx has no connections in this mode after a reload; two ticks

	my $n = 0;

	select undef, undef, undef, 0.1
		while $n++ < 25 && NgxMon::Process::alive($t->pid());

	is(scalar NgxMon::Process::alive($t->pid()), 1, 'lives on');
	$t->stop();
}

done_testing();
