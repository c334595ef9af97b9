package NgxMon::Ports;

# Copyright (C) The ngx_mon authors

# A block of TCP ports of 127.0.0.1 that belongs to this test alone: other
# tests and other suites on the machine respect the lock, and what is in use
# by anything else is left out.

use strict;
use warnings;

use Carp qw/ croak /;
use Fcntl qw/ :flock O_RDWR O_CREAT O_NOFOLLOW /;
use File::Spec;
use IO::Socket::INET;

use constant {
	FIRST => 12000,
	BLOCK => 32,
	COUNT => 620,		# ends below the ephemeral ports, 32768
};


sub new {
	my ($class) = @_;

	my $dir = File::Spec->tmpdir() . "/ngx_mon-ports.$>";
	my $start = $$ % COUNT;

	mkdir $dir, 0700;

	for my $i (0 .. COUNT - 1) {
		my $n = ($start + $i * 7) % COUNT;

		sysopen my $lock, "$dir/$n", O_RDWR | O_CREAT | O_NOFOLLOW, 0600
			or croak "can't open $dir/$n: $!";

		next unless flock $lock, LOCK_EX | LOCK_NB;

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
