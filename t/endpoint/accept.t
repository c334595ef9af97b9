#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The format follows Accept, and nothing but Accept.

use NgxMon;

use JSON::PP qw/ decode_json /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }

    location = /if {
        mon_metrics json;

        if ($arg_x) {
            set $y 1;
        }
    }
}
EOC

$t->run();

my %types = (
	text => 'text/plain; version=0.0.4; charset=utf-8',
	openmetrics =>
		'application/openmetrics-text; version=1.0.0; charset=utf-8',
	json => 'application/json',
);

my $prometheus = 'application/openmetrics-text;version=1.0.0,'
	. 'application/openmetrics-text;version=0.0.1;q=0.75,'
	. 'text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

my @cases = (
	# none, anything
	[text => []],
	[text => ['']],
	[text => ['*/*']],
	[text => ['*']],
	[text => ['text/*']],
	[text => ['text/plain']],
	[text => ['text/plain; version=0.0.4']],

	# a type
	[openmetrics => ['application/openmetrics-text']],
	[openmetrics => ['application/openmetrics-text; version=1.0.0']],
	[openmetrics => ['application/openmetrics-text; version="1.0.0"']],
	[openmetrics => ['application/openmetrics-text; version=0.0.1']],
	[openmetrics => ['APPLICATION/OpenMetrics-Text;VERSION=1.0.0']],
	[json => ['application/json']],
	[json => ['application/json, text/html;q=0.9']],

	# Prometheus 2.42, the one before OpenMetrics, curl, a browser
	[openmetrics => [$prometheus]],
	[text => ['text/plain;version=0.0.4;q=1,*/*;q=0.1']],
	[text => ['text/html,application/xhtml+xml,application/xml;q=0.9,'
		  . 'image/avif,*/*;q=0.8']],

	# weights
	[json => ['text/plain;q=0.5, application/json;q=0.6']],
	[text => ['text/plain;q=0.7, application/json;q=0.6']],
	[openmetrics => ['application/json;q=0.1,'
			 . 'application/openmetrics-text;q=0.101']],
	[json => ['*/*;q=0.1, application/json;q=0.2']],
	[json => ['text/plain;q=0, application/openmetrics-text;q=0, */*']],

	# several headers are one list
	[json => ['text/plain;q=0.1', 'application/json;q=0.9']],
	[openmetrics => ['application/json;q=0.2', 'text/plain;q=0.1',
			 'application/openmetrics-text;q=0.3']],

	# nonsense, and nothing that is offered
	[text => [',,,;;;==="']],
	[text => ["\x80\xff/\x01"]],
	[text => ['image/png']],
	[text => ['application/openmetrics-text;version=7']],
	[text => ['application/json;q=-1']],
	[text => ['application/json;q=2']],
	[text => ['application/json;q=abc']],
	[text => [join ',', ('application/x-unknown;q=0.3') x 200]],

	# past any buffer
	[json => [(join ',', ('application/x-unknown;q=0.3') x 200),
		  'application/json']],
);

for (@cases) {
	my ($format, $accept) = @$_;
	my $r = $t->get('/metrics', headers => [map { (Accept => $_) }
						@$accept]);
	my $name = substr join(' + ', @$accept), 0, 70;

	$name =~ s/[^ -~]/?/g;

	is($r->{headers}{'content-type'}, $types{$format},
	   "$format for \"$name\"");
	is($r->{headers}{vary}, 'Accept', 'depends on Accept')
		if $accept eq $cases[-1][1];

	my $end = $format eq 'openmetrics' ? qr/\n# EOF\n\z/
		: $format eq 'json' ? qr/\]\}\n\z/ : qr/\d\n\z/;

	like($r->{body}, $end, 'and it is') or last;
}

is($t->get('/metrics')->{headers}{'cache-control'}, 'no-store',
   'not to be stored');

# an "if" is part of its location

for ('', '?x=1') {
	my $r = $t->get("/if$_", headers => [Accept => 'text/plain']);

	is($r->{headers}{'content-type'}, 'application/json', "format of /if$_");
	ok(eval { decode_json($r->{body}) }, 'JSON');
}

done_testing();
