#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# An adaptive limit follows a backend whose capacity halves and returns: the
# short form of bench/adaptive.

use NgxMon;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;

plan(skip_all => 'a sanitizer or valgrind is too slow')
	if $ENV{NGX_MON_SANITIZED} || $ENV{VALGRIND};

my $bench = dirname(dirname(dirname(abs_path($0)))) . '/bench/adaptive';

my $out = `$bench --check 2>&1`;
my $status = $?;

diag($out) if $status;
is($status, 0, 'the limit follows, goodput and latency stay well');

done_testing();
