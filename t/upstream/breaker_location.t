#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_breaker in a location: implicit upstreams, variables, locations within,
# "if", "off", one name in several, both forms at once.

use NgxMon;
use IO::Select;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

log_format breaker '$status $uri $mon_breaker_name=$mon_breaker_state';

upstream both {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=2 open=60s;
}

upstream plain {
    server 127.0.0.1:%%PORT_8081%%;
}

map $arg_to $to {
    default $arg_to;
    peer 127.0.0.1:%%PORT_8081%%;
    dead 127.0.0.1:%%PORT_8083%%;
    two two:%%PORT_8081%%;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;
    access_log %%TESTDIR%%/access.log breaker;
    proxy_next_upstream off;
    resolver 127.0.0.1:%%PORT_8084%% ipv6=off;
    resolver_timeout 200ms;

    location /outer/ {
        mon_breaker consecutive=1 open=60s;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;

        location /outer/inner/ {
            proxy_pass http://plain;
        }

        location /outer/off/ {
            mon_breaker off;
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }

        location /outer/own/ {
            mon_breaker consecutive=1 open=60s;
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }

        if ($arg_if) {
            proxy_pass http://plain;
        }
    }

    location /a/ {
        mon_breaker "name=one circuit" consecutive=1 open=60s;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }

    location /b/ {
        mon_breaker "name=one circuit" consecutive=1 open=60s;
        proxy_pass http://plain;
    }

    location /both/ {
        mon_breaker consecutive=1 open=30s;
        proxy_pass http://both;
    }

    location /upstream/ {
        proxy_pass http://both;
    }

    location /var/ {
        mon_breaker name=var consecutive=1 open=200ms max_open=200ms probes=2 slow=1s slow_ratio=1% min=1;
        proxy_pass http://$to;

        location /var/wait/never {
            proxy_read_timeout 100ms;
            proxy_pass http://$to;
        }
    }

    location /named/ {
        mon_name shown;
        mon_breaker consecutive=1 open=60s;
        proxy_pass http://$arg_to;
    }

    location /redirected/ {
        mon_breaker name=redirected consecutive=1 open=200ms max_open=200ms probes=1;
        error_page 404 = @plain;
        proxy_intercept_errors on;
        proxy_pass http://$to;
    }

    location /denied/ {
        mon_breaker name=redirected consecutive=1 open=200ms max_open=200ms probes=1;
        error_page 403 = @plain;
        deny all;
        proxy_pass http://$to;
    }

    location @plain {
        rewrite ^ $arg_then break;
        proxy_pass http://plain;
    }

    location /static/ {
        mon_breaker;
        return 200 ok;
    }

    location /file/ {
        mon_breaker;
        root %%TESTDIR%%;
    }

    location = /metrics { mon_metrics; access_log off; }
}

