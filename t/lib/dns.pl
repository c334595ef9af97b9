#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A name server on a port of 127.0.0.1: backend.test has the addresses that
# the file "addrs" names, no other name is known.

use strict;
use warnings;

use IO::Socket::INET;

my $s = IO::Socket::INET->new(Proto => 'udp',
	LocalAddr => "127.0.0.1:$ARGV[0]") or die "can't listen: $!\n";

while ($s->recv(my $q, 512)) {
	my ($name) = $q =~ /^.{12}((?:[^\0].*?)\0)/s;
	my @addrs;

	if ($name eq "\7backend\4test\0") {
		open my $fh, '<', 'addrs' or die "no addrs: $!\n";
		@addrs = split ' ', <$fh>;
	}

	$s->send(substr($q, 0, 2)
		. pack('nnnnn', @addrs ? 0x8180 : 0x8183, 1, scalar @addrs,
		       0, 0)
		. $name . pack('nn', 1, 1)
		. join '', map { pack 'nnnNnC4', 0xc00c, 1, 1, 1, 4,
					split /\./ } @addrs);
}
