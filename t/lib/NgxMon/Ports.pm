package NgxMon::Ports;

# Copyright (C) The ngx_mon authors

# A block of TCP ports of 127.0.0.1 that belongs to this test alone: other
# tests and other suites on the machine respect the lock, and what is in use
# by anything else is left out.

use strict;
use warnings;

use Carp qw/ croak /;
use IO::Socket::INET;
use IO::Socket::UNIX;

use constant {
	FIRST => 12000,
	BLOCK => 32,
	COUNT => 620,		# ends below the ephemeral ports, 32768
};


sub new {
	my ($class) = @_;

	my $start = $$ % COUNT;

	for my $i (0 .. COUNT - 1) {
		my $n = ($start + $i * 7) % COUNT;

		# a lock that every user sees who sees these ports

		my $lock = IO::Socket::UNIX->new(
			Local => "\0ngx_mon-ports-$n",
			Listen => 1,
		) or next;

		my $first = FIRST + $n * BLOCK;
		my @free = grep { _free($_) } $first .. $first + BLOCK - 1;

		next if @free < BLOCK - 2;

		return bless { lock => $lock, free => \@free, map => {} }, $class;
	}

	croak "no free block of ports";
}


# the real port that stands for n in this test

sub port {
	my ($self, $n) = @_;

	return $self->{map}{$n} //= shift @{ $self->{free} }
		// croak "a test has no more than " . BLOCK . " ports";
}


sub _free {
	my ($port) = @_;

	return defined IO::Socket::INET->new(
		Proto => 'tcp',
		LocalAddr => '127.0.0.1',
		LocalPort => $port,
		Listen => 1,
		ReuseAddr => 1,
	);
}


1;
