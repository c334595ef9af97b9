#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# The series of configured objects exist from the start, with zeros, but for
# those with a method, a status or a reason.

use NgxMon;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    server_name one.example;

    location = /metrics { mon_metrics; }
    location /a { return 200; }
    location /b { limit_except GET { deny all; } if ($arg_a) { return 204; } }
    location @c { return 200; }
}

server {
    listen 127.0.0.1:%%PORT_8081%%;
    server_name two.example;
    location ~ /a { return 200; }
}
EOC

$t->run();

my $m = $t->metrics();

for my $family (qw/ requests_in_flight connections_upgraded
		    request_bytes_total response_bytes_total
		    slow_requests_total request_duration_seconds_count
		    time_to_first_byte_seconds_count /)
{
	my @samples = $m->samples("nginx_http_$family");

	is_deeply([ sort map { join ' ', @{ $_->{labels} }{qw/ server location /} }
		    @samples ],
		  [ 'one.example ', 'one.example /a', 'one.example /b',
		    'one.example @c', 'two.example ', 'two.example ~ /a' ],
		  "series of $family");
	is_deeply([ map { $_->{value} } @samples ], [ (0) x 6 ],
		  "zeros of $family");
}

is_deeply([ map { $m->get('nginx_http_requests_by_protocol_total',
			  protocol => $_) } qw/ 0.9 1.0 1.1 2 3 / ],
	  [ (0) x 5 ], 'protocols');

for (qw/ requests_total errors_total cache_requests_total
	 limited_requests_total /)
{
	is($m->get("nginx_http_$_"), undef, "none of $_");
}

done_testing();
