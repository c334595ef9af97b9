#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The API: what is below the location's path, narrowed by more of it.

use NgxMon;

use JSON::PP qw/ decode_json /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 8m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%% weight=3;
    server 127.0.0.1:%%PORT_8082%%;
}

upstream "odd \"name\" ä/1" {
    server unix:%%TESTDIR%%/a.sock;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location /mon/ { mon_status; }
    location /slash { mon_status; }
    location "/sp ace/" { mon_status; }
    location /rewritten/ { rewrite ^/rewritten/(.*)$ /mon/$1 last; }
    location / { proxy_pass http://backend; }
}
EOC

$t->backend(8081, mode => '/status/200');
$t->backend(8082, mode => '/status/500');
$t->run();

my $peer = '127.0.0.1:' . $t->port(8081);

sub api {
	my ($uri, %o) = @_;

	my $r = $t->get("/mon/$uri", %o);

	$r->{json} = eval { decode_json($r->{body}) };
	fail("$uri: no JSON: $@ $r->{body}") unless $r->{json};

	return $r;
}

$t->get('/') for 1 .. 4;

my $r = api('api/');

is($r->{status}, 200, 'the tree');
is($r->{headers}{'content-type'}, 'application/json', 'type');
is($r->{headers}{'cache-control'}, 'no-store', 'not kept');
is($r->{headers}{'x-content-type-options'}, 'nosniff', 'nor guessed');

my $tree = $r->{json};

is(ref $tree->{http}{upstreams}{backend}{peers}{$peer}, 'HASH', 'a peer');

# a path narrows the tree; in-flight requests of nobody: it stays the same

for my $path ('http', 'http/upstreams', 'http/upstreams/backend',
	      'http/upstreams/backend/peers',
	      "http/upstreams/backend/peers/$peer")
{
	my $want = $tree;

	$want = $want->{$_} for split m{/}, $path;

	for my $uri ("api/$path", "api/$path/", "api//$path//",
		     "api/./x/../$path", "%61pi/$path?a=/b#c")
	{
		is_deeply(api($uri)->{json}, $want, $uri);
	}
}

is_deeply(api('api')->{json}, $tree, 'without a slash');

# other locations

for my $uri ('/slash/api', '/sp%20ace/api/', '/rewritten/api') {
	is_deeply(decode_json($t->get($uri)->{body}), $tree, $uri);
}

# names with odd characters

my $odd = 'odd%20%22name%22%20%C3%A4%2f1';

is($tree->{http}{upstreams}{qq{odd "name" \x{e4}/1}}{total}, 1, 'odd name');
is(api("api/http/upstreams/$odd")->{json}{total}, 1, 'encoded');

my $unix = 'unix:' . $t->dir() . '/a.sock';

is(api("api/http/upstreams/$odd/peers/" . $unix =~ s{/}{%2F}gr)
   ->{json}{weight}, 1, 'a unix socket');

# not there

for my $uri ('', 'x', 'apix', 'api/x', 'api/http/x', 'api/http/upstreams/x',
	     'api/http/upstreams/backend/x', 'api/http/upstreams/backend/peers/x',
	     "api/http/upstreams/backend/peers/$peer/x", 'api/http/upstreamsx',
	     'api/http%2Fupstreams', "api/http/upstreams/backend/peers/$unix")
{
	my $r = api($uri);

	is($r->{status}, 404, "404: $uri");
	is($r->{json}{error}{status}, 404, 'and in JSON');
	is($r->{json}{error}{path}, "/mon/$uri", 'path');
	like($r->{json}{error}{message}, qr/no such path/, 'message');
	is($r->{headers}{'content-type'}, 'application/json', 'type');
}

like(api('')->{json}{error}{message}, qr{api/}, 'the root names the API');

done_testing();
