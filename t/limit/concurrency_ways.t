#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Whatever way a request takes through the configuration, and however it ends,
# its slot is there again: internal redirects, error pages, subrequests, files,
# caches, upgrades, clients that are slow or leave.

use NgxMon;

my $t = NgxMon->new(workers => 2)->has('http_auth_request');

$t->conf(<<'EOC');
mon_zone mon 4m;

proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    root %%TESTDIR%%/html;
    ssi_types *;

    location / {
        mon_concurrency max=2 queue=2 timeout=5s name=a;
        proxy_pass http://127.0.0.1:%%PORT_8081%%/;
    }
    location /files/ { mon_concurrency max=1 name=a1; alias %%TESTDIR%%/html/; }
    location /try/ { mon_concurrency max=1 name=a2; try_files /no @named; }
    location @named { mon_concurrency max=1 name=b; return 404; }
    location @page { mon_concurrency max=1 name=b; empty_gif; }
    location /page/ {
        mon_concurrency max=1 name=a2;
        error_page 404 503 = @page;
        proxy_intercept_errors on;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /loop/ { mon_concurrency max=1 name=a2; error_page 404 /loop/; }
    location /accel/ {
        mon_concurrency max=1 name=a2;
        proxy_pass http://127.0.0.1:%%PORT_8082%%;
    }
    location /ssi/ { ssi on; alias %%TESTDIR%%/html/; }
    location /ssi_limited/ {
        mon_concurrency max=1 name=a2;
        ssi on;
        alias %%TESTDIR%%/html/;
    }
    location /auth/ { auth_request /files/plain.html; alias %%TESTDIR%%/html/; }
    location /auth_limited/ {
        mon_concurrency max=1 name=a1;
        auth_request /files/plain.html;
        alias %%TESTDIR%%/html/;
    }
    location /mirror/ { mirror /status/200; alias %%TESTDIR%%/html/; }
    location /cache/ {
        mon_concurrency max=2 name=c;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        proxy_cache cache;
        proxy_cache_key $uri;
        proxy_cache_valid 200 1s;
        proxy_cache_lock on;
        proxy_cache_use_stale updating;
        proxy_cache_background_update on;
    }
    location /ws/ {
        mon_concurrency max=1 name=ws;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
    }
    location /slow/ {
        mon_concurrency max=1 name=slow;
        limit_rate 1000k;
        alias %%TESTDIR%%/html/;
    }

    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8082%%;

    location / {
        add_header X-Accel-Redirect /files/plain.html;
        return 200;
    }
}
EOC

$t->write_file('html/plain.html', "plain\n");
$t->write_file('html/large.html', 'x' x 5_000_000);
$t->write_file('html/page.html', join '', map {
	qq{<!--#include virtual="/files/plain.html" -->}
	. qq{<!--#include virtual="/status/200" -->}
} 1 .. 4);

my $b = $t->backend(8081);

$t->run();

sub is_free {
	my ($what) = @_;

	for my $name (qw/ a a1 a2 b c ws slow /) {
		$t->wait_metric(0, "nginx_http_concurrency_$_", name => $name)
			for qw/ in_flight queued /;
	}
}

sub held {
	my ($name) = @_;

	return $t->metric('nginx_http_concurrency_in_flight', name => $name);
}

# one after another: each could not have its slot if the last one had it

for my $n (1 .. 3) {
	is($t->get('/files/plain.html')->{status}, 200, "$n: a file");
	is($t->get('/files/none')->{status}, 404, "$n: none");
	is($t->request('HEAD', '/files/plain.html')->{status}, 200, "$n: HEAD");
	is($t->request('POST', '/files/plain.html', body => 'x' x 200000)
	   ->{status}, 405, "$n: a body that is not wanted");
	is($t->get('/try/')->{status}, 404, "$n: try_files");
	is($t->get('/page/status/404')->{status}, 200, "$n: error_page");
	is($t->get('/loop/')->{status}, 404, "$n: a loop");
	is($t->get('/accel/')->{body}, "plain\n", "$n: X-Accel-Redirect");
	is($t->get('/ssi/page.html')->{status}, 200, "$n: SSI");
	is($t->get('/ssi_limited/page.html')->{body} =~ s/[^p]//gr, 'pppp',
	   "$n: SSI that is limited");
	is($t->get('/auth/plain.html')->{status}, 200, "$n: auth_request");
	is($t->get('/auth_limited/plain.html')->{status}, 200,
	   "$n: auth_request that is limited");
	is($t->get('/mirror/plain.html')->{status}, 200, "$n: mirror");
	is($t->get("/cache/$_")->{status}, 200, "$n: cache") for 1, 1, 2;


	my $all = $t->http("GET /files/plain.html HTTP/1.1\r\nHost: a\r\n\r\n"
			   x 20 . "GET /none HTTP/1.0\r\n\r\n");

	is(() = $all =~ /^plain\n/mg, 20, "$n: a pipeline");
}

is_free('one after another');

# refused, and the page is limited, too

my $c = $t->client();

$c->send_request('GET', '/page/wait/one', close => 1);
wait_for(sub { held('a2') == 1 }, 10, 'one is held');
like($t->get('/page/x')->{body}, qr/^GIF/, 'the page instead');
is($t->get('/try/')->{status}, 503, 'no other');
$b->tell('one');
is($c->response()->{status}, 200, 'the one that was first');

# an upgrade holds its slot as long as it lasts

$c = $t->client();
$c->send("GET /ws/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
	 . "Connection: upgrade\r\n\r\n");
is($c->response()->{status}, 101, 'upgraded');
is($t->get('/ws/')->{status}, 503, 'holds it');
$c->close();
is_free('an upgrade');

# clients that are slow, or leave at any time

for my $how (qw/ close reset /) {
	$c = $t->client();
	$c->send_request('GET', '/slow/large.html');
	wait_for(sub { held('slow') == 1 }, 10, "$how: held");
	is($t->get('/slow/plain.html')->{status}, 503, "$how: by a slow one");
	$c->$how();
	wait_for(sub { $t->get('/slow/plain.html')->{status} == 200 }, 10,
		 "$how: free");

	my @c = map { $t->client() } 1 .. 4;

	$_->send_request('GET', "/wait/never") for @c;
	wait_for(sub { $t->metric('nginx_http_concurrency_queued',
				  name => 'a') == 2 }, 10, "$how: queued");
	$_->$how() for @c;
	is_free($how);

	$c = $t->client();
	$c->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx");
	wait_for(sub { held('a') == 1 }, 10, "$how: with a body to come");
	$c->$how();
	is_free($how);
}

# and over a reload, with files, caches and upgrades under way

my @c = map { $t->client() } 1 .. 4;

$c[0]->send_request('GET', '/slow/large.html');
$c[1]->send_request('GET', '/cache/wait/two', close => 1);
$c[2]->send_request('GET', '/wait/two', close => 1);
$c[3]->send("GET /ws/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
	    . "Connection: upgrade\r\n\r\n");
is($c[3]->response()->{status}, 101, 'upgraded');
wait_for(sub { held('slow') + held('c') + held('a') + held('ws') == 4 }, 10,
	 'four');
$t->reload();
is(held($_), 1, "$_: still held") for qw/ slow c a ws /;
is($t->get('/slow/plain.html')->{status}, 503, 'by the old workers');
$b->tell('two');
is($c[$_]->response()->{status}, 200, 'answered') for 1, 2;
$_->close() for @c;
is_free('a reload');

done_testing();
