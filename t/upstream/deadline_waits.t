#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline: whatever a request waits for, it is answered with 504 when its
# time is over, the connection goes on, and nothing stays behind.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new(workers => 1);

$t->conf(<<'EOC');
mon_zone mon 4m;

limit_req_zone $uri zone=limit:1m rate=1r/m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    keepalive 4;
}

upstream hole { server 127.0.0.1:%%PORT_8082%%; }

upstream several {
    zone several 64k;
    server 127.0.0.1:%%PORT_8081%% max_conns=1;
    server 127.0.0.1:%%PORT_8083%%;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    mon_deadline 500ms;
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    location = /metrics { mon_metrics; }

    location /up/ { proxy_pass http://backend; }
    location /connect/ { proxy_pass http://hole; }
    location /implicit/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /several/ { proxy_pass http://several; }
    location /off/ { mon_deadline off; proxy_pass http://backend; }
    location /zero/ { mon_deadline 0; proxy_pass http://backend; }
    location /long/ { mon_deadline 1h; proxy_pass http://backend; }
    location /limit/ {
        limit_req zone=limit burst=100;
        proxy_pass http://backend;
    }
    location /resolve/ {
        resolver 127.0.0.1:%%PORT_8085%% ipv6=off;
        proxy_pass http://name.example:$arg_port;
    }
    location /retries/ {
        proxy_next_upstream error timeout http_500;
        proxy_pass http://several;
    }
    location /ignore/ {
        proxy_ignore_client_abort on;
        proxy_pass http://backend;
    }
    location /fastcgi/ {
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param REQUEST_URI $request_uri;
        fastcgi_pass 127.0.0.1:%%PORT_8084%%;
    }
}
EOC

my $b = $t->backend(8081);

$t->backend(8083);
$t->backend(8084, proto => 'fastcgi');
$t->blackhole(8082);

# a name server that takes questions and never answers

my $dns = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1',
				LocalPort => $t->port(8085)) or die $!;

$t->run();

my $n = 0;

sub late {
	my ($uri, $what, %o) = @_;
	my $client = $t->client();
	my $start = time();
	my $r = $client->request($o{method} // 'GET', $uri, %o);
	my $took = time() - $start;

	is($r->{status}, 504, "$what: 504");
	cmp_ok($took, '>', 0.45, 'not before its time');
	cmp_ok($took, '<', 10, 'but then');
	$n++;

	is($client->get('/off/')->{status}, 200, 'the connection goes on');
	$client->close();
}

late('/up/wait/a', 'a peer that thinks');
late('/up/wait/a', 'again');
late('/up/wait/a', 'with a body', method => 'POST', body => 'x' x 50000);
late('/connect/', 'a peer that does not accept');
late('/implicit/wait/a', 'an implicit upstream');
late('/several/wait/a', 'several peers');
late('/ignore/wait/a', 'proxy_ignore_client_abort');
late('/fastcgi/wait/a', 'fastcgi');
late('/resolve/?port=' . $t->port(8081), 'a name server');
late('/retries/delay/0.3/status/500', 'retries');

is($t->get('/limit/')->{status}, 200, 'the limit is reached');
late('/limit/', 'a delay by limit_req');

# on time

is($t->get("$_/delay/0.7")->{status}, 200, "$_: no deadline")
	for qw{ /off /zero /long };
is($t->get('/up/')->{status}, 200, 'on time');

my $client = $t->client();

is($client->get('/up/delay/0.01')->{status}, 200, 'on time') for 1 .. 20;

# a client that leaves before

$client->send_request('GET', '/long/wait/a');
$t->wait_metric(1, 'nginx_upstream_requests_in_flight', upstream => 'backend');
$client->close();

my $m;

wait_for(sub {
	$m = $t->metrics();
	$m->get('nginx_http_requests_in_flight') == 0
		&& $m->get('nginx_upstream_requests_in_flight') == 0
		&& ($m->get('nginx_http_requests_total', status => 499) // 0) == 1
}, 10, 'nothing in flight');

is($m->get('nginx_http_errors_total', reason => 'deadline'), $n, 'counted');
is($m->get('nginx_http_requests_total', status => 504), $n, 'as 504');
is($m->get('nginx_http_errors_total', reason => 'client_abort'), 1,
   'who left is no deadline');
is($m->get('nginx_connections_active'), 1, 'no connection is left');

my @lines = $t->log_lines(qr/deadline of 500ms exceeded/);

is(@lines, $n, 'a line each');
is(grep(/\[warn\].* while reading response header from upstream, client: /,
	@lines), 8, 'what it waited for');
is(grep(/\[warn\].* while connecting to upstream,/, @lines), 1, 'a connection');
is(grep(/\[warn\].* while delaying request,/, @lines), 1, 'a delay');
is(grep(/while resolving upstream,/, @lines), 1, 'a name');

done_testing();
