#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Attempts of proxy_next_upstream and of mon_retry take permits of a trial like
# the first one does; where there is none the call fails, and so does one that
# was let through before the circuit opened.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream next {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    mon_breaker consecutive=1 open=200ms max_open=200ms probes=3;
}

upstream retry {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    mon_retry attempts=5 backoff=1ms budget=100%;
    mon_breaker consecutive=1 open=200ms max_open=200ms probes=3;
}

upstream kept {
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    keepalive 8;
    mon_breaker consecutive=1 open=200ms max_open=200ms probes=1;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_next_upstream error timeout http_503;
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    location /next/ { proxy_pass http://next; }
    location /retry/ { proxy_pass http://retry; }
    location /kept/ { proxy_pass http://kept; }
    location = /metrics { mon_metrics; }
}
EOC

my $b = $t->backend(8081);
my $kept = $t->backend(8082);

$t->run();

sub attempts {
	my ($uri) = @_;

	return scalar grep { $_->{uri} eq $uri } $b->requests();
}

sub state_of {
	my ($name) = @_;

	my $m = $t->metrics();

	for (qw/ closed open half_open /) {
		return $_ if $m->get('nginx_upstream_breaker_state',
				     upstream => $name, state => $_);
	}
}

sub transitions {
	my ($name, $to) = @_;

	return $t->metric('nginx_upstream_breaker_transitions_total',
			  upstream => $name, to => $to);
}

for my $name (qw/ next retry /) {
	my $all = $name eq 'next' ? 4 : 5;

	# closed: as many attempts as there may be

	$t->get("/$name/status/503");
	is(attempts("/$name/status/503"), $all, "$name: all attempts");
	is(state_of($name), 'open', "$name: opened");

	# on trial: as many as there are permits

	wait_for(sub {
		$t->get("/$name/status/503/trial");
		attempts("/$name/status/503/trial")
	});
	is(attempts("/$name/status/503/trial"), 3, "$name: three permits");
	is(state_of($name), 'open', "$name: failed");

	# what the next attempt heals is a success, of two permits

	my $r;

	wait_for(sub {
		$r = $t->get("/$name/first/1/status/503");
		attempts("/$name/first/1/status/503")
	});
	is($r->{status}, 200, "$name: healed");
	is(attempts("/$name/first/1/status/503"), 2, "$name: two attempts");
	is(state_of($name), 'half_open', "$name: one permit left");
	is($t->get("/$name/")->{status}, 200, "$name: the last");
	is(state_of($name), 'closed', "$name: closed");
	is(transitions($name, 'closed'), 1, "$name: once");
}

# opens while others are at their first attempt: they have no second one

my @clients = map { $t->client() } 1 .. 3;

$_->send_request('GET', '/next/wait/word/status/503') for @clients;
wait_for(sub { attempts('/next/wait/word/status/503') == 3 });
$t->get('/next/status/503');
is(state_of('next'), 'open', 'open');
$b->tell('word');
ok($_->response()->{status} >= 502, 'failed') for @clients;
is(attempts('/next/wait/word/status/503'), 3, 'no more attempts');
is(transitions('next', 'open'), 3, 'nothing was told to the new state');

# an error at a cached connection is tried again by nginx, but not on trial

is($t->get('/kept/')->{status}, 200, 'a connection is kept');
is($t->get('/kept/status/503')->{status}, 503, 'opens');

my $n = $kept->requests();

$kept->mode('/close');
wait_for(sub { $t->get('/kept/trial'); $kept->requests() > $n });
is($kept->requests(), $n + 1, 'one attempt');
is(state_of('kept'), 'open', 'failed');

done_testing();
