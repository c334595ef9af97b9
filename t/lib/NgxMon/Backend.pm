package NgxMon::Backend;

# Copyright (C) The ngx_mon authors

# A small real backend in processes of its own, one per connection.  It speaks
# http, fastcgi, uwsgi or scgi, and what it does with a request stands in the
# path, anywhere and in any number:
#
#     /status/503             answers with that status
#     /bytes/1000             a body of that size
#     /header/Name:value      one more header of the answer
#     /delay/0.2              waits, seconds, before it answers
#     /wait/word              waits for $backend->tell('word') before it answers
#     /slow/0.1               sends the body in ten pieces, so far apart
#     /half                   promises 100 bytes, sends 50, closes
#     /stall                  promises 100 bytes, sends 50, then nothing
#     /garbage                no valid answer
#     /cut                    half of a header, closes
#     /close                  closes without an answer
#     /reset                  resets the connection
#     /echo                   the request's body comes back
#     /ws                     WebSocket: switches, then echoes all bytes
#     /first/2/...            all that stands behind it holds for the first 2
#                             requests with that path
#
# $backend->mode('/status/500') makes it behave so whatever the path is.

use strict;
use warnings;

use Carp qw/ croak /;
use Fcntl qw/ :flock /;
use IO::Select;
use IO::Socket::INET;
use POSIX qw/ _exit setpgid /;
use Socket qw/ SOL_SOCKET SO_LINGER MSG_NOSIGNAL TCP_NODELAY IPPROTO_TCP /;
use Time::HiRes qw/ sleep /;

use NgxMon::Process qw/ alive end_process poll /;


# options: port (0 for any), dir, proto (http), max (requests per connection),
# mode

sub new {
	my ($class, %o) = @_;

	if (!$o{port}) {
		$o{listen} = _listen($o{addr}, 0);
		$o{port} = $o{listen}->sockport();
	}

	my $self = bless {
		proto => 'http',
		max => 0,
		%o,
		log => "$o{dir}/backend-$o{port}.log",
		modefile => "$o{dir}/backend-$o{port}.mode",
		flag => "$o{dir}/backend-$o{port}.told-",
	}, $class;

	croak "no protocol \"$self->{proto}\""
		unless $class->can("_serve_$self->{proto}");

	$self->mode($o{mode}) if defined $o{mode};

	return $self->start();
}


sub start {
	my ($self) = @_;

	my $listen = delete $self->{listen}
		// _listen($self->{addr}, $self->{port});
	my $parent = $$;
	my $pid = fork // croak "can't fork: $!";

	if ($pid == 0) {
		setpgid(0, 0);
		$SIG{$_} = 'DEFAULT' for qw/ INT TERM HUP ALRM /;
		$SIG{CHLD} = 'IGNORE';
		$SIG{PIPE} = 'IGNORE';

		eval { $self->_accept($listen, $parent) };
		print STDERR "backend: $@" if $@;
		_exit(1);
	}

	setpgid($pid, $pid);
	$self->{pid} = $pid;

	return $self;
}


sub port { $_[0]{port} }


sub _listen {
	my ($addr, $port) = @_;

	return IO::Socket::INET->new(
		Proto => 'tcp',
		LocalAddr => $addr // '127.0.0.1',
		LocalPort => $port,
		Listen => 1024,
		ReuseAddr => 1,
	) // croak "can't listen on port $port: $!";
}


# Ends the backend with all of its connections; the port refuses then.

sub stop {
	my ($self) = @_;

	my $pid = delete $self->{pid} // return;

	kill 'KILL', -$pid;
	poll(5, sub { !alive($pid) });
}


sub mode {
	my ($self, $path) = @_;

	open my $fh, '>', "$self->{modefile}.new" or croak "can't write: $!";
	print $fh $path;
	close $fh;
	rename "$self->{modefile}.new", $self->{modefile};
}


# Lets those go on that wait for the word.

sub tell {
	my ($self, $word) = @_;

	open my $fh, '>', $self->{flag} . $word or croak "can't write: $!";
}


# The requests that came so far: hashes of method, uri, conn, n (the number of
# the request on its connection).

sub requests {
	my ($self) = @_;

	open my $fh, '<', $self->{log} or return;

	return map {
		my %r;
		@r{qw/ method uri conn n /} = split ' ';
		\%r
	} <$fh>;
}


sub _accept {
	my ($self, $listen, $parent) = @_;

	my $select = IO::Select->new($listen);
	my $conn = 0;

	while (getppid() == $parent) {
		next unless $select->can_read(0.5);

		my $socket = $listen->accept() or next;
		$conn++;

		my $pid = fork // next;
		next if $pid;

		close $listen;
		setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;

		my $c = { %$self, socket => $socket, buf => '', conn => $conn,
			  n => 0, parent => getppid() };
		my $serve = "_serve_$self->{proto}";

		bless $c, ref $self;
		eval { $c->$serve() };
		print STDERR "backend: $@" if $@ && $@ ne "gone\n";
		_exit(0);
	}

	kill 'KILL', -$$;
}


