#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# $mon_limit_status, $mon_limit_remaining and $mon_limit_reset: in the access
# log, after redirects too, and in headers of the answer.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

log_format limit '$request_uri $uri $status [$mon_limit_status '
                 '$mon_limit_remaining $mon_limit_reset]';

mon_limit_zone $arg_k zone=one:1m rate=1r/h burst=1;
mon_limit_zone "$arg_k" zone=off:1m rate=1r/h burst=1;
mon_limit_zone $arg_l zone=more:1m rate=2r/h burst=9;
mon_limit_zone $arg_k zone=full:32k rate=1r/h;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    access_log %%TESTDIR%%/access.log limit;

    add_header X-Limit "$mon_limit_status/$mon_limit_remaining" always;

    location = /metrics { mon_metrics; access_log off; }
    location /one { mon_limit zone=one; empty_gif; }
    location /off { mon_limit zone=off headers=off; empty_gif; }
    location /two { mon_limit zone=one; mon_limit zone=more; empty_gif; }
    location /page { mon_limit zone=one; error_page 429 =200 /gif; empty_gif; }
    location /named { mon_limit zone=one; error_page 429 = @gif; empty_gif; }
    location /none { empty_gif; }
    location /gif { empty_gif; }
    location @gif { empty_gif; }
    location /full { mon_limit zone=full; access_log off; empty_gif; }
    location /logged { mon_limit zone=full; empty_gif; }
}
EOC

$t->run();

my $limit = sub { $t->get($_[0])->{headers}{'x-limit'} };

is($limit->('/one?k=a'), 'passed/1', 'a header of the answer');
is($limit->('/one?k=a'), 'passed/0', 'the last one');
is($limit->('/one?k=a'), 'rejected/0', 'refused');
is($limit->('/off?k=a'), 'passed/1', 'with headers=off');
is($limit->('/off?k=a'), 'passed/0', 'too');
is($limit->('/off?k=a'), 'rejected/0', 'too');
is($limit->('/two?k=b&l=b'), 'passed/1', 'the tighter one');
is($limit->('/two?l=b'), 'passed/8', 'the other one');
is($limit->('/page?k=a'), 'rejected/0', 'error_page');
is($limit->('/named?k=a'), 'rejected/0', 'a named location');
is($limit->('/none?k=a'), '/', 'no limit');
is($limit->('/one'), '/', 'no key');

# a key that finds no room is not limited

my $c = $t->client();

my $n = 0;

for (1 .. 10) {
	$c->send(join '', map { $n++;
		"GET /full?k=$n HTTP/1.1\r\nHost: a\r\n\r\n" } 1 .. 100);
	$c->response() for 1 .. 100;
	last if $t->metric('nginx_http_limit_full_total', zone => 'full');
}

is($limit->('/logged?k=last'), 'passed/', 'passed, but nothing is known');

my $log = $t->read_file('access.log');

for (['/one?k=a /one 200', 'passed 1 3600'], ['/one?k=a /one 200', 'passed 0 7200'],
     ['/one?k=a /one 429', 'rejected 0 7200'],
     ['/two?l=b /two 200', 'passed 8 3600'],
     ['/page?k=a /gif 200', 'rejected 0 7200'],
     ['/named?k=a /named 200', 'rejected 0 7200'],
     ['/none?k=a /none 200', '- - -'], ['/one /one 200', '- - -'],
     ['/logged?k=last /logged 200', 'passed - -'])
{
	my ($uri, $values) = map { s/7200/7(?:200|1\\d\\d)/r
		=~ s/3600/3(?:600|5\\d\\d)/r } $_->[0], $_->[1];

	$uri =~ s/\?/\\?/;
	like($log, qr/^$uri \[$values\]$/m, "$_->[0]: $_->[1]");
}

done_testing();
