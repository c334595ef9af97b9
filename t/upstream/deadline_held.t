#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline while a filter holds the header back until the body is whole: a
# peer has answered, the client has not heard of it.

use NgxMon;

my $modules = '/usr/lib/nginx/modules';
my @load = grep { -e "$modules/$_" } 'ngx_http_xslt_filter_module.so',
	'ngx_http_image_filter_module.so';

plan(skip_all => 'no filters that hold a header') if @load != 2;
plan(skip_all => 'modules of another nginx')
	if NgxMon->binary() ne '/usr/sbin/nginx' || $ENV{NGX_MON_SANITIZED};

my $t = NgxMon->new();

$t->conf(<<'EOC', main => join '', map { "load_module $modules/$_;\n" } @load);
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    mon_deadline 700ms;

    location = /metrics { mon_deadline off; mon_metrics; }
    location /xslt/ {
        xslt_stylesheet %%TESTDIR%%/style.xslt;
        xslt_types text/plain;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /image/ {
        image_filter resize 10 10;
        proxy_pass http://127.0.0.1:%%PORT_8082%%/;
    }
    location /page/ {
        image_filter resize 10 10;
        error_page 504 = @page;
        proxy_pass http://127.0.0.1:%%PORT_8082%%/;
    }
    location @page { return 200 page; }
}

server {
    listen 127.0.0.1:%%PORT_8082%%;
    mon off;
    location / { limit_rate 100; limit_rate_after 1k; root %%TESTDIR%%; try_files /image =404; }
}
EOC

$t->write_file('style.xslt', <<'END');
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:template match="/">x</xsl:template>
</xsl:stylesheet>
END

$t->write_file('image', "GIF89a\x01\0\x01\0" . "\0" x 100000);

$t->backend(8081);
$t->run();

my $client = $t->client();

for my $uri (qw{ /xslt/stall /image/ /xslt/stall /image/ }) {
	my $r = $client->get($uri);

	is($r->{status}, 504, "$uri: 504");
	like($r->{body}, qr/504 Gateway/, 'is whole');
	is($r->{headers}{'content-type'}, 'text/html', 'and itself');
	is($r->{headers}{'x-backend'}, undef, 'without a rest');
}

is($client->get('/page/')->{body}, 'page', 'an error page');
$client->close();

ok($t->wait_metric(0, 'nginx_http_requests_in_flight', location => '/image/'),
   'nothing in flight');
is($t->metric('nginx_http_errors_total', reason => 'deadline'), 4, 'counted');

done_testing();
