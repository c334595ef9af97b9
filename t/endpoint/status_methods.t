#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What the API answers to methods: 405 with Allow, 403 without "write" or
# without the header that no form of another site can send, always in JSON.

use NgxMon;

use JSON::PP qw/ decode_json /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 8m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /read/ { mon_status; }
    location /write/ { mon_status write; client_max_body_size 1k; }
    location / { proxy_pass http://backend; }
}
EOC

$t->run();

my @write = (headers => ['X-Mon-Write' => 1]);

sub api {
	my ($method, $uri, %o) = @_;

	my $r = $t->request($method, $uri, %o);

	$r->{json} = eval { decode_json($r->{body}) };
	fail("$method $uri: no JSON: $r->{body}")
		unless $r->{json} || $method eq 'HEAD';

	return $r;
}

sub refused {
	my ($status, $allow, $method, $uri, %o) = @_;

	my $r = api($method, $uri, %o);
	my $name = "$method $uri";

	is($r->{status}, $status, "$name: $status");
	is($r->{json}{error}{status}, $status, "$name: in JSON");
	is($r->{json}{error}{path}, $uri, "$name: path");
	ok(length $r->{json}{error}{message}, "$name: message");
	is($r->{headers}{allow}, $allow, "$name: Allow");
	is($r->{headers}{'content-type'}, 'application/json', "$name: type");
	is($r->{headers}{'cache-control'}, 'no-store', "$name: not kept");
}

my $state = 'api/http/breakers/backend';
my $open = "$state/open";

# HEAD

for my $uri ("/read/$state", '/read/api/', '/write/api/http') {
	my $r = api('HEAD', $uri);

	is($r->{status}, 200, "HEAD $uri");
	is($r->{headers}{'content-type'}, 'application/json', 'type');
}

is(api('HEAD', '/read/api/x')->{status}, 404, 'HEAD of nothing');

# what can't be written

for my $method (qw/ POST PUT DELETE PATCH OPTIONS BREW /) {
	refused(405, 'GET, HEAD', $method, $_, @write)
		for "/write/$state", '/read/api/', "/read/$state";
	refused(404, undef, $method, '/write/api/x', @write);
	refused(404, undef, $method, "/write/api/http/breakers/x/open", @write);
	refused(404, undef, $method, "/write/$state/x", @write);
	refused(404, undef, $method, "/write/$state/open/x", @write);
}

# what can: not otherwise, not without "write", not without the header

refused(405, 'POST', 'GET', "/write/$open");
refused(405, 'POST', 'DELETE', "/write/$open", @write);
refused(405, 'POST', 'GET', '/write/api/http/breakers/reset');
refused(404, undef, 'GET', "/read/$open");
refused(404, undef, 'PUT', "/read/$open", @write);
refused(403, undef, 'POST', "/read/$open");
refused(403, undef, 'POST', "/read/$open", @write);
refused(403, undef, 'POST', '/read/api/http/breakers/reset', @write);
refused(403, undef, 'POST', "/write/$open");
refused(403, undef, 'POST', "/write/$open", headers => ['X-Mon-Write' => $_])
	for '', 0, 'true', '11', '1, 1';
refused(403, undef, 'POST', "/write/$open", headers => ['X-Mon-Writ' => 1]);
refused(403, undef, 'POST', "/write/$open", body => 'X-Mon-Write=1', headers =>
	['Content-Type' => 'application/x-www-form-urlencoded',
	 Origin => 'http://example.com']);

is(api('GET', "/read/$state")->{json}{forced}, JSON::PP::false,
   'nothing changed');

# a write, whatever its body

for my $o ([], [body => ''], [body => 'x' x 1000],
	   [body => '{"forced":false}'], [version => '1.0'])
{
	my $r = api('POST', "/write/$open", @write, @$o);

	is($r->{status}, 200, 'written');
	is($r->{json}{state}, 'open', 'the new state');
	is($r->{json}{forced}, JSON::PP::true, 'forced');

	is(api('POST', "/write/$state/reset/", @write, @$o)->{json}{state},
	   'closed', 'reset');
}

# a chunked body, twice on one connection

my $c = $t->client();

for my $verb (qw/ open close /) {
	$c->send_request('POST', "/write/$state/$verb", headers =>
			 ['x-MON-write' => 1, 'Transfer-Encoding' => 'chunked']);
	$c->send("3\r\nabc\r\n");
	$c->send("0\r\n\r\n");

	my $r = $c->response();

	is($r->{status}, 200, 'chunked');
	is(decode_json($r->{body})->{forced}, JSON::PP::true, $verb);
}

# one that is no good

$c = $t->client();
$c->send(join "\r\n", "POST /write/$state/reset HTTP/1.1", 'Host: a',
	 'X-Mon-Write: 1', 'Transfer-Encoding: chunked', '', 'x', '');

my $r = $c->response();

is($r->{status}, 400, 'garbage');
is(decode_json($r->{body})->{error}{status}, 400, 'in JSON');
ok($c->closed(), 'it ends the connection');
is(api('GET', "/read/$state")->{json}{forced}, JSON::PP::true,
   'nothing changed');

# too large: nginx's own page

is($t->request('POST', "/write/$state/reset", @write, body => 'x' x 1025)
   ->{status}, 413, 'too large');

# writes are in the log

is(scalar $t->log_lines(qr{\[notice\].*mon_status: POST "/write/$open"}), 6,
   'logged');

done_testing();
