#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Series come and go while they are read: every scrape is whole and has no
# series twice, also one that is read slowly while they die and are made anew.

use NgxMon;

use Time::HiRes qw/ time /;

use NgxMon::Scrape qw/ judge_all skim /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
keepalive_requests 1000000;

mon_zone mon 8m inactive=1s;

server {
    listen 127.0.0.1:%%PORT_8080%% sndbuf=16k;

    location = /metrics { mon_metrics; }
    location / { mon_label x $arg_x max=2000; return 204; }
}
EOC

$t->run();

my $c = $t->client();
my $round = 0;

sub make {
	my (@values) = @_;

	$c->send(join '', map { "GET /?x=$_ HTTP/1.1\r\nHost: a\r\n\r\n" }
		 @values);
	$c->response(head => 1) for @values;
}

make(1 .. 300);

# this one gets some of a family, and rests while its series die

my @slow = map {
	my $s = $t->client(rcvbuf => $_ * 1024, timeout => 30);
	$s->send_request('GET', '/metrics?name=nginx_http_request_duration', close => 1);
	$s;
} 16, 32, 64;

for my $s (@slow) {
	$s->_fill() until length $s->{buf} > 2000;
}

my $end = time() + 4;
my $scrapes = 0;

# for a while, and on a busy machine for longer

while (time() < $end || ($scrapes <= 20 && time() < $end + 60)) {
	$round++;
	make(map { "r$round-$_" } 1 .. 40) if $round % 2;

	# these live on
	make(200 .. 300);

	my $wrong = skim($t->get('/metrics')->{body});

	$scrapes++;
	next unless $wrong;
	is($wrong, '', "scrape $scrapes");
	last;
}

cmp_ok($scrapes, '>', 20, "$scrapes scrapes while series came and went");

# the same series, made anew, are no longer those of before

make(1 .. 300);

is(skim($_->response()->{body}, 1), '', 'the slow one is whole') for @slow;
is(judge_all($t), '', 'accepted');

# all of them go

ok(wait_for(sub {
	my $body = $t->get('/metrics?name=nginx_http_requests_total')->{body};

	return $body !~ /x="/;
}, 20, 'an end of them'), 'nothing is left of them');

done_testing();
