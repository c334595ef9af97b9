#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# "try_files" and "index": a request counts where the file was found.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    root %%TESTDIR%%/www;

    location = /metrics { mon_metrics; }

    location /file { try_files $uri /fallback; }
    location /uri { try_files $uri $uri.txt /fallback; }
    location /named { try_files $uri @named; }
    location /status { try_files $uri =418; }
    location = /fallback { return 200 fallback; }
    location @named { return 200 named; }

    location /index/ { index none.html $arg_f; }
    location = /index/one.html { }
    location ~ \.txt$ { }
}
EOC

$t->write_file("www/$_", 'content')
	for qw{ file index/one.html index/two.html index/a.txt };
$t->run();

for (['/file', '/file', 200],
     ['/uri', '= /fallback', 200],
     ['/named', '@named', 200],
     ['/status', '/status', 418],
     ['/index/?f=one.html', '= /index/one.html', 200],
     ['/index/?f=two.html', '/index/', 200],
     ['/index/?f=a.txt', '~ \.txt$', 200],
     ['/index/?f=nothing', '/index/', 403])
{
	my ($uri, $location, $status) = @$_;
	my $before = $t->metrics();

	is($t->get($uri)->{status}, $status, "$uri answers");

	my $after = $t->metrics();
	my @series = ('nginx_http_requests_total', location => $location,
		      status => $status);

	is(($after->get(@series) // 0) - ($before->get(@series) // 0), 1,
	   "$uri counts at $location");
	is($after->get('nginx_http_requests_total')
	   - ($before->get('nginx_http_requests_total') // 0), 1,
	   "$uri counts once");
}

my $m = $t->metrics();

is($m->get('nginx_http_requests_in_flight'), 0, 'none in flight');
is($m->get('nginx_http_time_to_first_byte_seconds_count'),
   $m->get('nginx_http_requests_total'), 'a first byte each');

done_testing();
