#!/usr/bin/perl

# Copyright (C) The ngx_mon authors

# mon_deadline after the header was sent: the connection ends, and the reason
# is counted; post_action runs; what is done is left alone.

use NgxMon;

use Time::HiRes qw/ time /;

my $t = NgxMon->new();

$t->conf(<<'EOC');
mon_zone mon 4m;

log_format status '$status $uri';

upstream backend { server 127.0.0.1:%%PORT_8081%%; keepalive 4; }

server {
    listen 127.0.0.1:%%PORT_8080%% sndbuf=32k;
    access_log %%TESTDIR%%/access.log status;

    mon_deadline 400ms;
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    location = /metrics { mon_deadline off; access_log off; mon_metrics; }
    location /up/ { proxy_pass http://backend; }
    location /unbuffered/ { proxy_buffering off; proxy_pass http://backend; }
    location /disk/ {
        proxy_max_temp_file_size 0;
        proxy_pass http://backend;
    }
    location /chunked/ {
        ssi on;
        ssi_types *;
        proxy_pass http://backend;
    }
    location /gzip/ {
        gzip on;
        gzip_min_length 1;
        gzip_types *;
        sub_filter x y;
        sub_filter_types *;
        proxy_pass http://backend;
    }
    location /file/ { alias %%TESTDIR%%/; }
    location /threads/ { aio threads; alias %%TESTDIR%%/; }
    location /rate/ { limit_rate 1k; alias %%TESTDIR%%/; }
    location /post/ {
        proxy_buffering off;
        post_action /posted/delay/0.6;
        proxy_pass http://backend;
    }
    location /posted/ { internal; proxy_pass http://backend; }
    location /reset/ {
        reset_timedout_connection on;
        alias %%TESTDIR%%/;
    }
    location /scrape { mon_metrics; }
}
EOC

$t->write_file('large', 'x' x 2000000);

my $b = $t->backend(8081);

$t->run();

my $n = 0;
my $held = 5;

sub broken {
	my ($uri, $what, %o) = @_;
	my $client = $t->client(%o);
	my $start = time();

	$client->send_request('GET', $uri);
	$client->read_until(qr/\r\n\r\n/) or fail("$what: no header");
	$n++;

	# a slow reader reads no more until it was counted

	$t->wait_metric($n, 'nginx_http_errors_total', reason => 'deadline')
		if $o{rcvbuf};

	ok($client->closed(), "$what: closed");

	my $took = time() - $start;

	cmp_ok($took, '>', 0.39, 'not before its time');
	cmp_ok($took, '<', 10, 'but then');

	return $client;
}

# a slow peer

broken('/unbuffered/stall', 'a peer');
broken("$_/slow/0.1/bytes/100000", "$_ slowly") for qw{ /up /unbuffered };

# what nginx still holds back was not sent

for (qw{ /up/stall /disk/stall /chunked/stall /gzip/stall }) {
	my $r = $t->get($_, headers => ['Accept-Encoding' => 'gzip']);

	is($r->{status}, 504, "$_: 504");
	like($r->{body}, qr/504 Gateway/, 'is whole');
	is($r->{headers}{'x-backend'}, undef, 'without a rest');
	$n++;
}

my $client = $t->client();

is($client->get('/up/stall')->{status}, 504, 'again');
is($client->get('/up/bytes/20000')->{body}, 'x' x 20000, 'and goes on');
$n++;
$client->close();

# a slow client

for (qw{ /up/bytes/2000000 /unbuffered/bytes/2000000 /disk/bytes/2000000
	 /file/large /threads/large })
{
	broken($_, $_, rcvbuf => 4096);
}

broken('/rate/large', 'limit_rate');
is(broken('/reset/large', 'reset', rcvbuf => 4096)->{error}, 'reset',
   'reset_timedout_connection');

# post_action, which has no deadline

broken('/post/stall', 'post_action');
wait_for(sub { grep { $_->{uri} =~ /posted/ } $b->requests() }, 10, 'posted');

ok(wait_for(sub {
	my $m = $t->metrics();
	$m->get('nginx_http_requests_in_flight') == 0
		&& $m->get('nginx_upstream_requests_in_flight') == 0
		&& $m->get('nginx_connections_active') == 1
}, 10, 'nothing in flight'), 'nothing in flight');

is($t->metric('nginx_http_errors_total', reason => 'deadline'), $n, 'counted');
is($t->metric('nginx_http_errors_total'), $n, 'as nothing else');

wait_for(sub { $t->log_lines(qr/./, 'access.log') >= $n }, 10, 'logged');
is((() = $t->log_lines(qr/^504 /, 'access.log')), $held, 'the ones with 504');

my @lines = $t->log_lines(qr/deadline of 400ms exceeded/);

is(@lines, $n, 'a line each');
cmp_ok(scalar grep(/\[info\].* while (?:sending to client|reading upstream)?/,
		   @lines), '>=', 5, 'a client is no warning');

# a response that is complete, and a connection that lingers

$client = $t->client();
$client->send("POST /file/large HTTP/1.1\r\nHost: a\r\n"
	      . "Content-Length: 100\r\n\r\n" . 'x' x 50);
is($client->response()->{status}, 405, 'answered');
select undef, undef, undef, 0.6;
$client->send('x' x 50);
is($client->get('/up/')->{status}, 200, 'the next one is on time');

is($t->metric('nginx_http_errors_total', reason => 'deadline'), $n,
   'what is answered has no deadline');

done_testing();
