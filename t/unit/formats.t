#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

use strict;
use warnings;

use File::Basename qw/ dirname /;

my $build = $ENV{NGX_MON_BUILD}
	or die "NGX_MON_BUILD is not set: run make test\n";

# Debian's python3, which has the parsers of python3-prometheus-client

exec('/usr/bin/python3', dirname(__FILE__) . '/formats.py',
	"$build/unit/scrape")
	or die "/usr/bin/python3: $!\n";
