#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Each attempt takes its share, whoever makes it.  A retry that has none isn't
# made: the client gets what the last attempt came to.

use NgxMon;

my $t = NgxMon->new();
my $upstreams = '';
my $locations = '';

sub upstream {
	my ($name, $burst, $more, $in) = @_;

	$upstreams .= <<"EOC";
upstream $name {
    server 127.0.0.1:%%PORT_8081%% max_fails=0;
    server 127.0.0.1:%%PORT_8082%% max_fails=0;
    server 127.0.0.1:%%PORT_8083%% max_fails=0;
    mon_limit rate=1r/h burst=$burst @{[ $more // '' ]};
    @{[ $in // '' ]}
}
EOC
	$locations .= <<"EOC";
    location /$name/ {
        proxy_pass http://$name;
        proxy_next_upstream error timeout http_503 http_404;
    }
    location /$name/body/ {
        proxy_pass http://$name;
        proxy_next_upstream error http_503 non_idempotent;
        proxy_request_buffering off;
    }
EOC
}

upstream("n$_", $_) for 0 .. 3, 9;
upstream('m9', 9);
upstream("p$_", $_, 'per=peer') for 0, 1;
upstream("r$_", $_, '', 'mon_retry attempts=5 budget=100% min=9 backoff=5ms;')
	for 0 .. 3;
upstream("q$_", $_, 'per=peer',
	 'mon_retry attempts=9 budget=100% min=9 backoff=5ms;') for 0, 1;

$t->conf(<<"EOC");
mon_zone mon 8m;

$upstreams

server {
    listen 127.0.0.1:%%PORT_8080%%;
    proxy_set_header Connection close;
    add_header X-Peers \$upstream_addr always;
    add_header X-Status \$upstream_status always;
    $locations
    location = /metrics { mon_metrics; }
}
EOC

my @backends = map { $t->backend($_) } 8081 .. 8083;

$t->run();

my $limited = 'nginx_upstream_limited_requests_total';

# what the client got, how many attempts were made, and the metrics

sub attempts {
	my ($uri, $status, $n, %o) = @_;

	my ($name) = $uri =~ m{^/(\w+)};
	my $before = map { $_->requests() } @backends;
	my @was = counted($name);

	my $r = $t->request($o{method} // 'GET', $uri, %o);
	my $sent = (map { $_->requests() } @backends) - $before;

	is($r->{status}, $status, "$uri: $status");
	is($sent, $n, "$uri: $n attempts");
	is($r->{headers}{'retry-after'} ? 1 : 0, $n ? 0 : 1,
	   "$uri: Retry-After or not");

	my @is = counted($name);

	is($is[0] - $was[0], $o{charged} // $n, "$uri: charged");
	is($is[1] - $was[1], $o{rejected} // 0, "$uri: rejected");

	my @status = split /, /, $r->{headers}{'x-status'} // '';

	is(@status, $o{shown} // $n, "$uri: shown");

	return $r;
}

sub counted {
	my ($name) = @_;

	my $m = $t->metrics();
	my ($passed, $diverted, $rejected) = map {
		$m->get($limited, upstream => $name, outcome => $_)
	} qw/ passed diverted rejected /;

	return ($passed + $diverted, $rejected);
}

# proxy_next_upstream

attempts('/n9/status/503', 503, 3);
attempts('/n9/status/404', 404, 3);
attempts('/n9/', 200, 1);
attempts('/n9/close', 502, 3);
attempts('/n9/', 503, 0, rejected => 1);

attempts('/n0/status/503', 503, 1, rejected => 1);
attempts('/n1/status/404/echo', 404, 2, rejected => 1);
attempts('/n1/', 503, 0, rejected => 1);
attempts('/n2/status/503', 503, 3);
attempts('/n3/close', 502, 3);
attempts('/n3/close', 502, 1, rejected => 1);

# the answer is the upstream's own

my $r = $t->get('/n9/');

like($r->{body}, qr/503 Service/, 'refused by nginx');

# what nginx does not repeat takes no more

attempts('/m9/status/503', 503, 1, method => 'POST', body => 'x');
attempts('/m9/status/500', 500, 1);
attempts('/m9/body/status/503', 503, 1, method => 'POST',
	 body => 'x' x 300000);
attempts('/m9/', 200, 1) for 1 .. 7;
attempts('/m9/', 503, 0, rejected => 1);

# per=peer

attempts('/p0/status/503', 503, 3);
attempts('/p0/', 503, 0, rejected => 1);
attempts('/p1/status/503', 503, 3);
attempts('/p1/', 200, 1);
attempts('/p1/', 200, 1);
attempts('/p1/status/503', 503, 1, rejected => 1);
attempts('/p1/', 503, 0, rejected => 1);

# mon_retry

attempts('/r0/status/503', 503, 1, rejected => 1);
attempts('/r1/status/503', 503, 2, rejected => 1);
attempts('/r2/close', 502, 3, rejected => 1);
attempts('/r3/first/1/status/503', 200, 4);
attempts('/r3/', 503, 0, rejected => 1);

attempts('/q0/status/503', 503, 3, rejected => 1);
attempts('/q1/close', 502, 6, rejected => 1);
attempts('/q1/', 503, 0, rejected => 1);

is($t->metric('nginx_upstream_retries_in_flight'), 0, 'no retry is left over');
is($t->metric('nginx_upstream_calls_in_flight'), 0, 'no call');
is($t->metric('nginx_upstream_retries_total', outcome => 'aborted'), 0,
   'none was aborted');

done_testing();
