#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A request that an error page answers counts once, where it was answered,
# with the status and the method that the client saw and sent.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }

    location /uri { error_page 404 /errors/404; return 404; }
    location /named { error_page 503 @named; return 503; }
    location /large { error_page 404 =1200 /errors/large; return 404; }
    location /other { error_page 404 =203 /errors/other; return 404; }
    location /own { error_page 404 = /errors/own; return 404; }
    location /redirect { error_page 404 http://localhost/; return 404; }
    location /none { return 404; }

    location /errors/ { return 200 ok; }
    location = /errors/404 { root %%TESTDIR%%; }
    location = /errors/own { return 201 own; }
    location @named { return 200 named; }

    location /recursive {
        error_page 404 /again;
        recursive_error_pages on;
        return 404;
    }
    location = /again { error_page 403 @named; return 403; }

    location = /filtered {
        error_page 412 /errors/412;
        root %%TESTDIR%%;
    }
    location = /plain { root %%TESTDIR%%; }

    location /cycle {
        error_page 404 /cycle;
        recursive_error_pages on;
        return 404;
    }
}
EOC

$t->write_file('errors/404', 'a page of its own');
$t->write_file($_, 'content') for qw/ filtered plain /;
$t->run();

# where it is answered, with which status

for (['/uri', '= /errors/404', 404],
     ['/named', '@named', 503],
     ['/other', '/errors/', 203],
     ['/own', '= /errors/own', 201],
     ['/redirect', '/redirect', 302],
     ['/none', '/none', 404],
     ['/recursive', '@named', 403])
{
	my ($uri, $location, $status) = @$_;
	my $before = $t->metrics();

	is($t->get($uri)->{status}, $status, "$uri answers");

	my $after = $t->metrics();
	my @series = ('nginx_http_requests_total', location => $location,
		      method => 'GET', status => $status);

	is(($after->get(@series) // 0) - ($before->get(@series) // 0), 1,
	   "$uri counts at $location");
	is($after->get('nginx_http_requests_total')
	   - ($before->get('nginx_http_requests_total') // 0), 1,
	   "$uri counts once");
}

$t->get('/large');
is($t->metric('nginx_http_requests_total', location => '/errors/',
	      method => 'GET', status => 1200), 1, 'a status of four digits');

is($t->get('/cycle')->{status}, 500, 'a cycle');
is($t->metric('nginx_http_errors_total', location => '/cycle',
	      reason => 'internal'), 1, 'an internal error');

is($t->request('POST', '/uri', body => 'x' x 10)->{status}, 404, 'a POST');
ok($t->wait_metric(1, 'nginx_http_requests_total', method => 'POST',
		  status => 404, location => '= /errors/404'), 'is a POST');

# a filter may turn an answer into an error, before or after it was recorded

for (['/plain', '= /plain'], ['/filtered', '/errors/']) {
	my ($uri, $location) = @$_;
	my @series = ('nginx_http_requests_total', location => $location,
		      status => 412);
	my $n = $t->metric('nginx_http_requests_total');

	is($t->get($uri, headers => [ 'If-Match' => '"x"' ])->{status}, 412,
	   "$uri: a filter's error");
	is($t->metric(@series), 1, "$uri counts at $location");
	is($t->metric('nginx_http_requests_total'), $n + 1, "$uri counts once");
}

my $m = $t->metrics();

is($m->get('nginx_http_requests_in_flight'), 0, 'none in flight');
is($m->get('nginx_http_request_duration_seconds_count'),
   $m->get('nginx_http_requests_total'), 'a duration each');

done_testing();
