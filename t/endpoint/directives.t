#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Errors in mon_metrics and mon_health name file, line and the word.

use NgxMon;

my $t = NgxMon->new();

sub server {
	my ($text) = @_;

	return "mon_zone mon 1m;\nserver {\nlisten 127.0.0.1:%%PORT_8080%%;\n"
		. "$text\n}\n";
}

sub bad {
	my ($name, $http, $message, $line) = @_;

	my ($status, $out) = $t->test_config($http);
	my $number = 0;

	for (split /\n/, $t->read_file('nginx.conf')) {
		$number++;
		last if /$line/;
	}

	isnt($status, 0, $name);
	like($out, qr/\[emerg\] .*$message.* in \S+nginx\.conf:$number$/m,
	     'message');
}

sub good {
	my ($name, $http) = @_;

	my ($status, $out) = $t->test_config($http);

	is($status, 0, $name) or diag($out);
	unlike($out, qr/\[(?:warn|emerg|alert)\]/, 'no complaint');
}

# arity

for my $d (qw/ mon_metrics mon_health /) {
	bad("$d with two", server("location /x { $d live json; }"),
	    "invalid number of arguments in \"$d\" directive", $d);
}

# value

bad('a format', server('location /x { mon_metrics xml; }'),
    'unknown format "xml"', 'xml');
bad('a part of a format', server('location /x { mon_metrics prom; }'),
    'unknown format "prom"', 'prom;');
bad('an empty format', server('location /x { mon_metrics ""; }'),
    'unknown format ""', 'mon_metrics');
bad('a probe', server('location /x { mon_health alive; }'),
    'invalid parameter "alive"', 'alive');
bad('an empty probe', server('location /x { mon_health ""; }'),
    'invalid parameter ""', 'mon_health');

# context

for my $d ('mon_metrics', 'mon_health') {
	my $message = "\"$d\" directive is not allowed here";

	bad("$d in http", "mon_zone mon 1m;\n$d;\n", $message, "^$d");
	bad("$d in server", server("$d;"), $message, "^$d");
	bad("$d in if", server("location /x { if (\$arg_x) {\n$d;\n} }"),
	    $message, "^$d");
	bad("$d in limit_except",
	    server("location /x { limit_except GET {\n$d;\n} }"), $message,
	    "^$d");
	bad("$d in upstream", "upstream u {\n$d;\n}\n" . server(''), $message,
	    "^$d");
}

# duplicate, and both

for my $first ('mon_metrics', 'mon_health', 'mon_metrics json',
	       'mon_health live')
{
	for my $second ('mon_metrics', 'mon_health') {
		bad("$first and $second",
		    server("location /x {\n$first;\n\n$second ;\n}"),
		    "\"$second\" directive is duplicate", "^$second ;");
	}
}

# without mon_zone

for my $d ('mon_metrics', 'mon_health', 'mon_health live') {
	my ($word) = $d =~ /^(\w+)/;

	bad("$d without mon_zone",
	    "server {\nlocation /x {\n$d;\n}\nlocation /y { mon_metrics; }\n}\n",
	    "\"$word\" has nothing to serve, add \"mon_zone mon 16m;\" to the "
	    . '"http" block,', "^$d;");
}

# what is right

for my $d ('mon_metrics', 'mon_metrics prometheus', 'mon_metrics openmetrics',
	   'mon_metrics json', 'mon_health', 'mon_health live',
	   'mon_health ready')
{
	good($d, server("location = /x { $d; }"));
}

good('one in another', server('location /x { mon_metrics;'
			      . ' location /x/y { mon_health; } }'));
good('several', server(join '', map { "location /x$_ { mon_metrics; }" }
		       1 .. 3));
good('mon_zone after it', "server { location /x { mon_metrics; } }\n"
     . "mon_zone mon 1m;\n");

done_testing();
