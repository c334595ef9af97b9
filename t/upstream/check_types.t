#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Checks by TCP, TLS and HTTP of peers of IPv4, IPv6 and unix sockets, with
# host= and port=: what they send, and where to.

use NgxMon;

my $t = NgxMon->new()->has('http_ssl');

$t->conf(<<'EOC');
mon_zone mon 4m;

log_format check '$server_port $request_method $request_uri $server_protocol '
    'h=$http_host ua=$http_user_agent c=$http_connection';

upstream tcp {
    server 127.0.0.1:%%PORT_8081%%;
    server [::1]:%%PORT_8081%%;
    server unix:%%TESTDIR%%/back.sock;
    server 127.0.0.1:%%PORT_8089%%;
    server [::1]:%%PORT_8089%%;
    server unix:%%TESTDIR%%/none.sock;
    mon_check type=tcp interval=200ms timeout=30s fall=1;
}

upstream tls {
    server 127.0.0.1:%%PORT_8082%%;
    server [::1]:%%PORT_8082%%;
    server 127.0.0.1:%%PORT_8083%%;
    mon_check type=tls interval=200ms timeout=30s fall=1;
}

upstream late {
    server 127.0.0.1:%%PORT_8084%%;
    mon_check type=tls interval=200ms timeout=500ms fall=1;
}

upstream sni {
    server 127.0.0.1:%%PORT_8085%%;
    mon_check type=tls interval=200ms timeout=30s fall=1 host=known.test;
}

upstream nosni {
    server 127.0.0.1:%%PORT_8085%%;
    mon_check type=tls interval=200ms timeout=30s fall=1 host=127.0.0.1;
}

upstream plain {
    server 127.0.0.1:%%PORT_8081%%;
    server [::1]:%%PORT_8081%%;
    server unix:%%TESTDIR%%/back.sock;
    mon_check interval=200ms timeout=30s fall=1;
}

upstream named {
    server 127.0.0.1:%%PORT_8081%%;
    mon_check interval=200ms timeout=30s fall=1 host=app.test uri=/health?full=1;
}

upstream other {
    server 127.0.0.1:%%PORT_8089%%;
    server [::1]:%%PORT_8089%%;
    server unix:%%TESTDIR%%/back.sock;
    mon_check interval=200ms timeout=30s fall=1 port=%%PORT_8081%% uri=/other;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8081%%;
    listen [::1]:%%PORT_8081%%;
    listen unix:%%TESTDIR%%/back.sock;

    access_log checks.log check;
    return 200;
}

server {
    listen 127.0.0.1:%%PORT_8082%% ssl;
    listen [::1]:%%PORT_8082%% ssl;
    ssl_certificate back.crt;
    ssl_certificate_key back.key;
    ssl_protocols TLSv1.2 TLSv1.3;
}

server {
    listen 127.0.0.1:%%PORT_8085%% ssl default_server;
    ssl_reject_handshake on;
}

server {
    listen 127.0.0.1:%%PORT_8085%% ssl;
    server_name known.test;
    ssl_certificate back.crt;
    ssl_certificate_key back.key;
}
EOC

$t->command('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes',
	    '-subj', '/CN=back', '-days', '2',
	    '-keyout', $t->dir() . '/back.key',
	    '-out', $t->dir() . '/back.crt');

# no TLS: it answers something else, or nothing

$t->peer(8083, sub {
	my ($socket) = @_;

	sysread $socket, my $hello, 1024;
	syswrite $socket, "HTTP/1.1 400 Bad\r\n\r\n";
});

$t->peer(8084, sub { NgxMon::Peer::hold(@_) });

$t->run();

my ($dir, %p) = $t->dir();

$p{$_} = $t->port($_) for 8081 .. 8089;

my %passes = (
	tcp => ["127.0.0.1:$p{8081}", "[::1]:$p{8081}",
		"unix:$dir/back.sock"],
	tls => ["127.0.0.1:$p{8082}", "[::1]:$p{8082}"],
	sni => ["127.0.0.1:$p{8085}"],
	plain => ["127.0.0.1:$p{8081}", "[::1]:$p{8081}",
		  "unix:$dir/back.sock"],
	named => ["127.0.0.1:$p{8081}"],
	other => ["127.0.0.1:$p{8089}", "[::1]:$p{8089}",
		  "unix:$dir/back.sock"],
);

my %fails = (
	tcp => { "127.0.0.1:$p{8089}" => 'connection refused',
		 "[::1]:$p{8089}" => 'connection refused',
		 "unix:$dir/none.sock" => 'no such file or directory' },
	tls => { "127.0.0.1:$p{8083}" => 'TLS handshake failed' },
	late => { "127.0.0.1:$p{8084}" => 'timed out' },
	nosni => { "127.0.0.1:$p{8085}" => 'TLS handshake failed' },
);

my $m;

# each of them three times, so that nothing is left over from the first

sub counted {
	my ($upstream, $peer, $result) = @_;

	return $m->get('nginx_upstream_checks_total', upstream => $upstream,
		       peer => $peer, result => $result) // 0;
}

wait_for(sub {
	$m = $t->metrics();

	my @wait = map { my $u = $_;
			 map { [$u, $_, 'pass'] } @{ $passes{$u} } }
		keys %passes;

	push @wait, map { my $u = $_;
			  map { [$u, $_, 'fail'] } keys %{ $fails{$u} } }
		keys %fails;

	!grep { counted(@$_) < 3 } @wait;
}, 40, 'three checks of each peer');

for my $upstream (sort keys %passes) {
	is(counted($upstream, $_, 'fail'), 0, "$upstream: $_ passes")
		for @{ $passes{$upstream} };
}

for my $upstream (sort keys %fails) {
	for my $peer (sort keys %{ $fails{$upstream} }) {
		is(counted($upstream, $peer, 'pass'), 0,
		   "$upstream: $peer fails");
		is(scalar $t->log_lines(qr/\[warn\].*peer "\Q$peer\E" of (?#
			)upstream "$upstream" is unhealthy, 1 checks in a (?#
			)row failed, the last one: (?#
			)\Q$fails{$upstream}{$peer}\E$/), 1,
		   "$upstream: $peer: $fails{$upstream}{$peer}, said once");
	}
}

my %sent = map { s/^\d* //r, 1 }
	$t->log_lines(qr/./, 'checks.log');

is_deeply([sort grep { !m{/metrics} } keys %sent], [
	'GET / HTTP/1.1 h=plain ua=nginx/ngx_mon c=close',
	'GET /health?full=1 HTTP/1.1 h=app.test ua=nginx/ngx_mon c=close',
	'GET /other HTTP/1.1 h=other ua=nginx/ngx_mon c=close',
], 'what was sent') or diag(explain(\%sent));

done_testing();
