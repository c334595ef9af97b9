#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A request is judged by mon_concurrency once, where it comes to first;
# subrequests are not; an upgraded connection holds its place.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;

    location = /metrics { mon_metrics; }
    location /a/ {
        mon_concurrency max=1 name=a;
        try_files /none @b;
    }
    location @b {
        mon_concurrency max=1 name=b;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /first/ { error_page 403 = @b; deny all; }
    location /rewrite/ { rewrite ^/rewrite(/.*) /a$1 last; }
    location /ssi/ {
        mon_concurrency max=2 name=ssi;
        ssi on;
        ssi_types *;
        location /ssi/page {
            return 200 '<!--# include virtual="/a/x" --><!--# include virtual="/ssi/sub/y" -->';
        }
        location /ssi/sub/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
    location /error/ {
        mon_concurrency max=1 name=error;
        error_page 503 /busy;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location = /busy { return 200 "busy $status"; }
    location /ws/ {
        mon_concurrency max=1 name=ws;
        proxy_pass http://127.0.0.1:%%PORT_8081%%/ws;
    }
}
EOC

my $backend = $t->backend(8081);

$t->run();

sub in_flight {
	my ($name, $n) = @_;

	return $t->wait_metric($n, 'nginx_http_concurrency_in_flight',
			       name => $name);
}

my $held = $t->client();

# an internal redirect goes on with what it has

$held->send_request('GET', '/a/wait/1');
ok(in_flight('a', 1), 'held where it came first');
is($t->metric('nginx_http_concurrency_in_flight', name => 'b'), 0,
   'not where it went');
is($t->get('/a/')->{status}, 503, 'another one');
is($t->get('/rewrite/x')->{status}, 503, 'by rewrite');
is($t->get('/first/')->{status}, 200, 'judged where a limit applies first');

# a subrequest is not judged, nor counted

is($t->get('/ssi/page')->{body}, "GET /a/x\nGET /ssi/sub/y\n",
   'subrequests');
ok(in_flight('ssi', 0), 'given back');

$backend->tell(1);
is($held->response()->{status}, 200, 'answered');
ok(in_flight('a', 0), 'given back');

# error_page

$held->send_request('GET', '/error/wait/2');
in_flight('error', 1);

my $r = $t->get('/error/');

is($r->{status}, 503, 'refused');
is($r->{body}, 'busy 503', 'by an error page');
$backend->tell(2);
is($held->response()->{status}, 200, 'answered');

# the connection that was upgraded

my $ws = $t->client();

$ws->send_request('GET', '/ws/', headers => [
	Upgrade => 'websocket', Connection => 'upgrade' ]);
is($ws->response()->{status}, 101, 'upgraded');
$ws->send('hello');
is($ws->read_bytes(5), 'hello', 'echoed');
ok(in_flight('ws', 1), 'it holds its place');
is($t->get('/ws/')->{status}, 503, 'another one');
$ws->close();
ok(in_flight('ws', 0), 'until it ends');

done_testing();
