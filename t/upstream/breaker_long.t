#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# An answer on trial that began well and goes on is taken for a success after a
# while: downloads and WebSockets keep no circuit half-open.

use NgxMon;

my $t = NgxMon->new(workers => 2);

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=1 open=100ms max_open=100ms probes=2;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / {
        proxy_pass http://backend;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $http_connection;
        proxy_buffering off;
    }

    # by variables, and not hooked: the permit is the request's

    location /variable/ {
        mon_breaker name=variable consecutive=1 open=100ms max_open=100ms
                    probes=2;
        proxy_pass http://127.0.0.1:$http_x_port;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $http_connection;
        proxy_buffering off;
    }

    location = /metrics { mon_metrics; }
}
EOC

my $b = $t->backend(8081);

$t->run();

my @port = ('X-Port' => $t->port(8081));

sub state_is {
	my ($name, $state) = @_;

	return $t->metric('nginx_upstream_breaker_state', upstream => $name,
			  state => $state);
}

sub answer {
	my ($uri) = @_;

	return $t->get($uri, headers => [@port])->{status};
}

# a trial call of which the answer has begun

sub begun {
	my ($uri, $pattern, @headers) = @_;

	my $c;

	wait_for(sub {
		$c = $t->client();
		$c->send_request('GET', $uri, headers => [@port, @headers]);

		my $head = $c->read_until(qr/\r\n\r\n/) // '';

		$head !~ / 503 / && ($head =~ $pattern
				     || $c->read_until($pattern))
	});

	return $c;
}

for (['', 'backend'], ['/variable', 'variable']) {
	my ($where, $name) = @$_;

	is(answer("$where/status/502"), 502, 'opens');

	my @c = (begun("$where/stall", qr/x{50}/),
		 begun("$where/ws", qr/ 101 /, Upgrade => 'websocket',
		       Connection => 'upgrade'));

	is(state_is($name, 'half_open'), 1, 'both go on');
	is(answer("$where/"), 503, 'no permit is left');

	wait_for(sub { state_is($name, 'closed') });
	is(answer("$where/"), 200, 'closed, and they still go on');

	my @lines = $t->log_lines(qr/breaker "$name"/);

	like($lines[-1], qr/breaker "$name" closed: 2 trial calls succeeded$/,
	     'told without a request');

	# what becomes of them tells nothing more

	$b->tell('stall');
	$c[0]->closed();
	(pop @c)->close();
	$t->wait_metric(0, 'nginx_upstream_requests_in_flight');
	is(state_is($name, 'closed'), 1, 'still closed');
}

# one that breaks off before is a failure

is($t->get('/status/502')->{status}, 502, 'opens');
wait_for(sub { $t->get('/half')->{status} == 200 });
is(state_is('backend', 'open'), 1, 'half an answer');

done_testing();
