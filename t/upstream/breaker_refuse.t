#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What an open circuit refuses: the client gets 503 with Retry-After, unless
# error_page has another idea; subrequests and HTTP/2 included.  It is refused
# ahead of all where the upstream is known, or when it is about to be asked,
# where variables name it.

use NgxMon;

my $t = NgxMon->new(workers => 1)->has('http_v2');

sub locations {
	my ($l, $pass) = @_;

	return <<EOC;
    location $l/plain { proxy_pass $pass; }

    location $l/page {
        error_page 503 /busy.html;
        proxy_pass $pass;
    }

    location $l/moved {
        error_page 503 http://example.com/;
        proxy_pass $pass;
    }

    location $l/good {
        error_page 503 =200 /busy.html;
        proxy_pass $pass;
    }

    location $l/fallback {
        error_page 503 = \@other;
        proxy_pass $pass;
    }

    location $l/busy {
        error_page 503 = \@busy;
        proxy_pass $pass;
    }

    location $l/second {
        error_page 503 = \@second;
        proxy_pass $pass;
    }

    location $l/again {
        recursive_error_pages on;
        error_page 503 = \@again;
        proxy_pass $pass;
    }

    location $l/streamed {
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass $pass;
    }

    location $l/auth {
        auth_request $l/plain;
        proxy_pass http://other;
    }

    location $l/mirror {
        mirror $l/plain;
        proxy_pass http://other;
    }
EOC
}

my $locations = locations('/s', 'http://backend')
	. locations('/v', 'http://$name');

