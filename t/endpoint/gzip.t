#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# nginx's own filters see an ordinary response: gzip, sub_filter, charset,
# add_header.

use NgxMon;

use IO::Uncompress::Gunzip qw/ gunzip $GunzipError /;

use NgxMon::Scrape qw/ judge formats /;

my $t = NgxMon->new();

$t->conf(<<'EOC' . join '', map { <<"EOL" } 1 .. 100);
mon_zone mon 8m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    gzip on;
    gzip_vary on;
    gzip_min_length 1;

    location = /metrics { gzip_types *; mon_metrics; }
    location = /types { gzip_types text/plain; mon_metrics; }
    location = /health { gzip_types application/json; mon_health; }
    location = /small { gzip_types *; gzip_buffers 4 1k; mon_metrics; }
    location = /added {
        gzip off;
        charset koi8-r;
        add_header X-Added yes;
        sub_filter nginx_mon_ nginx_changed_;
        sub_filter_once off;
        sub_filter_types *;
        mon_metrics;
    }
}

server {
    listen 127.0.0.1:%%PORT_8081%%;
EOC
    location /$_/ { return 200; }
EOL

my $conf = $t->read_file('nginx.conf');
$conf =~ s/\}\s*\z/}\n}\n/;
$t->write_file('nginx.conf', $conf);

$t->run();

sub compressed {
	my ($uri, $accept) = @_;

	my $r = $t->get($uri, headers => ['Accept-Encoding' => 'gzip',
					  Accept => $accept // '*/*']);

	return ($r, undef)
		if ($r->{headers}{'content-encoding'} // '') ne 'gzip';

	gunzip \$r->{body}, \my $body or return ($r, $GunzipError);

	return ($r, $body);
}

my %accept = formats();

for my $uri (qw{ /metrics /small }) {
	for my $format (sort keys %accept) {
		my ($r, $body) = compressed($uri, $accept{$format});

		is(judge($t, $format => $body), '', "$format of $uri");
		cmp_ok(length $r->{body} // '', '<', length($body // '') / 4,
		       'small');
		like($r->{headers}{vary}, qr/Accept\b(?!-)/, 'Vary: Accept');
		like($r->{headers}{vary}, qr/Accept-Encoding/,
		     'Vary: Accept-Encoding');
	}
}

# the same numbers, compressed or not

my $uri = '/metrics?name=nginx_http_request_duration_seconds';

is((compressed($uri))[1], $t->get($uri)->{body}, 'the same document');
ok(defined((compressed('/types'))[1]), 'parameters of the type do not matter');
ok(!defined((compressed('/types', 'application/json'))[1]),
   'another type is not compressed');
like((compressed('/health'))[1], qr/^\{"status"/, 'health');

# something between

my $r = $t->get('/added');

is($r->{headers}{'x-added'}, 'yes', 'add_header');
is($r->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8',
   'charset is ours');
like($r->{body}, qr/^nginx_changed_series /m, 'sub_filter');
unlike($r->{body}, qr/^nginx_mon_/m, 'all of it');

done_testing();
