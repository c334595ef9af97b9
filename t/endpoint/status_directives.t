#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Errors in mon_status name file, line and the word.

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
	like($out, qr/\[emerg\] .*$message.*\S+nginx\.conf:$number$/m,
	     'message');
}

sub good {
	my ($name, $http) = @_;

	my ($status, $out) = $t->test_config($http);

	is($status, 0, $name) or diag($out);
	unlike($out, qr/\[(?:warn|emerg|alert)\]/, 'no complaint');
}

bad('two arguments', server('location /x { mon_status write on; }'),
    'invalid number of arguments in "mon_status" directive', 'mon_status');
bad('a word', server('location /x { mon_status writes; }'),
    'invalid parameter "writes"', 'mon_status');
bad('an empty word', server('location /x { mon_status ""; }'),
    'invalid parameter ""', 'mon_status');

my $message = '"mon_status" directive is not allowed here';

bad('in http', "mon_zone mon 1m;\nmon_status;\n", $message, '^mon_status');
bad('in server', server('mon_status;'), $message, '^mon_status');
bad('in if', server("location /x { if (\$arg_x) {\nmon_status;\n} }"),
    $message, '^mon_status');
bad('in limit_except', server("location /x { limit_except GET {\nmon_status;"
    . "\n} }"), $message, '^mon_status');

bad('twice', server("location /x { mon_status;\nmon_status write;\n}"),
    '"mon_status" directive is duplicate', '^mon_status write');
bad('beside another', server("location /x { mon_metrics;\nmon_status;\n}"),
    '"mon_status" directive is duplicate', '^mon_status');

for my $location ('= /x', '~ /x', '~* /x', '@x') {
	bad("location $location", server("location $location {\nmon_status;\n}"),
	    '"mon_status" needs a location given by a prefix', '^mon_status');
}

bad('without a zone', server("location /x {\nmon_status;\n}")
    =~ s/mon_zone.*\n//r, '"mon_status" has nothing to serve, add '
    . '"mon_zone mon 16m;" to the "http" block', '^mon_status');

good('plain', server('location /x { mon_status; }'));
good('write', server('location ^~ /x/ { mon_status write; }'));
good('the root', server('location / { mon_status; }'));
good('within', server('location /x/ { mon_status; '
		      . 'location /x/api/http/ { mon_status write; } }'));

done_testing();
