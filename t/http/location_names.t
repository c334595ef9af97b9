#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The label "location" is the location as written, or mon_name.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }

    location / { return 200; }
    location = /exact { return 200; }
    location =/tight { return 200; }
    location ^~ /prefix/ { return 200; }
    location ~ \.php$ { return 200; }
    location ~* "\.(jpe?g|a{2})$" { return 200; }
    location ~*\.gif$ { return 200; }
    location "/with space/" { return 200; }

    location /outer/ {
        location /outer/inner/ {
            return 200;

            location ~ /deep { return 200; }
        }
        location = /outer/exact { return 200; }
        return 200;
    }

    location /ugly/ {
        mon_name pretty;
        if ($arg_a) { return 202; }

        location /ugly/inner { return 200; }
        location ~ /same { mon_name pretty; return 200; }
        return 200;
    }
}
EOC

$t->run();

for (['/', '/'],
     ['/exact', '= /exact'],
     ['/exactly', '/'],
     ['/tight', '=/tight'],
     ['/prefix/a.php', '^~ /prefix/'],
     ['/a.php', '~ \.php$'],
     ['/a.PHP', '/'],
     ['/a.JPG', '~* \.(jpe?g|a{2})$'],
     ['/a.aa', '~* \.(jpe?g|a{2})$'],
     ['/a.GIF', '~*\.gif$'],
     ['/with%20space/', '/with space/'],
     ['/outer/', '/outer/'],
     ['/outer/inner/', '/outer/inner/'],
     ['/outer/inner/deep', '~ /deep'],
     ['/outer/exact', '= /outer/exact'],
     ['/ugly/', 'pretty'],
     ['/ugly/?a=1', 'pretty'],
     ['/ugly/same', 'pretty'],
     ['/ugly/inner', '/ugly/inner'])
{
	my ($uri, $location) = @$_;
	my $before = $t->metrics();

	$t->get($uri);

	my $after = $t->metrics();
	my @series = ('nginx_http_requests_total', location => $location);

	is(($after->get(@series) // 0) - ($before->get(@series) // 0), 1,
	   "$uri counts at \"$location\"");
}

my $m = $t->metrics();

is($m->get('nginx_http_requests_total'), 19, 'all of them');
is(scalar $m->samples('nginx_http_requests_in_flight', location => 'pretty'),
   1, 'one series for one name');
is($m->get('nginx_http_requests_total', location => '/ugly/'), undef,
   'mon_name instead of the location');

done_testing();
