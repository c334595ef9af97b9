#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# When there is no further attempt the client gets the last answer, with its
# status, headers and body, however many peers proxy_next_upstream has left.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

log_format attempts '$request_uri|$upstream_addr|$upstream_status';

upstream one {
    server 127.0.0.1:%%PORT_8081%%;
    mon_retry attempts=3 backoff=5ms on=http_500,http_503,error,timeout;
}

upstream three {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    server 127.0.0.1:%%PORT_8083%% max_fails=0;
    mon_retry attempts=2 backoff=5ms;
}

upstream never {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_retry attempts=1;
}

upstream refused {
    server 127.0.0.1:%%PORT_8084%% max_fails=0;
    server 127.0.0.1:%%PORT_8085%% max_fails=0;
    server 127.0.0.1:%%PORT_8086%% max_fails=0;
    mon_retry attempts=2 backoff=5ms;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    access_log %%TESTDIR%%/access.log attempts;

    proxy_next_upstream error timeout http_500 http_503;
    proxy_read_timeout 150ms;

    location /one/ { proxy_pass http://one; }
    location /three/ { proxy_pass http://three; }
    location /never/ { proxy_pass http://never; }
    location /refused/ { proxy_pass http://refused; }
    location /late/ {
        proxy_pass http://one;
        proxy_next_upstream_timeout 100ms;
        mon_retry attempts=50 backoff=40ms on=http_503;
    }
    location /caught/ {
        proxy_pass http://one;
        proxy_intercept_errors on;
        error_page 503 = @fallback;
    }
    location @fallback { return 200 fallback; }
    location = /metrics { mon_metrics; access_log off; }
}
EOC

my @backends = map { $t->backend($_) } 8081 .. 8083;

$t->run();

sub attempts {
	my ($uri) = @_;

	return scalar grep { $_->{uri} eq $uri }
		map { $_->requests() } @backends;
}

sub statuses {
	my ($uri) = @_;

	wait_for(sub { $t->log_lines(quotemeta "$uri|", 'access.log') }, 10,
		 'the log');

	my ($line) = $t->log_lines(quotemeta "$uri|", 'access.log');

	return (split /\|/, $line)[2];
}

for ([one => 500, 3], [one => 503, 3], [three => 500, 2], [three => 503, 2],
     [never => 503, 1])
{
	my ($up, $status, $n) = @$_;
	my $uri = "/$up/status/$status/header/X-Word:last/bytes/20000";
	my $r = $t->get($uri);

	is($r->{status}, $status, "$up $status: passed");
	is($r->{headers}{'x-word'}, 'last', "$up $status: its header");
	is($r->{body}, 'x' x 20000, "$up $status: its body");
	is(attempts($uri), $n, "$up $status: $n attempts");
	is(statuses($uri), join(', ', ($status) x $n), "$up $status: logged");
}

# a status that proxy_next_upstream alone names is bounded, too

is($t->metric('nginx_upstream_retries_total', upstream => 'three',
	      outcome => 'attempts'), 2, 'denied by attempts');
is($t->metric('nginx_upstream_retries_total', upstream => 'never'), 1,
   'one decision');

# without an answer

my $r = $t->get('/refused/');

is($r->{status}, 502, 'refused');
is(statuses('/refused/'), '502, 502', 'at two of three');

$r = $t->get('/one/wait/never');
is($r->{status}, 504, 'no answer in time');
is(statuses('/one/wait/never'), '504, 504, 504', 'three times');

# the time for all attempts

$r = $t->get('/late/status/503/bytes/100');
is($r->{status}, 503, 'proxy_next_upstream_timeout');
is(length $r->{body}, 100, 'the last answer');

my $n = attempts('/late/status/503/bytes/100');

cmp_ok($n, '>', 1, 'more than one');
cmp_ok($n, '<', 50, 'not all attempts');

# an error page of nginx comes only then

is($t->get('/caught/first/2/status/503')->{body},
   "GET /caught/first/2/status/503\n", 'retried');
is($t->get('/caught/status/503')->{body}, 'fallback', 'intercepted');
is(attempts('/caught/status/503'), 3, 'after all attempts');

done_testing();
