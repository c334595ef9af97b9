#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# What the mon_limit of an upstream refuses: the client gets its status with
# Retry-After, unless error_page has another idea; subrequests and HTTP/2
# included.  It is refused ahead of all where the upstream is known, or when it
# is about to be asked, where variables name it; with per=peer, too.

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
	. locations('/v', 'http://$name')
	. locations('/ps', 'http://peers')
	. locations('/pv', 'http://$peers');

$t->write_file('html/busy.html', 'busy');
$t->write_file("html/ssi$_.html", qq{<<!--# include virtual="$_/plain" -->>})
	for qw{ /s /v /ps /pv };

$t->conf(<<"EOC");
mon_zone mon 4m;

log_format addr '\$status \$uri "\$upstream_addr"';

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_limit rate=1r/h;
    keepalive 2;
}

upstream peers {
    server 127.0.0.1:%%PORT_8081%%;
    server 127.0.0.1:%%PORT_8084%% backup;
    mon_limit rate=1r/h per=peer;
}

upstream second {
    server 127.0.0.1:%%PORT_8081%%;
    mon_limit rate=2r/h status=429;
}

upstream other {
    server 127.0.0.1:%%PORT_8082%%;
}

map \$uri \$name {
    default backend;
}

map \$uri \$peers {
    default peers;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    listen 127.0.0.1:%%PORT_8083%% http2;

    root %%TESTDIR%%/html;
    access_log %%TESTDIR%%/access.log addr;
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
        error_page 429 = \@other;
        proxy_pass http://second;
    }

    location /use/ { proxy_pass http://\$arg_upstream; }
    location = /metrics { mon_metrics; access_log off; }
}
EOC

my $backend = $t->backend(8081);
my $other = $t->backend(8082);
my $spare = $t->backend(8084);

$t->run();

is($t->get("/use/?upstream=$_")->{status}, 200, "$_ is used up")
	for qw/ backend second peers peers /;

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

for my $l (qw{ /s /v /ps /pv }) {
	my $ahead = $l =~ /s$/;
	my $how = $l;

	expect("$l/plain", 503, 3600, qr/503 Service/);
	expect("$l/plain", 503, 3600, qr/503 Service/, method => 'POST',
	       body => 'x' x 100);
	expect("$l/page", 503, 3600, qr/^busy$/);
	expect("$l/moved", 302, 0, qr/302 Found/);
	expect("$l/good", 200, 0, qr/^busy$/);
	expect("$l/fallback", 200, 0, qr{^GET $l/fallback$});
	expect("$l/fallback/echo", 200, 0, qr/^y{60000}$/, method => 'POST',
	       body => 'y' x 60000);
	expect("$l/busy", 503, 0, qr{^GET /status/503$});
	expect("$l/second", 429, 1800, qr/429 Too Many/);
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

	if ($ahead) {
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
	     qr{^HTTP/2 503.*retry-after: \d{4}\r.*503 Service}s,
	     "$how: HTTP/2");

	# curl takes the reset of a stream for an error whose body is not read

	like($t->curl(@h2, '-d', 'x', "$h2$l/plain"),
	     qr{^HTTP/2 503.*retry-after: \d{4}\r.*503 Service}s,
	     "$how: HTTP/2 with a body") unless $ahead;
	like($t->curl(@h2, '-d', 'z' x 30000, "$h2$l/fallback/echo"),
	     qr{^HTTP/2 200.*z{30000}$}s, "$how: HTTP/2, fallback");
}

is($backend->requests(), $n, 'the upstream was left alone');
is(() = $spare->requests(), 1, 'and so was the backup peer');

# all were let go

$t->wait_metric(0, 'nginx_http_requests_in_flight', server => '_',
		location => '/s/plain');
$t->wait_metric(0, 'nginx_upstream_requests_in_flight');

my $log = $t->read_file('access.log');

like($log, qr{^503 /s/plain "-"$}m, 'log: refused, no attempt');
like($log, qr{^503 /v/plain "-"$}m, 'log: refused late');
like($log, qr{^503 /pv/plain "-"$}m, 'log: refused late, by peer');
like($log, qr{^429 /s/second "-"$}m, 'log: by the second');

my $m = $t->metrics();
my $errors = 'nginx_http_errors_total';

is($m->get($errors, location => "$_/plain", reason => 'limited'), 10,
   "$_: reason") for qw{ /s /v /ps /pv };
is($m->get($errors, location => "\@second", reason => 'limited'), 4,
   'reason in the named location');
is($m->get($errors, location => "\@busy", reason => 'upstream_error'), 4,
   "the fallback's own");

my $limited = 'nginx_upstream_limited_requests_total';

cmp_ok($m->get($limited, upstream => $_, outcome => 'rejected'), '>', 50,
       "$_: counted") for qw/ backend peers /;
is($m->get($limited, upstream => 'second', outcome => 'rejected'), 8,
   'counted by the second');
is($m->get('nginx_upstream_responses_total', upstream => 'backend'), 1,
   'one attempt');
is($m->get('nginx_upstream_failures_total', upstream => $_), undef,
   "$_: no failure") for qw/ backend second peers /;
is(scalar(my @lines = $t->log_lines('\[error\]')), 4, 'no errors');

$t->expect(qr/auth request unexpected status/);

done_testing();