$t->write_file('html/busy.html', 'busy');
$t->write_file("html/ssi$_.html", qq{<<!--# include virtual="$_/plain" -->>})
	for qw{ /s /v };

$t->conf(<<"EOC");
mon_zone mon 4m;

log_format breaker '\$status \$uri \$mon_breaker_name=\$mon_breaker_state';

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=1 open=60s;
}

upstream second {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=1 open=30s;
}

upstream other {
    server 127.0.0.1:%%PORT_8082%%;
}

map \$uri \$name {
    default backend;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    listen 127.0.0.1:%%PORT_8083%% http2;

    root %%TESTDIR%%/html;
    access_log %%TESTDIR%%/access.log breaker;
    client_header_timeout 5s;
    ssi on;

$locations

    location \@other { proxy_pass http://other; }

    location \@busy {
        rewrite ^ /status/503 break;
        proxy_pass http://other;
    }

    location \@second { proxy_pass http://second; }

    location \@again {
        error_page 503 = \@other;
        proxy_pass http://second;
    }

    location /open { rewrite ^/open/(.*) /status/502 break; proxy_pass http://\$1; }
    location = /metrics { mon_metrics; access_log off; }
}
EOC

my $backend = $t->backend(8081);
my $other = $t->backend(8082);

$t->run();

is($t->get("/open/$_")->{status}, 502, "$_ opens") for qw/ backend second /;

my $n = $backend->requests();

sub expect {
	my ($uri, $status, $retry, $body, %o) = @_;

	my $r = $t->request($o{method} // 'GET', $uri, %o);
	my $after = $r->{headers}{'retry-after'};

	is($r->{status}, $status, "$uri: $status");
	is($r->{error}, '', "$uri: whole");

	if ($retry) {
		cmp_ok($after // 0, '>', $retry * 0.8, "$uri: Retry-After");
		cmp_ok($after // 0, '<=', $retry * 1.1, "$uri: not too large");
		is(() = $r->{head} =~ /Retry-After/g, 1, "$uri: one of it");

	} else {
		is($after, undef, "$uri: no Retry-After");
	}

	like($r->{body}, $body, "$uri: body");

	return $r;
}

for my $l (qw{ /s /v }) {
	my $how = $l eq '/s' ? 'ahead' : 'late';

	expect("$l/plain", 503, 60, qr/503 Service/);
	expect("$l/plain", 503, 60, qr/503 Service/, method => 'POST',
	       body => 'x' x 100);
	expect("$l/page", 503, 60, qr/^busy$/);
	expect("$l/moved", 302, 0, qr/302 Found/);
	expect("$l/good", 200, 0, qr/^busy$/);
	expect("$l/fallback", 200, 0, qr{^GET $l/fallback$});
	expect("$l/fallback/echo", 200, 0, qr/^y{60000}$/, method => 'POST',
	       body => 'y' x 60000);
	expect("$l/busy", 503, 0, qr{^GET /status/503$});
	expect("$l/second", 503, 30, qr/503 Service/);
	expect("$l/again", 200, 0, qr{^GET $l/again$});
	expect("/ssi$l.html", 200, 0, qr/^<.*503 Service.*>$/s);
	expect("$l/mirror", 200, 0, qr{^GET $l/mirror$});
	expect("$l/auth", 500, 0, qr/500 Internal/);

	# a body that is not sent, and one that is not yet

	my $c = $t->client();

	$c->send_request('POST', "$l/streamed",
			 headers => ['Content-Length' => 100000]);
	is($c->response()->{status}, 503, "$how: before the body");
	$c->close();

	if ($l eq '/s') {
		$c = $t->client();
		$c->send_request('POST', "$l/plain",
				 headers => ['Content-Length' => 100000]);
		is($c->response()->{status}, 503, "$how: without the body");
		$c->close();
	}

	# the connection is kept

	$c = $t->client();

	for (1 .. 3) {
		is($c->get("$l/plain")->{status}, 503, "$how: kept alive");
		is($c->request('POST', "$l/plain", body => 'x' x 50000)->{status},
		   503, "$how: POST, kept alive");
		is($c->get("$l/fallback")->{status}, 200, "$how: fallback");
	}

	# HTTP/2

	my $h2 = 'http://127.0.0.1:%%PORT_8083%%';
	my @h2 = qw/ -i --http2-prior-knowledge /;

	like($t->curl(@h2, "$h2$l/plain"),
	     qr{^HTTP/2 503.*retry-after: \d\d\r.*503 Service}s,
	     "$how: HTTP/2");

	# curl takes the reset of a stream for an error whose body is not read

	like($t->curl(@h2, '-d', 'x', "$h2$l/plain"),
	     qr{^HTTP/2 503.*retry-after: \d\d\r.*503 Service}s,
	     "$how: HTTP/2 with a body") if $l eq '/v';
	like($t->curl(@h2, '-d', 'z' x 30000, "$h2$l/fallback/echo"),
	     qr{^HTTP/2 200.*z{30000}$}s, "$how: HTTP/2, fallback");
}

is($backend->requests(), $n, 'the upstream was left alone');

# all were let go

$t->wait_metric(0, 'nginx_http_requests_in_flight', server => '_',
		location => '/s/plain');
$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

my $log = $t->read_file('access.log');

like($log, qr{^503 /s/plain backend=open$}m, 'log: refused');
like($log, qr{^503 /v/plain backend=open$}m, 'log: refused late');
like($log, qr{^503 /s/second second=open$}m, 'log: by the second');
like($log, qr{^200 /s/fallback backend=open$}m, 'log: fallback');
like($log, qr{^200 /s/mirror =$}m, 'log: no breaker');

my $m = $t->metrics();

is($m->get('nginx_http_errors_total', location => '/s/plain',
	   reason => 'breaker_open'), 10, 'reason');
is($m->get('nginx_http_errors_total', location => '/v/plain',
	   reason => 'breaker_open'), 10, 'reason, late');
is($m->get('nginx_http_errors_total', location => "\@second",
	   reason => 'breaker_open'), 2, 'reason in the named location');
is($m->get('nginx_http_errors_total', location => "\@busy",
	   reason => 'upstream_error'), 2, "the fallback's own");
cmp_ok($m->get('nginx_upstream_breaker_rejected_total', upstream => 'backend'),
       '>', 50, 'counted');
is($m->get('nginx_upstream_breaker_rejected_total', upstream => 'second'), 4,
   'counted by the second');

$t->expect(qr/auth request unexpected status/);

done_testing();
