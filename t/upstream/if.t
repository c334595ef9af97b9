#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# An "if" in a location that passes to an upstream with mon_breaker or
# mon_limit: nginx calls the handler of the location, with the configuration of
# the "if".  What is limited or broken outside of it is so inside, too.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream quota { server 127.0.0.1:%%PORT_8081%%; mon_limit rate=1r/h burst=1; }
upstream each {
    server 127.0.0.1:%%PORT_8081%%;
    mon_limit rate=1r/h burst=1 per=peer;
}
upstream circuit {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=2 open=60s on=http_500;
}
upstream circuit2 {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=2 open=60s on=http_500;
}
upstream both {
    server 127.0.0.1:%%PORT_8081%%;
    mon_limit rate=1r/h burst=1;
    mon_breaker consecutive=2 open=60s on=http_500;
}
upstream other { server 127.0.0.1:%%PORT_8081%%; mon_limit rate=1r/h burst=1; }

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /quota/ { if ($arg_a) { set $x 1; } proxy_pass http://quota; }
    location /each/ { if ($arg_a) { set $x 1; } proxy_pass http://each; }
    location /circuit/ { if ($arg_a) { set $x 1; } proxy_pass http://circuit; }
    location /both/ { if ($arg_a) { set $x 1; } proxy_pass http://both; }
    location /location/ {
        mon_breaker consecutive=2 open=60s on=http_500;
        if ($arg_a) { set $x 1; }
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /except/ {
        limit_except GET { allow all; }
        if ($arg_a) { set $x 1; }
        proxy_pass http://other;
    }

    # nginx takes the handler of the first "if", and what the second one says

    location /two/ {
        if ($arg_a) { proxy_pass http://other; }
        if ($arg_a) { set $x 1; }
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /other/ {
        if ($arg_a) { scgi_pass $arg_a; }
        if ($arg_b) { set $x 1; }
        proxy_pass http://circuit2;
    }
    location /none/ {
        if ($arg_a) { proxy_pass http://other; }
        if ($arg_a) { set $x 1; }
    }

    # what is not found does not go there

    location ~ ^/tried/ {
        root %%TESTDIR%%;
        try_files $uri =404;
        proxy_pass http://circuit2;
    }

    # what has no handler in "limit_except" has none beside a breaker either

    location /gif {
        mon_breaker consecutive=2 open=60s;
        limit_except POST { allow all; }
        empty_gif;
    }
}
EOC

$t->backend(8081);
mkdir($t->dir() . '/tried') or die "mkdir: $!\n";
$t->write_file('tried/that', '');
$t->run();

# shares are taken by requests of both kinds

for my $where (qw/ quota each both /) {
	is($t->get("/$where/?a=1")->{status}, 200, "$where: in the if");
	is($t->get("/$where/")->{status}, 200, "$where: outside");
	is($t->get("/$where/?a=1")->{status}, 503, "$where: refused");
	is($t->get("/$where/?a=1")->{headers}{'retry-after'}, 3600,
	   "$where: for an hour");
	is($t->get("/$where/")->{status}, 503, "$where: outside, too");
}

# a circuit opens for both

for my $where (qw/ circuit location /) {
	is($t->get("/$where/status/500?a=1")->{status}, 500,
	   "$where: a failure in the if");
	is($t->get("/$where/status/500")->{status}, 500, "$where: outside");
	is($t->get("/$where/?a=1")->{status}, 503, "$where: open");
	is($t->get("/$where/")->{status}, 503, "$where: outside, too");
}

is($t->request('POST', '/except/?a=1', body => 'x')->{status}, 200,
   'limit_except');
is($t->get('/except/?a=1')->{status}, 200, 'not limit_except');
is($t->get('/except/?a=1')->{status}, 503, 'refused');

# several of them

is($t->get('/two/?a=1')->{status}, 200, 'the second one holds');
$t->expect(qr/no upstream configuration/);
is($t->get('/none/?a=1')->{status}, 500, 'it has nowhere to pass to');
is($t->get('/gif')->{status}, 404, 'no handler');

# an "if" that passes to somewhere else is not asked

$t->get('/other/status/500') for 1 .. 2;
is($t->get('/other/')->{status}, 503, 'open');
is($t->get('/other/?b=1')->{status}, 503, 'open in the if');
is($t->get('/other/?a=127.0.0.1:' . $t->port(8082))->{status}, 502,
   'another if');
is($t->get('/tried/this')->{status}, 404, 'open, but not found');
is($t->get('/tried/that')->{status}, 503, 'open, and found');

done_testing();
