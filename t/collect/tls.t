#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# TLS handshakes with clients: each one counted once, whether it resumed a
# session, and whether it came to an end.

use NgxMon;

my $t = NgxMon->new()->has('http_ssl');

my $http = <<'EOC';
ZONE
ssl_certificate localhost.crt;
ssl_certificate_key localhost.key;
ssl_protocols TLSv1.2 TLSv1.3;

server {
    listen 127.0.0.1:%%PORT_8443%% ssl;
    server_name first;
    ssl_session_cache shared:SSL:1m;
    location / { return 200 first; }
}

server {
    listen 127.0.0.1:%%PORT_8443%% ssl;
    server_name second;
    ssl_session_cache shared:SSL:1m;
    location / { return 200 second; }
}

server {
    listen 127.0.0.1:%%PORT_8444%% ssl;
    ssl_session_tickets off;
    ssl_session_cache off;
    client_header_timeout 1s;
    location / { return 200 third; }
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    METRICS
    location / { return 200 plain; }
    location /proxy { proxy_pass https://127.0.0.1:%%PORT_8443%%; }
}
EOC

sub conf {
	my ($zone) = @_;

	my $metrics = $zone ? 'location = /metrics { mon_metrics; }' : '';

	$t->conf($http =~ s/ZONE/$zone/r =~ s/METRICS/$metrics/r);
}

my $dir = $t->dir();

$t->command(qw/ openssl req -x509 -newkey rsa:2048 -nodes -days 2
	    -subj \/CN=localhost -keyout/, "$dir/localhost.key",
	    '-out', "$dir/localhost.crt");


# A request by openssl s_client; what it printed.

sub s_client {
	my ($port, @args) = @_;

	my $command = join ' ', "printf 'GET / HTTP/1.0\\r\\n\\r\\n' |",
		'openssl s_client -ign_eof -connect',
		'127.0.0.1:' . $t->port($port), @args;

	return $t->command('sh', '-c', $command);
}


my %was;

# what was counted since the last call: handshakes, reuses, failures

sub counted {
	my $m = $t->metrics();
	my %is = map { $_ => $m->get("nginx_tls_${_}_total") }
		qw/ handshakes session_reuses handshakes_failed /;

	my $text = join ' ', map { $is{$_} - ($was{$_} // 0) }
		qw/ handshakes session_reuses handshakes_failed /;

	%was = %is;

	return $text;
}


# waits for what is counted when nginx lets the connection go

sub wait_counted {
	my ($text, $what) = @_;

	my @sum = (0, 0, 0);

	wait_for(sub {
		my @n = split ' ', counted();
		$sum[$_] += $n[$_] for 0 .. 2;

		return "@sum" eq $text;
	}, 10, $what);

	is("@sum", $text, $what);
}


# without mon_zone nothing is in the way

conf('');
$t->run();

like(s_client(8443), qr/first/, 'TLS without mon_zone');

conf('mon_zone mon 4m;');
$t->reload();

is(counted(), '0 0 0', 'zeros from the start');

like(s_client(8443, '-tls1_2'), qr/first/, 'TLS 1.2');
is(counted(), '1 0 0', 'a handshake of TLS 1.2');

like(s_client(8443, '-tls1_3'), qr/first/, 'TLS 1.3');
is(counted(), '1 0 0', 'a handshake of TLS 1.3');

like(s_client(8443, '-servername second'), qr/second/, 'a server by name');
is(counted(), '1 0 0', 'its handshake');

# sessions

for my $kind ('-tls1_2', '-tls1_2 -no_ticket', '-tls1_3',
	      '-tls1_3 -no_ticket')
{
	s_client(8443, $kind, "-sess_out $dir/session");
	is(counted(), '1 0 0', "a session begun, $kind");

	like(s_client(8443, $kind, "-sess_in $dir/session"), qr/Reused,/,
	     "a session reused, $kind");
	is(counted(), '1 1 0', "a session reused is counted, $kind");
}

s_client(8444, '-tls1_2', "-sess_out $dir/session");
unlike(s_client(8444, '-tls1_2', "-sess_in $dir/session"), qr/Reused,/,
       'a server without sessions');
is(counted(), '2 0 0', 'two full handshakes');

# several requests, one handshake

is($t->curl(map { "https://127.0.0.1:%%PORT_8443%%/$_" } 1 .. 3),
   'first' x 3, 'keep-alive');
is(counted(), '1 0 0', 'one handshake');

# renegotiation, which nginx refuses

$t->command('sh', '-c', "(printf 'R\\n'; cat) < /dev/null | openssl s_client"
	    . ' -tls1_2 -connect 127.0.0.1:' . $t->port(8443));
is(counted(), '1 0 0', 'renegotiation is not another one');

# failures

s_client(8443, '-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256');
s_client(8443, $_, '-verify 1 -verify_return_error') for '-tls1_2', '-tls1_3';
wait_counted('0 0 3', 'no common cipher, and clients without trust');

my $c = $t->client(port => 8443);

$c->send("\x16\x03\x01\x02\x00\x01\x00");
$c->close();
wait_counted('0 0 1', 'a client that leaves in the middle');

$c = $t->client(port => 8444);
$c->send("\x16\x03\x01\x02\x00\x01\x00");
ok($c->closed(), 'timed out');
wait_counted('0 0 1', 'a client that is too slow');

$c = $t->client(port => 8443);
$c->send("\x16\x03\x01\x00\x05nonsense that is no TLS");
$c->read_all();
$c->close();
wait_counted('0 0 1', 'nonsense');

# no handshakes: plain HTTP, an idle connection, those with an upstream

like($t->http("GET / HTTP/1.0\r\n\r\n", port => 8443), qr/400 Bad/,
     'plain HTTP to a port of TLS');
$t->client(port => 8443)->close();
is(counted(), '0 0 0', 'no handshake was begun');

is($t->get('/proxy')->{body}, 'first', 'proxied to TLS');
is(counted(), '1 0 0', 'counted by the side that served');

# over a reload, back and forth

$t->reload();
like(s_client(8443), qr/first/, 'TLS after reload');
is(counted(), '1 0 0', 'counted after reload');

$t->reload() for 1 .. 3;
like(s_client(8443), qr/first/, 'TLS after three more');
is(counted(), '1 0 0', 'counted once');

conf('');
$t->reload();
like(s_client(8443), qr/first/, 'TLS without mon_zone again');

done_testing();
