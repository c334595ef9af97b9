#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline: arity, values, contexts, duplicates, inheritance; it needs
# mon_zone.  Every error names the file, the line and the word.

use NgxMon;

my $t = NgxMon->new();

$t->expect(qr/\[emerg\]/);

my %place = (
	http => 'DIRECTIVE server { listen 127.0.0.1:%%PORT_8080%%; }',
	server => "server { listen 127.0.0.1:%%PORT_8080%%;\nDIRECTIVE }",
	location => "server { listen 127.0.0.1:%%PORT_8080%%;\n"
		. "location / {\nDIRECTIVE } }",
	if => "server { listen 127.0.0.1:%%PORT_8080%%;\n"
		. "location / { if (\$arg_a) {\nDIRECTIVE } } }",
	upstream => "upstream u { server 127.0.0.1:1;\nDIRECTIVE }",
	limit_except => "server { listen 127.0.0.1:%%PORT_8080%%;\n"
		. "location / { limit_except GET {\nDIRECTIVE } } }",
);

sub judge {
	my ($place, $directive, $zone) = @_;

	return $t->test_config(($zone // "mon_zone mon 1m;\n")
			. $place{$place} =~ s/DIRECTIVE/$directive/r);
}

sub good {
	my ($code, $out) = judge(@_);

	is($code, 0, "$_[1] in $_[0]") or diag($out);
}

sub bad {
	my ($place, $directive, $message, $zone) = @_;
	my ($code, $out) = judge($place, $directive, $zone);
	my @lines = split /\n/, $t->read_file('nginx.conf');
	my ($last) = $directive =~ /([^\n]*)\z/;
	my ($line) = grep { $lines[$_ - 1] =~ /(?<!\w)\Q$last\E/ } 1 .. @lines;

	isnt($code, 0, "$directive in $place");
	like($out, qr/\[emerg\].*$message.* in \S+nginx\.conf:$line$/m,
	     'what, and where');
}

for my $place (qw/ http server location /) {
	good($place, "mon_deadline $_;") for qw/ 1ms 2s 1m30s 5 0 off 100d /;

	bad($place, 'mon_deadline;', 'invalid number of arguments');
	bad($place, 'mon_deadline 1s 2s;', 'invalid number of arguments');
	bad($place, "mon_deadline $_;", "invalid value \"$_\"")
		for qw/ x 1x -1 1.5s on ms /;
	bad($place, 'mon_deadline "";', 'invalid value ""');
	bad($place, "mon_deadline 1s;\nmon_deadline 2s;",
	    '"mon_deadline" directive is duplicate');
	bad($place, "mon_deadline 0;\nmon_deadline off;",
	    '"mon_deadline" directive is duplicate');
	bad($place, 'mon_deadline 1s;', 'add "mon_zone mon 16m;"', '');
}

bad($_, 'mon_deadline 1s;', '"mon_deadline" directive is not allowed here')
	for qw/ if upstream limit_except /;

# which one counts

$t->conf(<<'EOC');
mon_zone mon 4m;
mon_deadline 100ms;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    location = /metrics { mon_metrics; }
    location / { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    location /more/ {
        mon_deadline 1h;
        location /more/less/ {
            mon_deadline 100ms;
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /if/ {
        if ($request_method) {
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }
    }
    location /off/ {
        mon_deadline off;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /to/ { rewrite ^/to(.*) $1 last; }
    location /from/ { mon_deadline off; rewrite ^/from(.*) $1 last; }
    location /try/ { try_files /none @off; }
    location @off {
        mon_deadline off;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
    location /again/ { mon_deadline 1h; error_page 599 = @less; return 599; }
    location @less {
        mon_deadline 100ms;
        proxy_pass http://127.0.0.1:%%PORT_8081%%;
    }
}

server {
    listen 127.0.0.1:%%PORT_8082%%;
    mon_deadline 0;
    location / { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
}
EOC

$t->backend(8081);
$t->run();

is($t->get("$_->[0]/delay/0.25/")->{status}, $_->[1], "$_->[0]: $_->[1]")
	for ['', 504], ['/more', 200], ['/more/less', 504], ['/if', 504],
	['/off', 200], ['/to', 504], ['/to/off', 200], ['/from', 504],
	['/from/off', 200], ['/try', 200], ['/again', 504];

is($t->get('/delay/0.25/', port => 8082)->{status}, 200, 'another server');

ok($t->wait_metric(0, 'nginx_http_requests_in_flight', location => '/'),
   'none is left');
is($t->metric('nginx_http_errors_total', reason => 'deadline'), 6, 'counted');

done_testing();
