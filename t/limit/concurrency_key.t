#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_concurrency key=: one limit, and one queue, for each value of the key.

use NgxMon;

for my $workers (1, 4) {
	my $t = NgxMon->new();

	$t->conf(<<'EOC', workers => $workers);
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%% reuseport;

    location = /metrics { mon_metrics; }
    location / {
        mon_concurrency max=2 key=$arg_k queue=3 timeout=60s name=keyed;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /small/ {
        mon_concurrency max=2 key=$arg_k size=32k;
        proxy_pass http://127.0.0.1:%%PORT_8081%%/;
    }
}
EOC

	my $backend = $t->backend(8081);

	$t->run();

	my $count = sub {
		my ($what, $n, %o) = @_;

		return $t->wait_metric($n, "nginx_http_concurrency_$what",
				       name => $o{name} // 'keyed');
	};

	# three keys, one of them long; none for those without one

	my @keys = ('a', 'b', 'c' x 500);
	my %clients;

	for my $key (@keys) {
		for my $i (1 .. 6) {
			my $client = $t->client();

			$client->send_request('GET', "/wait/$i?k=$key");
			push @{ $clients{$key} }, $client;
		}
	}

	ok($count->('in_flight', 6), "$workers workers: two of each key");
	ok($count->('queued', 9), 'three of each wait');
	ok($t->wait_metric(3, 'nginx_http_limited_requests_total',
			   outcome => 'rejected'), 'one of each is refused');
	is($t->metric('nginx_http_concurrency_limit', name => 'keyed'), 2,
	   'the limit of a key');

	my @free = map { $t->client() } 1 .. 10;

	$_->send_request('GET', '/wait/free') for @free;
	ok(wait_for(sub { $backend->requests() == 16 }, 10, 'requests'),
	   'without a key none is limited');
	ok($count->('in_flight', 6), 'nor counted');

	$backend->tell($_) for 1 .. 6;

	for my $key (@keys) {
		my %status;

		$status{$_->response()->{status}}++ for @{ $clients{$key} };
		is_deeply(\%status, { 200 => 5, 503 => 1 },
			  'answers of ' . substr $key, 0, 1);
	}

	$backend->tell('free');
	is(scalar(grep { $_->response()->{status} == 200 } @free), 10,
	   'those without');

	ok($count->('in_flight', 0), 'none in flight');
	ok($count->('queued', 0), 'nobody waits');

	# more keys than there is room for, but not at a time

	my ($client, $bad) = ($t->client(), 0);

	for my $i (1 .. 900) {
		my $key = 'x' x 200 . $i;

		$bad++ if $client->get("/small/?k=$key")->{status} != 200;
	}

	is($bad, 0, 'idle keys make room');
	ok($count->('in_flight', 0, name => '/small/'), 'none in flight');

	# and at a time

	my @many;

	for my $i (1 .. 250) {
		my $c = $t->client();

		$c->send_request('GET', '/small/wait/many?k='
				 . 'y' x 200 . $i);
		push @many, $c;
	}

	ok(wait_for(sub {
		my $m = $t->metrics();

		250 == $m->get('nginx_http_concurrency_in_flight',
			       name => '/small/')
			+ ($m->get('nginx_http_limited_requests_total',
				   location => '/small/',
				   outcome => 'rejected') // 0)
	}, 10, 'many requests'), 'many at a time');

	$backend->tell('many');

	my %status;

	$status{$_->response()->{status}}++ for @many;

	cmp_ok($status{200} // 0, '>', 50, 'those with room for their key');
	cmp_ok($status{503} // 0, '>', 50, 'the others are refused');
	is(scalar($t->log_lines(qr/no room for keys/)), 1, 'one line says so');
	ok($count->('in_flight', 0, name => '/small/'), 'none in flight');

	$t->stop();
}

done_testing();
