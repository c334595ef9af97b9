#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Who shares a limit of mon_concurrency: those of one directive, and of one
# name; several directives on one level all hold.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_concurrency max=2;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    server_name one;

    location = /metrics { mon_concurrency off; mon_metrics; }
    location /a/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /b/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /c/ {
        mon_concurrency max=1 name=shared;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /d/ {
        mon_concurrency max=1 name=shared;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /e/ {
        mon_concurrency max=2 name=wide;
        mon_concurrency max=1 name=narrow queue=1 timeout=60s;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;

        location /e/off/ {
            mon_concurrency off;
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }
    }
    location /same/ { mon_concurrency max=7; return 200 same; }
}

server {
    listen 127.0.0.1:%%PORT_8082%%;
    server_name two;

    mon_concurrency max=9;

    location /same/ { mon_concurrency max=8; return 200 same; }
    location / { return 200 two; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

my %limits = map { ($_, $t->metric('nginx_http_concurrency_limit',
				   name => $_)) }
	'http', 'shared', 'wide', 'narrow', 'one /same/', 'two /same/', 'two';

is_deeply(\%limits, { http => 2, shared => 1, wide => 2, narrow => 1,
		      'one /same/' => 7, 'two /same/' => 8, two => 9 },
	  'names and limits');

sub hold {
	my ($uri, $name) = @_;
	my $client = $t->client();

	$client->send_request('GET', $uri);
	$t->wait_metric(1, 'nginx_http_concurrency_in_flight', name => $name)
		if $name;

	return $client;
}

# inherited from http: one for both

my $a = hold('/a/wait/1', 'http');
my $b = hold('/b/wait/1');

ok($t->wait_metric(2, 'nginx_http_concurrency_in_flight', name => 'http'),
   'two in flight');
is($t->get('/a/')->{status}, 503, 'a third one');
is($t->get('/b/')->{status}, 503, 'wherever');

# by a name

my $c = hold('/c/wait/1', 'shared');

is($t->get('/c/')->{status}, 503, 'of the same location');
is($t->get('/d/')->{status}, 503, 'of the same name');

# several of them: narrow is asked first, by its name

my $e = hold('/e/wait/1', 'wide');

is($t->get('/e/off/')->{status}, 200, 'off');

my $waits = hold('/e/wait/2');

ok($t->wait_metric(1, 'nginx_http_concurrency_queued', name => 'narrow'),
   'one waits for the one');
is($t->metric('nginx_http_concurrency_in_flight', name => 'wide'), 1,
   'and has none of the other');
is($t->get('/e/')->{status}, 503, 'refused by the one');
is($t->metric('nginx_http_concurrency_in_flight', name => 'wide'), 1,
   'it holds none of the other');

$backend->tell(1);
is($_->response()->{status}, 200, 'answered') for $a, $b, $c, $e;
$backend->tell(2);
is($waits->response()->{status}, 200, 'the one that has waited');

ok($t->wait_metric(0, 'nginx_http_concurrency_in_flight'), 'none in flight');

my $m = $t->metrics();

is($m->get('nginx_http_limited_requests_total', location => '/e/',
	   outcome => 'passed'), 1, 'counted once, passed');
is($m->get('nginx_http_limited_requests_total', location => '/e/',
	   outcome => 'queued'), 1, 'counted once, queued');
is($m->get('nginx_http_limited_requests_total', location => '/e/off/'), undef,
   'not counted') || is($m->get('nginx_http_limited_requests_total',
	   location => '/e/off/'), 0, 'not counted');

done_testing();
