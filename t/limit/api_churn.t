#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The lists of keys and limits are valid while keys come and go, keys are
# reset, nginx is reloaded and workers are killed.

use NgxMon;

use JSON::PP qw/ decode_json /;
use NgxMon::Client;
use NgxMon::Process qw/ slowness /;
use POSIX qw/ _exit /;
use Time::HiRes qw/ time /;

my $t = NgxMon->new(workers => 3);

$t->conf(<<'EOC');
mon_zone mon 8m;

mon_limit_zone $arg_k zone=churn:256k rate=20r/s burst=3;
mon_limit_zone $arg_k$arg_l zone=slow:256k rate=1r/h burst=3;

keepalive_requests 100000;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /mon/ { mon_status write; }
    location / {
        mon_limit zone=churn rate=$arg_r;
        mon_limit zone=slow dry_run;
        mon_concurrency max=5 key=$arg_k queue=5 name=keyed;
        empty_gif;
    }
}
EOC

$t->run();
$t->expect(qr/exited on signal 9/);

my $seconds = 8 * slowness();
my $end = time() + $seconds;

sub flood {
	my ($t, $n) = @_;

	srand($n);

	while (time() < $end) {
		my $c = eval { NgxMon::Client->new(port => $t->port(),
						   timeout => 5) } // next;

		for (1 .. 20) {
			last unless $c->send(join '', map {
				my $k = int rand(20000);
				my $l = 'x' x rand(rand() < 0.1 ? 1500 : 30);
				my $r = (qw{ 7r/s 1000r/s 13r/m 1r/h x })
					[rand 5];

				"GET /?k=$k&l=$l%22%5C\xff&r=$r HTTP/1.1\r\n"
				. "Host: a\r\n\r\n"
			} 1 .. 20);

			my $r;

			for (1 .. 20) {
				$r = $c->response();
				last if $r->{error};
			}

			last if $r->{error};
		}

		$c->close();
	}
}

my @pids = map {
	my $n = $_;
	my $pid = fork // die "can't fork: $!";

	if ($pid == 0) {
		eval { flood($t, $n) };
		_exit($@ ? 1 : 0);
	}

	$pid;
} 1 .. 2;

my ($lists, $most, $resets, $cut) = (0, 0, 0, 0);
my @wrong;

while (time() < $end) {
	for my $path (qw{ limits limits/zones/churn/keys
			  limits/zones/slow/keys limits/concurrency/keyed })
	{
		my $r = eval { $t->get("/mon/api/http/$path") };

		# a worker was killed

		if (!$r || $r->{error}) {
			$cut++;
			next;
		}

		my $json = eval { decode_json($r->{body}) };

		push @wrong, "$path $r->{status}: " . substr $r->{body}, 0, 500
			unless $json && $r->{status} == 200;

		my @keys = keys %{ $json // {} };

		$lists++;
		$most = @keys if @keys > $most;

		next unless $path =~ /churn/ && @keys;

		$r = eval { $t->request('POST', "/mon/api/http/$path/"
			. $keys[rand @keys] . '/reset',
			headers => ['X-Mon-Write' => 1]) };

		$resets++ if $r && $r->{status} == 200;
	}

	$t->kill_worker() if rand() < 0.1;
	$t->reload() if rand() < 0.05;
}

waitpid $_, 0 for @pids;

note("$lists lists, up to $most keys, $resets resets, $cut cut");
is_deeply(\@wrong, [], 'all lists are valid');
cmp_ok($lists, '>', 20, 'many of them');
cmp_ok($most, '>', 500, 'with many keys');
cmp_ok($resets, '>', 0, 'keys were reset');
is($t->get('/?k=new')->{status}, 200, 'serves');

done_testing();
