#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The document of mon_health: its shape, its checks, its status.

use NgxMon;

use JSON::PP qw/ decode_json /;
use Time::HiRes qw/ time /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location = /health { mon_health; }
    location = /live { mon_health live; }
    location = /ready { mon_health ready; }
    location / { proxy_pass http://backend; }
}
EOC

$t->run();

sub jq {
	my ($body, $filter) = @_;

	$t->write_file('health.json', $body);

	my $out = $t->command('jq', '-ce', $filter, $t->dir() . '/health.json');
	chomp $out;

	return $out;
}

for my $uri (qw{ /health /live /ready }) {
	my $r = $t->get($uri);

	is($r->{headers}{'content-type'}, 'application/json', "$uri: type");
	is($r->{headers}{'cache-control'}, 'no-store', 'not stored');
	is($r->{headers}{'content-length'}, length $r->{body}, 'length');
	like($r->{body}, qr/\}\n\z/, 'ends with a newline');
	is(jq($r->{body}, 'keys_unsorted'),
	   '["status","timestamp","uptime_seconds","checks"]', 'members');
	like(jq($r->{body}, '.status'), qr/^"(?:healthy|degraded)"$/, 'status');
	is(jq($r->{body}, '.uptime_seconds | type'), '"number"', 'uptime');
	cmp_ok(abs(jq($r->{body}, '.timestamp | fromdate') - time()), '<', 5,
	       'now');
	is(jq($r->{body}, '[.checks[] | (.message | type), (.status'
	      . ' | IN("healthy", "degraded", "unhealthy", "critical"))]'
	      . ' | unique - [true, "string"]'), '[]', 'checks');

	is($t->request('HEAD', $uri)->{status}, $r->{status}, 'HEAD');

	# the messages change with the time

	ok(wait_for(sub {
		my $length = length $t->get($uri)->{body};
		my $head = $t->request('HEAD', $uri);

		return $head->{headers}{'content-length'} == $length;
	}, 5, 'length of HEAD'), 'length');
}

is(jq($t->get('/live')->{body}, '.status'), '"healthy"', 'live is healthy');
is(jq($t->get('/live')->{body}, '.checks'), '{}', 'live checks nothing');

for my $uri (qw{ /health /ready }) {
	is(jq($t->get($uri)->{body}, '.checks | keys'),
	   '["connections","disk","memory","upstreams","workers","zone"]',
	   "checks of $uri");
}

# the status is the worst of the checks

my $health = $t->get('/health');
my $status = jq($health->{body}, '.status');
my @order = map { "\"$_\"" } qw/ healthy degraded unhealthy critical /;
my ($worst) = reverse grep { $health->{body} =~ /\{"status":$_,"message/ }
	@order;

is($status, $worst, 'the worst');
is($health->{status}, $status =~ /un|crit/ ? 503 : 200, 'the status code');

# uptime goes on over a reload

ok(wait_for(sub { jq($t->get('/live')->{body}, '.uptime_seconds') >= 1 }, 5,
	    'a second'), 'uptime grows');

$t->reload();
cmp_ok(jq($t->get('/live')->{body}, '.uptime_seconds'), '>=', 1,
       'a reload does not end it');

done_testing();
