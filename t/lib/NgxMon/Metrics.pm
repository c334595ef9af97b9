package NgxMon::Metrics;

# Copyright (C) The ngx_mon authors

# A scrape in the Prometheus text format 0.0.4, read strictly: what a parser
# would only forgive is an error here.

use strict;
use warnings;

use Carp qw/ croak /;

my $NAME = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $LABEL = qr/[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"/;
my $VALUE = qr/[-+]?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|Inf|NaN)/i;


sub parse {
	my ($class, $text) = @_;

	my $self = bless { values => {}, samples => {}, types => {},
			   help => {}, families => [] }, $class;
	my $line = 0;

	croak "not valid UTF-8" unless utf8::decode(my $copy = $text);
	croak "the last line does not end" if length $text && $text !~ /\n\z/;

	for (split /\n/, $text) {
		$line++;
		eval { $self->_line($_); 1 } or croak "line $line \"$_\": $@";
	}

	return $self;
}


# The sum of the samples of that name that have at least these labels; undef
# when there is none.

sub get {
	my ($self, $name, %labels) = @_;

	my $sum;

	$sum = ($sum // 0) + $_->{value} for $self->samples($name, %labels);

	return $sum;
}


# The samples of that name that have at least these labels: hashes of name,
# labels, value.

sub samples {
	my ($self, $name, %labels) = @_;

	return grep {
		my $have = $_->{labels};
		!grep { ($have->{$_} // '') ne $labels{$_} } keys %labels
	} @{ $self->{samples}{$name} // [] };
}


# name{label="value",...}, labels sorted => value

sub values { $_[0]{values} }

sub families { @{ $_[0]{families} } }

sub type { $_[0]{types}{$_[1]} }

sub help { $_[0]{help}{$_[1]} }


sub _line {
	my ($self, $line) = @_;

	if ($line =~ /^# HELP ($NAME) (.*)$/) {
		die "second HELP\n" if defined $self->{help}{$1};
		$self->{help}{$1} = $2;
		$self->_family($1);

	} elsif ($line =~ /^# TYPE ($NAME) (counter|gauge|histogram|untyped)$/) {
		die "second TYPE\n" if $self->{types}{$1};
		$self->{types}{$1} = $2;
		$self->_family($1);

	} elsif ($line =~ /^($NAME)(?:\{((?:$LABEL,)*$LABEL)?\})? ($VALUE)$/) {
		$self->_sample($1, $2 // '', $3);

	} else {
		die "malformed\n";
	}
}


sub _family {
	my ($self, $name) = @_;

	my $list = $self->{families};

	return if @$list && $list->[-1] eq $name;
	die "family interleaved\n" if grep { $_ eq $name } @$list;

	push @$list, $name;
}


sub _sample {
	my ($self, $name, $labels, $value) = @_;

	my $family = $self->{families}[-1] // '';
	my $type = $self->{types}{$family} // die "no TYPE\n";
	my $base = $name;

	$base =~ s/_(?:bucket|sum|count)$// if $type eq 'histogram';
	die "outside of its family\n" unless $base eq $family;

	my %labels;

	while ($labels =~ /([a-zA-Z0-9_]+)="((?:[^"\\]|\\.)*)"/g) {
		my ($label, $text) = ($1, $2);

		die "label twice\n" if exists $labels{$label};

		$text =~ s/\\(.)/$1 eq 'n' ? "\n" : $1/ge;
		$labels{$label} = $text;
	}

	my $key = $name . '{'
		. join(',', map { "$_=\"$labels{$_}\"" } sort keys %labels) . '}';

	die "series twice\n" if exists $self->{values}{$key};

	$value = 9**9**9 if $value =~ /^\+?Inf/i;

	$self->{values}{$key} = $value;
	push @{ $self->{samples}{$name} },
		{ name => $name, labels => \%labels, value => $value };
}


1;
