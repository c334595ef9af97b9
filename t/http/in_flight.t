#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The gauge of requests in flight: where they are, moved by redirects, and
# back to zero however they end.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon on; mon_metrics; }

    location /a/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /b/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }

    location /accel/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /error { error_page 404 = @error; return 404; }
    location @error { proxy_pass http://127.0.0.1:%%PORT_8081%%/wait/end$uri; }
    location /rewrite/ { rewrite ^/rewrite(.*) /a$1 last; }
    location /if/ {
        if ($request_method = GET) {
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }
    }
    location /body { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /file { limit_rate 1k; root %%TESTDIR%%; }
    location /sub { auth_request /b/wait/end; try_files /none =204; }
}
EOC

my $b = $t->backend(8081);

$t->write_file('file', 'x' x 1000000);
$t->run();

sub flight {
	my ($location) = @_;

	return $t->metric('nginx_http_requests_in_flight',
			  location => $location);
}

sub hang {
	my ($location, $uri, $method, @options) = @_;
	my $n = $t->metric('nginx_http_requests_in_flight') - 1;
	my $at = flight($location);
	my $client = $t->client();

	$client->send_request($method // 'GET', $uri, @options);
	$t->wait_metric($at + 1, 'nginx_http_requests_in_flight',
			location => $location);
	is($t->metric('nginx_http_requests_in_flight'), $n + 2,
	   "$uri is in flight in $location, and nowhere else");

	return $client;
}

is(flight('= /metrics'), 1, 'the scrape itself');

my @clients = (
	hang('/a/', '/a/wait/end'),
	hang('/a/', '/a/wait/end'),
	hang('/b/', '/b/wait/end'),
	hang('@error', '/error'),
	hang('/a/', '/rewrite/wait/end'),
	hang('/if/', '/if/wait/end'),
	hang('/body', '/body/wait/end', 'POST', headers =>
	     [ 'Content-Length' => 10 ]),
	hang('/file', '/file'),
);

# one that a backend sends elsewhere

my $moved = $t->client();

$moved->send_request('GET', '/accel/wait/move/header/X-Accel-Redirect:'
		     . '%2fb%2fwait%2fend');
$t->wait_metric(1, 'nginx_http_requests_in_flight', location => '/accel/');
$b->tell('move');
$t->wait_metric(2, 'nginx_http_requests_in_flight', location => '/b/');
is(flight('/accel/'), 0, 'moved out');

is(flight('/a/'), 3, 'three in one');
is(flight('/rewrite/'), 0, 'none in the one that was left');
is(flight('/error'), 0, 'none in the other');

# they end: by an answer, a client that leaves, a body that comes

$clients[0]->close();
$clients[1]->reset();
$t->wait_metric(1, 'nginx_http_requests_in_flight', location => '/a/');

$clients[6]->send('0123456789');
wait_for(sub { grep { $_->{uri} =~ /body/ } $b->requests() }, 10, 'the body');
is(flight('/body'), 1, 'still there with the body');

$b->tell('end');
is($clients[$_]->response()->{status}, 200, "answer $_") for 2, 4, 5, 6;
is($moved->response()->{status}, 200, 'the moved one');
$clients[7]->close();
$clients[3]->close();

$t->wait_metric(1, 'nginx_http_requests_in_flight');
is(flight('= /metrics'), 1, 'only the scrape');

is($t->get('/sub')->{status}, 204, 'with a subrequest');
$t->wait_metric(0, 'nginx_http_requests_in_flight', location => '/sub');
is(flight('/b/'), 0, 'no subrequest is left');

done_testing();
