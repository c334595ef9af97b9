#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A peer that came back gets a tenth of its share at first, then more and more
# of it, with every balancer; not at boot, and not when it is the only one.

use NgxMon;

my @balancers = ('', 'zone', 'hash $uri;', 'hash $uri consistent;', 'random;',
	'ip_hash;', 'least_conn;');

for my $workers (1, 4) {
	my $t = NgxMon->new(workers => $workers);
	my ($upstreams, $locations) = ('', '');
	my @names = map { "u$_" } 0 .. $#balancers;

	for my $i (0 .. $#balancers) {
		my $balancer = $balancers[$i] eq 'zone'
			? "zone u$i 64k;" : $balancers[$i];

		$upstreams .= <<"EOC";
upstream u$i {
    $balancer
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_outlier consecutive=1 eject=100ms on=http_500;
    mon_slow_start 10m;
}
EOC
		$locations .= <<"EOC";
    location /u$i/ { proxy_pass http://u$i; }
EOC
	}

	$t->conf(<<"EOC");
mon_zone mon 8m;

$upstreams

upstream only {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    server 127.0.0.1:%%PORT_8083%% max_fails=0 backup;
    mon_outlier consecutive=1 eject=100ms max_ejected=100% on=http_500;
    mon_slow_start 10m;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    keepalive_requests 100000;

    $locations
    location /only/ { proxy_pass http://only; }
    location = /metrics { mon_metrics; }
}
EOC

	my $back = $t->backend(8081);
	my $other = $t->backend(8082);

	$t->backend(8083);
	$t->run();

	my $n = 0;

	# clients of different networks, for ip_hash

	my @clients = map { $t->client(local => "127.0.$_.1") } 1 .. 40;

	my $sent = sub {
		my ($requests, @names) = @_;
		my $before = () = $back->requests();

		for (1 .. $requests) {
			$clients[++$n % @clients]->get("/$_/$n") for @names;
		}

		my %hits = map { $_ => 0 } @names;
		my @all = $back->requests();

		$hits{(split m{/}, $_->{uri})[1]}++
			for splice @all, $before;

		return \%hits;
	};

	# at boot its share is a half

	my $hits = $sent->(120, @names);

	for (@names) {
		cmp_ok($hits->{$_}, '>', 30,
		       "$workers workers, $balancers[substr $_, 1]: at boot");
	}

	my $ejected = sub {
		my ($mode, $state, @names) = @_;

		$back->mode($mode);

		wait_for(sub {
			for my $name (@names) {
				$_->get("/$name/" . $n++) for @clients[0 .. 9];
			}

			my $m = $t->metrics();

			@names == grep {
				$m->get('nginx_upstream_peer_state',
					upstream => $_, state => $state,
					peer => '127.0.0.1:' . $t->port(8081))
			} @names;
		}, 30, "to be $state");
	};

	$ejected->('/status/500', 'ejected', @names);
	$ejected->('/status/200', 'up', @names);

	# a twentieth of 240 is 12

	$hits = $sent->(240, @names);

	for (@names) {
		my $is = "$workers workers, $balancers[substr $_, 1]";

		cmp_ok($hits->{$_}, '<', 48, "$is: little of it");
		cmp_ok($hits->{$_}, '>', 0, "$is: but some");
	}

	# both are ejected, one comes back: the only one has its whole share

	$other->mode('/status/500');
	$ejected->('/status/500', 'ejected', 'only');
	wait_for(sub {
		$_->get('/only/' . $n++) for @clients;
		$t->metric('nginx_upstream_peer_state', upstream => 'only',
			   state => 'ejected') == 2;
	}, 20, 'the other one');
	$ejected->('/status/200', 'up', 'only');

	$hits = $sent->(60, 'only');
	cmp_ok($hits->{only}, '>=', 55, "$workers workers: the only one");

	$t->stop();
}

done_testing();
