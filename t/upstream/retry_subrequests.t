#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Subrequests are retried each on its own: SSI, auth_request, mirror, with
# the main request's body; they end with the main request.

use NgxMon;

my $t = NgxMon->new();

$t->has('http_auth_request');

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend {
    server 127.0.0.1:%%PORT_8081%%;
    mon_retry attempts=3 backoff=20ms min=100;
}

upstream forever {
    server 127.0.0.1:%%PORT_8081%%;
    mon_retry backoff=1h;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    client_body_buffer_size 4k;

    location / { proxy_pass http://backend; }

    location /auth/ {
        auth_request /check/first/2/status/503;
        proxy_pass http://backend;
    }

    location /denied/ {
        auth_request /refuse/status/403;
        proxy_pass http://backend;
    }

    location /mirror/ {
        mirror /copy/echo/first/1/status/503;
        proxy_pass http://backend;
    }

    location /ssi {
        ssi on;
        default_type text/html;
        return 200 '<!--# include virtual="/part/first/1/status/503" -->-
                    <!--# include virtual="/part/first/2/close" -->-
                    <!--# include virtual="/part/fine" -->';
    }

    location /left {
        ssi on;
        default_type text/html;
        return 200 '<!--# include virtual="/forever/first/1/status/503" -->-
                    <!--# include virtual="/forever/first/1/close" -->';
    }

    location /check/ { internal; proxy_pass http://backend; }
    location /refuse/ {
        internal;
        proxy_pass http://backend;
        mon_retry attempts=2 backoff=2ms on=http_403;
    }
    location /copy/ {
        internal;
        proxy_pass http://backend;
        proxy_set_header Content-Length $content_length;
    }
    location /part/ { proxy_pass http://backend; }
    location /forever/ { proxy_pass http://forever; }
    location = /metrics { mon_metrics; }
}
EOC

my $backend = $t->backend(8081);

$t->run();

sub attempts {
	my ($uri) = @_;

	return scalar grep { $_->{uri} =~ m{^\Q$uri\E} } $backend->requests();
}

is($t->get('/auth/')->{status}, 200, 'auth_request: allowed');
is(attempts('/auth/'), 1, 'auth_request: the request itself');
is(attempts('/check/'), 3, 'auth_request: after two retries');

is($t->get('/denied/')->{status}, 403, 'auth_request: denied');
is(attempts('/denied/'), 0, 'auth_request: nothing else was asked');

my $body = 'body ' x 10000;
my $r = $t->request('PUT', '/mirror/echo', body => $body);

is($r->{status}, 200, 'mirror: the request itself');
ok($r->{body} eq $body, 'mirror: its body');
wait_for(sub { attempts('/copy/') == 2 }, 10, 'the copy is retried');

$r = $t->get('/ssi');

like($r->{body}, qr{^GET\ /part/first/1/status/503\n-\s+
	GET\ /part/first/2/close\n-\s+GET\ /part/fine\n$}x, 'SSI: all parts');

$t->wait_metric(0, 'nginx_upstream_calls_in_flight', upstream => 'backend');
is($t->metric('nginx_upstream_retries_in_flight'), 0, 'none in flight');
is($t->metric('nginx_upstream_requests_in_flight'), 0, 'no attempt, either');

# the client leaves while subrequests wait

my $client = $t->client();

$client->send_request('GET', '/left');
$t->wait_metric(2, 'nginx_upstream_retries_in_flight', upstream => 'forever');
$client->close();
$t->wait_metric(0, 'nginx_upstream_retries_in_flight', upstream => 'forever');
$t->wait_metric(0, 'nginx_upstream_calls_in_flight', upstream => 'forever');
is($t->metric('nginx_upstream_retries_total', upstream => 'forever',
	      outcome => 'aborted'), 2, 'both were aborted');
is(attempts('/forever/'), 2, 'no attempt followed');

done_testing();
