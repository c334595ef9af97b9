#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_breaker has the last word: no retry once the circuit is open, also after
# a wait that began before, nor of a trial that has no probe to spare.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=1 open=1h on=http_503;
    mon_retry attempts=3 backoff=800ms min=100;
}

upstream trial {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=1 open=100ms max_open=100ms probes=1 on=http_503;
    mon_retry attempts=3 backoff=0 on=http_503;
}


server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://backend; }
    location /trial/ { proxy_pass http://trial; }
    location = /metrics { mon_metrics; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

my $retries = 'nginx_upstream_retries_total';

sub attempts {
	my ($uri) = @_;

	return scalar grep { $_->{uri} =~ m{^\Q$uri\E} } $backend->requests();
}

# several wait; one that is not retried opens the circuit

my @clients = map {
	my $client = $t->client();

	$client->send_request('GET', "/first/1/close?$_");
	$client;
} 1 .. 12;

wait_for(sub { attempts('/first/1/close') >= 12 }, 10, 'the first attempts');

is($t->request('POST', '/status/503')->{status}, 503, 'this one opens it');
is($t->metric('nginx_upstream_breaker_state', upstream => 'backend',
	      state => 'open'), 1, 'it is open');

my $n = $backend->requests();
my %status;

$status{$_->response()->{status}}++ for @clients;

is(join(' ', grep { $_ != 200 } keys %status), 502, 'what waited failed');
cmp_ok($backend->requests() - $n, '<=', 1, 'nothing more was sent');
is($t->metric($retries, upstream => 'backend', outcome => 'aborted'),
   $status{502}, 'and counted');
is($t->metric('nginx_upstream_retries_in_flight'), 0, 'all is free');

# a trial of one probe

is($t->get('/trial/1/status/503')->{status}, 503, 'opens the other one');
is(attempts('/trial/1/'), 3, 'after its retries');

my $r;

wait_for(sub {
	$r = $t->get('/trial/2/status/503/bytes/10');
	attempts('/trial/2/');
}, 10, 'a trial');

is($r->{status}, 503, 'the trial failed');
is($r->{body}, 'x' x 10, 'its answer is passed');
is(attempts('/trial/2/'), 1, 'one attempt was all');

wait_for(sub { $t->get('/trial/3/')->{status} == 200 }, 10, 'a good trial');
is($t->metric('nginx_upstream_breaker_state', upstream => 'trial',
	      state => 'closed'), 1, 'closes it');

$t->wait_metric(0, 'nginx_upstream_calls_in_flight');
is($t->metric('nginx_upstream_retries_in_flight'), 0, 'all is free');

done_testing();
