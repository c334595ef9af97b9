#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The time of an ejection grows with each one in a row up to max_eject, and
# shrinks while the peer is well.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream u {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_outlier consecutive=1 eject=100ms max_eject=250ms on=http_500;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://u; }
    location = /metrics { mon_metrics; }
}
EOC

my $bad = $t->backend(8081, mode => '/status/500');

$t->backend(8082);
$t->run();

sub ejected {
	my @times = $t->read_file('error.log') =~ /is ejected for (\d+)ms/g;

	return @times;
}

wait_for(sub { $t->get('/'); ejected() == 5 }, 20, 'five');
is(join(' ', ejected()), '100 200 250 250 250', 'grows up to max_eject');

$bad->mode('/status/200');
wait_for(sub { $t->get('/'); $t->log_lines(qr/is back/) }, 10, 'its return');

# five times eject, and the time of the sixth

select undef, undef, undef, 0.7;

$bad->mode('/status/500');
wait_for(sub { $t->get('/'); ejected() == 6 }, 20, 'the sixth');
is((ejected())[5], 100, 'back to the first time');

done_testing();
