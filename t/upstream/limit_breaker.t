#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What a breaker refuses takes no share; and what mon_limit refuses is no
# failure, neither for the breaker nor for mon_outlier, and holds no permit of
# a trial.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream open {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=1 open=1h max_open=1h;
    mon_limit rate=1r/h burst=2;
}

upstream judged {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker min=3 ratio=50% on=error,http_503,http_504;
    mon_limit rate=1r/h burst=2;
}

upstream peers {
    zone peers 64k;
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%%;
    mon_outlier consecutive=2 min=3 ratio=50% eject=1h max_ejected=100%;
    mon_breaker min=3 ratio=50%;
    mon_limit rate=1r/h burst=1 per=peer;
}

upstream trial {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=1 open=50ms max_open=50ms probes=1;
    mon_limit rate=10r/s burst=0;
}

upstream peer_trial {
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%%;
    mon_breaker consecutive=1 open=50ms max_open=50ms probes=1;
    mon_limit rate=5r/s burst=0 per=peer;
}

map $uri $name {
    default               judged;
    ~^/v/open             open;
    ~^/v/peers            peers;
    ~^/v/trial            trial;
    ~^/v/peer_trial       peer_trial;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /open { proxy_pass http://open; }
    location /judged { proxy_pass http://judged; }
    location /peers { proxy_pass http://peers; }
    location /trial { proxy_pass http://trial; }
    location /v/ { proxy_pass http://$name; }
    location = /metrics { mon_metrics; }
    location /mon/ { mon_status write; }
}
EOC

my @backends = map { $t->backend($_) } 8081, 8082;

$t->run();

my $limited = 'nginx_upstream_limited_requests_total';
my $state = 'nginx_upstream_breaker_state';

# an open circuit

is($t->get('/open/status/503')->{status}, 503, 'opens');

for (1 .. 10) {
	is($t->get('/open/')->{status}, 503, 'refused by the breaker');
	is($t->get('/v/open/')->{status}, 503, 'and late');
}

my $m = $t->metrics();

is($m->get($limited, upstream => 'open', outcome => 'passed'), 1, 'free');
is($m->get($limited, upstream => 'open', outcome => 'rejected'), 0,
   'not refused by mon_limit');

my $r = $t->request('POST', '/mon/api/http/breakers/open/reset',
		    headers => [ 'X-Mon-Write' => 1 ], body => '');

cmp_ok($r->{status}, '<', 300, 'closed');
is($t->get('/open/')->{status}, 200, "share $_") for 2, 3;
is($t->get('/open/')->{status}, 503, 'and no more');

# refusals are no failures

is($t->get('/judged/')->{status}, 200, 'judged') for 1 .. 3;

for (1 .. 10) {
	is($t->get('/judged/')->{status}, 503, 'refused by mon_limit');
	is($t->get('/v/judged/')->{status}, 503, 'and late');
}

is($t->get('/peers/')->{status}, 200, 'of a peer') for 1 .. 4;

for (1 .. 10) {
	is($t->get('/peers/')->{status}, 503, 'refused by mon_limit');
	is($t->get('/v/peers/')->{status}, 503, 'and late');
}

$m = $t->metrics();

is($m->get($state, upstream => $_, state => 'closed'), 1, "$_ stays closed")
	for qw/ judged peers /;
is($m->get('nginx_upstream_ejections_total'), 0, 'none is ejected');
is($m->get($limited, upstream => $_, outcome => 'rejected'), 20,
   "$_: rejected") for qw/ judged peers /;
is($m->get('nginx_upstream_panics_total', upstream => 'peers'), 0, 'no panic');

# a trial that is refused gives its permit back

for my $name (qw/ trial peer_trial /) {
	is($t->get("/v/$name/status/503")->{status}, 503, "$name: opens");

	wait_for(sub {
		$t->get("/v/$name/");
		$t->metric($state, upstream => $name, state => 'closed');
	});

	is($t->metric($state, upstream => $name, state => 'closed'), 1,
	   "$name: closed by a trial");
}

is($t->metric('nginx_upstream_requests_in_flight'), 0, 'none in flight');

done_testing();
