#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A format given in the configuration is what is served, whatever Accept says.

use NgxMon;

use JSON::PP qw/ decode_json /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /text { mon_metrics prometheus; }
    location = /openmetrics { mon_metrics openmetrics; }
    location = /json { mon_metrics json; }

    location /nested {
        mon_metrics json;

        location = /nested/any { mon_metrics; }
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

for my $format (sort keys %types) {
	for my $accept ('', '*/*', values %types) {
		my $r = $t->get("/$format", headers => [Accept => $accept]);

		is($r->{status}, 200, "$format, asked for $accept");
		is($r->{headers}{'content-type'}, $types{$format}, 'type');
		is($r->{headers}{vary}, undef, 'does not vary');
		is($r->{headers}{'cache-control'}, 'no-store', 'not stored');
	}
}

is($t->get('/nested')->{headers}{'content-type'}, $types{json}, 'outer');
is($t->get('/nested/any')->{headers}{'content-type'}, $types{text},
   'nothing is inherited by a directive of its own');

# what stands in them is the same

my $names = join "\n", NgxMon::Metrics->parse($t->get('/text')->{body})
	->families();
my $json = decode_json($t->get('/json')->{body});
my $openmetrics = $t->get('/openmetrics')->{body};

is(join("\n", map { $_->{name} } @{ $json->{families} }), $names,
   'families of JSON');

my @types = $openmetrics =~ /^# TYPE (\S+) (\S+)$/mg;
my @found;

while (my ($name, $type) = splice @types, 0, 2) {
	push @found, $name . ($type eq 'counter' ? '_total'
			      : $type eq 'info' ? '_info' : '');
}

is(join("\n", @found), $names, 'families of OpenMetrics');

done_testing();