# Reads until there are n bytes, or the pattern has come.

sub _need {
	my ($c, $what) = @_;

	while (ref $what ? $c->{buf} !~ $what : length $c->{buf} < $what) {
		my $n = sysread $c->{socket}, $c->{buf}, 65536,
			length $c->{buf};

		die "gone\n" unless $n;
	}
}


sub _take {
	my ($c, $n) = @_;

	$c->_need($n);

	return substr $c->{buf}, 0, $n, '';
}


sub _send {
	my ($c, $bytes) = @_;

	while (length $bytes) {
		my $n = send $c->{socket}, $bytes, MSG_NOSIGNAL;

		die "gone\n" unless defined $n;
		substr $bytes, 0, $n, '';
	}
}


sub _serve_http {
	my ($c) = @_;

	while (1) {
		$c->_need(qr/\r\n\r\n/);
		$c->{buf} =~ s/^(.*?\r\n)\r\n//s;

		my ($line, @lines) = split /\r\n/, $1;
		my %h = map { /^([^:]+):\s*(.*)/ ? (lc $1, $2) : () } @lines;
		my ($method, $uri, $version) = split / /, $line;

		my %r = (
			method => $method,
			uri => $uri,
			headers => \%h,
			body => $c->_http_body(\%h),
		);

		my $keep = $version eq 'HTTP/1.1'
			&& ($h{connection} // '') !~ /close/i
			&& ++$c->{n} != $c->{max};

		$c->{encode} = sub {
			my ($status, $headers, $length) = @_;

			return "HTTP/1.1 $status Status\r\n"
				. $headers
				. ($status == 101 ? ''
				: "Content-Length: $length\r\n"
				. 'Connection: ' . ($keep ? 'keep-alive'
							  : 'close') . "\r\n")
				. "\r\n";
		};

		$c->_answer(\%r);
		return unless $keep;
	}
}


sub _http_body {
	my ($c, $h) = @_;

	return $c->_take($h->{'content-length'}) if $h->{'content-length'};
	return '' unless ($h->{'transfer-encoding'} // '') eq 'chunked';

	my $body = '';

	while (1) {
		$c->_need(qr/\r\n/);
		$c->{buf} =~ s/^([0-9a-f]+).*?\r\n//i or die "gone\n";

		my $n = hex $1;

		$body .= substr $c->_take($n + 2), 0, $n;
		return $body if $n == 0;
	}
}


sub _serve_fastcgi {
	my ($c) = @_;

	while (1) {
		my ($params, $stdin, $flags) = ('', '', 0);

		while (1) {
			my (undef, $type, $id, $len, $pad) =
				unpack 'CCnnC', $c->_take(8);
			my $data = $c->_take($len + $pad);

			$data = substr $data, 0, $len;
			$flags = unpack 'x2C', $data if $type == 1;
			$params .= $data if $type == 4;
			$stdin .= $data if $type == 5;

			last if $type == 5 && $len == 0;
		}

		my %env;

		while (length $params) {
			my @len = map {
				my $n = unpack 'C', $params;
				$n = $n < 128
					? unpack 'C', substr $params, 0, 1, ''
					: 0x7fffffff & unpack 'N',
					  substr $params, 0, 4, '';
			} 1 .. 2;

			my ($name, $value) = map { substr $params, 0, $_, '' }
				@len;
			$env{$name} = $value;
		}

		$c->{n}++;
		$c->{record} = sub {
			my ($type, $data) = @_;

			return join '', map {
				pack('CCnnCC', 1, $type, 1, length $_, 0, 0) . $_
			} $data =~ /(.{1,32768})/sg;
		};

		$c->_answer(_cgi(\%env, $stdin, $c));
		$c->_send(pack 'CCnnCC', 1, 6, 1, 0, 0, 0);
		$c->_send(pack 'CCnnCC' . 'NCx3', 1, 3, 1, 8, 0, 0, 0, 0);

		return unless $flags & 1;
	}
}


sub _serve_uwsgi {
	my ($c) = @_;

	my (undef, $size) = unpack 'CvC', $c->_take(4);
	my $vars = $c->_take($size);
	my %env = unpack '(v/a*)*', $vars;

	$c->{n} = 1;
	$c->_answer(_cgi(\%env, $c->_take($env{CONTENT_LENGTH} || 0), $c,
			 'HTTP/1.1 '));
}


sub _serve_scgi {
	my ($c) = @_;

	$c->_need(qr/:/);
	$c->{buf} =~ s/^(\d+):// or die "gone\n";

	my $head = $c->_take($1 + 1);
	my %env = split /\0/, substr($head, 0, -2), -1;

	$c->{n} = 1;
	$c->_answer(_cgi(\%env, $c->_take($env{CONTENT_LENGTH} || 0), $c));
}


sub _cgi {
	my ($env, $body, $c, $line) = @_;

	$line //= 'Status: ';

	$c->{encode} = sub {
		my ($status, $headers, $length) = @_;

		return "$line$status Status\r\n$headers"
			. "Content-Length: $length\r\n\r\n";
	};

	return {
		method => $env->{REQUEST_METHOD} // 'GET',
		uri => $env->{REQUEST_URI} // '/',
		headers => $env,
		body => $body,
	};
}


sub _write {
	my ($c, $bytes) = @_;

	$c->_send($c->{record} ? $c->{record}->(6, $bytes) : $bytes);
}


sub _wait {
	my ($c, $file) = @_;

	until (-e $file) {
		_exit(0) if getppid() != $c->{parent};
		sleep 0.005;
	}
}


sub _answer {
	my ($c, $r) = @_;

	$c->_log("$r->{method} $r->{uri} $c->{conn} $c->{n}\n");

	my $path = $r->{uri} =~ s/\?.*//r;

	if (open my $fh, '<', $c->{modefile}) {
		$path = <$fh> // $path;
	}

	$path = $1 if $path =~ m{^(.*)/first/(\d+)/}s && $c->_past($r, $2);

	my $status = 200;
	my $headers = "X-Backend: $c->{port}\r\n";
	my $body = "$r->{method} $r->{uri}\n";
	my ($act, $pause) = ('', 0);

	while ($path =~ m{/(status|bytes|header|delay|wait|slow)/([^/]+)
			  |/(half|stall|garbage|cut|close|reset|echo|ws)\b}xg)
	{
		my ($word, $arg) = ($1 // $3, $2);

		if ($word eq 'status') {
			$status = $arg;
		} elsif ($word eq 'bytes') {
			$body = 'x' x $arg;
		} elsif ($word eq 'header') {
			$arg =~ s/%([0-9a-f]{2})/chr hex $1/gei;
			$headers .= "$arg\r\n";
		} elsif ($word eq 'delay') {
			sleep $arg;
		} elsif ($word eq 'wait') {
			$c->_wait($c->{flag} . $arg);
		} elsif ($word eq 'slow') {
			$pause = $arg;
		} elsif ($word eq 'echo') {
			$body = $r->{body};
		} else {
			$act = $word;
		}
	}

	return $c->_misbehave($act, $headers) if $act && $act ne 'ws';
	return $c->_websocket($r) if $act eq 'ws';

	$headers .= "Content-Type: text/plain\r\n";
	$body = '' if $status =~ /^(?:204|304)$/;

	my $head = $c->{encode}->($status, $headers, length $body);

	$body = '' if $r->{method} eq 'HEAD';

	return $c->_write($head . $body) unless $pause;

	$c->_write($head);

	my $piece = int(length($body) / 10) + 1;

	for ($body =~ /(.{1,$piece})/sg) {
		sleep $pause;
		$c->_write($_);
	}
}


# Whether there were more than n requests like this one.

sub _past {
	my ($c, $r, $n) = @_;

	return $n < grep { $_->{uri} eq $r->{uri} } $c->requests();
}


sub _misbehave {
	my ($c, $act, $headers) = @_;

	if ($act eq 'half' || $act eq 'stall') {
		$c->_write($c->{encode}->(200, $headers, 100) . 'x' x 50);
		$c->_wait($c->{flag} . 'stall') if $act eq 'stall';

	} elsif ($act eq 'garbage') {
		$c->_write($c->{proto} eq 'http'
			   ? "HTTP/1.1 200 OK\r\nbad\0header: 1\r\n\r\n"
			   : "\x01\x02 this is no answer\r\n\r\n");

	} elsif ($act eq 'cut') {
		my $head = $c->{encode}->(200, $headers, 100);

		$c->_write(substr $head, 0, length($head) / 2);

	} elsif ($act eq 'reset') {
		setsockopt $c->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
	}

	close $c->{socket};
	die "gone\n";
}


sub _websocket {
	my ($c, $r) = @_;

	$c->_write($c->{encode}->(101,
		"Upgrade: websocket\r\nConnection: Upgrade\r\n", 0));

	while (1) {
		$c->_need(1);
		$c->_send(substr $c->{buf}, 0, length $c->{buf}, '');
	}
}


sub _log {
	my ($c, $line) = @_;

	open my $fh, '>>', $c->{log} or return;
	syswrite $fh, $line;
}


# A port that takes no connection and refuses none: its queue is full.

sub blackhole {
	my ($class, $port) = @_;

	my $listen = IO::Socket::INET->new(
		Proto => 'tcp',
		LocalAddr => '127.0.0.1',
		LocalPort => $port,
		Listen => 1,
		ReuseAddr => 1,
	) or croak "can't listen on port $port: $!";

	my @fill;

	for (1 .. 4) {
		my $socket = IO::Socket::INET->new(
			Proto => 'tcp',
			PeerAddr => '127.0.0.1',
			PeerPort => $port,
			Blocking => 0,
		);
		push @fill, $socket if $socket;
	}

	return [$listen, @fill];
}


1;
