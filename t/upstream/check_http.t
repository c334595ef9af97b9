#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Checks of type=http: what passes and what fails, whatever the peer sends and
# however it sends it; the log says why.

use NgxMon;

my $t = NgxMon->new();

my $ok = "HTTP/1.1 200 OK\r\n";
my @peers;

# what the peer does, and why the check fails; undef: it passes

sub peer {
	my ($upstream, $why, $code) = @_;

	my $n = 8100 + @peers;

	$t->peer($n, ref $code ? $code : sub {
		my ($socket) = @_;

		NgxMon::Peer::request($socket);
		syswrite $socket, $code;
	}) if $code;

	# those that are to run out of time have less of it than the others

	$upstream .= '_late' if ($why // '') =~ /timed out/;

	push @peers, { upstream => $upstream, why => $why, port => $n };
}

peer('plain', undef, "$ok\r\n");
peer('plain', undef, "HTTP/1.0 399 Fine\n\n");
peer('plain', undef, "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n$ok\r\n");
peer('plain', 'status 400', "HTTP/1.1 400 Bad\r\n\r\n");
peer('plain', 'invalid answer', "SSH-2.0-OpenSSH\r\n");
peer('plain', 'invalid answer', join '', map { chr } 0 .. 255);
peer('plain', 'connection closed', "HTTP/1.1 200 O");
peer('plain', 'connection closed', '0' x 0 . "$ok" . "Server: x\r\n");
peer('plain', 'connection refused', undef);

peer('plain', 'timed out', sub { NgxMon::Peer::hold(@_) });
peer('plain', 'header too large', $ok . 'X: ' . 'x' x 70000);

peer('plain', 'connection reset by peer', sub {
	my ($socket) = @_;

	NgxMon::Peer::request($socket);
	NgxMon::Peer::reset_close($socket);
});

# the answer comes before the request was read, and the peer is gone

peer('plain', undef, sub {
	my ($socket) = @_;

	syswrite $socket, "$ok\r\n";
	shutdown $socket, 1;
	NgxMon::Peer::hold($socket);
});

# byte by byte; and too slowly

peer('plain', undef, sub {
	my ($socket) = @_;

	NgxMon::Peer::request($socket);
	NgxMon::Peer::drip($socket, "${ok}A: b\r\n\r\n", 0.005);
});

peer('plain', 'timed out', sub {
	my ($socket) = @_;

	NgxMon::Peer::request($socket);
	NgxMon::Peer::drip($socket, $ok x 100, 0.1);
});

# a body without an end is not waited for, one with an end is not read

peer('plain', undef, sub {
	my ($socket) = @_;

	NgxMon::Peer::request($socket);
	syswrite $socket, "$ok\r\n";
	1 while syswrite $socket, 'x' x 65536;
});

peer('match', undef, "$ok\r\nit is all fine here");
peer('match', 'no match', "$ok\r\nit is all  fine here");
peer('match', 'no match', "${ok}X: all fine\r\n\r\n");
peer('match', 'no match', "${ok}Content-Length: 5\r\n\r\nall fine");
peer('match', 'connection closed', "${ok}Content-Length: 50\r\n\r\nall f");
peer('match', 'status 500', "HTTP/1.1 500 No\r\n\r\nall fine");

# across reads and chunks

peer('match', undef, sub {
	my ($socket) = @_;

	NgxMon::Peer::request($socket);
	NgxMon::Peer::drip($socket, "${ok}Transfer-Encoding: chunked\r\n\r\n"
		. "5\r\nx all\r\n3;a=b\r\n fi\r\n1\r\nn\r\n1\r\ne\r\n", 0.002);
	NgxMon::Peer::hold($socket);
});

# far behind what a buffer holds, and never

peer('match', undef, sub {
	my ($socket) = @_;

	NgxMon::Peer::request($socket);
	syswrite $socket, "$ok\r\n" . 'x' x 3000000 . 'all fine';
});

peer('match', 'timed out', sub {
	my ($socket) = @_;

	NgxMon::Peer::request($socket);
	syswrite $socket, "$ok\r\n";
	select undef, undef, undef, 0.005
		while syswrite $socket, 'x' x 65536;
});

peer('codes', undef, "HTTP/1.1 204 No\r\n\r\n");
peer('codes', undef, "HTTP/1.1 502 No\r\n\r\n");
peer('codes', 'status 200', "$ok\r\n");
peer('codes', 'status 505', "HTTP/1.1 505 No\r\n\r\n");

$t->blackhole(8199);
push @peers, { upstream => 'plain_late', why => 'timed out while connecting',
	       port => 8199 };

my %servers;

push @{ $servers{$_->{upstream}} }, "server 127.0.0.1:%%PORT_$_->{port}%%;"
	for @peers;

$t->conf(<<"EOC");
mon_zone mon 4m;

upstream plain {
    @{$servers{plain}}
    mon_check interval=300ms timeout=30s fall=1;
}

upstream plain_late {
    @{$servers{plain_late}}
    mon_check interval=300ms timeout=500ms fall=1;
}

upstream match {
    @{$servers{match}}
    mon_check interval=300ms timeout=30s fall=1 "match=all fine";
}

upstream match_late {
    @{$servers{match_late}}
    mon_check interval=300ms timeout=500ms fall=1 "match=all fine";
}

upstream codes {
    @{$servers{codes}}
    mon_check interval=300ms timeout=30s fall=1 status=204,300-404,500-504;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
}
EOC

$t->run();

my $m;

wait_for(sub {
	$m = $t->metrics();

	!grep {
		!$m->get('nginx_upstream_checks_total', peer => '127.0.0.1:'
			 . $t->port($_->{port}))
	} @peers;
}, 30, 'a check of each peer');

for my $peer (@peers) {
	my $addr = '127.0.0.1:' . $t->port($peer->{port});
	my @said = $t->log_lines(qr/"$addr" of upstream/);
	my %count = map { ($_, $m->get('nginx_upstream_checks_total',
				      peer => $addr,
				      upstream => $peer->{upstream},
				      result => $_) // 0) } qw/ pass fail /;
	my $name = "$peer->{upstream} $peer->{port}";

	if ($peer->{why}) {
		ok($count{fail} && !$count{pass}, "$name: fails");
		is(@said, 1, "$name: said once");
		like($said[0] // '', qr/\[warn\].*is unhealthy, 1 checks in a row failed, the last one: \Q$peer->{why}\E$/,
		     "$name: $peer->{why}");
	} else {
		ok($count{pass} && !$count{fail}, "$name: passes");
		is(@said, 0, "$name: nothing to say") or diag(@said);
	}
}

done_testing();
