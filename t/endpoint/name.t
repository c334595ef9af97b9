#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# ?name=, prefixes of the families wanted.

use NgxMon;

use JSON::PP qw/ decode_json /;

use NgxMon::Scrape qw/ judge formats /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

large_client_header_buffers 4 64k;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / { return 200 "some text\n"; }
}
EOC

$t->run();
$t->get('/');

my $all = families('');

sub families {
	my ($args) = @_;

	my $r = $t->get("/metrics$args");

	is($r->{status}, 200, substr "status of \"$args\"", 0, 70);

	return [ NgxMon::Metrics->parse($r->{body})->families() ];
}

sub starting {
	my (@prefixes) = @_;

	return [ grep {
		my $name = $_;
		grep { index($name, $_) == 0 } @prefixes
	} @$all ];
}

cmp_ok(@$all, '>', 30, 'all families');

is_deeply(families('?'), $all, 'no argument');
is_deeply(families('?nam=nginx_http&xname=a&name'), $all, 'other arguments');
is_deeply(families('?name='), $all, 'every name begins with nothing');
is_deeply(families('?name=nginx_http_requests_total'),
	  ['nginx_http_requests_total'], 'a family');
is_deeply(families('?name=nginx_http_'), starting('nginx_http_'), 'a prefix');
is_deeply(families('?name=nginx_mon_&name=nginx_worker'),
	  starting('nginx_mon_', 'nginx_worker'),
	  'two, in the order of a whole scrape');
is_deeply(families('?a=b&name=nginx_workers&c'), starting('nginx_workers'),
	  'among others');
is_deeply(families('?name=%6eginx%5Fworkers'), ['nginx_workers'], 'encoded');
is_deeply(families('?name=none'), [], 'none matches');
is_deeply(families('?name=nginx_workersx'), [], 'longer than the family');
is_deeply(families('?name=%00'), [], 'a NUL');
is_deeply(families('?&&name=&name=%zz&'), $all, 'empty among others');

my $many = join '&', map { "name=x$_" } 1 .. 1000;

is_deeply(families("?$many"), [], 'a thousand');
is_deeply(families("?$many&name=nginx_workers"), ['nginx_workers'],
	  'the last of a thousand');

# nothing at all is a document, too

my %accept = formats();

for my $format (sort keys %accept) {
	my $r = $t->get('/metrics?name=none',
			headers => [Accept => $accept{$format}]);

	is($r->{body}, { prometheus => '', openmetrics => "# EOF\n",
			 json => qq({"families":[]}\n) }->{$format},
	   "nothing, $format");

	$r = $t->get('/metrics?name=nginx_http_request',
		     headers => [Accept => $accept{$format}]);

	is(judge($t, $format => $r->{body}), '', "some families, $format");
}

done_testing();
