#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The same, though workers are killed all the time: never more than the rate,
# and fewer only by what was lost with a worker.

use NgxMon;
use NgxMon::Saturate qw/ saturate /;

use Time::HiRes qw/ sleep /;

my $t = NgxMon->new(workers => 4);

$t->expect(qr/exited on signal 9/);

saturate($t, 10, sub {
	$t->kill_worker(($t->workers())[rand 4]);
	sleep .05;
}, lost => 1);

cmp_ok(scalar($t->log_lines(qr/exited on signal 9/)), '>', 10, 'killed');

done_testing();
