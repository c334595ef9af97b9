#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# GET and HEAD are answered, everything else is refused by 405 with Allow.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location = /health { mon_health; }
    location = /live { mon_health live; }
    location = /ready { mon_health ready; }

    location /json/ {
        error_page 405 = @json;
        location = /json/metrics { mon_metrics; }
    }

    location @json {
        default_type application/json;
        return 405 "{\"status\":405}\n";
    }
}
EOC

$t->run();

# one connection: a refusal does not end it

my $c = $t->client();

for my $uri (qw{ /metrics /health /live /ready }) {

	my $get = $c->get($uri);

	is($get->{status}, 200, "GET $uri");

	my $head = $c->request('HEAD', $uri);

	is($head->{status}, 200, "HEAD $uri");
	is($head->{headers}{$_}, $get->{headers}{$_}, "$_ of HEAD")
		for qw/ content-type cache-control vary /;

	for my $method (qw/ POST PUT DELETE OPTIONS PATCH PROPFIND BREW /) {
		my $r = $c->request($method, $uri,
				    $method =~ /^P(?:OS|U)T$/
				    ? (body => 'x' x 5000) : ());

		is($r->{status}, 405, "$method $uri");
		is($r->{headers}{allow}, 'GET, HEAD', 'Allow');
	}
}

my $r = $c->request('POST', '/json/metrics', body => 'x');

is($r->{status}, 405, 'POST with an error_page');
is($r->{headers}{allow}, 'GET, HEAD', 'Allow, too');
is($r->{body}, qq({"status":405}\n), 'body of error_page');

done_testing();
