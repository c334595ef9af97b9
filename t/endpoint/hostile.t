#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Whatever clients put into labels ends as valid, escaped UTF-8 of no more
# than 128 bytes.

use NgxMon;

use JSON::PP qw/ decode_json /;

use NgxMon::Scrape qw/ judge_all /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 8m;

large_client_header_buffers 4 32k;
ignore_invalid_headers off;
underscores_in_headers on;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    server_name _ "";

    location = /metrics { mon_metrics; }

    location /header {
        mon_label x $http_x max=1000;
        return 200;
    }

    location /host {
        mon_label host $host max=1000;
        return 200;
    }

    location / {
        mon_label uri $request_uri max=1000;
        mon_label path $uri max=1000;
        return 200;
    }
}
EOC

$t->run();

sub labels {
	my ($location, $label) = @_;

	my $m = NgxMon::Metrics->parse($t->get(
		'/metrics?name=nginx_http_requests_total')->{body});

	return map { $_->{labels}{$label} }
		$m->samples('nginx_http_requests_total',
			    location => $location);
}

sub seen {
	my ($label, $location, $value) = @_;

	return scalar grep { $_ eq $value } labels($location, $label);
}

# header values: every byte that nginx lets through

my %headers = (
	'plain' => 'plain',
	'quote"s' => 'quote"s',
	'back\\slash\\' => 'back\\slash\\',
	'a{b}="c",le="+Inf"} 1' => 'a{b}="c",le="+Inf"} 1',
	'# HELP x' => '# HELP x',
	"t\tab" => "t\tab",
	"\x80\xff" => "\xef\xbf\xbd" x 2,
	"\xc3\xa4" => "\xc3\xa4",
	"\xc3" => "\xef\xbf\xbd",
	"\xed\xa0\x80" => "\xef\xbf\xbd" x 3,
	"\xf0\x9f\x98\x80" => "\xf0\x9f\x98\x80",
	"\xf4\x90\x80\x80" => "\xef\xbf\xbd" x 4,
	"\xc0\xaf" => "\xef\xbf\xbd" x 2,
	'x' x 8000 => 'x' x 128,
	'x' . "\xc3\xa4" x 4000 => 'x' . "\xc3\xa4" x 63,
	'xx' . "\xf0\x9f\x98\x80" x 100 => 'xx' . "\xf0\x9f\x98\x80" x 31,
	'"' x 300 => '"' x 128,
	'\\' x 300 => '\\' x 128,
	"\x7f" x 3 => "\xef\xbf\xbd" x 3,
	"\x01\x1f" => "\xef\xbf\xbd" x 2,
	"\xc2\x85" => "\xef\xbf\xbd" x 2,
);

for my $value (sort keys %headers) {
	my $r = $t->get('/header', headers => [X => $value]);
	my $name = substr $value, 0, 30;

	$name =~ s/[^ -~]/?/g;

	is($r->{status}, 200, "header \"$name\"");
	is(seen('x', '/header', $headers{$value}), 1, 'as expected');
}

is(judge_all($t), '', 'accepted');

# the URI: any byte by its code, newlines and NULs included

for my $path ("a%0ab", 'a%22%7dle="', '%00', '%ff%fe', '%c3%a4', "\xe4\xb8\xad",
	      '%5c', 'x' x 9000, '%c3%a4' x 1000, "a\x80b")
{
	my $r = $t->get("/$path");

	ok($r->{status} == 200 || $r->{status} == 400,
	   'URI ' . substr($path, 0, 20) =~ s/[^ -~]/?/gr);
}

is(seen('path', '/', "/a\nb"), 1, 'a newline in a label');
is(seen('path', '/', '/a"}le="'), 1, 'quotes in a label');
is(seen('path', '/', '/' . "\xc3\xa4" x 63), 1, 'no character is split');
is(judge_all($t), '', 'accepted');

# Host: the label asks for it here; which ones nginx refuses varies

my $quoted = 0;

for my $host ('a', 'A.B', '[::1]', "\xff", 'x"y', 'a\\b', "\xc3\xa4", 'a{b}',
	      'x' x 5000, '..', '', "a\tb")
{
	my $r = $t->get('/host', host => $host);

	ok($r->{status} == 200 || $r->{status} == 400,
	   'Host ' . substr($host, 0, 20) =~ s/[^ -~]/?/gr);

	$quoted++ if $host eq 'x"y' && $r->{status} == 200;
}

is(seen('host', '/host', 'x"y'), $quoted, 'a quote in Host');
is(judge_all($t), '', 'accepted');

# a newline can't be put into JSON either

my $json = decode_json($t->get('/metrics',
	headers => [Accept => 'application/json'])->{body});
my ($family) = grep { $_->{name} eq 'nginx_http_requests_total' }
	@{ $json->{families} };

is(scalar(grep { ($_->{labels}{path} // '') eq "/a\nb" }
	  @{ $family->{metrics} }), 1, 'JSON says the same');

done_testing();
