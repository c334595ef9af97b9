#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A binary upgrade: the new processes count by themselves, those that wait in
# old ones are let through there; and who goes back to the old binary finds its
# limits as they were.

use NgxMon;

use NgxMon::Process qw/ alive /;

my $t = NgxMon->new(daemon => 1);

$t->conf(<<'EOC', workers => 2);
mon_zone mon 4m;
mon_limit_zone $arg_k zone=rate:1m rate=1r/h burst=4;

upstream quota {
    server 127.0.0.1:%%PORT_8081%%;
    mon_limit rate=1r/h burst=4;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location /rate { mon_limit zone=rate; empty_gif; }
    location /quota/ { proxy_pass http://quota; }
    location /plain/ {
        mon_concurrency max=2 queue=50 timeout=60s name=plain;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /keyed/ {
        mon_concurrency max=2 queue=50 timeout=60s name=keyed key=$arg_k;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

my $backend = $t->backend(8081);

$t->run();

my %clients;

sub add {
	my ($n, $word) = @_;

	for my $name (qw/ plain keyed /) {
		for (1 .. $n) {
			my $client = $t->client(timeout => 40);

			push @{ $clients{$name} }, $client;
			$client->send_request('GET', "/$name/wait/$word?k=x",
					      close => 1);
		}
	}
}

sub gauges {
	my ($what, $n) = @_;

	is($t->wait_metric($n, "nginx_http_concurrency_$what", name => $_) && 1,
	   1, "$_: $n $what") for qw/ plain keyed /;
}

sub use_up {
	my ($where) = @_;

	for my $uri ('/rate?k=a', '/quota/') {
		is($t->get($uri)->{status}, 200, "$where: $uri") for 1 .. 5;
		like($t->get($uri)->{status}, qr/429|503/, "$where: no more");
	}
}

add(6, 'old');
gauges('queued', 4);
use_up('old');

my ($old, $new) = $t->upgrade();

kill 'WINCH', $old;
wait_for(sub { !$t->workers($old) }, 10, 'WINCH');

# only new workers accept

gauges($_, 0) for qw/ in_flight queued /;
use_up('new');
add(3, 'new');
gauges('queued', 1);

# back to the old one: who waits in a process that ends is let through there

kill 'HUP', $old;
wait_for(sub { $t->workers($old) == 2 }, 10, 'HUP');
kill 'QUIT', $new;
wait_for(sub { !$t->workers($new) }, 10, 'QUIT');

gauges('in_flight', 2);
gauges('queued', 4);

for my $uri ('/rate?k=a', '/quota/') {
	like($t->get($uri)->{status}, qr/429|503/, "as it was: $uri");
}

add(3, 'old');
gauges('queued', 7);

$backend->tell($_) for qw/ old new /;
is(scalar(grep { $_->response()->{status} == 200 } @{ $clients{$_} }), 12,
   "$_: all are answered") for qw/ plain keyed /;
gauges($_, 0) for qw/ in_flight queued /;

for my $outcome (qw/ passed queued /) {
	is($t->metric('nginx_http_limited_requests_total',
		      limiter => 'mon_concurrency', outcome => $outcome,
		      location => '/plain/'),
	   $outcome eq 'passed' ? 2 : 7, "$outcome by the old binary");
}

wait_for(sub { !alive($new) }, 20, 'the end of the new master');
$t->{masters} = [ $old ];		# told to end, which quit() would do

# and forward: nothing is left behind

%clients = ();
add(5, 'last');
gauges('queued', 3);
($old, $new) = $t->upgrade();
kill 'QUIT', $old;
$backend->tell('last');
is(scalar(grep { $_->response()->{status} == 200 } @{ $clients{$_} }), 5,
   "$_: all are answered, again") for qw/ plain keyed /;
wait_for(sub { !alive($old) }, 20, 'the end of the old master');
$t->{masters} = [ $new ];
gauges($_, 0) for qw/ in_flight queued /;

done_testing();
