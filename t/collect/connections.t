#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The connection families say what stub_status says.

use NgxMon;

my $t = NgxMon->new(workers => 2)->has('http_stub_status');

$t->backend(8081);

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location = /stub { stub_status; }
    location / { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
}
EOC

$t->run();

# one that begins a header, two that wait for an answer, three idle

$t->client()->send("GET / HT");
$t->client()->send_request('GET', '/wait/end') for 1 .. 2;

for (1 .. 3) {
	is($t->client()->get('/')->{status}, 200, "client $_");
}

my $c = $t->client();
my ($stub, $m);

# both on one connection, so that neither changes what the other tells

my $same = sub {
	my $text = $c->get('/stub')->{body};

	$stub = { $text =~ /(Active|Reading|Writing|Waiting).*?: (\d+)/g };
	@$stub{qw/ accepted handled /} = $text =~ /^ (\d+) (\d+) \d+/m;

	$m = NgxMon::Metrics->parse($c->get('/metrics')->{body});

	return $stub->{Reading} == 1 && $stub->{Waiting} == 3
		&& $m->get('nginx_connections_waiting') == 3;
};

wait_for($same, 10, 'connections in their states');

is($m->get('nginx_connections_accepted'), $stub->{accepted}, 'accepted');
is($m->get('nginx_connections_handled'), $stub->{handled}, 'handled');
is($m->get('nginx_connections_active'), $stub->{Active}, 'active');
is($m->get('nginx_connections_active'), 7, 'active, as many as there are');
is($m->get('nginx_connections_reading'), 1, 'reading');
is($m->get('nginx_connections_writing'), 3, 'writing');
is($m->get('nginx_connections_waiting'), 3, 'waiting');

is($m->type('nginx_connections_accepted'), 'counter', 'a counter');
is($m->type('nginx_connections_active'), 'gauge', 'a gauge');

done_testing();
