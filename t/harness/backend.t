#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The backends of the harness behave as told, through every protocol.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
map $http_upgrade $upgrade { default upgrade; '' close; }

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_read_timeout 1s;
    proxy_connect_timeout 1s;

    location /http/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /hole/ { proxy_pass http://127.0.0.1:%%PORT_8085%%; }
    location /none/ { proxy_pass http://127.0.0.1:%%PORT_8086%%; }

    location /ws {
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $upgrade;
    }

    location /fastcgi/ {
        fastcgi_pass 127.0.0.1:%%PORT_8082%%;
        fastcgi_param REQUEST_URI $request_uri;
        fastcgi_param REQUEST_METHOD $request_method;
    }

    location /uwsgi/ {
        uwsgi_pass 127.0.0.1:%%PORT_8083%%;
        uwsgi_param REQUEST_URI $request_uri;
        uwsgi_param REQUEST_METHOD $request_method;
        uwsgi_param CONTENT_LENGTH $content_length;
    }

    location /scgi/ {
        scgi_pass 127.0.0.1:%%PORT_8084%%;
        scgi_param CONTENT_LENGTH $content_length;
        scgi_param SCGI 1;
        scgi_param REQUEST_URI $request_uri;
        scgi_param REQUEST_METHOD $request_method;
    }
}
EOC

my $backend = $t->backend(8081);

$t->backend(8082, proto => 'fastcgi');
$t->backend(8083, proto => 'uwsgi');
$t->backend(8084, proto => 'scgi');
$t->blackhole(8085);

$t->run();

for my $proto (qw/ http fastcgi uwsgi scgi /) {
	my $r = $t->get("/$proto/status/404/header/X-Some:thing/bytes/70000");

	is($r->{status}, 404, "$proto status");
	is($r->{headers}{'x-some'}, 'thing', "$proto header");
	is(length $r->{body}, 70000, "$proto body");

	$r = $t->request('POST', "/$proto/echo", body => 'text' x 10000);

	is($r->{body}, 'text' x 10000, "$proto request body");
	is($t->get("/$proto/close")->{status}, 502, "$proto closed");
	is($t->get("/$proto/reset")->{status}, 502, "$proto reset");
}

is($t->get('/http/garbage')->{status}, 502, 'garbage');
is($t->get('/http/half')->{error}, 'closed', 'half an answer');
is($t->get('/http/wait/ever')->{status}, 504, 'timeout');
is($t->get('/hole/')->{status}, 504, 'connect timeout');
is($t->get('/none/')->{status}, 502, 'connection refused');

my $client = $t->client();

$client->send_request('GET', '/http/wait/word');
ok(wait_for(sub { grep { $_->{uri} =~ /word/ } $backend->requests() },
	    5, 'the backend waits'), 'the backend waits');
$backend->tell('word');
is($client->response()->{status}, 200, 'told to go on');

$backend->mode('/status/418');
is($client->get('/http/')->{status}, 418, 'mode');
$backend->mode('');

$client = $t->client();
$client->send_request('GET', '/ws', headers => [
	Upgrade => 'websocket', Connection => 'upgrade',
]);
is($client->response()->{status}, 101, 'switched');
$client->send("\x81\x05hello");
is($client->read_bytes(7), "\x81\x05hello", 'echoed');
$client->close();

$backend->stop();
is($t->get('/http/')->{status}, 502, 'stopped');

done_testing();
