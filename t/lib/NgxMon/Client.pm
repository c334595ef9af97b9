package NgxMon::Client;

# Copyright (C) The ngx_mon authors

# An HTTP/1 client that does what it is told, right or wrong: any bytes, at
# any pace.  A response is a hash: status (0 where none came), headers (by
# lower-case name), body, head (as received), error: '', 'timeout', 'closed'
# or 'reset' where the response is not whole.

use strict;
use warnings;

use Carp qw/ croak /;
use IO::Select;
use IO::Socket::INET;
use Socket qw/ IPPROTO_TCP MSG_NOSIGNAL SOL_SOCKET SO_LINGER SO_RCVBUF
	TCP_MAXSEG inet_aton pack_sockaddr_in /;
use Time::HiRes qw/ time /;

use NgxMon::Process qw/ slowness /;


# options: port, local (address to come from), timeout, rcvbuf

sub new {
	my ($class, %o) = @_;

	my $socket = $o{rcvbuf} ? _small(%o) : IO::Socket::INET->new(
		Proto => 'tcp',
		PeerAddr => $o{addr} // '127.0.0.1',
		PeerPort => $o{port},
		$o{local} ? (LocalAddr => $o{local}) : (),
		Timeout => 10,
	) or croak "can't connect to port $o{port}: $!";

	return bless {
		socket => $socket,
		buf => '',
		error => '',
		timeout => ($o{timeout} // 20) * slowness(),
	}, $class;
}


# A small window only works with segments that fit in it, and from the start.

sub _small {
	my (%o) = @_;

	my $socket = IO::Socket::INET->new(Proto => 'tcp') or return;

	setsockopt $socket, SOL_SOCKET, SO_RCVBUF, $o{rcvbuf} or return;
	setsockopt $socket, IPPROTO_TCP, TCP_MAXSEG, 536 or return;

	return $socket->connect(pack_sockaddr_in($o{port},
			inet_aton($o{addr} // '127.0.0.1'))) && $socket;
}


sub socket { $_[0]{socket} }


sub send {
	my ($self, $bytes) = @_;

	while (length $bytes) {
		my $n = CORE::send($self->{socket}, $bytes, MSG_NOSIGNAL);

		return 0 unless defined $n;
		substr $bytes, 0, $n, '';
	}

	return $self;
}


# Sends a request.  options: host, headers (list of name => value, or lines),
# body, version, close

sub send_request {
	my ($self, $method, $uri, %o) = @_;

	my $version = $o{version} // '1.1';
	my @headers = @{ $o{headers} // [] };
	my $head = "$method $uri HTTP/$version\r\n";

	$head .= "Host: " . ($o{host} // 'localhost') . "\r\n"
		unless exists $o{host} && !defined $o{host};

	while (my ($name, $value) = splice @headers, 0, 2) {
		$head .= "$name: $value\r\n";
	}

	$head .= "Content-Length: " . length($o{body}) . "\r\n"
		if defined $o{body};
	$head .= "Connection: close\r\n" if $o{close};

	return $self->send("$head\r\n" . ($o{body} // ''));
}


sub request {
	my ($self, $method, $uri, %o) = @_;

	$self->send_request($method, $uri, %o);

	return $self->response(head => $method eq 'HEAD');
}


sub get {
	my ($self, $uri, %o) = @_;

	return $self->request('GET', $uri, %o);
}


sub response {
	my ($self, %o) = @_;

	my ($r, $head);

	do {
		$head = $self->read_until(qr/\r?\n\r?\n/);
		$r = _parse($head // $self->_rest());
		$r->{error} = $self->{error} unless defined $head;

		return $r unless defined $head;

	} while ($r->{status} =~ /^1/ && $r->{status} != 101);

	return $r if $o{head} || $r->{status} =~ /^(?:101|204|304)$/;

	if (($r->{headers}{'transfer-encoding'} // '') =~ /chunked/i) {
		$self->_chunked($r);

	} elsif (defined(my $n = $r->{headers}{'content-length'})) {
		$r->{body} = $self->read_bytes($n) // $self->_rest($r);

	} else {
		$r->{body} = $self->read_all();
		$r->{error} = $self->{error} unless $self->{error} eq 'closed';
	}

	return $r;
}


# Reads up to and with the pattern; undef where it does not come.

sub read_until {
	my ($self, $pattern) = @_;

	while ($self->{buf} !~ $pattern) {
		return unless $self->_fill();
	}

	return substr $self->{buf}, 0, $+[0], '' if $self->{buf} =~ $pattern;
}


sub read_bytes {
	my ($self, $n) = @_;

	while (length $self->{buf} < $n) {
		return unless $self->_fill();
	}

	return substr $self->{buf}, 0, $n, '';
}


# Reads until the other side closes, or up to the timeout.

sub read_all {
	my ($self) = @_;

	1 while $self->_fill();

	return $self->_rest();
}


# Waits until the other side has closed; what it sent is kept for reading.

sub closed {
	my ($self) = @_;

	1 while $self->_fill();

	return $self->{error} eq 'closed' || $self->{error} eq 'reset';
}


sub close {
	my ($self) = @_;

	CORE::close($self->{socket}) if $self->{socket};
	delete $self->{socket};
}


sub reset {
	my ($self) = @_;

	setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
	$self->close();
}


sub _fill {
	my ($self) = @_;

	my $ready = IO::Select->new($self->{socket})
		->can_read($self->{timeout});

	if (!$ready) {
		$self->{error} = 'timeout';
		return;
	}

	my $n = sysread $self->{socket}, $self->{buf}, 65536,
		length $self->{buf};

	return $n if $n;

	$self->{error} = defined $n ? 'closed' : 'reset';
	return;
}


sub _rest {
	my ($self, $r) = @_;

	$r->{error} = $self->{error} if $r;

	return substr $self->{buf}, 0, length $self->{buf}, '';
}


sub _parse {
	my ($head) = @_;

	my ($line, @lines) = split /\r?\n/, $head;
	my %headers;

	for (@lines) {
		next unless /^([^:]+):\s*(.*)$/;
		my $name = lc $1;
		$headers{$name} = defined $headers{$name}
			? "$headers{$name}, $2" : $2;
	}

	my ($status) = ($line // '') =~ m{^HTTP/\d\.\d (\d{3})};

	return {
		status => $status // 0,
		headers => \%headers,
		head => $head,
		body => '',
		error => '',
	};
}


sub _chunked {
	my ($self, $r) = @_;

	while (1) {
		my $line = $self->read_until(qr/\r\n/);
		my ($size) = ($line // '') =~ /^([0-9a-f]+)/i;

		last unless defined $size;

		my $data = $self->read_bytes(hex($size) + 2) // last;

		return $r if hex($size) == 0;

		$r->{body} .= substr $data, 0, -2;
		push @{ $r->{chunks} }, hex $size;
	}

	$r->{error} = $self->{error} || 'garbage';

	return $r;
}


1;
