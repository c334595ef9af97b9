#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# RateLimit and RateLimit-Policy are lists of strings with parameters, as the
# parser of structured fields from npm sees them, whatever the zone is named
# and however large or small its figures are.

use NgxMon;
use NgxMon::Node qw/ node /;

use JSON::PP qw/ decode_json encode_json /;

node('limit/fields.mjs');

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_limit_zone $arg_k zone=plain:1m rate=10r/s burst=19;
mon_limit_zone $arg_k zone=once:1m rate=1r/d;
mon_limit_zone $arg_k zone=quick:1m rate=1000000r/s burst=4000000;
mon_limit_zone $arg_k zone=largest:1m rate=4000000000r/s burst=4294967295;
mon_limit_zone $arg_k zone=minutes:1m rate=300r/m burst=10;
mon_limit_zone $arg_k "zone=a\"b\\c d:1m" rate=1r/h burst=5;
mon_limit_zone $arg_k zone=größe:1m rate=1r/m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /plain { empty_gif; mon_limit zone=plain; }
    location /once { empty_gif; mon_limit zone=once; }
    location /quick { empty_gif; mon_limit zone=quick; }
    location /largest { empty_gif; mon_limit zone=largest; }
    location /minutes { empty_gif; mon_limit zone=minutes; }
    location /quoted { empty_gif; mon_limit "zone=a\"b\\c d"; }
    location /bytes { empty_gif; mon_limit zone=größe; }
    location /two { empty_gif; mon_limit zone=plain; mon_limit zone=minutes; }
    location /off { empty_gif; mon_limit zone=plain headers=off; }
    location /page { empty_gif; mon_limit zone=once; error_page 429 /page.gif; }
    location /page.gif { empty_gif; }
}
EOC

$t->run();

# the fields of an answer, parsed

sub fields {
	my ($uri, $status) = @_;

	my $r = $t->get("$uri?k=1");

	is($r->{status}, $status, "$uri: $status");

	my @fields = map { $r->{headers}{$_} // '' }
		qw/ ratelimit-policy ratelimit /;

	$t->write_file('fields', encode_json(\@fields));

	my $out = $t->command(node('limit/fields.mjs', $t->dir() . '/fields'));
	my ($policy, $limit) = eval { @{ decode_json($out) } };

	ok(defined $policy, "$uri: parsed") or diag($out);
	note("$uri: @fields");

	return ($policy, $limit, $r->{headers}{'retry-after'});
}

sub is_fields {
	my ($uri, $status, $name, $q, $w, $r, $ts, $after) = @_;

	my ($policy, $limit, $retry) = fields($uri, $status);

	is_deeply($policy, [[$name, 'string', { q => $q, w => $w }]],
		  "$uri: the policy");

	# what is left may have grown, and the time shrunk, meanwhile

	is("$limit->[0][0] $limit->[0][1]", "$name string", "$uri: its name");
	is(@$limit, 1, "$uri: one");
	is(join(' ', sort keys %{ $limit->[0][2] }), 'r t', "$uri: r and t");

	cmp_ok($limit->[0][2]{r}, '>=', $r, "$uri: left");
	cmp_ok($limit->[0][2]{r}, '<', $q, "$uri: but not all") if $q > 1;
	cmp_ok($limit->[0][2]{t}, '<=', $ts, "$uri: time");
	cmp_ok($limit->[0][2]{t}, '>', 0, "$uri: never 0");

	is($retry, undef, "$uri: no Retry-After") unless defined $after;

	if (defined $after) {
		like($retry, qr/^[1-9]\d*$/, "$uri: Retry-After");
		cmp_ok($retry, '<=', $after, "$uri: its time");
		cmp_ok($retry, '>=', $after - 60, "$uri: and no less");
	}
}

is_fields('/plain', 200, 'plain', 20, 2, 19, 2);
is_fields('/once', 200, 'once', 1, 86400, 0, 86400);
is_fields('/once', 429, 'once', 1, 86400, 0, 86400, 86400);
is_fields('/quick', 200, 'quick', 4000001, 5, 4000000, 5);
is_fields('/largest', 200, 'largest', 4294967296, 2, 4294967295, 2);
is_fields('/minutes', 200, 'minutes', 11, 3, 10, 3);
is_fields('/quoted', 200, 'a"b\c d', 6, 21600, 5, 21600);

# of two limits the tighter one

is_fields('/two', 200, 'minutes', 11, 3, 9, 3);

# through error_page

is_fields('/page', 429, 'once', 1, 86400, 0, 86400, 86400);

# what is no ASCII can't be in a string

my ($policy, $limit) = fields('/bytes', 200);

ok(ref $policy && ref $limit, 'other bytes: parsed');

my $r = $t->get('/off?k=1');

is($r->{headers}{$_}, undef, "headers=off: no $_")
	for qw/ ratelimit ratelimit-policy /;

# an empty key is not limited, and has nothing to be told

is($t->get('/once')->{headers}{$_}, undef, "no key: no $_")
	for qw/ ratelimit ratelimit-policy /;

done_testing();
