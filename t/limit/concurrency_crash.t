#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A worker that is killed gives back what its requests held, and those that
# waited in it leave the queue; the others keep their places.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new();

$t->conf(<<'EOC', workers => 4);
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%% reuseport;

    location = /metrics { mon_metrics; }
    location = /pid { return 200 $pid; }
    location / {
        add_header X-Pid $pid always;
        mon_concurrency max=4 queue=1000 timeout=60s;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

my $backend = $t->backend(8081);

$t->run();

sub queued {
	my ($n) = @_;

	return $t->wait_metric($n, 'nginx_http_concurrency_queued');
}

# a connection to each worker, and for each request the worker is known

sub client {
	my $client = $t->client();
	my $pid = $client->get('/pid')->{body};

	return { client => $client, pid => $pid };
}

my @held = map { client() } 1 .. 4;

$_->{client}->send_request('GET', "/wait/held") for @held;
ok($t->wait_metric(4, 'nginx_http_concurrency_in_flight'), 'in flight');

my @waiting;

for my $i (1 .. 40) {
	my $c = client();

	push @waiting, $c;
	$c->{client}->send_request('GET', "/wait/$i");
	queued($i) or last;
}

# the worker of one that is held

my $victim = $held[0]{pid};
my @lost = grep { $_->{pid} == $victim } @held;
my @left = grep { $_->{pid} != $victim } @held;
my @order = grep { $waiting[$_ - 1]{pid} != $victim } 1 .. 40;

my $begin = time();

$t->kill_worker($victim);

ok($t->wait_metric(@order - @lost, 'nginx_http_concurrency_queued'),
   'those who waited there are gone, others are let through');
cmp_ok(time() - $begin, '<', 10, 'soon');
is($t->metric('nginx_http_concurrency_in_flight'), 4, 'as many in flight');

# those who were let through: the first ones

ok(wait_for(sub { $backend->requests() == 4 + @lost }, 10, 'requests'),
   'they came to the backend');

$backend->tell('held');
is($_->{client}->response()->{status}, 200, 'one that was held') for @left;

for my $i (0 .. $#order) {
	my $n = $i + 4 > @order ? @order : $i + 4;

	wait_for(sub { $backend->requests() == 4 + $n }, 10, "request $n");
	$backend->tell($order[$i]);
	is($waiting[$order[$i] - 1]{client}->response()->{status}, 200,
	   "answer $order[$i]");
}

my @seen = grep { $_ } map { $_->{uri} =~ /(\d+)/ } $backend->requests();
my @late;

# four at a time come to the backend side by side

for my $i (0 .. $#seen) {
	push @late, $seen[$i] if abs($i - (grep { $order[$_] == $seen[$i] }
					   0 .. $#order)[0]) > 3;
}

is("@late", '', 'in their order');

ok($t->wait_metric(0, 'nginx_http_concurrency_in_flight'), 'none in flight');
is($t->metric('nginx_http_concurrency_queued'), 0, 'nobody waits');

# all places are there

my @clients = map { $t->client() } 1 .. 4;

$_->send_request('GET', '/wait/all') for @clients;
ok($t->wait_metric(4, 'nginx_http_concurrency_in_flight'), 'four again');
$backend->tell('all');
is($_->response()->{status}, 200, 'one of four') for @clients;

done_testing();
