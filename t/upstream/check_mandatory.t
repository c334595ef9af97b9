#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# With mandatory a peer is out until its first pass: at start, not after a
# reload when it has passed before.

use NgxMon;

my $t = NgxMon->new(workers => 4);

my $http = <<'EOC';
mon_zone mon 4m;

upstream zone {
    zone zone 64k;
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    %%MORE%%
    mon_check interval=100ms timeout=60s mandatory;
}

upstream plain {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    %%MORE%%
    mon_check interval=100ms timeout=60s mandatory;
}

# this one is up until it is known to be otherwise

upstream free {
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_check interval=100ms timeout=60s fall=1000;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_next_upstream off;

    location /zone { proxy_pass http://zone; }
    location /plain { proxy_pass http://plain; }
    location /free { proxy_pass http://free; }
    location = /metrics { mon_metrics; }
}
EOC

sub conf {
	my ($more) = @_;

	$t->conf($http =~ s/%%MORE%%/$more/gr);
}

sub statuses {
	my ($uri) = @_;

	my %seen;

	$seen{$t->get($uri)->{status}}++ for 1 .. 12;

	return join ' ', sort keys %seen;
}

sub backends {
	my ($uri) = @_;

	my %seen = map { ($t->get($uri)->{headers}{'x-backend'} // '', 1) }
		1 .. 12;

	return join ' ', sort keys %seen;
}

sub state {
	my ($upstream, $port, $state) = @_;

	$t->wait_metric(1, 'nginx_upstream_peer_state', state => $state,
			upstream => $upstream,
			peer => '127.0.0.1:' . $t->port($port));
}

conf('');

# checks wait at one of them, are refused at the other

my $backend = $t->backend(8081, mode => '/wait/first');

$t->run();

for my $upstream (qw/ zone plain /) {
	state($upstream, 8081, 'unhealthy');
	state($upstream, 8082, 'unhealthy');
	is(statuses("/$upstream"), 502, "$upstream: nobody passed yet");
}

is($t->metric('nginx_upstream_peer_state', upstream => 'free',
	      state => 'up'), 1, 'not mandatory: up');

# a reload changes nothing for who never passed

$t->reload();
is(statuses("/$_"), 502, "$_: nor after a reload") for qw/ zone plain /;

$backend->tell('first');

for my $upstream (qw/ zone plain /) {
	state($upstream, 8081, 'up');
	is(statuses("/$upstream"), 200, "$upstream: it passed");
	is(backends("/$upstream"), $t->port(8081), "$upstream: only this one");
	ok((grep { /"$upstream" is healthy, 1 check/ }
	    $t->log_lines(qr/8081|healthy/)), "$upstream: said");
}

# failing does not let a peer in, a single pass does

wait_for(sub { $t->log_lines(qr/"zone" is unhealthy, 3 checks/) }, 10,
	 'three failures');

my $second = $t->backend(8082);

for my $upstream (qw/ zone plain /) {
	state($upstream, 8082, 'up');
	is(backends("/$upstream"),
	   join(' ', sort map { $t->port($_) } 8081, 8082),
	   "$upstream: both");
}

# who passed is in at once after a reload, who is new is not

$backend->mode('/wait/second');

my $third = $t->peer(8083, sub { NgxMon::Peer::hold(@_) });

conf('server 127.0.0.1:%%PORT_8083%% max_fails=0;');
$t->reload();
$backend->mode('/');

for my $upstream (qw/ zone plain /) {
	is(statuses("/$upstream"), 200, "$upstream: after a reload");
	state($upstream, 8083, 'unhealthy');
}

$backend->tell('second');

done_testing();
