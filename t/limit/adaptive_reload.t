#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# An adaptive limit grows with what is asked for, outlives a worker that is
# killed, and a time with a fixed limit: that one holds meanwhile, whatever
# workers of the older configuration still see.

use NgxMon;

my $t = NgxMon->new();

my $conf = <<'EOC';
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%% reuseport;

    location = /metrics { mon_metrics; }
    location / {
        mon_concurrency max=LIMIT name=app queue=100 timeout=60s;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

my $with = sub { $conf =~ s/LIMIT/$_[0]/r };

$t->conf($with->('adaptive'), workers => 2);

my $backend = $t->backend(8081);

$t->run();

my $limit = sub {
	return $t->metric('nginx_http_concurrency_limit', name => 'app');
};

my @clients = map { $t->client() } 1 .. 40;

for (1 .. 60) {
	$_->send_request('GET', '/delay/0.02') for @clients;
	$_->response() for @clients;
	last if $limit->() > 25;
}

my $grown = $limit->();

ok($grown > 20, "it grew: $grown");
cmp_ok($grown, '<=', 1000, 'within its bounds');

$t->kill_worker();

is($limit->(), $grown, 'a worker that is killed takes nothing with it');

# workers of the older configuration are kept busy meanwhile

my @old = map { $t->client() } 1 .. 60;
my $n = $backend->requests();

$_->send_request('GET', '/wait/go') for @old;
ok(wait_for(sub { $backend->requests() >= $n + $grown }, 20, 'requests'),
   'as many are let through');

$t->conf($with->('500'), workers => 2);
$t->reload();

is($limit->(), 500, 'a fixed limit holds at once');

$backend->tell('go');
is(scalar(grep { $_->response()->{status} == 200 } @old), 60,
   'who came before is answered');
is($limit->(), 500, 'and it still holds');

$t->conf($with->('adaptive'), workers => 2);
$t->reload();

ok($t->metric('nginx_http_concurrency_min_rtt_seconds', name => 'app') > 0.01,
   'what was learned is there again');

done_testing();
