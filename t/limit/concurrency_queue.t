#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The queue of mon_concurrency: who came first is let through first, whatever
# worker he came to; who is not within "timeout", or comes when it is full, is
# refused; who leaves, leaves it.

use NgxMon;

for my $workers (1, 4) {
	my $t = NgxMon->new();

	$t->conf(<<'EOC', workers => $workers);
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%% reuseport;

    location = /metrics { mon_metrics; }
    location / {
        mon_concurrency max=2 queue=20 timeout=60s;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /short/ {
        mon_concurrency max=1 queue=20 timeout=300ms status=429;
        proxy_pass http://127.0.0.1:%%PORT_8081%%/;
    }
}
EOC

	my $backend = $t->backend(8081);

	$t->run();

	# two are let through, the others come one by one

	my $queued = sub {
		my ($n, %o) = @_;

		return $t->wait_metric($n, 'nginx_http_concurrency_queued',
				       name => $o{name} // '/');
	};

	my @clients;

	for my $i (0 .. 21) {
		push @clients, $t->client();
		$clients[$i]->send_request('GET', "/wait/$i");
		$i > 1 ? $queued->($i - 1)
		       : wait_for(sub { ($backend->requests() // 0) == $i + 1 });
	}

	is($t->get('/')->{status}, 503, "$workers workers: the queue is full");

	# two leave

	$clients[$_]->reset() for 5, 12;
	ok($queued->(18), 'who leaves, leaves the queue');

	push @clients, $t->client();
	$clients[22]->send_request('GET', '/wait/22');
	ok($queued->(19), 'another one has the place');

	my @order = grep { $_ != 5 && $_ != 12 } 0 .. 22;

	for my $i (0 .. $#order) {
		my $n = $i + 2 > @order ? @order : $i + 2;

		# the backend has seen who was let through last

		wait_for(sub { $backend->requests() == $n }, 10, "request $n");
		$backend->tell($order[$i]);
		is($clients[$order[$i]]->response()->{status}, 200,
		   "answer $i");
	}

	is(join(' ', map { $_->{uri} =~ /(\d+)/ } $backend->requests()),
	   join(' ', @order), 'in their order');

	ok($queued->(0), 'nobody waits');
	is($t->metric('nginx_http_concurrency_in_flight'), 0, 'none in flight');

	# timeout

	@clients = map { $t->client() } 0 .. 5;
	$clients[0]->send_request('GET', '/short/wait/done');
	$t->wait_metric(1, 'nginx_http_concurrency_in_flight',
			name => '/short/');
	$_->send_request('GET', '/short/') for @clients[1 .. 5];

	is($clients[$_]->response()->{status}, 429, 'it waited too long')
		for 1 .. 5;

	ok($queued->(0, name => '/short/'), 'nobody waits');
	$backend->tell('done');
	is($clients[0]->response()->{status}, 200, 'the one in flight');

	my $m = $t->metrics();
	my %outcome = map {
		my $outcome = $_;
		($outcome, $m->get('nginx_http_limited_requests_total',
				   limiter => 'mon_concurrency',
				   outcome => $outcome))
	} qw/ passed queued rejected timeout aborted /;

	is_deeply(\%outcome, { passed => 3, queued => 19, rejected => 1,
			       timeout => 5, aborted => 2 }, 'outcomes');
	is($m->get('nginx_http_errors_total', reason => 'limited'), 6,
	   'reasons');

	$t->stop();
}

done_testing();
