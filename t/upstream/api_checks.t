#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Active checks in the API, asked from any worker; a peer that its checks put
# out is not let in by hand.

use NgxMon;

use JSON::PP qw/ decode_json /;

my $t = NgxMon->new(workers => 4);

$t->conf(<<'EOC');
mon_zone mon 8m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8082%%;
    mon_check interval=100ms fall=2 rise=1;
}

upstream slow {
    server 127.0.0.1:%%PORT_8081%%;
    mon_check interval=1h mandatory;
    mon_slow_start 60s;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /mon/ { mon_status write; }
    location / { proxy_pass http://backend; }
}
EOC

$t->backend(8081);
$t->backend(8082, mode => '/status/500');
$t->run();

sub peer {
	my ($port, $rest, $upstream) = @_;

	my $uri = '/mon/api/http/upstreams/' . ($upstream // 'backend')
		. '/peers/127.0.0.1:' . $t->port($port) . ($rest // '');
	my $r = $t->request($rest ? 'POST' : 'GET', $uri,
			    headers => ['X-Mon-Write' => 1]);

	is($r->{status}, 200, 'status') if $r->{status} != 200;

	return decode_json($r->{body});
}

my $p = wait_for(sub {
	my $p = peer(8081);
	$p->{check}{passed} >= 3 && $p;
}, 10, 'checks');

my $c = $p->{check};

is($p->{state}, 'up', 'up');
is($p->{outlier}, undef, 'not judged otherwise');
is($p->{share}, 1, 'its share');
is_deeply([sort keys %$c], [qw/ failed failed_in_a_row last next_in passed
	passed_in_a_row state /], 'figures');
is($c->{state}, 'passed', 'passed');
is($c->{failed}, 0, 'none failed');
is($c->{failed_in_a_row}, 0, 'none in a row');
cmp_ok($c->{passed_in_a_row}, '>=', 3, 'passed in a row');
cmp_ok($c->{next_in}, '<=', .11, 'the next');
is_deeply([sort keys %{ $c->{last} }], [qw/ ago duration passed reason /],
	  'of the last');
is($c->{last}{passed}, JSON::PP::true, 'it passed');
is($c->{last}{reason}, undef, 'without a reason');
cmp_ok($c->{last}{duration}, '>', 0, 'took');
cmp_ok($c->{last}{ago}, '<', 5, 'a while ago');

$p = wait_for(sub {
	my $p = peer(8082);
	$p->{check}{state} eq 'failed' && $p;
}, 10, 'failed checks');

$c = $p->{check};

is($p->{state}, 'unhealthy', 'unhealthy');
is($p->{share}, 0, 'no share');
is($p->{forced}, JSON::PP::false, 'not by hand');
cmp_ok($c->{failed_in_a_row}, '>=', 2, 'failed in a row');
is($c->{last}{passed}, JSON::PP::false, 'it failed');
is($c->{last}{reason}, 'status 500', 'for a reason');

# by hand

is(peer(8082, '/restore')->{state}, 'unhealthy', 'checks are stronger');
is(peer(8081, '/eject')->{state}, 'ejected', 'ejected');
is($t->get('/')->{status}, 502, 'nobody is left');
is(peer(8081)->{check}{state}, 'passed', 'checks go on');
is(peer(8081)->{forced}, JSON::PP::true, 'and let nobody in');
is(peer(8081, '/restore')->{state}, 'up', 'restored');
is($t->get('/')->{status}, 200, 'serves');

# slow start, after it was restored

wait_for(sub { peer(8081, '', 'slow')->{state} eq 'up' }, 10, 'mandatory');
peer(8081, '/eject', 'slow');
cmp_ok(peer(8081, '/restore', 'slow')->{share}, '<', .5, 'slow start');

done_testing();
