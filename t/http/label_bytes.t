#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What a client puts into a label ends as valid UTF-8, escaped, and cut at 128
# bytes without splitting a character.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

large_client_header_buffers 4 16k;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }

    location / { mon_label agent $http_user_agent max=100; return 200; }
}
EOC

$t->run();

my $total = 'nginx_http_requests_total';
my $e = "\xc3\xa9";			# two bytes
my $euro = "\xe2\x82\xac";		# three
my $clef = "\xf0\x9d\x84\x9e";		# four

for (['plain', 'Mozilla/5.0', 'Mozilla/5.0'],
     ['empty', '', ''],
     ['quotes', 'a "b" \\c', 'a "b" \\c'],
     ['braces', '{a="b",}', '{a="b",}'],
     ['script', '<script>alert(1)</script>', '<script>alert(1)</script>'],
     ['UTF-8', "caf$e $euro $clef", "caf$e $euro $clef"],
     ['a long one', 'x' x 8192, 'x' x 128],
     ['128', 'y' x 128, 'y' x 128],
     ['129', 'z' x 129, 'z' x 128],
     ['a character at the border', 'a' x 127 . $e, 'a' x 127],
     ['one that just fits', 'a' x 126 . $e, 'a' x 126 . $e],
     ['three bytes', 'b' x 126 . $euro, 'b' x 126],
     ['four bytes', 'c' x 125 . $clef, 'c' x 125],
     ['many', $e x 1000, $e x 64])
{
	my ($what, $agent, $value) = @$_;

	is($t->get('/', headers => [ 'User-Agent' => $agent ])->{status}, 200,
	   "$what: answered");
	is($t->metric($total, agent => $value), 1, "$what: counted");
}

# bytes that are no UTF-8: whatever they become, the scrape is valid, which
# the harness checks with every one of them

my @bad = ("\xff\xfe", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80",
	   "\xe2\x82", 'd' x 127 . "\xe2\x82\xac", "\x80" x 300,
	   "a\x01b", "a\tb", "a\x7fb", "\xc2\x80",
	   join '', map { chr } 1 .. 9, 11, 12, 14 .. 255);
my $n = $t->metric($total);

for (@bad) {
	my $name = join '', map { sprintf '%02x', ord } split //, substr $_, 0, 6;
	my $r = $t->get('/', headers => [ 'User-Agent' => $_ ]);

	$n++;
	ok($t->metrics(), "$name: a valid scrape");
	is($t->metric($total), $n, "$name: counted");
	cmp_ok(length($_->{labels}{agent} // ''), '<=', 128, 'short')
		for grep { length($_->{labels}{agent} // '') > 128 }
		$t->metrics()->samples($total);
}

# every byte of an URI and of a method, too

$t->http("GET /" . chr($_) . " HTTP/1.0\r\n\r\n") for 0 .. 255;
ok($t->metrics(), 'any URI');

$t->write_file('scrape', $t->get('/metrics')->{body});
is($t->command('sh', '-c', 'promtool check metrics < ' . $t->dir() . '/scrape')
   =~ s/^nginx_connections_\w+ .*\n//gmr, '', 'promtool');

done_testing();
