#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Hostile paths of the API: what nginx lets through is answered in JSON that is
# valid UTF-8, with 404 but for what is there; no path leads elsewhere.

use NgxMon;

use JSON::PP qw/ decode_json /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 8m;

large_client_header_buffers 4 64k;
ignore_invalid_headers off;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker;
    mon_outlier;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /mon/ { mon_status write; }
    location /mon/api/http/breakers/ { return 403 "closed\n"; }

    location /q/ { mon_status write; }
    location / { return 204; }
}

server {
    listen 127.0.0.1:%%PORT_8082%%;
    merge_slashes off;

    location /mon/ { mon_status; }
}
EOC

$t->run();

my $peer = '127.0.0.1:' . $t->port(8081);

sub answer {
	my ($uri, $method) = @_;

	my $r = $t->request($method // 'GET', $uri,
			    headers => ['X-Mon-Write' => 1]);

	return $r unless ($r->{headers}{'content-type'} // '')
		eq 'application/json';

	$r->{json} = eval { decode_json($r->{body}) };
	fail("no JSON: $r->{body}") unless $r->{json};

	return $r;
}

# what nginx itself refuses

is(answer("/mon/api/$_")->{status}, 400, "400: $_")
	for '%00', 'http/%00', '%', '%zz', '%2', '../../..', '%2e%2e/%2e%2e/..',
	"\x01";

# what is nowhere

for my $path ('%ff%fe', "\xff\xc3", 'http/upstreams/%c0%af', '%2F', '%2F%2F',
	      'http%2Fupstreams', 'http/upstreams%2Fbackend', '%23', '%3F',
	      'http/upstreams/backend%00'  x 0 . 'x', 'x' x 30000,
	      'x/' x 10000, '%2e' x 3, '...', '%5c..%5c', '..%5c', "'\"<>",
	      '<script>alert(1)</script>', 'http/upstreams/%22%5c%0a%7f',
	      'HTTP', 'http/Upstreams', 'http/upstreams/*', '%2500')
{
	my $r = answer("/mon/api/$path");

	is($r->{status}, 404, '404: ' . substr $path, 0, 20);
	is($r->{json}{error}{status}, 404, 'in JSON');
	cmp_ok(length $r->{body}, '<', 5000, 'not long');
}

like(answer("/mon/api/a\xff\xc3\"b")->{json}{error}{path},
     qr{^/mon/api/a\x{fffd}\x{fffd}"b$}, 'invalid UTF-8 is replaced');

# dots: as nginx understands them

is(answer("/mon/api/x/../http/upstreams/$_")->{status}, 200, $_)
	for 'backend', './backend', 'x/../backend', '%2e/backend',
	'x/%2e%2E/backend';
is(answer('/other/../mon/api/')->{status}, 200, 'from elsewhere');
is(answer('/%6don/api/')->{status}, 200, 'an encoded letter');

# an encoded slash parts no segments here, but does for nginx's locations: what
# is taken for something else by the one is refused by the other

for my $path ('/mon%2Fapi/', '/other%2F..%2Fmon/api/', '/mon/api%2F',
	      '/mon/api/http/upstreams/x%2F..%2Fbackend',
	      '/mon/api/http/upstreams/..%2Fupstreams/backend',
	      '/mon/api/http/upstreams/backend/peers%2F..',
	      '/mon/api/http/upstreams/%2E%2E%2Fbreakers/backend')
{
	isnt(answer($path)->{status}, 200, "not: $path");
}

# a location within is not got around

is(answer($_, 'POST')->{status}, 403, "403: $_")
	for '/mon/api/http/breakers/backend/open',
	'/mon/api/http//breakers//backend/open',
	'/mon/api/http/upstreams/../breakers/backend/open',
	'/mon/api/http/%62reakers/backend/open';

isnt(answer($_, 'POST')->{status}, 200, "not: $_")
	for '/mon/api/http/x%2F..%2Fbreakers/backend/open',
	'/mon/api/http%2Fbreakers/backend/open',
	'/mon/api/http/breakers%2F..%2Fx/../breakers/backend/open';

is(answer('/q/api/http/breakers/backend')->{json}{state}, 'closed',
   'nothing was opened');

# slashes that are not merged

is($t->get('/mon//api///http', port => 8082)->{status}, 200, 'empty segments');

# a request without a body to speak of, of any size, and of HTTP/0.9

like($t->http("GET /mon/api/http/upstreams/backend\r\n"), qr/^\{"total":1,/,
     'HTTP/0.9');
like($t->http("GET http://a/mon/api/x HTTP/1.0\r\n\r\n"), qr/"status":404/,
     'an absolute URI');
is(answer("/mon/api/http/upstreams/backend/peers/$peer?"
	  . 'x' x 10000)->{status}, 200, 'arguments');

done_testing();
