#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# When nobody is left, those that are ejected are used, by all workers, and it
# is said so.

use NgxMon;

my %upstreams = (
	plain => '',
	zone => 'zone zone 64k;',
	least_conn => 'least_conn; zone least_conn 64k;',
	hash => 'hash $uri;',
	two => 'random two;',
	backup => 'server 127.0.0.1:%%PORT_8083%% backup max_fails=0;',
	least_backup => 'least_conn;'
		. 'server 127.0.0.1:%%PORT_8083%% backup max_fails=0;',
);

my @names = sort keys %upstreams;

panics($_) for 1, 4;

done_testing();


sub panics {
	my ($workers) = @_;

	my $t = NgxMon->new(workers => $workers);

	$t->conf("mon_zone mon 8m;\n"
		. join('', map { <<"EOC" } @names)
upstream $_ {
    $upstreams{$_}
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_outlier consecutive=1 eject=1s max_ejected=100% on=http_500;
}
EOC
		. "server {\n    listen 127.0.0.1:%%PORT_8080%%;\n"
		. join('', map { <<"EOC" } @names)
    location /$_/ { proxy_pass http://$_; }
EOC
		. <<'EOC');
    location = /metrics { mon_metrics; }
    location = /ready { mon_health ready; }
}
EOC

	my @backends = map { $t->backend($_, mode => '/status/500') }
		8081, 8082, 8083;

	$t->run();

	my $i = 0;
	my $all = sub {
		return map { $t->get("/$_/" . $i++) } @names;
	};

	wait_for(sub {
		$all->();
		$t->metric('nginx_upstream_panics_total') == @names;
	}, 20, 'panic everywhere');

	my $m = $t->metrics();

	for (@names) {
		is($m->get('nginx_upstream_panic', upstream => $_), 1,
		   "$workers workers, $_: it says so");
		is($m->get('nginx_upstream_peer_state', upstream => $_,
			   state => 'ejected'), /backup/ ? 3 : 2,
		   "$workers workers, $_: all are out");
	}

	# all of them, and that each sees: answered by the peers

	my @seen = map { my @r = $_->requests(); scalar @r } @backends;
	my @bad = grep { $_->{status} != 500 || !$_->{headers}{'x-backend'} }
		map { $all->() } 1 .. 12;

	is(scalar @bad, 0, "$workers workers: answered by the peers");

	for my $k (0, 1) {
		my %uris = map { (split m{/}, $_->{uri})[1] => 1 }
			splice @{ [ $backends[$k]->requests() ] }, $seen[$k];

		is(join(' ', sort keys %uris), "@names",
		   "$workers workers: by each of them");
	}

	is($t->get('/ready')->{status}, 503, "$workers workers: not ready");

	# they recover; backup peers get no traffic that would tell

	$_->mode('/status/200') for @backends;

	wait_for(sub {
		$all->();

		my $m = $t->metrics();

		!grep { $m->get('nginx_upstream_peer_state', state => 'ejected',
			peer => '127.0.0.1:' . $t->port($_)) } 8081, 8082;
	}, 20, 'recovery');

	wait_for(sub {
		my @ends = $t->log_lines(
			qr/\[warn\].* has usable peers, panic ends/);

		@ends == @names;
	}, 20, 'the end');

	$m = $t->metrics();

	for my $name (@names) {
		is($m->get('nginx_upstream_panic', upstream => $name), 0,
		   "$workers workers, $name: over");
		is($m->get('nginx_upstream_panics_total',
			   upstream => $name), 1,
		   "$workers workers, $name: once");

		my @begins = $t->log_lines(
			qr/\[warn\].* upstream "$name" has no usable peer, /);

		is(scalar @begins, 1, "$workers workers, $name: one line");
	}

	is($t->get('/ready')->{status}, 200, "$workers workers: ready");
	$t->stop();
}
