#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A test fails when something is wrong with nginx, whatever else it says.

use NgxMon;

use FindBin;

my %faults = (
	'a crash' => 'kill "SEGV", ($t->workers())[0]; '
		. 'wait_for(sub { $t->log_lines(qr/exited on signal/) })',
	'a dead master' => 'kill "KILL", $t->pid(); kill "KILL", '
		. '$t->workers(); '
		. 'wait_for(sub { !NgxMon::Process::alive($t->pid()) })',
	'a report of a sanitizer' => '$t->write_file("sanitizer.1", "bad")',
	'a dead test' => 'die "over"',
	'a leaked socket' => '$t->write_file("error.log", "[alert] 1#1: open '
		. 'socket #3 left in connection 5")',
	'a wait in vain' => 'wait_for(sub { 0 }, 0.1, "nothing")',
);

for my $fault ('', sort keys %faults) {
	my $code = $fault ? $faults{$fault} : '1';
	my $out = NgxMon->command($^X, "-I$FindBin::Bin/../lib", '-e',
		<<'EOC' . $code . '; done_testing()');
use NgxMon;
my $t = NgxMon->new();
$t->conf('server { listen 127.0.0.1:%%PORT_8080%%; }')->run();
ok(1);
EOC

	if ($fault) {
		isnt($?, 0, "fails: $fault") or diag($out);
	} else {
		is($?, 0, 'passes: no fault') or diag($out);
	}
}

done_testing();
