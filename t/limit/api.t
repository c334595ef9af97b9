#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Limits in the API: every figure of a zone, and of a key; a key that is reset
# has its whole allowance in all workers; names and keys with odd characters.

use NgxMon;

use JSON::PP qw/ decode_json /;

my $t = NgxMon->new(workers => 4);

my $conf = <<'EOC';
mon_zone mon 8m;

mon_limit_zone $arg_k zone=plain:1m rate=6r/h burst=3;
mon_limit_zone $binary_remote_addr zone=address:1m rate=1r/h;
mon_limit_zone $http_x_key "zone=a \"b\"/ä%2F?:1m" rate=1r/h burst=4;
mon_limit_zone $arg_k zone=unused:32k rate=100r/m;

large_client_header_buffers 4 64k;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    listen [::1]:%%PORT_8080%%;

    location /mon/ { mon_status write; }
    location /read/ { mon_status; }
    location /plain { empty_gif; mon_limit zone=plain; }
    location /plan { empty_gif; mon_limit zone=plain rate=$arg_r burst=$arg_b; }
    location /address { empty_gif; mon_limit zone=address; }
    location /odd { empty_gif; mon_limit "zone=a \"b\"/ä%2F?"; }
}
EOC

my $six = $t->command('cat', '/proc/net/if_inet6') =~ /^0{31}1 /m;

$conf =~ s/^.*\[::1\].*\n//m unless $six;

$t->conf($conf)->run();

my $zones = '/mon/api/http/limits/zones';

sub answer {
	my ($path, $method, @headers) = @_;

	my $r = $t->request($method // 'GET', "$zones$path",
			    headers => @headers ? [@headers]
			    : ['X-Mon-Write' => 1]);

	$r->{json} = eval { decode_json($r->{body}) };
	fail("no JSON: $r->{body}") unless $r->{json};

	return $r;
}

sub api {
	my $r = answer(@_);

	is($r->{status}, 200, "$_[0]: 200");

	return $r->{json};
}

sub close_to {
	my ($value, $expected, $name) = @_;

	cmp_ok($value, '>', $expected - 100, "$name: not less");
	cmp_ok($value, '<=', $expected, "$name: not more");
}

# zones

my $all = api('');
my $odd = qq{a "b"/\x{e4}%2F?};
my $odd_path = '/a%20%22b%22%2F%C3%A4%252F%3F';

is_deeply([sort keys %$all], [$odd, 'address', 'plain', 'unused'], 'zones');

my $plain = api('/plain');

like(delete $plain->{used_by}[$_], qr{/nginx.conf:\d+$}, 'used') for 1, 0;
cmp_ok($plain->{room}, '>', 10000, 'room');
is_deeply($plain, {
	key => '$arg_k', rate => '6r/h', burst => 3, keys => 0,
	room => $plain->{room}, full => 0, invalid => 0, used_by => [],
}, 'every figure');

is_deeply($all->{unused}{used_by}, [], 'used by none');
is_deeply(api($odd_path), $all->{$odd}, 'an odd name');
is_deeply(answer('/plain', 'GET')->{json},
	  decode_json($t->get('/mon/api/http/')->{body})->{limits}{zones}{plain},
	  'in the tree');

# keys

is(answer('/plain/keys/1')->{status}, 404, 'a key that is not there');
is_deeply(api('/plain/keys'), {}, 'none');
is($t->get("/plain?k=1")->{status}, $_, "used: $_") for 200, 200;

my $key = api('/plain/keys/1');

is($key->{remaining}, 2, 'left');
is($key->{allowed_in}, 0, 'allowed now');
close_to($key->{reset}, 1200, 'full');
is_deeply([keys %{ api('/plain/keys') }], ['1'], 'in the list');

is($t->get("/plain?k=1")->{status}, $_, "used up: $_") for 200, 200, 429;

$key = api('/plain/keys/1');

is($key->{remaining}, 0, 'nothing left');
close_to($key->{allowed_in}, 600, 'allowed');
close_to($key->{reset}, 2400, 'full');

# reset

for my $uri ("$zones/plain/keys/1/reset", "$zones/plain/keys/2/reset") {
	my $there = $uri =~ m{/1/};

	is($t->request('POST', $uri)->{status}, $there ? 403 : 404,
	   'not without the header');
	is($t->request('POST', $uri =~ s/mon/read/r,
		       headers => ['X-Mon-Write' => 1])->{status},
	   $there ? 403 : 404, 'not without "write"');
	is($t->request($_, $uri, headers => ['X-Mon-Write' => 1])->{status},
	   $there ? 405 : 404, "not by $_") for qw/ GET DELETE PUT /;
}

is($t->get("/plain?k=1")->{status}, 429, 'still refused');

my $reset = api('/plain/keys/1/reset', 'POST');

