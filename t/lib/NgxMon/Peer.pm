package NgxMon::Peer;

# Copyright (C) The ngx_mon authors

# A backend that is a piece of code: it gets each connection, and the peer, in a
# process of its own, and what it does there is all that happens.  TCP over
# IPv4 or IPv6, or a unix socket.
#
#     my $peer = $t->peer(8081, sub {
#         my ($socket) = @_;
#
#         NgxMon::Peer::request($socket);
#         syswrite $socket, "HTTP/1.1 200 OK\r\n\r\nready";
#     });
#
#     $peer->connections();     # so far: the times of their beginnings
#
# grpc_health() is such code: a server of grpc.health.v1.

use strict;
use warnings;

use Carp qw/ croak /;
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX qw/ _exit setpgid /;
use Socket qw/ SOL_SOCKET SO_LINGER TCP_NODELAY IPPROTO_TCP /;
use Time::HiRes qw/ sleep time /;

use NgxMon::Process qw/ alive poll /;


# options: dir, code; port and addr (127.0.0.1), or path of a unix socket

sub new {
	my ($class, %o) = @_;

	my $name = ($o{path} // "$o{addr}-$o{port}") =~ tr{/:}{--}r;
	my $self = bless { %o, log => "$o{dir}/peer-$name.log" }, $class;

	return $self->start();
}


sub start {
	my ($self) = @_;

	my $listen = $self->_listen();
	my $parent = $$;
	my $pid = fork // croak "can't fork: $!";

	if ($pid == 0) {
		setpgid(0, 0);
		$SIG{$_} = 'DEFAULT' for qw/ INT TERM HUP ALRM /;
		$SIG{CHLD} = 'IGNORE';
		$SIG{PIPE} = 'IGNORE';

		eval { $self->_accept($listen, $parent) };
		print STDERR "peer: $@" if $@;
		_exit(1);
	}

	setpgid($pid, $pid);
	$self->{pid} = $pid;

	return $self;
}


# Ends it with all of its connections; whoever connects is refused then.

sub stop {
	my ($self) = @_;

	my $pid = delete $self->{pid} // return;

	kill 'KILL', -$pid;
	poll(5, sub { !alive($pid) });
	unlink $self->{path} if defined $self->{path};
}


sub connections {
	my ($self) = @_;

	my @times;

	if (open my $fh, '<', $self->{log}) {
		chomp(@times = <$fh>);
	}

	return @times;
}


sub _listen {
	my ($self) = @_;

	return IO::Socket::UNIX->new(Local => $self->{path}, Listen => 1024)
		// croak "can't listen on $self->{path}: $!"
		if defined $self->{path};

	return IO::Socket::IP->new(
		LocalHost => $self->{addr},
		LocalPort => $self->{port},
		Listen => 1024,
		ReuseAddr => 1,
	) // croak "can't listen on $self->{addr} $self->{port}: $!";
}


sub _accept {
	my ($self, $listen, $parent) = @_;

	my $select = IO::Select->new($listen);

	while (getppid() == $parent) {
		next unless $select->can_read(0.5);

		my $socket = $listen->accept() or next;
		my $now = time();

		open my $fh, '>>', $self->{log};
		syswrite $fh, "$now\n";
		close $fh;

		my $pid = fork // next;

		if ($pid) {
			close $socket;
			next;
		}

		close $listen;
		setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
		eval { $self->{code}->($socket, $self) };
		print STDERR "peer: $@" if $@ && $@ ne "gone\n";
		_exit(0);
	}

	kill 'KILL', -$$;
}


# For the code

# Reads until the header of an HTTP request has come, and returns it.

sub request {
	my ($socket) = @_;

	my $buf = '';

	while ($buf !~ /\r\n\r\n/) {
		sysread $socket, $buf, 65536, length $buf or die "gone\n";
	}

	return $buf;
}


# Reads n bytes.

sub take {
	my ($socket, $n) = @_;

	my $buf = '';

	while (length $buf < $n) {
		sysread $socket, $buf, $n - length $buf, length $buf
			or die "gone\n";
	}

	return $buf;
}


# Waits until the other side closes.

sub hold {
	my ($socket) = @_;

	1 while sysread $socket, my $buf, 65536;
}


# Sends the bytes one by one.

sub drip {
	my ($socket, $bytes, $pause) = @_;

	for (split //, $bytes) {
		syswrite $socket, $_ or die "gone\n";
		sleep $pause if $pause;
	}
}


# Closes so that the other side gets a reset.

sub reset_close {
	my ($socket) = @_;

	setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
	close $socket;
}


# A frame of HTTP/2.

sub frame {
	my ($type, $flags, $stream, $payload) = @_;

	return substr(pack('N', length $payload), 1)
		. pack('CCN', $type, $flags, $stream) . $payload;
}


# Reads a frame: type, flags, stream and payload.

sub read_frame {
	my ($socket) = @_;

	my $head = take($socket, 9);
	my ($type, $flags, $stream) = unpack 'x3CCN', $head;

	return ($type, $flags, $stream,
		take($socket, unpack 'N', "\0" . substr $head, 0, 3));
}


# Takes the whole call of a gRPC client, and dies unless it is one of
# grpc.health.v1; returns its header block.

sub grpc_call {
	my ($socket) = @_;

	die "no preface\n" if take($socket, 24)
		ne "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

	my ($block, $data, $end) = ('', '');

	until ($end) {
		my ($type, $flags, $stream, $payload) = read_frame($socket);

		$block .= $payload if $type == 1;
		$data .= $payload if $type == 0;
		$end = $type <= 1 && $flags & 1;
	}

	die "not the path of a health check\n"
		if $block !~ m{/grpc\.health\.v1\.Health/Check};
	die "no empty HealthCheckRequest\n" if $data ne "\0" x 5;

	return $block;
}


# The answer to such a call with that ServingStatus.

sub grpc_answer {
	my ($status) = @_;

	my $message = pack 'CC', 8, $status;

	return frame(4, 0, 0, pack 'nN', 3, 100)
		. frame(4, 1, 0, '')
		. frame(1, 4, 1, "\x88\x0f\x10\x10application/grpc")
		. frame(0, 0, 1, pack('CN', 0, length $message) . $message)
		. frame(1, 5, 1, "\x00\x0bgrpc-status\x010");
}


# Code of a peer that answers so.

sub grpc_health {
	my ($status) = @_;

	return sub {
		my ($socket) = @_;

		grpc_call($socket);
		syswrite $socket, grpc_answer($status);
		hold($socket);
	};
}


1;
