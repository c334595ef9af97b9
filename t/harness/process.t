#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Reload, a killed worker and an upgrade, as the harness does them.

use NgxMon;

my $t = NgxMon->new(workers => 2, daemon => 1);

$t->conf(<<'EOC');
server {
    listen 127.0.0.1:%%PORT_8080%%;
    location / { return 200 one; }
}
EOC

$t->run();

my @workers = $t->workers();

is(scalar @workers, 2, 'two workers');
is($t->get('/')->{body}, 'one', 'served');

$t->write_file('nginx.conf', $t->read_file('nginx.conf') =~ s/200 one/200 two/r);
$t->reload();

ok(!(grep { my $pid = $_; grep { $_ == $pid } @workers } $t->workers()),
   'new workers');
is($t->get('/')->{body}, 'two', 'served by the new ones');

my $killed = $t->kill_worker();

ok(!(grep { $_ == $killed } $t->workers()), 'killed');
is($t->get('/')->{body}, 'two', 'served after that');

my ($old, $new) = $t->upgrade();

isnt($old, $new, 'a second master');
$t->quit($old);
is($t->get('/')->{body}, 'two', 'served by the new binary');

my ($code, $text) = $t->test_config('server { listen nonsense:; }');

isnt($code, 0, 'a bad configuration');
like($text, qr/\[emerg\].* in \S+nginx\.conf:\d+/, 'file and line');

done_testing();
