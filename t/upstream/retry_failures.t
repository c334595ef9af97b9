#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_retry tries again after each kind of failure that on= names, and the
# client is none the wiser.  One peer, which nginx by itself tries once.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

log_format attempts '$request_uri|$upstream_addr|$upstream_status'
		    '|$upstream_response_time|$status';

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_retry backoff=10ms on=error,timeout,invalid_header,http_500,http_502,http_503,http_504,http_429,http_403,http_404;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    access_log %%TESTDIR%%/access.log attempts;

    proxy_read_timeout 200ms;
    proxy_connect_timeout 1s;
    proxy_buffer_size 1k;

    location / { proxy_pass http://backend; }
    location = /metrics { mon_metrics; access_log off; }
}
EOC

my $b = $t->backend(8081);

$t->run();

my $peer = '127.0.0.1:' . $t->port(8081);
my $successes = 0;

# the backend fails once, then answers

sub retried {
	my ($uri, $status) = @_;

	my $name = substr $uri, 0, 20;

	$uri = "/first/1$uri";

	my $r = $t->get($uri);

	is($r->{status}, 200, "$name: answered");
	is($r->{body}, "GET $uri\n", "$name: with its body");
	is(scalar(grep { $_->{uri} eq $uri } $b->requests()), 2,
	   "$name: two attempts");

	my ($line) = wait_for(sub {
		($t->log_lines(quotemeta "$uri|", 'access.log'))[0]
	}, 10, "$uri in the log");
	my (undef, $addr, $statuses, $times, $last) = split /\|/, $line;

	is($addr, "$peer, $peer", "$name: addresses");
	is($statuses, "$status, 200", "$name: statuses");
	like($times, qr/^[\d.]+, [\d.]+$/, "$name: times");

	$t->wait_metric(++$successes, 'nginx_upstream_retries_total',
			outcome => 'success');
}

retried("/status/$_", $_) for 500, 502, 503, 504, 429, 403, 404;
retried($_, 502) for qw{ /reset /close /garbage /cut };
retried('/header/X:' . 'x' x 1100, 502);
retried('/wait/never', 504);

my $m = $t->metrics();

is($m->get('nginx_upstream_retries_total', outcome => $_), 0, "no $_")
	for qw/ failure aborted budget attempts /;
is($m->get('nginx_upstream_responses_total', status => 200), 13,
   'every attempt counts');
is($m->get('nginx_upstream_failures_total', reason => 'error'), 3, 'errors');
is($m->get("nginx_upstream_${_}_in_flight"), 0, "no $_ in flight")
	for qw/ calls retries requests /;

# once the header has passed there is no other answer

my $r = $t->get('/first/1/half');

is($r->{status}, 200, 'half a body');
is($r->{error}, 'closed', 'stays that');

# refused

$b->stop();
is($t->get('/refused')->{status}, 502, 'refused twice');

my ($line) = wait_for(sub { ($t->log_lines('/refused', 'access.log'))[0] },
		      10, 'the log');

like($line, qr/\|$peer, $peer\|502, 502\|/, 'two attempts');
is(scalar($t->log_lines(qr/connect\(\) failed/)), 2, 'each is logged');
$t->wait_metric(1, 'nginx_upstream_retries_total', outcome => 'failure');
$t->wait_metric(1, 'nginx_upstream_retries_total', outcome => 'attempts');

is(scalar($t->log_lines(qr/Bad file descriptor|timed out/)), 1,
   'nothing of the waits in the log');

done_testing();
