#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A scrape that is under way when the configuration is reloaded, or nginx is
# told to quit, comes to its end; a worker that is killed takes it along.

use NgxMon;
use NgxMon::Scrape qw/ skim /;

my $t = NgxMon->new();

my $locations = join '', map { "    location /$_/ { return 204; }\n" }
	1 .. 500;

$t->conf(<<"EOC");
mon_zone mon 32m;

server {
    listen 127.0.0.1:%%PORT_8080%% sndbuf=256k;

    location = /metrics { mon_metrics; }
    location = /limited { mon_metrics; limit_rate 8m; }

$locations
}
EOC

$t->run();

sub begin {
	my ($uri, %o) = @_;

	my $c = $t->client(timeout => 60, %o);

	$c->send_request('GET', $uri);
	$c->read_until(qr/\r\n\r\n/);

	return $c;
}

sub whole {
	my ($c, $name) = @_;

	my $r = $c->_chunked({ body => '', chunks => [] });
	is(skim($r->{body}), '', $name);
}

# slow, limited, and one that is never waited for

for my $n (1 .. 2) {
	my @c = (begin('/metrics', rcvbuf => 16384), begin('/limited'));
	my @fast = map { begin('/metrics') } 1 .. 4;

	$t->reload();

	whole($_, "reload $n, fast") for @fast;
	whole($_, "reload $n, slow") for @c;
}

ok(wait_for(sub { !$t->workers(undef, shutting => 1) }, 10, 'draining'),
   'all old workers are gone');

# killed: others go on

my $c = begin('/metrics', rcvbuf => 16384);

$t->kill_worker($_) for $t->workers();
ok($c->closed(), 'the connection is gone');
ok(NgxMon::Metrics->parse($t->get('/metrics')->{body}), 'the others serve');

# quit; forked, as what is to be ended must be read meanwhile

my @c = (begin('/metrics', rcvbuf => 16384), begin('/limited'),
	 begin('/metrics'));

kill 'QUIT', $t->pid();
whole($_, 'quit') for reverse @c;

ok(wait_for(sub { !NgxMon::Process::alive($t->pid()) }, 10, 'the end'),
   'and nginx ends');

$t->{masters} = [];

done_testing();
