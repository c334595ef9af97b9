#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Keys of any length and of any bytes are limited each on its own; an empty one
# is not.  Of long ones the end counts, too.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;
mon_limit_zone $http_x_key zone=key:4m rate=1r/h burst=1;
large_client_header_buffers 4 128k;
keepalive_requests 100000;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location / { empty_gif; mon_limit zone=key; }
    location = /metrics { mon_metrics; }
}
EOC

$t->run();

my $client = $t->client();

sub status {
	my ($key) = @_;

	return $client->get('/', headers => ['X-Key' => $key])->{status};
}

# each key is new: twice, and no more

sub limited {
	my ($name, @keys) = @_;

	my @found;

	for my $key (@keys) {
		push @found, join ' ', map { status($key) } 1 .. 3;
	}

	is_deeply(\@found, [('200 200 429') x @keys], $name);
}

is(join(' ', map { status('') } 1 .. 5), '200 200 200 200 200', 'no key');

for my $n (1, 2, 3, 31, 32, 33, 63, 64, 65, 127, 128, 1023, 1024, 1025, 1026,
	   2048, 4096, 65535, 65536)
{
	limited("$n bytes", 'a' x $n, 'b' . 'a' x ($n - 1));
	limited("$n bytes, another end", 'a' x ($n - 1) . 'b') if $n > 1;
	limited("$n bytes, another middle",
		'a' x int($n / 2) . 'c' . 'a' x ($n - 1 - int($n / 2)))
		if $n > 2;
}

limited("byte $_", 'x' . chr($_) . 'y')
	for grep { $_ != 10 && $_ != 13 } 1 .. 255;
limited('not UTF-8', "\xff\xfe", "\xff\xfd", "\xc0\xaf");
limited('quotes', '"', "'", '\\', '\"', '{"a":1}', '%', '%00', '%s%n%s');

# all of them are known

my $m = $t->metrics();

cmp_ok($m->get('nginx_http_limit_keys', zone => 'key'), '>', 250, 'keys');
is($m->get('nginx_http_limit_full_total', zone => 'key'), 0, 'had room');

done_testing();
