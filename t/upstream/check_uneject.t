#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A check that passes lets a peer in that mon_outlier ejected.

use NgxMon;

my $t = NgxMon->new(workers => 4);

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream checked {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_outlier consecutive=1 eject=10m on=http_500;
    mon_check interval=2s timeout=30s uri=/health;
}

upstream plain {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    mon_outlier consecutive=1 eject=10m on=http_500;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_next_upstream off;

    location /checked { proxy_pass http://checked; }
    location /plain { proxy_pass http://plain; }
    location = /metrics { mon_metrics; }
}
EOC

$t->backend($_) for 8081, 8082;
$t->run();

sub ejected {
	my ($m, $upstream) = @_;

	return $m->get('nginx_upstream_peer_state', upstream => $upstream,
		       state => 'ejected');
}

for my $upstream (qw/ plain checked /) {
	is($t->get("/$upstream/status/500")->{status}, 500, 'fails');
	is($t->metric('nginx_upstream_ejections_total',
		      upstream => $upstream), 1, "$upstream: ejected");
}

ok(wait_for(sub { ejected($t->metrics(), 'checked') == 0 }, 10, 'none out'),
   'the check lets it in');

my $m = $t->metrics();

is(ejected($m, 'plain'), 1, 'without checks it is still out');
is($m->get('nginx_upstream_ejections_total', upstream => 'checked'), 1,
   'ejected once');

my %seen = map { ($t->get('/checked')->{headers}{'x-backend'}, 1) } 1 .. 16;

is(keys %seen, 2, 'both get traffic again');

done_testing();
