#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A reload that comes to nothing once the configuration was read, as where a
# port is in use: nginx has forgotten its chain of filters by then, and a worker
# that starts later limits, tells and learns as the others do.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;
mon_limit_zone $arg_k zone=rate:1m rate=1r/h burst=1;

upstream quota {
    server 127.0.0.1:%%PORT_8081%%;
    mon_limit rate=1r/h burst=0;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location /rate { mon_limit zone=rate; empty_gif; }
    location /quota/ { proxy_pass http://quota; }
    location /adaptive/ {
        mon_concurrency max=adaptive;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

$t->backend(8081);
$t->run();

is($t->get('/rate?k=a')->{status}, 200, 'a request');

# the other configuration has nothing of all that

$t->expect(qr/bind\(\) to|still could not bind/);
$t->conf('server { listen 127.0.0.1:%%PORT_8080%%; '
	 . 'listen 127.0.0.1:%%PORT_8081%%; }');
kill 'HUP', $t->pid();
ok(wait_for(sub { $t->log_lines(qr/still could not bind/) }, 20, 'failed'),
   'a reload that fails');

$t->kill_worker();

my $first = $t->metric('nginx_http_time_to_first_byte_seconds_count',
		       location => '/rate');
my $r = $t->get('/rate?k=a');

is($r->{status}, 200, 'the last one');
like($r->{headers}{ratelimit}, qr/^"rate";r=0;t=3[56]/, 'told so');
$r = $t->get('/rate?k=a');
is($r->{status}, 429, 'refused');
like($r->{headers}{'retry-after'}, qr/^3[56]/, 'for an hour');

is($t->get('/quota/')->{status}, 200, 'a share of the upstream');
$r = $t->get('/quota/');
is($r->{status}, 503, 'there is none left');
is($r->{headers}{'retry-after'}, 3600, 'for an hour, too');

$t->wait_metric($first + 2, 'nginx_http_time_to_first_byte_seconds_count',
		location => '/rate');

ok(wait_for(sub {
	$t->get('/adaptive/');
	return $t->metric('nginx_http_concurrency_min_rtt_seconds');
}, 20, 'latency'), 'an adaptive limit learns');

done_testing();
