#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The API by HTTP/2, as a subrequest, after redirects, at the root of a server,
# within other locations, in an "if"; recorded where it is told to.

use NgxMon;

use JSON::PP qw/ decode_json /;

my $t = NgxMon->new()->has('http_v2', 'http_ssl');

my @addrs = map { my $i = $_; map { "127.1.$i.$_" } 1 .. 100 } 1 .. 2;
my $servers = join "\n", map { "server $_:%%PORT_8081%%;" } @addrs;

$t->conf(<<"EOC");
mon_zone mon 16m;

upstream backend {
    $servers
    mon_breaker;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }

    location /mon/ {
        mon_status;

        location /mon/api/http/breakers/ { mon_status write; }

        if (\$arg_if) {
            set \$x 1;
        }
    }

    location /recorded/ { mon_status; mon on; }
    location /failed/ { error_page 404 =200 /mon/api/http/breakers; }
    location /tried/ { try_files /none /mon/api/http/breakers; }
    location /ssi/ { ssi on; ssi_types *; alias %%TESTDIR%%/; }
    location / { proxy_pass http://backend; }
}

server {
    listen 127.0.0.1:%%PORT_8082%%;
    location / { mon_status; }
}

server {
    listen 127.0.0.1:%%PORT_8083%% http2;
    location /mon/ { mon_status write; }
}
EOC

$t->write_file('one.html', qq(before<!--#include )
	       . qq(virtual="/mon/api/http/upstreams" -->after\n));
$t->write_file('many.html', join '', map {
	qq(<!--#include virtual="/mon/api/http/breakers" -->)
	. qq(<!--#include virtual="/mon/api/x" -->)
} 1 .. 3);

$t->run();

my $all = $t->get('/mon/api/http/breakers')->{body};

like($all, qr/^\{"backend":\{.*\}\}\n$/, 'breakers');

# redirects

is($t->get($_)->{body}, $all, $_)
	for '/failed/x', '/tried/x', '/mon/api/http/breakers?if=1',
	'/recorded/api/http/breakers';
is($t->get('/api/http/breakers', port => 8082)->{body}, $all, 'the root');
is($t->get('/', port => 8082)->{status}, 404, 'no page there');

# a location within

for (['/mon/api/http/breakers/backend/open', 200],
     ['/mon/api/http/breakers', 405])
{
	is($t->request('POST', $_->[0], headers => ['X-Mon-Write' => 1])
	   ->{status}, $_->[1], $_->[0]);
}

# subrequests

my $body = $t->get('/ssi/one.html')->{body};

like($body, qr/^before\{.*\}\nafter\n$/s, 'included');
is(scalar keys %{ decode_json($body =~ s/^before|after$//gr)
		  ->{backend}{peers} }, 200, 'all of it');

$body = $t->get('/ssi/many.html')->{body};

is(() = $body =~ /"half_open_in":/g, 3, 'several');
is(() = $body =~ /"status":404/g, 3, 'and errors');

# HTTP/2

my $url = 'http://127.0.0.1:' . $t->port(8083);
my @curl = ('--http2-prior-knowledge', '-D-');

my ($head, $json) = split /\r\n\r\n/, $t->curl(@curl,
					       "$url/mon/api/http/upstreams"), 2;

like($head, qr{^HTTP/2 200}, 'HTTP/2');
is(scalar keys %{ decode_json($json)->{backend}{peers} }, 200, 'all of it');

for (['GET', 'api/x', 404], ['PUT', 'api/', 405],
     ['POST', 'api/http/breakers/reset', 403])
{
	($head, $json) = split /\r\n\r\n/,
		$t->curl(@curl, '-X', $_->[0], "$url/mon/$_->[1]"), 2;

	like($head, qr{^HTTP/2 $_->[2]}, "HTTP/2: $_->[2]");
	is(decode_json($json)->{error}{status}, $_->[2], 'in JSON');
}

($head, $json) = split /\r\n\r\n/,
	$t->curl(@curl, '-H', 'X-Mon-Write: 1', '-X', 'POST',
		 "$url/mon/api/http/breakers/backend/reset"), 2;

like($head, qr{^HTTP/2 200}, 'HTTP/2: a write');
is(decode_json($json)->{state}, 'closed', 'done');

# recorded

is($t->metric('nginx_http_requests_total', location => '/recorded/'), 1,
   'recorded');
is($t->metric('nginx_http_requests_total', location => '/mon/'), undef,
   'not recorded');

done_testing();
