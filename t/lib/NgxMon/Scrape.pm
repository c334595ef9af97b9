package NgxMon::Scrape;

# Copyright (C) The ngx_mon authors

# A scrape in every format, judged by the field's own tools.

use strict;
use warnings;

use Exporter qw/ import /;
use File::Basename qw/ dirname /;

use NgxMon::Metrics;

our @EXPORT_OK = qw/ formats judge judge_all skim /;

my $script = dirname(dirname(__FILE__)) . '/scrape.py';

my %accept = (
	prometheus => 'text/plain',
	openmetrics => 'application/openmetrics-text',
	json => 'application/json',
);

my $n = 0;


sub formats { return map { $_ => $accept{$_} } sort keys %accept }


# What is wrong with scrapes: a list of format => document.  Returns a text,
# empty for scrapes that are right.

sub judge {
	my ($t, @scrapes) = @_;

	my (@args, @wrong);

	while (my ($format, $body) = splice @scrapes, 0, 2) {
		my $name = 'scrape.' . ++$n;

		$t->write_file($name, $body);
		push @args, $format, $t->dir() . "/$name";

		next if $format ne 'prometheus';
		next if eval { NgxMon::Metrics->parse($body) };

		push @wrong, "prometheus: $@";
	}

	# Debian's python3 has the parsers of python3-prometheus-client

	return join('', @wrong)
		. $t->command('/usr/bin/python3', $script, @args);
}


# What is wrong with a large scrape in the text format, in little time: that it
# ends early, unless it is a part, or has a family or a series twice.

sub skim {
	my ($body, $part) = @_;

	my ($family, %families, %series) = ('');

	return "has no end\n" if !$part && $body !~ /^nginx_mon_zone_bytes\S+ \d+\n\z/m;

	for (split /\n/, $body) {
		if (/^# TYPE (\S+)/) {
			return "family twice: $1\n" if $families{$1}++;
			$family = $1;

		} elsif (!/^#/) {
			my $series = substr $_, 0, rindex $_, ' ';

			return "series twice: $series\n" if $series{$series}++;
			return "outside of $family: $series\n"
				if index $series, $family;
		}
	}

	return '';
}


# A scrape in each format now, judged.  options: uri, port

sub judge_all {
	my ($t, %o) = @_;

	return judge($t, map {
		my $r = $t->get($o{uri} // '/metrics', %o,
				headers => [Accept => $accept{$_}]);

		($_ => $r->{body});
	} sort keys %accept);
}


1;
