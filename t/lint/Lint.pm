package Lint;

# Copyright (C) The ngx_mon authors

# What the checks share: the tree they look at, and how they complain.

use strict;
use warnings;

use Exporter qw/ import /;
use File::Find qw/ find /;
use FindBin;

our @EXPORT = qw/ sources lines text wrong finish /;

my $root = shift @ARGV // "$FindBin::Bin/../..";
my $wrong = 0;

chdir $root or die "can't enter $root: $!\n";


# The C files below the folders, sorted.

sub sources {
	my @dirs = grep { -d } @_;
	my @files;

	find({ no_chdir => 1, wanted => sub {
		push @files, $_ if -f && /\.[ch]$/;
	} }, @dirs) if @dirs;

	return sort @files;
}


sub text {
	my ($file) = @_;

	open my $fh, '<', $file or die "can't open $file: $!\n";
	local $/;

	return readline($fh) // '';
}


sub lines {
	return split /\n/, text($_[0]), -1 if text($_[0]) !~ /\n\z/;

	return split /\n/, substr(text($_[0]), 0, -1), -1;
}


sub wrong {
	my ($file, $line, $what) = @_;

	$file .= ":$line" if $line;
	print "$file: $what\n";
	$wrong++;
}


sub finish {
	exit($wrong ? 1 : 0);
}


1;
