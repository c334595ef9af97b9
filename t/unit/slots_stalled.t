#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

use strict;
use warnings;

my $build = $ENV{NGX_MON_BUILD}
	or die "NGX_MON_BUILD is not set: run make test\n";

$ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';

exec("$build/unit/slots_stalled") or die "$build/unit/slots_stalled: $!\n";
