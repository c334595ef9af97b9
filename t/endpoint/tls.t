#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Over TLS, where pieces are buffered once more.

use NgxMon;

my $t = NgxMon->new()->has('http_ssl');

$t->command('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes',
	    '-subj', '/CN=localhost', '-days', '30', '-keyout',
	    $t->dir() . '/key', '-out', $t->dir() . '/cert');

my $locations = join '', map { "    location /$_/ { return 200; }\n" } 1 .. 300;

$t->conf(<<"EOC");
mon_zone mon 16m;

server {
    listen 127.0.0.1:%%PORT_8080%% ssl sndbuf=64k;

    ssl_certificate cert;
    ssl_certificate_key key;

    location = /metrics { mon_metrics; }

$locations
}
EOC

$t->run();

my $url = 'https://127.0.0.1:' . $t->port() . '/metrics';

ok(NgxMon::Metrics->parse($t->curl($url)), 'whole');
is($t->curl('-w', '%{http_code} %{num_connects} ', '-o', '/dev/null', $url,
	    '-o', '/dev/null', $url), '200 1 200 0 ', 'one connection');

# a client that is slow at first, and one that leaves

open my $curl, '-|', 'curl', '-sk', '--limit-rate', '2m', $url or die;
my $slow = do { local $/; readline $curl };
close $curl;
ok(NgxMon::Metrics->parse($slow), 'slow');

my $pid = open my $out, '-|', 'curl', '-sk', '--limit-rate', '10k', $url;
sysread $out, my $some, 1000;
kill 'KILL', $pid;
close $out;
ok(length $some, 'left in the middle');

ok(NgxMon::Metrics->parse($t->curl($url)), 'still whole');

done_testing();
