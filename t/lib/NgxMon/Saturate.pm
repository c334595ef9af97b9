package NgxMon::Saturate;

# Copyright (C) The ngx_mon authors

# Clients that want more than a limit lets through, and judge what it did: see
# t/limit/saturate.c.

use strict;
use warnings;

use Carp qw/ croak /;
use Cwd qw/ abs_path /;
use Exporter qw/ import /;
use File::Basename qw/ dirname /;
use Test::More ();

use NgxMon::Process ();

our @EXPORT_OK = qw/ saturate /;

my $source = dirname(abs_path(__FILE__)) . '/../../limit/saturate.c';

# what is asked for a second is some 100 times the rate, or all that can be had

my @limits = (
	{ name => '7r/s', count => 7, period => 1, burst => 3,
	  connections => 8, depth => 1, offer => 400 },
	{ name => '100r/m', count => 100, period => 60, burst => 5,
	  connections => 8, depth => 1, offer => 400 },
	{ name => '20000r/s', count => 20000, period => 1, burst => 10000,
	  connections => 8, depth => 8, offer => 0 },
);


sub _conf {
	my ($zones, $locations) = ('', '');

	for (@limits) {
		my $zone = $_->{name} =~ tr{/}{}dr;

		$zones .= "mon_limit_zone \$uri zone=$zone:1m "
			. "rate=$_->{name} burst=$_->{burst};\n";
		$locations .= "location /$zone { empty_gif; mon_limit zone=$zone; }\n";
	}

	return <<"EOC";
mon_zone mon 4m;
$zones
keepalive_requests 100000000;

server {
    listen 127.0.0.1:%%PORT_8080%% reuseport;

    add_header X-Worker \$pid;
    $locations
}
EOC
}


# Reaches the limits for some seconds, while code runs again and again, and
# tests what was admitted.  options: lost, requests that got no answer may have
# been admitted; conf and limits, others than those above, and of these
# allowances, if a limit is the sum of so many, and coarse, if the client may
# come too late for the whole burst

sub saturate {
	my ($t, $seconds, $code, %o) = @_;

	my $program = $t->dir() . '/saturate';
	my $out = $t->command($ENV{CC} || 'cc', '-O2', '-o', $program, $source);

	croak "saturate.c: $out" if $?;

	my @limits = @{ $o{limits} // \@limits };

	$t->conf($o{conf} // _conf())->run();

	my @running = map { _start($t, $program, $seconds, $_) } @limits;

	while (grep { NgxMon::Process::alive($_) } @running) {
		$code->();
	}

	for (@limits) {
		my $told = $t->read_file(_file($_));

		Test::More::is(NgxMon::Process::exit_status(shift @running), 0,
			       "$_->{name}: the client's end");
		_judge($t, $_, lost => 0, $told =~ /^(\w+) (\S+)$/mg,
		       $o{lost} ? () : (lost => 0));
	}
}


sub _file {
	return 'saturate.' . $_[0]{name} =~ tr{/}{}dr;
}


sub _start {
	my ($t, $program, $seconds, $limit) = @_;

	my ($connections, $depth, $offer, $count, $period, $burst)
		= @$limit{qw/ connections depth offer count period burst /};

	return NgxMon::Process::start($t->dir() . '/' . _file($limit),
		$t->dir(), {}, $program, $t->port(),
		'/' . $limit->{name} =~ tr{/}{}dr, $connections, $depth,
		$offer, $seconds, $count, $period . '0' x 9, $burst);
}


sub _judge {
	my ($t, $limit, %told) = @_;

	my $name = $limit->{name};

	Test::More::note(join ' ', "$name:", map { "$_ $told{$_}" }
			 sort keys %told);

	Test::More::is($told{others}, 0, "$name: no other answers");
	Test::More::cmp_ok($told{over} // 1, '<=', 1e-6,
			   "$name: never more than burst + 1 + rate x time");

	# a client that is not fast enough shows nothing of the other side

	if (($told{gap} // 1e9) >= $limit->{burst} * $limit->{period}
	    / $limit->{count})
	{
		Test::More::note("$name: was not reached all the time");
		return;
	}

	Test::More::cmp_ok($told{steady}, '<=',
			   ($limit->{allowances} // 1) + $told{lost},
			   "$name: the rate is had");
	Test::More::cmp_ok($told{short}, '<=', $t->{workers} + $told{lost}
			   + ($limit->{allowances} // 1) - 1,
			   "$name: and the burst")
		if $limit->{offer} && !$limit->{coarse};
}


1;