server {
    listen 127.0.0.1:%%PORT_8082%%;
    server_name other;

    location /outer/ {
        mon_breaker;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}
EOC

my $b = $t->backend(8081);

$t->port(8083);
$t->write_file('file/x', 'x');
$t->run();

sub state_of {
	my ($name) = @_;

	my $m = $t->metrics();

	for (qw/ closed open half_open /) {
		return $_ if $m->get('nginx_upstream_breaker_state',
				     upstream => $name, state => $_);
	}
}

my $m = $t->metrics();

is_deeply([sort map { $_->{labels}{upstream} }
	   grep { $_->{labels}{state} eq 'open' }
	   $m->samples('nginx_upstream_breaker_state')],
	  [sort('_ /outer/', '/outer/own/', 'both', 'one circuit', '/both/',
	   'var', 'shown', 'redirected', '/static/', '/file/',
	   'other /outer/')], 'names');

# the circuit of the outer location, and the others

is($t->get('/outer/own/status/503')->{status}, 503, 'opens');
is(state_of('/outer/own/'), 'open', 'its own');
is(state_of('_ /outer/'), 'closed', "not the outer one's");
is($t->get('/outer/inner/status/502')->{status}, 502, 'within');
is(state_of('_ /outer/'), 'open', "that is the outer one's");

my $n = $b->requests();

is($t->get("/outer/$_")->{status}, 503, "$_: refused")
	for '', 'inner/', '?if=1', 'own/';
is($b->requests(), $n, 'nothing was sent');
is($t->get('/outer/off/')->{status}, 200, 'off');
is($t->get('/static/')->{status}, 200, 'nothing passed on');
is($t->get('/file/x')->{status}, 200, 'a file');
is($t->get('/outer/', port => 8082)->{status}, 200, 'the other server');

# one name

is($t->get('/a/status/504')->{status}, 504, 'a opens');
is($t->get('/b/')->{status}, 503, 'b is refused');
is($t->get('/b/')->{headers}{'retry-after'} > 50, 1, 'for a minute');

# both forms

is($t->get('/upstream/')->{status}, 200, 'closed');
is($t->get('/both/status/502')->{status}, 502, "opens the location's");
is($t->get('/both/')->{status}, 503, 'refused');
cmp_ok($t->get('/both/')->{headers}{'retry-after'}, '<', 40, 'by the location');
is(state_of('both'), 'closed', "the upstream's is closed");
is($t->get('/upstream/status/502')->{status}, 502, 'the second in a row');
is(state_of('both'), 'open', "the upstream's is open");
is($t->get('/upstream/')->{status}, 503, 'refused');

# variables

sub var {
	my ($uri, $status, $name, $state, $location) = @_;

	$location //= 'var';

	# closed again
	wait_for(sub {
		$t->get("/$location/?to=peer");
		state_of($location) eq 'closed'
	});

	is($t->get("/$location$uri")->{status}, $status, "$name: $status");
	is(state_of($location), $state, "$name: $state");
}

for my $to (qw/ peer plain /) {
	var("/?to=$to", 200, "$to: good", 'closed');
	var("/status/503?to=$to", 503, "$to: 503", 'open');
	var("/status/500?to=$to", 500, "$to: 500", 'closed');
	var("/close?to=$to", 502, "$to: closes", 'open');
	var("/garbage?to=$to", 502, "$to: garbage", 'open');
	var("/wait/never?to=$to", 504, "$to: timeout", 'open');
	var("/delay/1.1?to=$to", 200, "$to: slow", 'open');
	var("/slow/0.02/bytes/1000?to=$to", 200, "$to: slow body", 'closed');
}

var('/?to=dead', 502, 'dead', 'open');
var('/?to=two', 502, 'no name server', 'open');
var('/?to=', 500, 'no name', 'closed');

# a trial by variables: permits are given back, by verdict or without

for my $to (qw/ peer plain /) {
	var("/status/503?to=$to", 503, $to, 'open');

	$n = $b->requests();

	my @c = map { $t->client() } 1, 2;

	for (@c) {
		wait_for(sub {
			$_->close();
			$_ = $t->client();
			$_->send_request('GET', "/var/wait/$to?to=$to");
			wait_for(sub { $b->requests() > $n
				       || IO::Select->new($_->socket())
					->can_read(0) });
			$b->requests() > $n;
		});
		$n = $b->requests();
	}

	is($t->get("/var/?to=$to")->{status}, 503, "$to: no permit left");

	(shift @c)->close();
	wait_for(sub { $t->get("/var/?to=$to")->{status} == 200 });
	is($t->get("/var/?to=$to")->{status}, 503, "$to: no permit again");
	is(state_of('var'), 'half_open', "$to: half-open");
	$b->tell($to);
	is($c[0]->response()->{status}, 200, "$to: answered");
	wait_for(sub { state_of('var') eq 'closed' });
}

# what is denied asks no circuit

var('/status/502?to=peer', 502, 'redirected', 'open', 'redirected');

is($t->get('/denied/?then=/status/200')->{status}, 200, 'denied');
is(state_of('redirected'), 'open', 'nothing was tried');

# the verdict is that of the upstream before a redirect

ok(wait_for(sub {
	$t->get('/redirected/status/404?to=peer&then=/status/503');
	state_of('redirected') eq 'closed';
}), 'the first verdict counts');

# an upstream by its name, and the label by mon_name

is($t->get('/named/status/503?to=both')->{status}, 503, 'refused');
is(state_of('shown'), 'closed', 'by the other one');
is($t->get('/named/status/503?to=plain')->{status}, 503, 'opens');
is(state_of('shown'), 'open', 'that was it');

my $log = $t->read_file('access.log');

like($log, qr{^503 /outer/ _ /outer/=open$}m, 'log: label');
like($log, qr{^200 /outer/off/ =$}m, 'log: off');
like($log, qr{^503 /b/ one circuit=open$}m, 'log: name');
like($log, qr{^503 /both/ /both/=open$}m, 'log: location');
like($log, qr{^503 /upstream/ both=open$}m, 'log: upstream');
like($log, qr{^503 /named/status/503 both=open$}m, 'log: which refused');

done_testing();
