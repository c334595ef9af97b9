#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# ready turns 503 in a worker that drains, while live stays 200.

use NgxMon;

use JSON::PP qw/ decode_json /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /health { mon_health; }
    location = /live { mon_health live; }
    location = /ready { mon_health ready; }
    location / { return 200 "some text\n"; }
}
EOC

$t->run();

is($t->get('/ready')->{status}, 200, 'ready');
is($t->get('/live')->{status}, 200, 'live');

sub sockets {
	return scalar grep { /^socket/ } map {
		my %fds = NgxMon::Process::descriptors($_);
		values %fds;
	} $t->workers();
}

ok(wait_for(sub { $t->get('/live')->{status} == 200 }, 5, 'live'), 'serves');

my $before = sockets();

# half of a request is with the old workers

my %half = map {
	my $c = $t->client();

	$c->send("GET $_ HTTP/1.1\r\nHo");
	($_ => $c);
} qw{ /ready /live /health };

my $last = $t->client();
$last->send("GET / HTTP/1.1\r\nHo");

# which have taken it

ok(wait_for(sub { sockets() >= $before + 4 }, 5, 'sockets'), 'taken');

$t->reload();

is(scalar(() = $t->workers(undef, shutting => 1)) > 0, 1, 'they drain');

my %r = map {
	$half{$_}->send("st: a\r\n\r\n");
	($_ => $half{$_}->response());
} sort keys %half;

is($r{'/ready'}{status}, 503, 'not ready while it drains');
is(decode_json($r{'/ready'}{body})->{status}, 'unhealthy', 'says so');
is($r{'/live'}{status}, 200, 'it lives');
is($r{'/health'}{status}, 200, 'draining is not unhealthy');

is($t->get('/ready')->{status}, 200, 'the new ones are ready');

# as long as one drains the others tell of it

ok(wait_for(sub {
	decode_json($t->get('/health')->{body})->{checks}{workers}{message}
		=~ /\b[1-9]\d* draining\b/;
}, 5, 'draining'), 'draining workers are counted');

$last->close();

ok(wait_for(sub {
	decode_json($t->get('/health')->{body})->{checks}{workers}{message}
		=~ /\b0 draining\b/;
}, 5, 'an end of draining'), 'and gone');

done_testing();
