#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A rate that was raised, or a burst that was lowered, holds at once: a key that
# is too far ahead for it is set back to where its allowance is just used up.

use NgxMon;

my $t = NgxMon->new();

sub conf {
	my ($rate) = @_;

	return <<"EOC";
mon_zone mon 4m;
mon_limit_zone \$arg_key zone=z:32k $rate;
server {
    listen 127.0.0.1:%%PORT_8080%%;
    location / {
        mon_limit zone=z rate=\$arg_rate burst=\$arg_burst;
        root %%TESTDIR%%/html;
    }
}
EOC
}

$t->write_file('html/index.html', 'ok');
$t->conf(conf('rate=1r/d burst=2'))->run();

is($t->get('/?key=a')->{status}, 200, "$_ of a") for 1 .. 3;
is($t->get('/?key=a')->{status}, 429, 'no more');
is($t->get('/?key=b')->{status}, 200, "$_ of b") for 1 .. 3;

# by a plan, and by the zone

wait_for(sub { $t->get('/?key=a&rate=20r/s&burst=0')->{status} == 200 });

$t->conf(conf('rate=20r/s burst=1'))->reload();
wait_for(sub { $t->get('/?key=b')->{status} == 200 });

done_testing();
