#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A request is judged once, whatever way it takes through the configuration:
# internal redirects, error pages, subrequests; and its answer has the fields
# once, of that judgement.  What nginx answers before it comes to limits is
# not limited.

use NgxMon;

my $t = NgxMon->new()->has('http_auth_request');

$t->conf(<<'EOC');
mon_zone mon 4m;

mon_limit_zone $arg_k zone=a:1m rate=1r/h burst=99;
mon_limit_zone $arg_k zone=b:1m rate=1r/h burst=999;
mon_limit_zone $arg_k zone=none:1m rate=1r/h;

log_format limit "$uri $mon_limit_status $mon_limit_remaining";

server {
    listen 127.0.0.1:%%PORT_8080%%;
    access_log %%TESTDIR%%/access.log limit;

    root %%TESTDIR%%/html;
    if_modified_since before;
    mon_limit zone=a;

    location / { }
    location /try/ { try_files /no /no/ @named; }
    location @named { mon_limit zone=b; empty_gif; }

    location /rewrite/ { rewrite ^ /plain.html last; }

    location /missing/ { error_page 404 =200 /plain.html; }
    location /loop/ { error_page 404 /loop/; }
    location /other/ { error_page 404 =200 /b/page.gif; }
    location /b/ { mon_limit zone=b; empty_gif; }

    location /accel/ { proxy_pass http://127.0.0.1:%%PORT_8081%%/?; }
    location /internal/ { internal; mon_limit zone=b; alias %%TESTDIR%%/html/; }

    location /auth/ { auth_request /b/auth; alias %%TESTDIR%%/html/; }
    location /ssi/ { ssi on; ssi_types *; alias %%TESTDIR%%/html/; }
    location /mirror/ { mirror /b/mirror; alias %%TESTDIR%%/html/; }

    location /return/ { return 200; }

    location /refused/ {
        mon_limit zone=none;
        error_page 429 /refused/page.gif;
        empty_gif;
    }

    location /fallback/ {
        mon_limit zone=none;
        error_page 429 = @named;
        empty_gif;
    }

    location = /metrics { mon_metrics; }
}

server {
    listen 127.0.0.1:%%PORT_8081%%;

    location / { add_header X-Accel-Redirect /internal/plain.html; return 200; }
}
EOC

$t->write_file('html/plain.html', "plain\n");
$t->write_file('html/index.html', "index\n");
$t->write_file('html/dir/index.html', "index of dir\n");
$t->write_file('html/page.shtml', <<'EOC');
<!--#include virtual="/b/1" --><!--#include virtual="/plain.html" -->
EOC
$t->run();

my $key = 0;

# two requests with a new key: one taken for each

sub once {
	my ($name, $uri, $status, $zone, $q, %o) = @_;

	$key++;

	for my $n (1, 2) {
		my $r = $t->request($o{method} // 'GET', "$uri?k=$key", %o);
		my @fields = $r->{head} =~ /^(RateLimit: .*?)\r$/mig;

		is($r->{status}, $status, "$name: $status");
		is(@fields, 1, "$name: one field");
		like($fields[0] // '', qr/^RateLimit: "$zone";r=@{[$q - $n]};t=\d+$/,
		     "$name: one taken");
	}
}

once('a file', '/plain.html', 200, 'a', 100);
once('HEAD', '/plain.html', 200, 'a', 100, method => 'HEAD');
once('a body', '/b/', 405, 'b', 1000, method => 'POST', body => 'x' x 300000);
once('not modified', '/plain.html', 304, 'a', 100,
     headers => ['If-Modified-Since' => 'Sat, 01 Jan 2050 00:00:00 GMT']);
once('a part', '/plain.html', 206, 'a', 100, headers => [Range => 'bytes=1-2']);
once('no such file', '/none', 404, 'a', 100);
once('index', '/', 200, 'a', 100);
once('index of a folder', '/dir/', 200, 'a', 100);
once('try_files', '/try/', 200, 'a', 100);
once('rewrite', '/rewrite/', 200, 'a', 100);
once('error_page', '/missing/', 200, 'a', 100);
once('error_page elsewhere', '/other/', 200, 'a', 100);
once('error_page to itself', '/loop/', 404, 'a', 100);
once('X-Accel-Redirect', '/accel/', 200, 'a', 100);
once('auth_request', '/auth/plain.html', 200, 'a', 100);
once('SSI', '/ssi/page.shtml', 200, 'a', 100);
once('mirror', '/mirror/plain.html', 200, 'a', 100);
once('HTTP/1.0', '/plain.html', 200, 'a', 100, version => '1.0');

# refused once, and the page is served

for my $uri ('/refused/', '/fallback/') {
	$key++;

	is($t->get("$uri?k=$key")->{status}, 200, "$uri: passed");

	my $r = $t->get("$uri?k=$key");

	is($r->{status}, $uri eq '/refused/' ? 429 : 200, "$uri: refused");
	like($r->{body}, qr/^GIF/, "$uri: the page");
	is(() = $r->{head} =~ /^RateLimit: "none";r=0;t=\d+\r$/mig, 1,
	   "$uri: one field");
	is(() = $r->{head} =~ /^Retry-After: \d+\r$/mig,
	   $r->{status} == 429 ? 1 : 0, "$uri: Retry-After, but not of a 200");
}

# not limited: return, and what is refused before

my $r = $t->get('/return/?k=1');

is($r->{status}, 200, 'return');
is($r->{headers}{ratelimit}, undef, 'return: no field');
is($t->http("GET / HTTP/1.1\r\n\r\n") =~ /RateLimit/i ? 1 : 0, 0, 'no Host');

# subrequests took nothing of their own

is($t->metric('nginx_http_limit_keys', zone => 'b'), 1,
   'of the other zone one key');

done_testing();
