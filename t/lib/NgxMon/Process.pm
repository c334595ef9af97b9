package NgxMon::Process;

# Copyright (C) The ngx_mon authors

# What /proc tells of processes, and how to start and end one.

use strict;
use warnings;

use Carp qw/ croak /;
use Exporter qw/ import /;
use POSIX qw/ WNOHANG _exit /;
use Time::HiRes qw/ sleep time /;

our @EXPORT_OK = qw/ alive children title descriptors start end_process
	poll slowness /;

my %status;		# of those that were reaped


# Tells whether the process runs; one that is a zombie does not.

sub alive {
	my ($pid) = @_;

	return 0 unless $pid;

	if (waitpid($pid, WNOHANG) == $pid) {
		$status{$pid} = $?;
		return 0;
	}

	my $stat = _read("/proc/$pid/stat") // return 0;

	return $stat =~ /^\d+ \(.*\) [^ZX] /s ? 1 : 0;
}


sub exit_status {
	my ($pid) = @_;

	# one that has ended is reaped once all of its threads have

	poll(10, sub {
		alive($pid);
		defined $status{$pid} || !-e "/proc/$pid";
	});

	return $status{$pid};
}


sub children {
	my ($parent) = @_;

	opendir my $dh, '/proc' or croak "can't open /proc: $!";

	return grep {
		my $stat = _read("/proc/$_/stat") // '';
		$stat =~ /^\d+ \(.*\) ([^ZX]) (\d+) /s && $2 == $parent
	} sort { $a <=> $b } grep { /^\d+$/ } readdir $dh;
}


sub title {
	my ($pid) = @_;

	my $title = _read("/proc/$pid/cmdline") // '';
	$title =~ tr/\0/ /;
	$title =~ s/\s+$//;

	return $title;
}


# what each descriptor of a process refers to: number => target

sub descriptors {
	my ($pid) = @_;

	opendir my $dh, "/proc/$pid/fd" or return;

	return map { my $to = readlink "/proc/$pid/fd/$_"; $to ? ($_, $to) : () }
		grep { /^\d+$/ } readdir $dh;
}


# Starts a program; output goes to a file.

sub start {
	my ($output, $dir, $env, @command) = @_;

	my $pid = fork // croak "can't fork: $!";

	return $pid if $pid;

	%ENV = (%ENV, %$env);
	$SIG{$_} = 'DEFAULT' for qw/ INT TERM PIPE CHLD /;

	open STDIN, '<', '/dev/null';
	open STDOUT, '>>', $output;
	open STDERR, '>&', \*STDOUT;

	chdir $dir;
	{ no warnings; exec { $command[0] } @command; }

	print STDERR "can't execute $command[0]: $!\n";
	_exit(127);
}


# Ends a process by the signals given, in this order, each time waiting up to
# the time given; returns the signal that did it, '' when it was gone.

sub end_process {
	my ($pid, $timeout, @signals) = @_;

	return '' unless alive($pid);

	for my $signal (@signals) {
		kill $signal, $pid;
		return $signal if poll($timeout, sub { !alive($pid) });
	}

	return 'none';
}


# Calls code until it returns true or the time is over.

sub poll {
	my ($timeout, $code) = @_;

	my $until = time() + $timeout * slowness();
	my $pause = 0.002;

	while (1) {
		my $result = $code->();

		return $result if $result;
		return $result if time() > $until;

		sleep $pause;
		$pause *= 1.5 if $pause < 0.03;
	}
}


sub slowness {
	return $ENV{VALGRIND} ? 8 : $ENV{NGX_MON_SANITIZED} ? 3 : 1;
}


sub _read {
	my ($file) = @_;

	open my $fh, '<', $file or return;
	local $/;

	return readline $fh;
}


1;
