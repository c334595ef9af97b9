#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline and subrequests: they are covered by that of the main request,
# which ends as itself; background ones go on.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new();

$t->has('http_auth_request', 'http_slice');

$t->conf(<<'EOC');
mon_zone mon 4m;

limit_req_zone $uri zone=limit:1m rate=1r/m;
proxy_cache_path cache keys_zone=cache:1m;

upstream auth { server 127.0.0.1:%%PORT_8081%%; }
upstream backend { server 127.0.0.1:%%PORT_8081%%; }

server {
    listen 127.0.0.1:%%PORT_8080%%;

    mon_deadline 500ms;

    location = /metrics { mon_deadline off; mon_metrics; }

    location /up/ { proxy_pass http://backend; }
    location /fast { return 200 fast; }

    location /auth/ { auth_request /check; proxy_pass http://backend; }
    location /auth/limit/ { auth_request /limited; proxy_pass http://backend; }
    location /auth/caught/ {
        auth_request /check;
        error_page 504 = @fallback;
        proxy_pass http://backend;
    }
    location @fallback { auth_request off; return 200 fallback; }
    location = /check {
        internal;
        mon_deadline off;
        proxy_pass http://auth/$http_x_auth;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }
    location = /limited {
        internal;
        limit_req zone=limit burst=100;
        proxy_pass http://auth/;
    }

    location /mirror/ { mirror /copy; proxy_pass http://backend; }
    location = /copy { internal; proxy_pass http://auth/copied/delay/1.5; }
    location /mirror/quick/ { mirror /fastcopy; proxy_pass http://backend; }
    location = /fastcopy { internal; proxy_pass http://auth/copied; }

    location /ssi/ {
        ssi on;
        ssi_types *;
        default_type text/html;

        location /ssi/one { return 200 '-<!--# include virtual="/up/wait/a" -->-'; }
        location /ssi/two {
            return 200 '-<!--# include virtual="/up/wait/a" -->
            <!--# include virtual="/up/wait/b" --><!--# include virtual="/fast" -->';
        }
        location /ssi/late {
            return 200 '<!--# include virtual="/up/1" --><!--# include virtual="/fast" --><!--# include virtual="/up/wait/b" --> ';
        }
        location /ssi/wait {
            return 200 '<!--# include virtual="/up/wait/b" wait="yes" -->x';
        }
        location /ssi/nested {
            return 200 '1<!--# include virtual="/ssi/one" -->2<!--# include virtual="/ssi/late" -->3';
        }
        location /ssi/set {
            return 200 '<!--# include virtual="/up/wait/b" set="v" --><!--# echo var="v" -->';
        }
        location /ssi/large {
            return 200 '<!--# include virtual="/up/bytes/20000" --><!--# include virtual="/up/wait/b" -->';
        }
    }

    location /slice/ {
        slice 10;
        proxy_cache cache;
        proxy_cache_key $uri$slice_range;
        proxy_set_header Range $slice_range;
        proxy_http_version 1.1;
        proxy_cache_valid 200 206 1h;
        proxy_pass http://127.0.0.1:%%PORT_8082%%/file;
    }
}

# answers ranges, the ones after the third slowly

server {
    listen 127.0.0.1:%%PORT_8082%%;
    mon off;
    location / {
        if ($http_range ~ "=[3-9].-") { rewrite ^ /wait/a last; }
        root %%TESTDIR%%;
    }
    location /wait/ { proxy_pass http://backend; }
}
EOC

$t->write_file('file', join '', map { sprintf '%09d ', $_ } 0 .. 9);

my $b = $t->backend(8081);

$t->run();

my $n = 0;

sub late {
	my ($uri, $what, %o) = @_;
	my $client = $t->client();
	my $start = time();
	my $r = $client->request($o{body} ? 'POST' : 'GET', $uri, %o,
		$o{auth} ? (headers => ['X-Auth' => "/$o{auth}/"]) : ());
	my $took = time() - $start;

	is($r->{status}, $o{status} // 504, "$what: answered");
	cmp_ok($took, '>', 0.45, 'not before its time');
	cmp_ok($took, '<', 10, 'but then');
	$n++;

	if (!$o{broken}) {
		is($client->get('/fast')->{body}, 'fast',
		   'the connection goes on');

	} else {
		ok($client->closed(), 'the connection ends');
	}

	$client->close();

	return $r;
}

late('/auth/', 'auth_request', auth => 'wait/a');
late('/auth/', 'auth_request, a body', auth => 'wait/a', body => 'x' x 30000);
late('/auth/wait/a', 'behind auth_request');
is($t->get('/auth/caught/')->{status}, 200, 'on time');
is(late('/auth/caught/', 'caught', auth => 'wait/a', status => 200)->{body},
   'fallback', 'by its error page');
$n--;

is($t->get('/auth/limit/')->{status}, 200, 'the limit is reached');
late('/auth/limit/', 'a delayed subrequest');

late('/ssi/one', 'SSI');
late('/ssi/two', 'SSI, parallel');
late('/ssi/late', 'SSI, the last one');
late('/ssi/wait', 'SSI, wait');
late('/ssi/nested', 'SSI, nested');
late('/ssi/set', 'SSI, set');
late('/ssi/large', 'SSI, a part was sent', status => 200, broken => 1);

my $r = late('/slice/', 'slice', status => 200, broken => 1);

like($r->{body}, qr/^000000000 000000001 /, 'some slices were sent');

# background subrequests

my $client = $t->client();
my $start = time();

is($client->get('/mirror/')->{status}, 200, 'a mirror that is slow');
cmp_ok(time() - $start, '<', 1.4, 'is not waited for');
is($client->get('/fast')->{body}, 'fast', 'the next request');
cmp_ok(time() - $start, '>', 1.4, 'waits for it, as ever');
$client->close();

late('/mirror/quick/wait/a', 'a mirror that is fast');

# a mirror that outlives the answer of a request that was late

$client = $t->client();
is($client->get('/mirror/wait/a')->{status}, 504, 'late');
is($client->get('/fast')->{body}, 'fast', 'and its mirror');
$n++;

my $m;

ok(wait_for(sub {
	$m = $t->metrics();
	$m->get('nginx_http_requests_in_flight') == 0
		&& $m->get('nginx_upstream_requests_in_flight') == 0
		&& $m->get('nginx_connections_active') == 2
}, 10, 'nothing in flight'), 'nothing in flight');

is($m->get('nginx_http_errors_total', reason => 'deadline'), $n, 'counted');
is($m->get('nginx_http_errors_total'), $n, 'as nothing else');
is($m->get('nginx_http_requests_total', status => 500), undef, 'not as 500');

my @lines = $t->log_lines(qr/deadline of 500ms exceeded/);

is(grep(/, subrequest: "\/check",.* upstream: "/, @lines), 3,
   'the subrequest is named');
is(scalar $t->log_lines(qr/auth request unexpected status/), 0,
   'which has no status');

done_testing();
