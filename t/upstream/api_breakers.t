#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Breakers in the API: every figure, names with odd characters; states that are
# forced hold in all workers and over reloads until they are reset.

use NgxMon;

use JSON::PP qw/ decode_json /;

my $t = NgxMon->new(workers => 4);

my $conf = <<'EOC';
mon_zone mon 8m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=3 ratio=60% min=10 window=20s slow=1500ms
                slow_ratio=75% open=5s max_open=20s probes=7;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /mon/ { mon_status write; }
    location = /metrics { mon_metrics; }
    location / { proxy_pass http://backend; }

    location /api/ {
        mon_breaker;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }

    location /named/ {
        mon_breaker "name=a \"b\" ä/%2F?";
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

$t->conf($conf);

my $b = $t->backend(8081);

$t->run();

my $true = JSON::PP::true;
my $false = JSON::PP::false;

sub api {
	my ($path, $method) = @_;

	my $r = $t->request($method // 'GET', "/mon/api/http/breakers$path",
			    headers => ['X-Mon-Write' => 1]);

	is($r->{status}, 200, "$path: 200");

	return decode_json($r->{body});
}

my $odd = '/a%20%22b%22%20%C3%A4%2F%252F%3F';
my $all = api('');

is_deeply([sort keys %$all],
	  ['/api/', qq{a "b" \x{e4}/%2F?}, 'backend'], 'all of them');

is_deeply(api('/backend'), {
	scope => 'upstream',
	state => 'closed',
	forced => $false,
	opened_in_a_row => 0,
	half_open_in => undef,
	window => { calls => 0, failed => 0, slow => 0, failed_ratio => undef,
		    slow_ratio => undef, failed_in_a_row => 0 },
	trial => { under_way => 0, succeeded => 0 },
	rejected => 0,
	transitions => { closed => 0, open => 0, half_open => 0 },
	limits => { ratio => .6, min => 10, window => 20, consecutive => 3,
		    slow => 1.5, slow_ratio => .75, open => 5, max_open => 20,
		    probes => 7 },
}, 'every figure');

is_deeply(api('/%2Fapi%2F'), $all->{'/api/'}, 'a location');
is($all->{'/api/'}{scope}, 'location', 'its scope');
is_deeply(api($odd), $all->{qq{a "b" \x{e4}/%2F?}}, 'an odd name');

# it opens

$t->get('/') for 1 .. 2;
$t->get('/status/503') for 1 .. 3;
is($t->get('/')->{status}, 503, 'refused');

my $v = api('/backend');

is($v->{state}, 'open', 'open');
is($v->{forced}, $false, 'by itself');
is($v->{opened_in_a_row}, 1, 'once');
cmp_ok($v->{half_open_in}, '>', 0, 'time left');
cmp_ok($v->{half_open_in}, '<=', 5.5, 'and its bound');
is($v->{rejected}, 1, 'rejected');
is($v->{transitions}{open}, 1, 'transition');

# by hand

is(api('/backend/close', 'POST')->{state}, 'closed', 'closed by hand');

for (1 .. 20) {
	$t->get('/status/503');
}

$v = api('/backend');

is($v->{state}, 'closed', 'and stays so');
is($v->{forced}, $true, 'forced');

$v = api('/%2Fapi%2F/open', 'POST');

is($v->{state}, 'open', 'a location opened by hand');
is($v->{forced}, $true, 'forced');
is($v->{half_open_in}, undef, 'for good');

is(api("$odd/open/", 'POST')->{state}, 'open', 'an odd name');

# whichever worker

is($t->get('/api/')->{status}, 503, 'refused') for 1 .. 8;
is($t->get('/named/')->{status}, 503, 'refused') for 1 .. 8;

# reload

$t->reload();

for (1 .. 4) {
	$v = api('');

	is($v->{'/api/'}{state}, 'open', 'still open');
	is($v->{'/api/'}{forced}, $true, 'and forced');
	is($v->{backend}{state}, 'closed', 'still closed');
	is($v->{backend}{forced}, $true, 'and forced');
}

is($t->get('/api/')->{status}, 503, 'still refused');

# reset, of one and of all

is(api('/%2Fapi%2F/reset', 'POST')->{state}, 'closed', 'reset');
is($t->get('/api/')->{status}, 200, 'serves');

$v = api('/reset', 'POST');

is(join(' ', map { "$_->{state} $_->{forced}" } values %$v),
   'closed 0 closed 0 closed 0', 'all reset');
is($v->{backend}{window}{calls}, 0, 'nothing counted');
is($t->get('/named/')->{status}, 200, 'serves');

# a breaker that is gone

$t->conf($conf =~ s/mon_breaker "name.*;//r);
$t->reload();

is($t->get("/mon/api/http/breakers$odd")->{status}, 404, 'gone');
is_deeply([sort keys %{ api('') }], ['/api/', 'backend'], 'the others stay');

$t->conf($conf =~ s/mon_breaker[^;]*;//gr);
$t->reload();

is_deeply(api(''), {}, 'none');

done_testing();
