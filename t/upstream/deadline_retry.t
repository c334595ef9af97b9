#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline over what protects an upstream: retries end in time and give
# their places in the budget back; none is waited for that would come too late;
# a peer that was late opens a circuit.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

# the second attempt is at a peer that thinks

upstream few {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% backup;
    mon_retry budget=0% min=2 backoff=0 on=http_500;
}

upstream waited {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% backup;
    mon_retry budget=100% backoff=20ms on=http_500;
}

upstream never {
    server 127.0.0.1:%%PORT_8081%%;
    mon_retry backoff=1h max_backoff=1h on=http_500;
}

upstream broken {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=2 open=1h;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    mon_deadline 700ms;

    location = /metrics { mon_deadline off; mon_metrics; }
    location /never/ { proxy_pass http://never; }
    location /few/ { proxy_pass http://few; }
    location /waited/ { proxy_pass http://waited; }
    location /broken/ { proxy_pass http://broken; }
    location /fast { return 200 fast; }
}
EOC

my $b = $t->backend(8081);

$t->backend(8082, mode => '/wait/a');

$t->run();

my $n = 0;

sub late {
	my ($uri, $what, %o) = @_;
	my $client = $t->client();
	my $start = time();

	is($client->request($o{body} ? 'PUT' : 'GET', $uri, %o)->{status}, 504,
	   "$what: 504");

	my $took = time() - $start;

	cmp_ok($took, '>', 0.65, 'not before its time');
	cmp_ok($took, '<', 10, 'but then');
	$n++;

	is($client->get('/fast')->{status}, 200, 'the connection goes on');
	$client->close();
}

$b->mode('/status/500');
late('/waited/', 'the second attempt');
late('/waited/', 'with a body', body => 'x' x 20000);

is($t->get('/never/')->{status}, 500, 'a wait past the deadline is none');

# places in the budget are free again

for (1 .. 3) {
	my @clients = map { $t->client() } 1 .. 4;

	$_->send_request('GET', '/few/') for @clients;
	is(join(' ', sort map { $_->response()->{status} } @clients),
	   '500 500 504 504', 'as many as the budget has places');
	$n += 2;
	$_->close() for @clients;
}

# a circuit

$b->mode('/wait/a');
late('/broken/', 'a peer that thinks') for 1 .. 2;
is($t->get('/broken/')->{status}, 503, 'the circuit is open');

my $m;

ok(wait_for(sub {
	$m = $t->metrics();
	$m->get('nginx_http_requests_in_flight') == 0
		&& $m->get('nginx_upstream_requests_in_flight') == 0
		&& $m->get('nginx_connections_active') == 1
}, 10, 'nothing in flight'), 'nothing in flight');

is($m->get('nginx_http_errors_total', reason => 'deadline'), $n, 'counted');
$t->wait_metric(0, 'nginx_upstream_retries_in_flight');

done_testing();
