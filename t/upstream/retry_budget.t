#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Retries in flight are a share of the requests in flight, or as many as min=,
# over all workers; those of proxy_next_upstream too.

use NgxMon;

my $t = NgxMon->new(workers => $ENV{NGX_MON_WORKERS} || 4);

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream share {
    server 127.0.0.1:%%PORT_8081%%;
    mon_retry budget=20% min=0 backoff=1h;
}

upstream floor {
    server 127.0.0.1:%%PORT_8081%%;
    mon_retry budget=0% min=3 backoff=1h;
}

upstream next {
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    server 127.0.0.1:%%PORT_8081%% backup;
    mon_retry budget=0% min=2;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /share/ { proxy_pass http://share; }
    location /floor/ { proxy_pass http://floor; }
    location /next/ { proxy_pass http://next; }
    location /other/ {
        proxy_pass http://share;
        mon_retry budget=0% min=100 backoff=1h;
    }
    location /none/ {
        proxy_pass http://share;
        mon_retry off;
    }
    location = /metrics { mon_metrics; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

my $retries = 'nginx_upstream_retries_total';

# n requests that the backend holds, until it is told to fail them

sub held {
	my ($where, $n) = @_;

	my @held = map {
		my $client = $t->client();

		$client->send_request('GET',
			"/$where/wait/$where$_/status/503/header/X:%d0%a4");
		$client;
	} 1 .. $n;

	wait_for(sub {
		$n == grep { $_->{uri} =~ m{^/$where/} } $backend->requests()
	}, 10, "$n requests");

	return @held;
}

# one after the other; returns those that were answered

sub failed {
	my ($where, $up, $held) = @_;

	my @up = (upstream => $up);
	my @denied;

	for my $i (0 .. $#$held) {
		$backend->tell($where . ($i + 1));

		wait_for(sub {
			my $m = $t->metrics();

			$m->get($retries, @up, outcome => 'budget') > @denied
			|| $m->get('nginx_upstream_retries_in_flight', @up)
				== $i + 1 - @denied
		}, 10, "$where $i");

		push @denied, $i
			if $t->metric($retries, @up, outcome => 'budget')
			> @denied;
	}

	return @denied;
}

sub left {
	my (@clients) = @_;

	$_->close() for @clients;
	$t->wait_metric(0, 'nginx_upstream_calls_in_flight');
	is($t->metric('nginx_upstream_retries_in_flight'), 0, 'all is free');
}

# 20 % of the 25 others are 5; each one that is denied is one less in flight

my @held = held('share', 30);

is($t->metric('nginx_upstream_calls_in_flight', upstream => 'share'), 30,
   'all in flight');

my @denied = failed('share', 'share', \@held);

is(scalar @denied, 25, 'a fifth of the others may be retried');
is(join(' ', @denied), join(' ', 5 .. 29), 'all but the first');

my $r = $held[29]->response();

is($r->{status}, 503, 'the others get the answer');
is($r->{headers}{'x-backend'}, $t->port(8081), 'with its headers');
is($r->{body}, "GET /share/wait/share30/status/503/header/X:%d0%a4\n",
   'and its body');

# a location with another budget counts with those; none retries, and counts

$backend->tell("other$_") for 1 .. 4;

my @more = held('none', 5);

push @more, held('other', 4);

$t->wait_metric(9, 'nginx_upstream_retries_in_flight', upstream => 'share');
is($t->metric('nginx_upstream_calls_in_flight', upstream => 'share'), 14,
   'requests that are never retried count');
left(@held, @more);

# the floor

@held = held('floor', 12);
@denied = failed('floor', 'floor', \@held);
is(scalar @denied, 9, 'min= whatever the share');
left(@held);

# proxy_next_upstream would take all of them to the backup

my @clients = map {
	my $client = $t->client();

	$client->send_request('GET', "/next/wait/next$_");
	$client;
} 1 .. 12;

$t->wait_metric(10, $retries, upstream => 'next', outcome => 'budget');

my $m = $t->metrics();

is($m->get('nginx_upstream_retries_in_flight', upstream => 'next'), 2,
   'of those that nginx would make no more, either');
is($m->get('nginx_upstream_requests_in_flight', upstream => 'next',
	   peer => '127.0.0.1:' . $t->port(8081)), 2, 'at once');

$backend->tell("next$_") for 1 .. 12;

my %status;

$status{$_->response()->{status}}++ for @clients;
is($status{200}, 2, 'these are answered');
is($status{502}, 10, 'the others failed');
left(@clients);

done_testing();
