#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The label "server" is mon_name, or the first server_name, or "_"; where
# several servers share it, with ":port".

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    server_name first.example second.example;
    location = /metrics { mon_metrics; }
    location / { return 200; }
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    server_name *.wild.example;
    location / { return 200; }
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    server_name ~^re\d+$;
    location / { return 200; }
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    server_name .dot.example;
    location / { return 200; }
}

server {
    listen 127.0.0.1:%%PORT_8081%%;
    location / { return 200; }
}

server {
    listen 127.0.0.1:%%PORT_8082%%;
    server_name twice.example;
    location / { return 200; }
}

server {
    listen 127.0.0.1:%%PORT_8082%%;
    listen 127.0.0.1:%%PORT_8083%%;
    server_name other.example twice.example;
    mon_name named;
    location / { return 200; }
}

server {
    listen 127.0.0.1:%%PORT_8083%%;
    listen 127.0.0.1:%%PORT_8084%%;
    server_name twice.example;
    location / { return 200; }
}

server {
    listen 127.0.0.1:%%PORT_8085%%;
    server_name pair.example;
    location / { return 200; }
}

server {
    listen 127.0.0.2:%%PORT_8085%%;
    server_name pair.example;
    location / { return 200; }
}
EOC

$t->run();

my %port = map { $_ => $t->port($_) } 8080 .. 8085;

for ([8080, 'first.example', 'first.example'],
     [8080, 'second.example', 'first.example'],
     [8080, 'unknown.example', 'first.example'],
     [8080, 'a.wild.example', '*.wild.example'],
     [8080, 're42', '~^re\d+$'],
     [8080, 'dot.example', '.dot.example'],
     [8081, 'any', '_'],
     [8082, 'twice.example', "twice.example:$port{8082}"],
     [8082, 'other.example', 'named'],
     [8083, 'other.example', 'named'],
     [8083, 'any', 'named'],
     [8084, 'twice.example', "twice.example:$port{8083}"],
     [8085, 'pair.example', "pair.example:$port{8085}"])
{
	my ($port, $host, $server) = @$_;
	my $before = $t->metrics();

	is($t->get('/', port => $port, host => $host)->{status}, 200,
	   "$host at $port answers");

	my $after = $t->metrics();
	my @series = ('nginx_http_requests_total', server => $server);

	is(($after->get(@series) // 0) - ($before->get(@series) // 0), 1,
	   "$host at $port counts at $server");
}

my $client = NgxMon::Client->new(addr => '127.0.0.2', port => $port{8085});

is($client->get('/', host => 'pair.example')->{status}, 200,
   'the other address of the port');
$client->close();
is($t->metric('nginx_http_requests_total',
	      server => "pair.example:$port{8085}"), 2,
   'nothing tells one port from itself');

is($t->metric('nginx_http_requests_in_flight', server => '127.0.0.1'), undef,
   'no server by an address');

done_testing();
