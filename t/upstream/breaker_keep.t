#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The state of a circuit outlives reloads, zones of another size and the
# workers; other parameters hold from the reload on.

use NgxMon;

my $t = NgxMon->new(workers => 2);

sub conf {
	my ($size, $params) = @_;

	return <<"EOC";
mon_zone mon $size;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker $params;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { proxy_pass http://backend; }
    location = /metrics { mon_metrics; }
}
EOC
}

my $b = $t->backend(8081);

$t->conf(conf('4m', 'min=10 open=60s'))->run();

# a window that began before

$t->get('/status/502') for 1 .. 6;
$t->reload();
$t->get('/status/502') for 1 .. 3;

sub state_of {
	my $m = $t->metrics();

	for (qw/ closed open half_open /) {
		return $_ if $m->get('nginx_upstream_breaker_state',
				     state => $_);
	}
}

is(state_of(), 'closed', 'not yet');
$t->get('/status/502');
is(state_of(), 'open', 'open');

my ($opened) = $t->log_lines('breaker "backend" opened');

like($opened, qr/10 of 10 calls failed/, 'those before the reload, too');
is($t->get('/')->{status}, 503, 'refused');

$t->reload();
is($t->get('/')->{status}, 503, 'refused after a reload');

$t->conf(conf('8m', 'min=10 open=60s'))->reload();
is($t->get('/')->{status}, 503, 'refused with a zone of another size');

$t->kill_worker($_) for $t->workers();
is($t->get('/')->{status}, 503, 'refused by new workers');

my $after = $t->get('/')->{headers}{'retry-after'};

cmp_ok($after, '>', 10, 'for as long as before');

# a shorter time from now on

$t->conf(conf('8m', 'min=10 open=100ms max_open=100ms probes=2'))->reload();
wait_for(sub { $t->get('/')->{status} == 200 });
is(state_of(), 'half_open', 'the shorter time holds');
is($t->get('/')->{status}, 200, 'and so do the fewer probes');
is(state_of(), 'closed', 'closed');

# another window is a new one

$t->get('/status/502') for 1 .. 9;
$t->conf(conf('8m', 'min=10 window=20s open=60s'))->reload();
$t->get('/status/502') for 1 .. 9;
is(state_of(), 'closed', 'the old window does not count');
$t->get('/status/502');
is(state_of(), 'open', 'the new one does');

# without the directive, and with it again

$t->conf(conf('8m', 'min=10 window=20s open=60s')
	 =~ s/mon_breaker.*//r)->reload();
is($t->get('/')->{status}, 200, 'no breaker');
is($t->metric('nginx_upstream_breaker_state'), undef, 'no state');
$t->conf(conf('8m', 'min=10 window=20s open=60s'))->reload();
is(state_of(), 'open', 'open where it was left');

done_testing();
