#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A peer that fails so often in a row is ejected by all workers, tried once
# its time is over, and used again when it answers.

use NgxMon;

for my $workers (1, 4) {
	for my $zone ('', 'zone u 64k;') {
		ejects($workers, $zone);
	}
}

done_testing();


sub ejects {
	my ($workers, $zone) = @_;

	my $is = "$workers workers" . ($zone ? ', zone' : '');
	my $t = NgxMon->new(workers => $workers);

	$t->conf(<<"EOC");
mon_zone mon 4m;

upstream u {
    $zone
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_outlier consecutive=3 eject=500ms on=http_500;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://u; }
    location = /metrics { mon_metrics; }
}
EOC

	my $bad = $t->backend(8081, mode => '/status/500');
	my $good = $t->backend(8082);
	my @peer = (upstream => 'u', peer => '127.0.0.1:' . $t->port(8081));

	$t->run();

	my $m = $t->metrics();

	is($m->get('nginx_upstream_ejections_total', @peer), 0, "$is: zero");
	is($m->get('nginx_upstream_panic', upstream => 'u'), 0, "$is: no panic");
	is($m->get('nginx_upstream_panics_total', upstream => 'u'), 0,
	   "$is: none ever");
	is($m->get('nginx_upstream_peer_state', @peer, state => 'up'), 1,
	   "$is: up");

	# until it is ejected; each worker has a list of its own without zone

	my $failed = 0;

	wait_for(sub {
		$failed++ if $t->get('/')->{status} == 500;
		$t->metric('nginx_upstream_ejections_total', @peer);
	}, 10, 'to be ejected');

	is($failed, 3, "$is: after three failures");
	is($bad->requests(), 3, "$is: that it saw");
	is($t->metric('nginx_upstream_peer_state', @peer, state => 'ejected'),
	   1, "$is: state");
	is($t->metric('nginx_upstream_peer_state', @peer, state => 'down'),
	   0, "$is: not down");
	like($t->read_file('error.log'), qr/\[warn\].*[ ]peer[ ]"127[^"]+"[ ]of
		[ ]upstream[ ]"u"[ ]is[ ]ejected[ ]for[ ]500ms:[ ]3[ ]failures
		[ ]in[ ]a[ ]row,[ ]3[ ]of[ ]3[ ]calls[ ]failed[ ]in[ ]10000ms;
		[ ]times[ ]in[ ]a[ ]row:[ ]1,[ ]peers[ ]out:[ ]1[ ]of[ ]2/x,
	     "$is: the figures");

	# trials that fail, each after a longer time

	my $before = $bad->requests();

	wait_for(sub {
		$t->get('/');
		$t->metric('nginx_upstream_ejections_total', @peer) == 3;
	}, 20, 'two trials');

	is($bad->requests() - $before, 2, "$is: two trials, two requests");

	my @times = $t->read_file('error.log') =~ /is ejected for (\d+)ms/g;

	is("@times", '500 1000 1500', "$is: growing times");

	# it answers again

	$bad->mode('/status/200');

	wait_for(sub {
		$t->get('/');
		$t->metric('nginx_upstream_peer_state', @peer, state => 'up');
	}, 20, 'to be back');

	like($t->read_file('error.log'),
	     qr/\[warn\].* peer "127[^"]+" of upstream "u" is back: it passed/,
	     "$is: back");

	$before = $bad->requests();
	is(scalar(grep { $t->get('/')->{status} != 200 } 1 .. 20), 0,
	   "$is: all is well");

	my $n = $bad->requests() - $before;

	cmp_ok($n, '>=', 20 / 2 - $workers, "$is: its share");
	$t->stop();
}
