#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# An upstream's mon_limit in the API: of the whole upstream, and of each peer.

use NgxMon;

use JSON::PP qw/ decode_json /;
use List::Util qw/ sum /;

my $t = NgxMon->new(workers => 2);

$t->conf(<<'EOC');
mon_zone mon 8m;

upstream whole {
    server 127.0.0.1:%%PORT_8081%%;
    mon_limit rate=6r/h burst=2 status=529;
}

upstream each {
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%%;
    mon_limit rate=1r/h burst=1 per=peer;
}

upstream none {
    server 127.0.0.1:%%PORT_8081%%;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /mon/ { mon_status; }
    location /whole { proxy_pass http://whole; }
    location /each { proxy_pass http://each; }
    location /none { proxy_pass http://none; }
}
EOC

my @backends = map { $t->backend($_) } 8081, 8082;

$t->run();

sub api {
	my ($path) = @_;

	my $r = $t->get("/mon/api/http/upstreams/$path");

	is($r->{status}, 200, "$path: 200");

	return decode_json($r->{body});
}

sub peers {
	return [map { $_->{limit} && $_->{limit}{remaining} }
		map { api("each/peers/127.0.0.1:" . $t->port($_)) }
		8081, 8082];
}

is_deeply(api('whole')->{limit}, {
	rate => '6r/h', burst => 2, per => 'upstream', status => 529,
	remaining => 3, allowed_in => 0,
	attempts => { passed => 0, diverted => 0, rejected => 0, total => 0 },
}, 'every figure');

is($t->get('/whole')->{status}, $_, "whole: $_") for 200, 200, 200, 529;

my $limit = api('whole')->{limit};

is($limit->{remaining}, 0, 'nothing left');
cmp_ok($limit->{allowed_in}, '>', 500, 'for a while');
cmp_ok($limit->{allowed_in}, '<=', 600, 'and no longer');
is_deeply($limit->{attempts},
	  { passed => 3, diverted => 0, rejected => 1, total => 4 }, 'counted');
is(api('whole/peers/127.0.0.1:' . $t->port(8081))->{limit}, undef,
   'nothing of a peer');

$limit = api('each')->{limit};

is($limit->{per}, 'peer', 'per peer');
is_deeply([sort keys %$limit], [qw/ attempts burst per rate status /],
	  'nothing of the whole');
is_deeply(peers(), [2, 2], 'each has its own');
is($t->get('/each')->{status}, 200, 'a request') for 1, 2;
is(sum(@{ peers() }), 2, 'and takes of it');
is($t->get('/each')->{status}, $_, "each: $_") for 200, 200, 503;
is_deeply(peers(), [0, 0], 'up to the end');

is(api('none')->{limit}, undef, 'an upstream without');
is(api('none/peers/127.0.0.1:' . $t->port(8081))->{limit}, undef,
   'and its peer');

done_testing();
