#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The size of a cache is what its files take on disk, in blocks of the file
# system; its limit is shown where it has one.

use NgxMon;

use File::Find qw/ find /;

my $t = NgxMon->new();

$t->backend(8081);

$t->conf(<<'EOC');
mon_zone mon 4m;

proxy_cache_path cache/a levels=1:2 keys_zone=limited:1m max_size=16m;
proxy_cache_path cache/b keys_zone=endless:1m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    proxy_cache_valid 1h;

    location = /metrics { mon_metrics; }
    location /a/ {
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        proxy_cache limited;
    }
    location /b/ {
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
        proxy_cache endless;
    }
}
EOC

mkdir $t->dir() . '/cache';
$t->run();

my $m = $t->metrics();

is($m->get('nginx_cache_size_bytes', zone => 'limited'), 0, 'empty');
is($m->get('nginx_cache_max_size_bytes', zone => 'limited'), 16 * 1024 * 1024,
   'the limit');
is($m->get('nginx_cache_size_bytes', zone => 'endless'), 0,
   'one without limit');
is($m->get('nginx_cache_max_size_bytes', zone => 'endless'), undef,
   'no limit is no sample');

my @sizes = (1, 4000, 5000, 100000, 1234567);

is($t->get("/a/bytes/$_")->{status}, 200, "cached $_ bytes") for @sizes;
$t->get('/b/bytes/20000');

# in blocks

sub taken {
	my ($dir) = @_;

	my $sum = 0;
	my ($block) = $t->command('stat', '-f', '-c', '%s', $dir) =~ /(\d+)/;

	find(sub {
		$sum += int((-s $_) / $block + 1 - 1e-9) * $block if -f $_;
	}, $dir);

	return $sum;
}

for (['limited', 'a', 1338568], ['endless', 'b', 20000]) {
	my ($zone, $dir, $least) = @$_;
	my $taken = taken($t->dir() . "/cache/$dir");

	cmp_ok($taken, '>=', $least, "files of $zone");
	is($t->metric('nginx_cache_size_bytes', zone => $zone), $taken,
	   "size of $zone");
}

$t->reload();

is($t->metric('nginx_cache_size_bytes', zone => 'limited'),
   taken($t->dir() . '/cache/a'), 'size after reload');
is($t->metric('nginx_cache_max_size_bytes', zone => 'limited'),
   16 * 1024 * 1024, 'limit after reload');

done_testing();
