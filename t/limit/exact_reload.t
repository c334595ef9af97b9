#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The same, though a new generation of workers comes each second.

use NgxMon;
use NgxMon::Saturate qw/ saturate /;

use Time::HiRes qw/ sleep /;

for my $workers (1, 4) {
	my $t = NgxMon->new(workers => $workers);

	saturate($t, 10, sub {
		$t->reload();
		sleep 1;
	});
}

done_testing();
