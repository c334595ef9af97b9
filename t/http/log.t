#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Whatever clients do, what is counted is what nginx logs: line by line, where
# it was answered, by status, bytes included.  Clients that behave at random,
# repeatable by NGX_MON_SEED.

use NgxMon;

my $seed = $ENV{NGX_MON_SEED} // time() ^ $$;

srand $seed;

my $t = NgxMon->new(workers => $ENV{NGX_MON_WORKERS} || 2);

my @locations = map { [ split /\|/ ] } split /\n/, <<'EOC';
/|return 200 root;
/file|root %%TESTDIR%%;
/missing|root %%TESTDIR%%; error_page 404 /page;
/page|return 200 page;
/named|error_page 500 @named; return 500;
@named|return 200 named;
/try|root %%TESTDIR%%; try_files $uri /file;
/last|rewrite ^ /file last;
/444|return 444;
/p/|proxy_pass http://127.0.0.1:%%PORT_8081%%; proxy_read_timeout 300ms;
/caught/|proxy_pass http://127.0.0.1:%%PORT_8081%%; error_page 502 /p/;
/refused|proxy_pass http://127.0.0.1:%%PORT_8089%%;
/limit|limit_req zone=r; error_page 404 @named;
/body/|client_max_body_size 100; proxy_pass http://127.0.0.1:%%PORT_8081%%;
/if/|if ($arg_a) { proxy_pass http://127.0.0.1:%%PORT_8081%%; } root /none;
/sub|auth_request /p/; root %%TESTDIR%%; error_page 404 /page;
~ \.x$|deny all;
EOC

my $n = 0;
my %file = ('' => 'log-server');
my $conf = '';

for (@locations) {
	my ($name, $body) = @$_;

	$file{$name} = 'log-' . $n++;
	$conf .= "location $name { access_log $file{$name} sums; $body }\n";
}

$t->conf(<<"EOC");
mon_zone mon 4m;

log_format sums '\$status \$request_length \$bytes_sent \$request_time';
limit_req_zone \$server_port zone=r:1m rate=5r/s;
keepalive_timeout 500ms;
client_header_timeout 300ms;
client_body_timeout 300ms;
lingering_timeout 100ms;

server {
    listen 127.0.0.1:%%PORT_8080%%;
    listen 127.0.0.1:%%PORT_8082%% http2;
    server_name one;
    access_log log-server sums;

    $conf
}

server {
    listen 127.0.0.1:%%PORT_8083%%;
    server_name other;
    location = /metrics { mon_metrics; }
}
EOC

$t->write_file('file', 'x' x 200000);
$t->backend(8081);
$t->run();

my @uris = qw{ / /file /missing /named /try /last /444 /p/ /p/status/500
	/p/bytes/70000 /p/delay/0.02 /p/close /p/half /p/slow/0.01/bytes/90
	/caught/reset /caught/garbage /p/wait/never /refused /limit /body/
	/body/echo /if/ /if/?a=1 /sub /a.x /page };

my @bad = ("GET\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/4.0\r\n\r\n",
	   "GET / HTTP/1.1\r\nHost: a\r\nb\0: c\r\n\r\n", "GET /\r\n", "\r\n",
	   "GET / HTTP/1.1\r\nHost: " . 'x' x 9000 . "\r\n\r\n");

sub pick { return $_[int rand @_] }

sub one {
	my ($c) = @_;
	my $uri = pick(@uris);
	my $what = rand;

	return $c->send(pick(@bad)) if $what < 0.1;

	my @body = $what < 0.3
		? (headers => [ 'Content-Length' => int rand 200 ]) : ();

	$c->send_request(pick(qw/ GET GET GET HEAD POST FOO /), $uri, @body,
			 version => pick(qw/ 1.0 1.1 1.1 1.1 /));
	$c->send('y' x rand 200) if @body;

	return if rand() < 0.5;

	$c->{timeout} = rand(0.05);
	$c->read_bytes(int rand 100000);
}

my @clients;

for (1 .. 250) {
	my $c = $t->client();

	one($c) for 1 .. pick(1, 1, 2, 5);

	if (rand() < 0.5) {
		push @clients, $c;
	} else {
		my $end = pick(qw/ close reset /);
		$c->$end();
	}

	$_->close() for splice @clients, 0, @clients > 30 ? 10 : 0;
}

$t->command('nghttp', '-nm', 3,
	    map { 'http://127.0.0.1:' . $t->port(8082) . $_ }
	    grep { !/never/ } @uris);
$_->close() for @clients;

# all over: a closed connection may still wait to be accepted, and logged

my $m;

wait_for(sub {
	my $lines = 0;

	$m = $t->metrics(port => 8083);
	$lines += () = $t->read_file($_) =~ /\n/g for values %file;

	return $m->get('nginx_http_requests_in_flight') == 0
		&& $m->get('nginx_connections_active') == 1
		&& $m->get('nginx_http_requests_total', server => 'one')
		   == $lines;
}, 20, 'all over');

my $total = 0;

for my $location (sort keys %file) {
	my (%status, %sum);

	for (split /\n/, $t->read_file($file{$location})) {
		my ($status, $length, $sent, $time) = split ' ';

		$status{$status}++;
		$sum{requests}++;
		$sum{length} += $length;
		$sum{sent} += $sent;
		$sum{time} += $time;
	}

	my @labels = (server => 'one', location => $location);
	my %counted;

	$counted{$_->{labels}{status}} += $_->{value}
		for $m->samples('nginx_http_requests_total', @labels);

	is_deeply(\%counted, \%status, "\"$location\" by status");
	is($m->get('nginx_http_request_bytes_total', @labels),
	   $sum{length} // 0, 'bytes received');
	is($m->get('nginx_http_response_bytes_total', @labels),
	   $sum{sent} // 0, 'bytes sent');
	is($m->get('nginx_http_request_duration_seconds_count', @labels),
	   $sum{requests} // 0, 'durations');

	# the log leaves out what was handled in one go, and part of a second

	my $duration = $m->get('nginx_http_request_duration_seconds_sum', @labels);

	cmp_ok($duration, '>=', ($sum{time} // 0) - 0.001 * ($sum{requests} // 0),
	       'not shorter than logged');

	$total += $sum{requests} // 0;
}

cmp_ok($total, '>', 400, 'requests enough');
diag("NGX_MON_SEED=$seed") unless Test::More->builder->is_passing;

done_testing();