is($reset->{rate}, '6r/h', 'the answer is the zone');
is(answer('/plain/keys/1')->{status}, 404, 'the key is as good as gone');
ok($t->log_lines(qr{\[notice\].* mon_status: POST ".*/keys/1/reset"}),
   'logged');
is($t->get("/plain?k=1")->{status}, $_, "all of it again: $_")
	for 200, 200, 200, 200, 429;

$t->reload();
is($t->get("/plain?k=1")->{status}, 429, 'after a reload');
api('/plain/keys/1/reset', 'POST');
is($t->get("/plain?k=1")->{status}, 200, 'and reset again');

# what can't be written

is(answer($_, 'POST')->{status}, 405, "405: $_")
	for '', '/plain', '/plain/keys', '/plain/keys/1';
is(answer($_, 'POST')->{status}, 404, "404: $_")
	for '/x', '/plain/reset', '/plain/keys/1/reset/x', '/x/keys/1/reset',
	'/plain/x/1/reset';
is(answer($_)->{status}, 404, "404: $_")
	for '/x', '/plain/x', '/plain/keys/1/x', '/x/keys', '/plain/key/1';

# by the rate of the zone, whatever it was last

is($t->get("/plan?k=2&r=100r/s&b=9")->{status}, 200, 'another rate');

SKIP: {
	my $r = answer('/plain/keys/2');

	# it may be over already

	skip 'too late', 1 unless $r->{status} == 200;

	is($r->{json}{remaining}, 3, 'judged by that of the zone');
}

is($t->get("/plan?k=3&r=7r/h&b=0")->{status}, 200, 'a rate of another unit');

$key = api('/plain/keys/3');

is($key->{remaining}, 3, 'left');
close_to($key->{reset}, 3600 / 7, 'what is used stays used');

# addresses

is($t->get('/address')->{status}, $_, "by address: $_") for 200, 429;
is_deeply([keys %{ api('/address/keys') }], ['127.0.0.1'], 'as text');
is(api('/address/keys/127.0.0.1')->{remaining}, 0, 'found by its text');
is(answer("/address/keys/$_")->{status}, 404, "not found: $_")
	for '127.0.0.2', '127.0.0.1x', '::2', 'x', '255.255.255.255',
	'%7f%01%01%01';

if ($six) {
	my $out = $t->curl('http://[::1]:%%PORT_8080%%/address');

	is(api('/address/keys/::1')->{remaining}, 0, 'of version 6');
	is(api('/address/keys/0:0::1')->{remaining}, 0, 'in other words');
	api('/address/keys/::1/reset', 'POST');
	is_deeply([keys %{ api('/address/keys') }], ['127.0.0.1'], 'reset');
}

api('/address/keys/127.0.0.1/reset', 'POST');
is($t->get('/address')->{status}, 200, 'reset');

# any bytes in keys

my @keys = ('a/b', '..', '.', 'a b', '%2F', '?#&', '"\\\'', "\x01\x7f",
	"\xc3\xa4", "\xff", '<script>', 'x' x 33, 'x' x 1024, 'y' x 1025,
	'z' x 5000, '{"a":1}', '0' . 'x' x 31);

my $client = $t->client();

for my $key (@keys) {
	is($client->get('/odd', headers => ['X-Key' => $key])->{status}, 200,
	   'a key');
}

for my $key (@keys) {
	my $path = "$odd_path/keys/"
		. $key =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;

	# dots alone are nginx's

	next if $key =~ /^\.+$/;

	is(api($path)->{remaining}, 4, 'found') for 1;
}

my $list = answer("$odd_path/keys");

is($list->{status}, 200, 'listed');
is(scalar keys %{ $list->{json} }, scalar @keys, 'all of them');
ok($list->{json}{'x' x 1024}, 'a long one');
ok($list->{json}{"\x{fffd}"}, 'one that is not UTF-8');

# many keys come in pieces

for my $n (1 .. 20) {
	$client->send(join '', map {
		"GET /plain?k=many$n.$_ HTTP/1.1\r\nHost: a\r\n\r\n"
	} 1 .. 100);
	$client->response() for 1 .. 100;
	$client = $t->client() if $n % 5 == 0;
}

$list = api('/plain/keys');

cmp_ok(scalar keys %$list, '>=', 2000, 'a long list');
is($list->{'many20.100'}{remaining}, 3, 'and what is in it');

# gone with the configuration

$t->conf($conf =~ s/^.*zone=address.*\n//mgr);
$t->reload();

is(answer('/address')->{status}, 404, 'a zone that is gone');
is(answer('/address/keys/127.0.0.1')->{status}, 404, 'and its keys');
is(answer('/plain')->{status}, 200, 'others stay');

$t->conf(<<'EOC');
mon_zone mon 8m;
server {
    listen 127.0.0.1:%%PORT_8080%%;
    location /mon/ { mon_status write; }
}
EOC
$t->reload();

is_deeply(api(''), {}, 'none');

done_testing();
