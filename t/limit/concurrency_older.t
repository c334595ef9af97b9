#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# For a tenth of a second after a reload the workers of the older configuration
# have not been told to end; what they do then does not bring the older limit
# back.

use NgxMon;

use Time::HiRes qw/ sleep time /;

my $t = NgxMon->new();

sub conf {
	my ($max) = @_;

	$t->conf(<<"EOC", workers => 1);
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / { mon_concurrency max=$max name=one; }
}
EOC
}

sub limit {
	return eval { $t->metric('nginx_http_concurrency_limit') } // 0;
}

conf(1);
$t->run();

# a worker looks after its limits when it has begun, and each second from then
# on: the next reload takes effect shortly before it does so

my $begin = time();

for my $max (2 .. 5) {
	my ($seen, $back) = (0, 0);
	my $pause = $begin + 1.96 - time();

	sleep $pause if $pause > 0;

	conf($max);
	$begin = time();
	kill 'HUP', $t->pid();

	while (time() < $begin + 1.5) {
		my $limit = limit();

		$seen++ if $limit == $max;
		$back = $limit if $seen && $limit && $limit != $max;
		sleep 0.02;
	}

	ok($seen, "the limit of $max");
	is($back, 0, 'and no other one');
}

done_testing();
