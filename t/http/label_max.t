#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Past max different values a label says "other", in every worker, and what
# went there is counted.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }

    location /five { mon_label key $arg_k max=5; return 200; }
    location /many { mon_label id $arg_k; return 200; }
    location /two {
        mon_label a $arg_a max=2;
        mon_label b $arg_b max=2;
        return 200;
    }
}
EOC

$t->run();

my $total = 'nginx_http_requests_total';
my $overflow = 'nginx_mon_series_overflow_total';

sub overflow { return $t->metric($overflow) // 0 }

is(overflow(), 0, 'nothing yet');

# on connections of their own: spread over the workers

for my $round (1, 2) {
	$t->get("/five?k=value$_") for 1 .. 20;
}

my $m = $t->metrics();
my %values = map { $_->{labels}{key} => $_->{value} }
	$m->samples($total, location => '/five');

is(scalar keys %values, 6, 'five values and "other"');
is($values{"value$_"}, 2, "value$_") for 1 .. 5;
is($values{other}, 30, 'other');
is($m->get($total, location => '/five'), 40, 'none is lost');
is($m->get('nginx_http_request_duration_seconds_count', location => '/five',
	   key => 'other'), 30, 'durations of other');
is(overflow(), 30, 'each was counted');

my ($family) = map { $_->{labels}{family} }
	grep { $_->{value} } $m->samples($overflow);

like($family, qr/^nginx_http_/, 'by family');

# the default

my $c = $t->client();

$c->get("/many?k=$_") for 1 .. 110;
$t->wait_metric(110, $total, location => '/many');
$m = $t->metrics();
is(scalar(() = $m->samples($total, location => '/many')), 101,
   'a hundred and "other"');
is($m->get($total, location => '/many', id => 'other'), 10, 'the rest');

# two labels, each by itself

for my $a (1 .. 3) {
	$c->get("/two?a=$a&b=$_") for 1 .. 3;
}

$t->wait_metric(9, $total, location => '/two');

is_deeply([ sort map { "$_->{labels}{a} $_->{labels}{b}" }
	    $t->metrics()->samples($total, location => '/two') ],
	  [ '1 1', '1 2', '1 other', '2 1', '2 2', '2 other',
	    'other 1', 'other 2', 'other other' ], 'two labels');

# a value that is "other" by itself is the same series

$c->get('/five?k=other');
ok($t->wait_metric(31, $total, location => '/five', key => 'other'),
   'the same series');

$c->close();

done_testing();
