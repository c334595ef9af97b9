#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Durations are true: not shorter than what happened, not longer than the
# client waited, without the time that a connection idled.

use NgxMon;

use Time::HiRes qw/ sleep time /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / { return 200 ok; }
    location /p/ {
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        proxy_buffering off;
    }
    location /s/ { mon_slow 100ms; proxy_pass http://127.0.0.1:%%PORT_8081%%; }
}
EOC

$t->backend(8081);
$t->run();

my $took;

# the growth of a histogram's sum by what the code does

sub measure {
	my ($code) = @_;
	my $total = 'nginx_http_requests_total';
	my $before = $t->metrics();
	my $start = time();

	$code->();
	$took = time() - $start;

	wait_for(sub { ($t->metric($total) // 0)
		       > ($before->get($total) // 0) }, 10, 'one more');

	my $after = $t->metrics();

	return map {
		my $name = "nginx_http_${_}_seconds_sum";
		$after->get($name) - $before->get($name)
	} qw/ request_duration time_to_first_byte /;
}

my ($duration, $ttfb) = measure(sub { $t->get('/p/delay/0.2') });

cmp_ok($duration, '>=', 0.2, 'a delay');
cmp_ok($duration, '<=', $took + 0.001, 'not longer than it took');
cmp_ok($ttfb, '>=', 0.2, 'the first byte after it');
cmp_ok($ttfb, '<=', $duration, 'before the end');

($duration, $ttfb) = measure(sub { $t->get('/p/slow/0.02/bytes/100') });

cmp_ok($duration, '>=', 0.2, 'a slow body');
cmp_ok($ttfb, '<', 0.15, 'the first byte comes early');

# a connection that idles

my $c = $t->client();

($duration, $ttfb) = measure(sub { $c->get('/') });
cmp_ok($duration, '<=', $took + 0.001, 'the first request');
sleep 0.15;
($duration, $ttfb) = measure(sub { $c->get('/') });
cmp_ok($duration, '<=', $took + 0.001, 'idle time is left out');
cmp_ok($duration, '>', 0, 'not nothing');

# a new connection that sends late

$c = $t->client();
sleep 0.15;
($duration) = measure(sub { $c->get('/') });
cmp_ok($duration, '<=', $took + 0.001, 'the wait for the first byte, too');

# the header in pieces, the first one counts

($duration, $ttfb) = measure(sub {
	$c = $t->client();
	$c->send("GET / HT");
	$t->wait_metric(1, 'nginx_connections_reading');
	sleep 0.1;
	$c->send("TP/1.1\r\nHo");
	sleep 0.1;
	$c->send("st: a\r\n\r\n");
	$c->response();
});

cmp_ok($duration, '>=', 0.199, 'a slow header');
cmp_ok($duration, '<=', $took + 0.001, 'not longer than it took');
cmp_ok($ttfb, '>=', 0.199, 'its first byte');

# a slow body of a request

($duration, $ttfb) = measure(sub {
	$c = $t->client();
	$c->send_request('POST', '/p/echo', headers => [
		'Content-Length' => 10 ]);
	$t->wait_metric(1, 'nginx_http_requests_in_flight');
	sleep 0.15;
	$c->send('0123456789');
	$c->response();
});

cmp_ok($duration, '>=', 0.149, 'a slow body of a request');
cmp_ok($duration, '<=', $took + 0.001, 'not longer than it took');

# mon_slow

my $slow = 'nginx_http_slow_requests_total';

is($t->metric($slow), 0, 'nothing is slow where nothing is said');
$t->get('/s/');
is($t->metric($slow, location => '/s/'), 0, 'a quick one');
$t->get('/s/delay/0.12');
is($t->metric($slow, location => '/s/'), 1, 'a slow one');
is($t->metric($slow), 1, 'only that');

done_testing();
