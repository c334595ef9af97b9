package NgxMon::Node;

# Copyright (C) The ngx_mon authors

# Programs in JavaScript that tests run, with packages from npm that misc/npm
# has installed.

use strict;
use warnings;

use Cwd qw/ abs_path /;
use Exporter qw/ import /;
use File::Basename qw/ dirname /;
use Test::More ();

our @EXPORT_OK = qw/ node /;

my $top = dirname(abs_path(__FILE__)) . '/../../..';
my $packages = abs_path("$top/build/npm");


# The command that runs a program of t/; skips the test where there are no
# packages.

sub node {
	my ($program, @args) = @_;

	Test::More::plan(skip_all => 'no npm packages: make deps-test')
		unless $packages && -e "$packages/installed";

	return ('node', abs_path("$top/t/$program"), $packages, @args);
}


1;
