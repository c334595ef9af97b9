#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline and WebSocket: up to the switch, not after it.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    mon_deadline 500ms;

    location = /metrics { mon_metrics; }
    location / {
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

$t->backend(8081);
$t->run();

my @upgrade = (headers => [ Upgrade => 'websocket', Connection => 'upgrade' ]);

sub echoed {
	my ($client, $what) = @_;

	$client->send('x' x 1000);
	is($client->read_bytes(1000), 'x' x 1000, $what);
}

my $client = $t->client();

$client->send_request('GET', '/ws', @upgrade);
is($client->response()->{status}, 101, 'switched');
echoed($client, 'echoed');

is($t->get('/wait/a', @upgrade)->{status}, 504, 'not in time');
is($t->get('/wait/a', @upgrade)->{status}, 504, 'again');
is($t->metric('nginx_http_connections_upgraded'), 1, 'the first one is open');
echoed($client, 'past its time');

$client->close();
$t->wait_metric(0, 'nginx_http_connections_upgraded');
$t->wait_metric(0, 'nginx_upstream_requests_in_flight');
is($t->metric('nginx_http_errors_total', reason => 'deadline'), 2, 'counted');
is($t->metric('nginx_http_errors_total'), 2, 'as nothing else');

done_testing();
