#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Every format of a busy nginx is accepted by promtool, the parsers of
# python3-prometheus-client and jq; and what is wrong would be told.

use NgxMon;
use NgxMon::Scrape qw/ judge judge_all /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

proxy_cache_path cache keys_zone=cache:1m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%% backup;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    server_name one two;

    mon_slow 1ms;
    mon_label verb $request_method;

    location = /metrics { mon_metrics; mon on; }
    location / { return 200 "some text\n"; }
    location ~ \.php$ { return 404; }
    location /cached/ {
        proxy_pass http://backend;
        proxy_cache cache;
        proxy_cache_valid 1m;
    }
}

server {
    listen 127.0.0.1:%%PORT_8081%%;
    mon_name "the \"backend\"";
    location / { return 200 "some text\n"; }
}
EOC

$t->run();

is(judge_all($t), '', 'at the start');

for my $uri ('/', '/x.php', '/cached/', '/cached/') {
	$t->get($uri);
	$t->request('HEAD', $uri);
	$t->request('POST', $uri, body => 'x');
}

$t->http("bad\r\n\r\n");

is(judge_all($t), '', 'after some requests');

# what would be told

my $good = $t->get('/metrics', headers => [Accept => 'text/plain'])->{body};
my $json = $t->get('/metrics', headers => [Accept => 'application/json'])
	->{body};
my $openmetrics = $t->get('/metrics',
	headers => [Accept => 'application/openmetrics-text'])->{body};

like(judge($t, prometheus => "$good$good"), qr/twice/, 'twice');
like(judge($t, prometheus => $good =~ s/(_count\{[^}]*\}) \d+/$1 77/r),
     qr/\+Inf/, 'a count that differs');
like(judge($t, prometheus => "${good}nginx_new{x=\"\xff\"} 1\n"), qr/UTF-8/i,
     'an invalid byte');
like(judge($t, prometheus => "$good# HELP nginx_new x\n"
	   . "# TYPE nginx_new gauge\nnginx_new 1\n"), qr/documentation/,
     'a name that is not known');
like(judge($t, openmetrics => $openmetrics =~ s/# EOF\n//r), qr/EOF/, 'no end');
like(judge($t, json => substr $json, 0, -2), qr/json/, 'half of JSON');

done_testing();
