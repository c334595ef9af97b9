#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# A reload that comes to nothing in the middle, since one of our modules found
# fault: nginx has made half of a chain of filters by then.  Who starts later
# has a whole one, of the configuration in force; so has an nginx without
# workers, soon.

use NgxMon;

my $conf = <<'EOC';
mon_zone mon 4m;

upstream circuit {
    server 127.0.0.1:%%PORT_8081%%;
    mon_breaker consecutive=1 open=60s on=http_500;
}

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location /circuit/ { proxy_pass http://circuit; }
    location / { root %%TESTDIR%%; }
}
EOC

# what comes to nothing, and what nginx says

my @failures = (
	['upstream a { server 127.0.0.1:%%PORT_8081%%; mon_breaker; }',
	 qr/"mon_breaker" has no zone/],
	['mon_zone mon 4m; mon_limit_zone $arg_k zone=rate:1m rate=1r/h;'
	 . ' upstream a { server 127.0.0.1:%%PORT_8081%%; }'
	 . ' server { listen 127.0.0.1:%%PORT_8080%%;'
	 . ' location /a { mon_limit zone=rate; proxy_pass http://a; }'
	 . ' location /b { mon_breaker name=b; proxy_pass http://a; }'
	 . ' location /c { mon_breaker name=b min=30; proxy_pass http://a; } }',
	 qr/\[emerg\].*breaker/],
	['mon_zone mon 4m; log_format a $there_is_none;',
	 qr/unknown "there_is_none" variable/],
	['mon_zone mon 4m; nonsense;', qr/unknown directive "nonsense"/],
	['upstream a { server 127.0.0.1:%%PORT_8081%%; mon_check; }',
	 qr/"mon_check" has no place/],
);

sub whole {
	my ($t, $what) = @_;

	my $r = $t->get('/file', headers => [Range => 'bytes=10-14']);

	is("$r->{status} $r->{body}", '206 abcde', "$what: a range");

	$r = $t->get('/file');
	$r = $t->get('/file',
		     headers => ['If-None-Match' => $r->{headers}{etag}]);
	is($r->{status}, 304, "$what: not modified");

	$r = $t->get('/circuit/');
	is($r->{status}, 503, "$what: open");
	like($r->{headers}{'retry-after'}, qr/^\d+$/, "$what: for a while");
}

for my $main ('', 'master_process off;') {
	my $t = NgxMon->new();

	$t->backend(8081);
	$t->conf($conf, main => $main);
	$t->write_file('file', '0123456789abcdefghij');
	$t->run();

	my $what = $main ? 'no master' : 'workers';

	is($t->get('/circuit/status/500')->{status}, 500, "$what: a failure");
	whole($t, $what);

	for (@failures) {
		my ($failure, $said) = @$_;
		my $n = $t->log_lines($said);

		$t->expect($said);
		$t->conf($failure, main => $main);
		kill 'HUP', $t->pid();
		ok(wait_for(sub { $t->log_lines($said) > $n }, 20, $failure),
		   "$what: a reload that fails");

		$t->kill_worker() unless $main;

		wait_for(sub {
			my $r = $t->get('/file',
					headers => [Range => 'bytes=10-14']);
			my $h = $t->get('/circuit/')->{headers};
			return $r->{body} eq 'abcde' && $h->{'retry-after'};
		}, 20, 'filters') if $main;

		whole($t, "$what, $said");
	}

	# and one that does not

	$t->conf($conf, main => $main);

	if (!$main) {
		$t->reload();
		whole($t, 'a reload');
	}
}

done_testing();
