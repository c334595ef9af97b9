#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# "mon" is inherited, and what it leaves out is nowhere: not in flight, not
# counted.  The module's own endpoints are left out by themselves.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location = /health { mon_health; }
    location = /recorded { mon on; mon_metrics; }

    location /tree/ {
        mon_status;
        location /tree/leaf { return 200; }
        if ($arg_a) { set $a $arg_a; }
    }

    location /on { return 200; }
    location /off { mon off; return 200; }
    location /off/on { mon on; return 200; }

    location /outer/ {
        mon off;
        location /outer/inner { return 200; }
        return 200;
    }

    location /to-off { error_page 404 /off; return 404; }
    location /to-on { mon off; error_page 404 /on; return 404; }
    location /if { mon off; if ($arg_a) { return 200; } }

    location /hang {
        error_page 502 /silent/wait/one;
        proxy_pass http://127.0.0.1:%%PORT_8082%%;
    }
    location /silent/ {
        mon off;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}

server {
    listen 127.0.0.1:%%PORT_8083%%;
    server_name off.example;
    mon off;

    location / { return 200; }
    location /on { mon on; return 200; }
}
EOC

my $b = $t->backend(8081);

$t->run();

sub total {
	return $t->metric('nginx_http_requests_total', @_) // 0;
}

$t->get($_) for qw{ /metrics /health /tree/api/ /tree/api/?a=1 };
is(total(), 0, 'the endpoints are not recorded');

$t->get($_) for qw{ /off /outer/ /outer/inner /if /if?a=1 };
is(total(), 0, 'what is off is not recorded');

$t->get('/', port => 8083);
$t->http("nonsense\n", port => 8083);
is(total(), 0, 'a server that is off');

$t->get('/on', port => 8083);
is(total(location => '/on', server => 'off.example'), 1, 'on in it');

$t->get('/on');
$t->get('/off/on');
is(total(location => '/off/on'), 1, 'on beside what is off');
is(total(), 3, 'three');

$t->get('/recorded') for 1 .. 2;
is(total(location => '= /recorded'), 2, 'an endpoint that is on');

$t->get('/to-off');
is(total(), 5, 'answered where it is off');
$t->get('/to-on');
is(total(location => '/on', server => '_'), 2, 'answered where it is on');
is(total(), 6, 'only that');

# in flight: moved out by the error page

my $c = $t->client();

$c->send_request('GET', '/hang');
wait_for(sub { $b->requests() }, 10, 'the request at the backend');
is($t->metric('nginx_http_requests_in_flight'), 0, 'not in flight');

$b->tell('one');
is($c->response()->{status}, 502, 'answered');
$c->close();
is($t->metric('nginx_http_requests_in_flight'), 0, 'still not');
is(total(), 6, 'not counted');

$t->get('/tree/leaf');
is(total(location => '/tree/leaf'), 1, 'within an endpoint');

is($t->metric('nginx_http_requests_by_protocol_total'), 7, 'by protocol');
is($t->metric('nginx_http_requests_in_flight', location => '/off'), undef,
   'no series');

done_testing();
