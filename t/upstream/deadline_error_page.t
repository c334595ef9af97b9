#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline and error pages: 504 is caught as ever, and what then happens has
# no deadline.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream backend { server 127.0.0.1:%%PORT_8081%%; keepalive 4; }
upstream other { server 127.0.0.1:%%PORT_8082%%; }

server {
    listen 127.0.0.1:%%PORT_8080%%;

    mon_deadline 500ms;

    location = /metrics { mon_deadline off; mon_metrics; }

    location /named/ { error_page 504 = @slow; proxy_pass http://backend; }
    location /kept/ { error_page 504 @slow; proxy_pass http://backend; }
    location /uri/ { error_page 504 =200 /page; proxy_pass http://backend; }
    location /redirect/ {
        error_page 504 https://example.com/;
        proxy_pass http://backend;
    }
    location /text/ { error_page 504 = @text; proxy_pass http://backend; }
    location /missing/ { error_page 504 /none; proxy_pass http://backend; }
    location /recursive/ {
        recursive_error_pages on;
        error_page 504 = /recursive/more/wait/b;
        proxy_pass http://backend;
        location /recursive/more/ {
            error_page 504 = @text;
            proxy_read_timeout 300ms;
            proxy_pass http://backend;
        }
    }
    location /other/ {
        error_page 500 = @late;
        proxy_intercept_errors on;
        proxy_pass http://backend;
    }

    location @slow { proxy_pass http://other; }
    location @late { error_page 504 = @text; proxy_pass http://backend; }
    location @text { return 200 text; }
    location = /page { mon_deadline 10ms; proxy_pass http://other/delay/1.2; }
}
EOC

my $b = $t->backend(8081);
my $o = $t->backend(8082, mode => '/delay/1.2');

$t->run();

my $client = $t->client();

sub answer {
	my ($uri, $status, %o) = @_;
	my $r = $client->request($o{method} // 'GET', $uri, %o);

	is($r->{status}, $status, "$uri: $status");

	return $r;
}

like(answer('/named/wait/a', 200)->{body}, qr{GET /named/wait/a}, 'answered');
like(answer('/named/wait/a', 200, method => 'POST', body => 'body')->{body},
     qr{POST /named/wait/a}, 'with its method');
$o->mode('/delay/1.2/echo');
is(answer('/named/wait/a', 200, method => 'POST', body => 'body')->{body},
   'body', 'and body');
answer('/kept/wait/a', 504);
answer('/uri/wait/a', 200);
answer('/redirect/wait/a', 302);
is(answer('/text/wait/a', 200)->{body}, 'text', 'a text');
answer('/missing/wait/a', 404);
is(answer('/recursive/wait/a', 200)->{body}, 'text', 'another error page');

# the time goes on in a location that is not that of a deadline

answer('/other/delay/0.05/status/500', 500);
$client->close();
$client = $t->client();
$b->mode('/delay/0.35/status/500');
answer('/other/', 504);
$b->mode('/');

$client->close();
$t->wait_metric(0, 'nginx_http_requests_in_flight', location => '@slow');

my $m = $t->metrics();
my $errors = 'nginx_http_errors_total';

# what was made a success, or a redirect, is no error

is($m->get($errors, reason => 'deadline'), 3, 'counted');
is($m->get($errors, reason => 'deadline', location => '@slow'), 1,
   'where it was answered');
is($m->get($errors, reason => 'deadline', location => '/missing/') // 0, 0,
   'and only there');
is($m->get('nginx_http_requests_total', status => 504), 2, 'as 504');
is((() = $t->log_lines(qr/deadline of \d+ms exceeded/)), 10, 'a line each');

done_testing();
