#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_retry of a location: in the place of the upstream's, inherited, ended by
# off; for implicit upstreams, and for those that variables name.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

upstream with { server 127.0.0.1:%%PORT_8081%%; mon_retry attempts=3 backoff=0; }
upstream without { server 127.0.0.1:%%PORT_8081%%; }
upstream off { server 127.0.0.1:%%PORT_8081%%; mon_retry off; }

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location /with/ { proxy_pass http://with; }
    location /without/ { proxy_pass http://without; }
    location /off/ { proxy_pass http://off; }

    location /five/ {
        mon_retry attempts=5 backoff=0;

        location /five/with/ { proxy_pass http://with; }
        location /five/without/ {
            proxy_pass http://without;
            if ($arg_if) { set $x y; }
        }
        location /five/off/ { proxy_pass http://off; }
        location /five/never/ {
            mon_retry off;
            proxy_pass http://with;
            location /five/never/within/ { proxy_pass http://without; }
        }
        location /five/implicit/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /five/named/ {
            set $name with;
            proxy_pass http://$name;
        }
        location /five/known/ {
            set $name 127.0.0.1:%%PORT_8081%%;
            proxy_pass http://$name;
        }
        location /five/unknown/ {
            set $name 127.0.0.2:%%PORT_8081%%;
            proxy_pass http://$name;
        }
    }

    location = /metrics { mon_metrics; }
}
EOC

my $backend = $t->backend(8081, addr => '0.0.0.0');

$t->run();

my %attempts = (
	'with' => 3,
	'without' => 1,
	'off' => 1,
	'five/with' => 5,
	'five/without' => 5,
	'five/off' => 5,
	'five/never' => 1,
	'five/never/within' => 1,
	'five/implicit' => 5,
	'five/named' => 5,
	'five/known' => 5,

	# nginx shows it to no module
	'five/unknown' => 1,
);

for my $where (sort keys %attempts) {
	my $uri = "/$where/status/503";

	is($t->get($uri)->{status}, 503, "$where: the last answer");
	is(scalar(grep { $_->{uri} eq $uri } $backend->requests()),
	   $attempts{$where}, "$where: attempts");
}

is($t->get('/five/without/status/503?if=1')->{status}, 503, 'an if');
is(scalar(grep { $_->{uri} eq '/five/without/status/503?if=1' }
	  $backend->requests()), 5, 'inherits');

my $m = $t->metrics();

is($m->get('nginx_upstream_retries_total', upstream => 'with',
	   outcome => 'failure'), 2 + 4 + 4, 'counted at the upstream');
is($m->get('nginx_upstream_retries_total', upstream => 'without',
	   outcome => 'failure'), 4 + 4, 'that may have none itself');
is($m->get('nginx_upstream_retries_total',
	   upstream => '127.0.0.1:' . $t->port(8081), outcome => 'failure'),
   4 + 4, 'or be implicit');
is($m->get('nginx_upstream_retries_total', upstream => $_,
	   outcome => 'attempts') // 0, 1, "$_: attempts") for 'off';

done_testing();
