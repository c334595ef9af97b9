#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A zone with several limits: what a client has used up of a large one is not
# given back when a small one refuses it; and what it is told to wait is true.

use NgxMon;

my $t = NgxMon->new();

sub conf {
	my ($zone, $large, $small) = @_;

	return <<"EOC";
mon_zone mon 4m;

mon_limit_zone \$arg_k zone=z:1m $zone;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /large { empty_gif; mon_limit zone=z $large; }
    location /small { empty_gif; mon_limit zone=z $small; }
}
EOC
}

my $key = 0;

sub used_up {
	my ($name) = @_;

	my $n = 0;

	$key++;
	$n++ while $n < 100 && $t->get("/large?k=$key")->{status} == 200;
	is($n, 10, "$name: the large one, and no more");

	for (1 .. 5) {
		my $r = $t->get("/small?k=$key");

		is($r->{status}, 429, "$name: the small one refuses");

		# until the large one has given back all but what it may use

		cmp_ok($r->{headers}{'retry-after'}, '>', 8 * 3600,
		       "$name: for long");
		cmp_ok($r->{headers}{'retry-after'}, '<=', 10 * 3600,
		       "$name: but not longer");
		is($t->get("/large?k=$key")->{status}, 429,
		   "$name: and so does the large one still");
	}
}

$t->conf(conf('rate=1r/h burst=9', '', 'burst=0'))->run();
used_up('another burst');

$t->conf(conf('rate=1r/h burst=9', '', 'rate=1000r/s burst=0'))->reload();
used_up('another rate');

$t->conf(conf('rate=1r/h burst=9', '', 'rate=7r/m burst=0'))->reload();
used_up('a rate of another unit');

$t->conf(conf('rate=1r/h burst=9', '', 'rate=$arg_rate burst=$arg_burst'))
	->reload();

for my $plan ('rate=1000r/s&burst=0', 'rate=7r/m', 'burst=1') {
	$key++;
	is($t->get("/large?k=$key")->{status}, $_, "$plan: $_")
		for (200) x 10, 429;
	$t->get("/small?k=$key&$plan") for 1 .. 5;
	is($t->get("/large?k=$key")->{status}, 429, "$plan: still refused");
}

# what a reload leaves is bounded by the largest one

$t->conf(conf('rate=1000r/s', 'burst=3', 'burst=0'))->reload();
wait_for(sub { $t->get("/small?k=1")->{status} == 200 }, 10, 'a higher rate');

done_testing();
