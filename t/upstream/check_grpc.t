#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Checks of type=grpc: a call of grpc.health.v1.Health/Check, answered well,
# oddly, or not at all; and by the gRPC library itself where it is installed.

use NgxMon;

my $t = NgxMon->new();

my @peers;

sub peer {
	my ($why, $code) = @_;

	my $n = 8100 + @peers;
	my $bytes = $code;

	$code = sub {
		my ($socket) = @_;

		NgxMon::Peer::grpc_call($socket);
		syswrite $socket, $bytes;
		NgxMon::Peer::hold($socket);
	} unless ref $code;

	$t->peer($n, $code);
	push @peers, { why => $why, port => $n };
}

sub frame { NgxMon::Peer::frame(@_) }

my $settings = frame(4, 0, 0, '') . frame(4, 1, 0, '');
my $header = frame(1, 4, 1, "\x88");
my $serving = "\0\0\0\0\2\10\1";

peer(undef, NgxMon::Peer::grpc_health(1));
peer('status NOT_SERVING', NgxMon::Peer::grpc_health(2));
peer('status SERVICE_UNKNOWN', NgxMon::Peer::grpc_health(3));
peer('status UNKNOWN', NgxMon::Peer::grpc_health(0));
peer('status 9', NgxMon::Peer::grpc_health(9));

# cut into bytes, padded, in two frames

peer(undef, sub {
	my ($socket) = @_;

	NgxMon::Peer::grpc_call($socket);
	NgxMon::Peer::drip($socket, NgxMon::Peer::grpc_answer(1), 0.001);
	NgxMon::Peer::hold($socket);
});

peer(undef, $settings . $header . frame(0, 8, 1, "\3\0\0\0\0\2\0\0\0")
     . frame(0, 0, 1, "\10\1"));

# the other side is asked to acknowledge, and does

peer(undef, sub {
	my ($socket) = @_;

	NgxMon::Peer::grpc_call($socket);
	syswrite $socket, frame(4, 0, 0, '') . frame(6, 0, 0, 'ping 123');

	for my $want ([4, 1, 0, ''], [6, 1, 0, 'ping 123']) {
		my @got = NgxMon::Peer::read_frame($socket);

		return if "@got" ne "@$want";
	}

	syswrite $socket, $header . frame(0, 0, 1, $serving);
	NgxMon::Peer::hold($socket);
});

# who does not know the service, or gives up

peer('no health status', $settings
     . frame(1, 5, 1, "\x88\x00\x0bgrpc-status\x0212"));
peer('stream reset with code 7', $settings . frame(3, 0, 1, "\0\0\0\7"));
peer('connection given up with code 11', $settings
     . frame(7, 0, 0, "\0\0\0\0\0\0\0\13"));
peer('connection closed', sub {
	my ($socket) = @_;

	NgxMon::Peer::grpc_call($socket);
	syswrite $socket, "$settings$header";
	shutdown $socket, 1;
});
peer('timed out', $settings . $header);
peer('invalid answer', $settings . $header . frame(0, 0, 1, "<html>"));

# HTTP/1.1, and no HTTP at all

peer('invalid answer', sub {
	my ($socket) = @_;

	NgxMon::Peer::request($socket);
	syswrite $socket, "HTTP/1.1 400 Bad Request\r\n\r\n";
});
peer('invalid answer', join '', map { chr $_ % 251 } 0 .. 5000);

sub servers {
	return join "\n    ", map { "server 127.0.0.1:%%PORT_$_->{port}%%;" }
		@_;
}

# those that are to run out of time have less of it than the others

my $late = servers(grep { ($_->{why} // '') eq 'timed out' } @peers);
my $servers = servers(grep { ($_->{why} // '') ne 'timed out' } @peers);

$t->conf(<<"EOC");
mon_zone mon 4m;

upstream backend {
    $servers
    mon_check type=grpc interval=200ms timeout=30s fall=1;
}

upstream late {
    $late
    mon_check type=grpc interval=200ms timeout=500ms fall=1;
}

upstream library {
    server 127.0.0.1:%%PORT_8090%%;
    mon_check type=grpc interval=200ms timeout=30s fall=1 rise=1
              host=app.test;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
}
EOC

# with Debian's python3-grpcio

my $python = '/usr/bin/python3';

$t->write_file('health.py', <<'EOP');
import sys
from concurrent import futures
import grpc

def check(request, context):
    md = dict(context.invocation_metadata())
    with open('calls.log', 'a') as f:
        f.write('%r %s\n' % (request, md.get('user-agent')))
    try:
        return open('answer', 'rb').read()
    except FileNotFoundError:
        context.abort(grpc.StatusCode.UNAVAILABLE, 'no')

class Health(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == '/grpc.health.v1.Health/Check':
            return grpc.unary_unary_rpc_method_handler(check)

server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((Health(),))
server.add_insecure_port('127.0.0.1:' + sys.argv[1])
server.start()
server.wait_for_termination()
EOP

$t->command($python, '-c', 'import grpc');
my $library = $? == 0;

if ($library) {
	$t->write_file('answer', "\10\1");
	$t->daemon([$python, 'health.py', '%%PORT_8090%%'], port => 8090);
}

$t->run();

my $m;

sub counted {
	my ($port, $result) = @_;

	return $m->get('nginx_upstream_checks_total', result => $result,
		       peer => '127.0.0.1:' . $t->port($port)) // 0;
}

wait_for(sub {
	$m = $t->metrics();

	!grep { counted($_->{port}, $_->{why} ? 'fail' : 'pass') < 2 } @peers;
}, 30, 'two checks of each peer');

for my $peer (@peers) {
	my $addr = '127.0.0.1:' . $t->port($peer->{port});
	my ($said) = $t->log_lines(qr/"$addr" of upstream/);
	my $why = $peer->{why} // 'passes';

	is(counted($peer->{port}, $peer->{why} ? 'pass' : 'fail'), 0,
	   "$peer->{port}: $why");
	like($said // '', $peer->{why}
	     ? qr/is unhealthy.*: \Q$peer->{why}\E$/ : qr/^$/,
	     "$peer->{port}: what is said");
}

SKIP: {
	skip 'no python3-grpcio', 5 unless $library;

	my @checks = ('nginx_upstream_checks_total', upstream => 'library');

	sub said {
		my ($pattern) = @_;

		return ok(wait_for(sub {
			$t->log_lines(qr/of upstream "library" $pattern/)
		}, 10, $pattern), "the library: $pattern");
	}

	wait_for(sub { ($t->metric(@checks, result => 'pass') // 0) > 2 }, 10,
		 'passes of the library');
	is($t->metric(@checks, result => 'fail'), undef, 'the library passes');

	$t->write_file('answer', "\10\2");
	said('is unhealthy.*: status NOT_SERVING');

	$t->write_file('answer', "\10\1");
	said('is healthy');

	# a call that fails, without a message

	unlink $t->dir() . '/answer';
	said('is unhealthy.*: no health status');

	my ($call) = $t->log_lines(qr/./, 'calls.log');

	is($call, "b'' nginx/ngx_mon", 'what the library was asked');
}

done_testing();
