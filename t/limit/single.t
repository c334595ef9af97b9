#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# One process: limits work, and their zones are swept.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC', main => 'master_process off;');
mon_zone mon 4m;
mon_limit_zone $arg_k zone=one:1m rate=1r/h burst=1;
mon_limit_zone $arg_k zone=quick:1m rate=10r/s;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    location = /metrics { mon_metrics; }
    location / { mon_limit zone=one; empty_gif; }
    location /quick { mon_limit zone=quick delay burst=1; empty_gif; }
}
EOC

$t->run();

is($t->get('/?k=a')->{status}, $_, "one: $_") for 200, 200, 429;
is($t->get("/quick?k=$_")->{status}, 200, 'quick') for 1 .. 20, 20;

# what is idle is seen to be so within a minute

ok($t->wait_metric(1, 'nginx_http_limit_keys', zone => 'one'), 'one key');
ok(wait_for(sub {
	$t->metric('nginx_http_limit_keys', zone => 'quick') == 0;
}, 70, 'swept'), 'the others are idle');

done_testing();
