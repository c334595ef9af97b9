#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# delay: what is within the burst waits for its turn, in its order; a client
# that leaves is noticed, and mon_deadline ends the wait.

use NgxMon;

use IO::Select;
use Time::HiRes qw/ time sleep /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_limit_zone $arg_k zone=slow:1m rate=4r/s burst=4;
mon_limit_zone $arg_k zone=tight:1m rate=1r/s burst=2;
mon_limit_zone $arg_k zone=long:1m rate=1r/m burst=4;
mon_limit_zone $arg_l zone=other:1m rate=2r/s burst=4;

log_format limit '$request_uri $status $mon_limit_status';

server {
    listen 127.0.0.1:%%PORT_8080%%;
    access_log %%TESTDIR%%/access.log limit;

    location = /metrics { mon_metrics; access_log off; }
    location /slow { mon_limit zone=slow delay; empty_gif; }
    location /tight { mon_limit zone=tight delay; empty_gif; }
    location /quick { mon_limit zone=slow; empty_gif; }
    location /both { mon_limit zone=slow delay; mon_limit zone=other delay; empty_gif; }
    location /long { mon_limit zone=long delay; empty_gif; }
    location /deadline { mon_limit zone=long delay; mon_deadline 300ms; empty_gif; }
    location /body {
        mon_limit zone=slow delay;
        proxy_pass http://127.0.0.1:%%PORT_8081%%/echo;
    }
}
EOC

$t->backend(8081);
$t->run();

# sends on connections of their own; when each was answered, in order

sub burst {
	my ($uri, $n, $pause) = @_;
	my @clients = map { $t->client() } 1 .. $n;
	my $start = time();
	my (%left, @order, @took);

	for my $i (0 .. $n - 1) {
		$clients[$i]->send_request('GET', "$uri&i=$i", close => 1);
		$left{$i} = 1;
		sleep $pause;
	}

	while (%left) {
		my $all = IO::Select->new(map { $clients[$_]->socket() }
					  keys %left);
		my %ready = map { $_ => 1 } $all->can_read(10) or last;

		for my $i (sort keys %left) {
			next unless $ready{$clients[$i]->socket()};
			delete $left{$i};
			push @order, $i . ':'
				. $clients[$i]->response()->{status};
			push @took, time() - $start;
		}
	}

	return (\@order, \@took);
}

my ($order, $took) = burst('/slow?k=a', 5, 0.02);

is("@$order", '0:200 1:200 2:200 3:200 4:200', 'all of them, in their order');
cmp_ok($took->[$_], '>', $_ * 0.25 - 0.05, "the turn of $_") for 1 .. 4;

($order) = burst('/tight?k=b', 5, 0);
is((grep { /:200/ } @$order), 3, 'the burst and one');
is((grep { /:429/ } @$order), 2, 'past the burst: refused');
like($order->[4], qr/:200/, 'at once, before the last one that waits');

($order, $took) = burst('/both?k=c&l=c', 3, 0.02);
is("@$order", '0:200 1:200 2:200', 'two limits');
cmp_ok($took->[2], '>', 0.9, 'the slower one counts');

# a request that waits is told as it was when it came, and keeps its body

is($t->get('/quick?k=d')->{status}, 200, 'the first');
is($t->request('POST', '/body?k=d', body => 'x' x 5000)->{body}, 'x' x 5000,
   'a body');

# the connection goes on, and what comes meanwhile waits

my $c = $t->client();

$c->send("GET /slow?k=e HTTP/1.1\r\nHost: a\r\n\r\n" x 3);
is($c->response()->{status}, 200, 'pipelined') for 1 .. 3;

# a client that leaves

is($t->get('/long?k=a')->{status}, 200, 'the first');

my $m = 'nginx_http_requests_in_flight';

$c = $t->client();
$c->send_request('GET', '/long?k=a&leaves');
$t->wait_metric(1, $m, location => '/long');
$c->close();
ok($t->wait_metric(0, $m, location => '/long'), 'left, and noticed');

# a deadline

my $r = $t->get('/deadline?k=a');

is($r->{status}, 504, 'a deadline');
like($r->{headers}{ratelimit}, qr/^"long";r=\d;t=\d+$/, 'tells what is left');

sub limited {
	return $t->metric('nginx_http_limited_requests_total',
			  location => $_[0], outcome => $_[1]) // 0;
}

is(limited('/tight', 'rejected'), 2, 'rejected');
is(limited('/tight', 'delayed') + limited('/tight', 'passed'), 3, 'the others');
cmp_ok(limited('/tight', 'delayed'), '>', 0, 'some of them delayed');
is(limited('/slow', 'delayed') + limited('/slow', 'passed'), 8, 'none refused');

my $log = $t->read_file('access.log');

like($log, qr/^\S*k=a&i=0 200 passed$/m, 'passed');
like($log, qr/^\S*k=a&i=\d 200 delayed$/m, 'delayed');
like($log, qr/^\S*k=b&i=\d 429 rejected$/m, 'rejected');
like($log, qr/^\S*leaves 499 delayed$/m, 'left');
like($log, qr/^\S*deadline\S* 504 delayed$/m, 'too late');

like($t->read_file('error.log'),
     qr/\[notice\].*delaying request, excess: \d\.\d{3} by zone "slow",/,
     'logged');

done_testing();
