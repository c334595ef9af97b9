#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The outcome of limit_req and limit_conn, whatever status they answer with.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

limit_req_zone $arg_k zone=slow:1m rate=1r/m;
limit_req_zone $arg_k zone=quick:1m rate=3r/s;
limit_conn_zone $arg_k zone=conn:1m;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }

    location /req/ {
        limit_req zone=slow;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /burst/ {
        limit_req zone=quick burst=3;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /429/ {
        limit_req zone=slow;
        limit_req_status 429;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /dry/ {
        limit_req zone=slow;
        limit_req_dry_run on;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /drydelay/ {
        limit_req zone=slow burst=3;
        limit_req_dry_run on;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /conn/ {
        limit_conn conn 1;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /dryconn/ {
        limit_conn conn 1;
        limit_conn_dry_run on;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /page/ {
        limit_req zone=slow;
        error_page 503 @page;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location @page { return 200; }
}
EOC

my $b = $t->backend(8081);

$t->run();

sub limited {
	my ($location, $limiter, $outcome) = @_;

	return $t->metric('nginx_http_limited_requests_total',
			  location => $location, limiter => $limiter,
			  outcome => $outcome) // 0;
}

sub reason {
	return $t->metric('nginx_http_errors_total', location => $_[0],
			  reason => 'limited') // 0;
}

is($t->get("/req/?k=1")->{status}, $_, "limit_req: $_") for 200, 503;
is(limited('/req/', 'limit_req', 'passed'), 1, 'passed');
is(limited('/req/', 'limit_req', 'rejected'), 1, 'rejected');
is(reason('/req/'), 1, 'the reason');

is($t->get("/429/?k=2")->{status}, $_, "with a status: $_") for 200, 429;
is(limited('/429/', 'limit_req', 'rejected'), 1, 'rejected with 429');
is(reason('/429/'), 1, 'the reason of 429');

my @clients = map { $t->client() } 1, 2;

$_->send_request('GET', '/burst/?k=3', close => 1) for @clients;
is($_->response()->{status}, 200, 'a burst') for @clients;
$t->wait_metric(2, 'nginx_http_requests_total', location => '/burst/');
is(limited('/burst/', 'limit_req', 'passed'), 1, 'burst passed');
is(limited('/burst/', 'limit_req', 'delayed'), 1, 'burst delayed');
is(reason('/burst/'), 0, 'a delay is no failure');

is($t->get("/dry/?k=4")->{status}, 200, "dry run $_") for 1, 2;
is(limited('/dry/', 'limit_req', 'rejected_dry_run'), 1, 'dry run');
is(limited('/dry/', 'limit_req', 'rejected'), 0, 'not really');
is($t->get("/drydelay/?k=5")->{status}, 200, "dry delay $_") for 1, 2;
is(limited('/drydelay/', 'limit_req', 'delayed_dry_run'), 1, 'dry delay');

# what a dry run let pass may fail for something else

is($t->get("/dry/status/500?k=4")->{status}, 500, 'a failure');
is(reason('/dry/'), 0, 'not because of the limit');
is($t->metric('nginx_http_errors_total', reason => 'upstream_error'), 1,
   'but of the upstream');

for my $location (qw{ /conn/ /dryconn/ }) {
	my $c = $t->client();
	my $word = $location =~ tr{/}{}dr;
	my $n = () = $b->requests();

	$c->send_request('GET', "${location}wait/$word?k=6");
	wait_for(sub { (() = $b->requests()) > $n }, 10, 'one in flight');
	is($t->get("$location?k=6")->{status},
	   $location eq '/conn/' ? 503 : 200, "$location, the second");
	$b->tell($word);
	is($c->response()->{status}, 200, "$location, the first");
	$t->wait_metric(2, 'nginx_http_requests_total', location => $location);
	is(limited($location, 'limit_conn', 'passed'), 1, "$location passed");
}

is(limited('/conn/', 'limit_conn', 'rejected'), 1, 'limit_conn: rejected');
is(limited('/dryconn/', 'limit_conn', 'rejected_dry_run'), 1, 'dry run');
is(reason('/conn/'), 1, 'the reason of limit_conn');
is(reason('/dryconn/'), 0, 'none of its dry run');

is($t->get("/page/?k=7")->{status}, $_, "error page: $_") for 200, 503;
is(limited('@page', 'limit_req', 'rejected'), 1, 'counts at the page');
is(reason('@page'), 1, 'so does its reason');

is($t->metric('nginx_http_limited_requests_total', location => '/other/'),
   undef, 'none where there is no limit');

done_testing();
