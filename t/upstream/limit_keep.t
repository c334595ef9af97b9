#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What was used outlives reloads, workers that are killed, and zones of another
# size; another rate or burst holds from the reload on, also where nanoseconds
# are divided in another way.

use NgxMon;

my $t = NgxMon->new(workers => 2);

sub conf {
	my ($size, $params, $more) = @_;

	$more //= '';

	return <<"EOC";
mon_zone mon $size;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_limit $params;
}

upstream peers {
    zone peers 64k;
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%%;
    $more
    mon_limit $params per=peer;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://backend; }
    location /peers/ { proxy_pass http://peers; }
    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8081%%;
    listen 127.0.0.1:%%PORT_8082%%;
    listen 127.0.0.1:%%PORT_8083%%;
    mon off;
    return 200;
}
EOC
}

# how many pass at once; the rates are too low to give any back

sub left {
	my ($uri) = @_;

	my $n = 0;

	$n++ while $n < 200 && $t->get($uri)->{status} == 200;

	return $n;
}

sub taken {
	my ($uri, $n) = @_;

	is($t->get($uri)->{status}, 200, "$uri: share $_") for 1 .. $n;
}

$t->conf(conf('4m', 'rate=1r/h burst=19'))->run();

taken('/', 5);
taken('/peers/', 10);
$t->reload();
taken('/', 5);
taken('/peers/', 10);
$t->kill_worker($_) for $t->workers();
taken('/', 5);
taken('/peers/', 10);
$t->conf(conf('8m', 'rate=1r/h burst=19'))->reload();
is(left('/'), 5, 'five are left');
is(left('/peers/'), 10, 'five of each peer are left');

# a larger burst: so much more; hours are the same hours

$t->conf(conf('8m', 'rate=1r/h burst=22'))->reload();
is(left('/'), 3, 'more');
is(left('/peers/'), 6, 'more of each peer');

# 23 hours ahead, of which 7r/h has 161

$t->conf(conf('8m', 'rate=7r/h burst=170'))->reload();
is(left('/'), 10, 'another unit');
is(left('/peers/'), 20, 'of each peer');
$t->kill_worker($_) for $t->workers();
is(left('/'), 0, 'none is left after a crash');
is(left('/peers/'), 0, 'of each peer');

# a peer that is new has all

$t->conf(conf('8m', 'rate=7r/h burst=170',
	      'server 127.0.0.1:%%PORT_8083%%;'))->reload();
is(left('/peers/'), 171, 'a new peer');

# what is too far ahead for a higher rate is set back

$t->conf(conf('8m', 'rate=100r/s burst=1'))->reload();
wait_for(sub { $t->get('/')->{status} == 200 });
wait_for(sub { $t->get('/peers/')->{status} == 200 });
pass('a higher rate holds at once');

# without the directive, and with it again

$t->conf(conf('8m', 'rate=1r/d burst=3'))->reload();
cmp_ok(left('/'), '>=', 3, 'another rate');
$t->conf(conf('8m', 'rate=1r/d burst=3') =~ s/mon_limit.*//gr)->reload();
is($t->get('/')->{status}, 200, 'no limit') for 1 .. 5;
$t->conf(conf('8m', 'rate=1r/d burst=3'))->reload();
is(left('/'), 0, 'none is left, as before');

done_testing();
