#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# Thousands of requests of no sense on raw sockets; after them every format
# is accepted, and nginx has nothing to complain of.

use NgxMon;

use NgxMon::Scrape qw/ judge_all /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 16m;

large_client_header_buffers 4 16k;
client_header_timeout 5s;
client_body_timeout 5s;

server {
    listen 127.0.0.1:%%PORT_8080%%;

    mon_label host $host max=300;
    mon_label uri $request_uri max=300;
    mon_label agent $http_user_agent max=300;
    mon_label x $arg_x max=300;

    location = /metrics { mon_metrics; mon on; }
    location = /health { mon_health; mon on; }
    location ~ \.php { return 404; }
    location / { return 200; }
}
EOC

$t->run();

my $seed = $ENV{NGX_MON_SEED} || time();

srand $seed;
note("NGX_MON_SEED=$seed");

sub pick { $_[rand @_] }

sub bytes {
	my ($n) = @_;

	return join '', map { chr int rand 256 } 1 .. rand $n;
}

my @pieces = ('"', '\\', "\n", '{', '}', '=', ',', '%0a', '%00', '%22', '%ff',
	      '%', 'le="+Inf"', "\xc3\xa4", "\xc3", "\xff", "\t", ' ', '#',
	      '?', '&', 'x=', '/', '//', '..', 'a', "\x00", "\r", '$uri',
	      '# EOF');

sub text { join '', map { rand() < .9 ? pick(@pieces) : bytes(9) } 0 .. rand 12 }

sub request {
	my $method = rand() < .7 ? pick(qw/ GET HEAD POST PUT OPTIONS BREW /)
				 : text();
	my $uri = pick('/', '/', '/metrics?', '/metrics?name=', '/health?',
		       '/x.php/', '', 'http://a/', '*') . text();
	my $version = rand() < .8 ? ' HTTP/1.1' : pick('', ' HTTP/1.0',
		' HTTP/0.9', ' HTTP/2.0', ' HTTP/9', text());
	my $head = "$method $uri$version\r\n";

	$head .= 'Host: ' . (rand() < .5 ? 'a' : text()) . "\r\n"
		if rand() < .9;
	$head .= 'User-Agent: ' . text() x pick(1, 1, 50) . "\r\n"
		if rand() < .5;
	$head .= 'Accept: ' . pick(text(), 'application/json', '*/*',
		'application/openmetrics-text;q=' . text()) . "\r\n"
		if rand() < .5;
	$head .= text() . ': ' . text() . "\r\n" if rand() < .3;
	$head .= 'Content-Length: ' . pick(0, 1, 10, -1, '9' x 30) . "\r\n"
		if rand() < .1;
	$head .= "Transfer-Encoding: chunked\r\n" if rand() < .05;
	$head .= "Connection: close\r\n" if rand() < .5;

	return "$head\r\n" . (rand() < .2 ? text() : '');
}

my $sent = 0;

for (1 .. 400) {
	my $c = $t->client(timeout => 0.01);

	for (1 .. 1 + rand 10) {
		my $request = request();

		$sent++;
		last unless $c->send(rand() < .95 ? $request
			: substr $request, 0, rand length $request);
	}

	# answers are read by some

	$c->_fill() if rand() < .5;
	pick(1, 1, 0) ? $c->close() : $c->reset();
}

cmp_ok($sent, '>', 1500, "$sent requests");
is(judge_all($t), '', 'every format is accepted');

my $m = $t->metrics();

cmp_ok($m->get('nginx_http_requests_total'), '>', 400, 'counted');
is(grep({ length > 128 } map { %{ $_->{labels} } }
	$m->samples('nginx_http_requests_total')) + 0, 0, 'no label is longer');

done_testing();
